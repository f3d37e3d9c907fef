//! Copying a whole store into an empty one, whichever drivers they have.
//!
//! **By meaning, not by bytes.** Drivers keep the same things in other clothing. Each end reads and writes rows in one form
//! that is no driver's, part by part. The target takes over the key of the source's digests, so that every digest is still
//! good, and no plain value is needed. What is sealed stays so and is copied as it is, with the data keys: it is bound to a place
//! that has the same name in every driver. So no configured key is needed either.
//!
//! **Resumable.** A batch of rows and how far the copy is are one transaction of the target. Killed at any moment, a copy
//! goes on where it was; until it has ended nobody else can open the target.
//!
//! **Verified.** In the end both stores are read once more and compared: how many rows there are of each thing, and a digest
//! of them. So a source that somebody has changed meanwhile shows.

pub(crate) mod end;
pub(crate) mod form;
mod note;
mod report;
mod tally;

use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use futures_util::future::{join, try_join};
use jiff::Timestamp;

use crate::postgres::copying::PostgresEnd;
use crate::sqlite::copying::SqliteEnd;
use end::{Broken, End, Notes};
use form::{PARTS, Part};
use note::Note;
use tally::{Tallies, Tally};

pub use report::{Compared, Copied, CopyError, CopyStep};

/// Where a store is.
#[derive(Clone)]
pub enum Location {
    /// A file.
    Sqlite(PathBuf),
    /// A database, by a URL as [`crate::postgres::PostgresStore::open`] takes it.
    Postgres(String),
}

/// Shows nothing of a URL: it may hold a password.
impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(_) => f.debug_tuple("Postgres").finish_non_exhaustive(),
        }
    }
}

/// What is to be copied, and how.
#[derive(Debug, Clone)]
pub struct CopyOrder {
    /// From where.
    pub from: Location,
    /// To where: an empty store, or one to which this copy was begun.
    pub to: Location,
    /// From where, for people: the target keeps it, so no secret may be in it.
    pub from_shown: String,
    /// Rows that are read and written at once. [`CopyOrder::USUAL_BATCH`] suits most.
    pub batch: usize,
}

impl CopyOrder {
    /// Some megabytes of customers, deliveries and requests.
    pub const USUAL_BATCH: usize = 2_000;
}

type CopyResult<T> = Result<T, CopyError>;

fn source(Broken(why): Broken) -> CopyError {
    CopyError::Failed { end: "source", why }
}

fn target(Broken(why): Broken) -> CopyError {
    CopyError::Failed { end: "target", why }
}

/// Copies, or goes on with a copy that was interrupted, and compares both stores. The clock says when it begins and ends;
/// `tell` hears of each batch and may stop it.
///
/// # Errors
///
/// See [`CopyError`]. Whatever was copied stays, and the same call goes on from there.
pub async fn copy(
    order: &CopyOrder,
    clock: &(dyn Fn() -> Timestamp + Sync),
    tell: &mut (dyn FnMut(CopyStep) -> ControlFlow<()> + Send),
) -> CopyResult<Copied> {
    let mut from = open(&order.from, "source").await?;
    if let Some(noted) = from
        .noted()
        .await
        .map_err(source)?
        .filter(|noted| noted.ended_at.is_none())
    {
        let from = Note::from_bytes(&noted.body).map_err(source)?.from;
        return Err(CopyError::SourceIsUnfinished { from });
    }
    let mut to = open(&order.to, "target").await?;
    let secret = from.secret().await.map_err(source)?;
    let note = begin(&mut *to, &secret, &order.from_shown, clock()).await?;
    let before = PARTS.iter().map(|part| note.rows(part)).sum();
    let mut copy = Copy {
        from,
        to,
        note,
        before,
        rows: 0,
        batch: order.batch.max(1),
        tell,
    };
    for part in PARTS {
        copy.carry(part).await?;
    }
    copy.to.settle().await.map_err(target)?;
    let compared = copy.compare(&secret).await?;
    let copied = Copied {
        compared,
        before,
        rows: copy.rows,
    };
    if copied.is_same() {
        copy.end(clock()).await?;
    }
    Ok(copied)
}

async fn open(location: &Location, end: &'static str) -> CopyResult<Box<dyn End>> {
    let is_source = end == "source";
    let refused = |why| CopyError::Open { end, why };
    Ok(match location {
        Location::Sqlite(path) => {
            if is_source && !Path::is_file(path) {
                return Err(CopyError::NoSource);
            }
            Box::new(SqliteEnd::open(path.clone(), is_source).await.map_err(refused)?)
        }
        Location::Postgres(url) => {
            let opened = PostgresEnd::open(url, is_source).await.map_err(refused)?;
            Box::new(opened.ok_or(CopyError::NoSource)?)
        }
    })
}

/// How far a copy to this target is; it begins where there is none.
async fn begin(to: &mut dyn End, secret: &[u8], from: &str, now: Timestamp) -> CopyResult<Note> {
    let Some(noted) = to.noted().await.map_err(target)? else {
        if !to.is_empty().await.map_err(target)? {
            return Err(CopyError::NotEmpty);
        }
        let note = Note::new(from, now);
        let body = note.to_bytes().map_err(target)?;
        to.begin(secret, &body).await.map_err(target)?;
        return Ok(note);
    };
    let note = Note::from_bytes(&noted.body).map_err(target)?;
    if let Some(at) = noted.ended_at {
        return Err(CopyError::Ended { from: note.from, at });
    }
    if to.secret().await.map_err(target)? != secret {
        return Err(CopyError::BegunFromAnother { from: note.from });
    }
    Ok(note)
}

struct Copy<'a> {
    from: Box<dyn End>,
    to: Box<dyn End>,
    note: Note,
    before: u64,
    rows: u64,
    batch: usize,
    tell: &'a mut (dyn FnMut(CopyStep) -> ControlFlow<()> + Send),
}

impl Copy<'_> {
    /// Copies what is left of a part. While one batch is written the next one is read.
    async fn carry(&mut self, part: &'static Part) -> CopyResult<()> {
        let after = self.note.after(part).cloned();
        let mut next = self.from.read(part, after.as_ref(), self.batch).await.map_err(source)?;
        while let Some(last) = next.last {
            let count = next.rows.len();
            let before = self.note.to_bytes().map_err(target)?;
            self.note.go_on(part, count, last.clone());
            let after = self.note.to_bytes().map_err(target)?;
            let put = self.to.put(part, next.rows, Notes { before, after });
            let (put, read) = join(put, self.from.read(part, Some(&last), self.batch)).await;
            if !put.map_err(target)? {
                return Err(CopyError::Overtaken);
            }
            next = read.map_err(source)?;
            self.rows += count as u64;
            self.tell(CopyStep::Copied {
                part: part.name,
                rows: self.note.rows(part),
                in_all: self.before + self.rows,
                by_this_run: self.rows,
            })?;
        }
        Ok(())
    }

    fn tell(&mut self, step: CopyStep) -> CopyResult<()> {
        match (self.tell)(step) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(CopyError::Stopped),
        }
    }

    /// Reads both once more.
    async fn compare(&mut self, secret: &[u8]) -> CopyResult<Vec<Compared>> {
        let (mut from, mut to) = (Tallies::new(secret), Tallies::new(secret));
        let mut rows = 0;
        for part in PARTS {
            let mut places = (Some(None), Some(None));
            while places.0.is_some() || places.1.is_some() {
                let (batch, (at_source, at_target)) = (self.batch, &mut places);
                let source_read = async {
                    let read = read_on(&mut *self.from, part, at_source, batch, &mut from).await;
                    read.map_err(source)
                };
                let target_read = async {
                    let read = read_on(&mut *self.to, part, at_target, batch, &mut to).await;
                    read.map_err(target)
                };
                let (of_source, of_target) = try_join(source_read, target_read).await?;
                rows += of_source + of_target;
                self.tell(CopyStep::Checked { part: part.name, rows })?;
            }
        }
        let things: std::collections::BTreeSet<_> = from.of.keys().chain(to.of.keys()).copied().collect();
        let compared = things.into_iter().map(|thing| {
            let of = |tallies: &Tallies| tallies.of.get(thing).copied().unwrap_or_default();
            let (from, to): (Tally, Tally) = (of(&from), of(&to));
            Compared {
                thing,
                from: from.rows,
                to: to.rows,
                from_digest: from.digest,
                to_digest: to.digest,
            }
        });
        Ok(compared.collect())
    }

    async fn end(&mut self, at: Timestamp) -> CopyResult<()> {
        let made_until = self.from.made_until().await.map_err(source)?;
        let body = self.note.to_bytes().map_err(target)?;
        let notes = Notes {
            before: body.clone(),
            after: body,
        };
        if self.to.end(made_until, notes, at).await.map_err(target)? {
            Ok(())
        } else {
            Err(CopyError::Overtaken)
        }
    }
}

/// Where reading goes on: nowhere, at the beginning, or after a place.
type Next = Option<Option<end::Place>>;

/// Reads some more of a part, if there is more, and counts it. How many rows there were.
async fn read_on(
    end: &mut dyn End,
    part: &'static Part,
    next: &mut Next,
    most: usize,
    tallies: &mut Tallies,
) -> end::EndResult<u64> {
    let Some(after) = next.take() else {
        return Ok(0);
    };
    let batch = end.read(part, after.as_ref(), most).await?;
    for row in &batch.rows {
        tallies.add(part, row);
    }
    *next = batch.last.map(Some);
    Ok(batch.rows.len() as u64)
}
