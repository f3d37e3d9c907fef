//! Ids, newest first, from several runs of an index at once: a list over many connections is one merge of what each
//! index already has in order, so that a page costs what is on it and not what is in the table.

use std::collections::{BinaryHeap, VecDeque};

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, params_from_iter};
use uuid::Uuid;

use super::super::rows::{DbResult, all, limit, uuid};
use crate::filling::Filling;

/// Ids read ahead of one run at most.
const MOST_AHEAD: usize = 256;

/// Part of an index in which one merchant's ids are in order. The statement's first four parameters are the id below
/// which, the one above which, how many are read, and the merchant; the others are the run's own.
pub(super) struct Run {
    sql: &'static str,
    merchant: i64,
    of: Vec<SqlValue>,
    ahead: VecDeque<Uuid>,
    below: Vec<u8>,
    read_next: usize,
    is_over: bool,
}

impl Run {
    pub(super) fn new(sql: &'static str, merchant: i64, of: impl IntoIterator<Item = SqlValue>) -> Self {
        Self {
            sql,
            merchant,
            of: of.into_iter().collect(),
            ahead: VecDeque::new(),
            below: Vec::new(),
            read_next: 1,
            is_over: false,
        }
    }

    /// Of ids that are known, newest first.
    pub(super) fn known(merchant: i64, ids: impl IntoIterator<Item = Uuid>) -> Self {
        let mut run = Self::new("", merchant, []);
        run.ahead.extend(ids);
        run.is_over = true;
        run
    }

    fn next(&mut self, db: &Connection, above: &[u8]) -> DbResult<Option<Uuid>> {
        if self.ahead.is_empty() && !self.is_over {
            let bounds = [
                SqlValue::Blob(self.below.clone()),
                SqlValue::Blob(above.to_vec()),
                SqlValue::Integer(limit(self.read_next)),
                SqlValue::Integer(self.merchant),
            ];
            let params = params_from_iter(bounds.into_iter().chain(self.of.iter().cloned()));
            self.ahead.extend(all(db, self.sql, params, |row| uuid(row, "id"))?);
            self.is_over = self.ahead.len() < self.read_next;
            self.read_next = (self.read_next * 4).min(MOST_AHEAD);
            if let Some(last) = self.ahead.back() {
                self.below = last.as_bytes().to_vec();
            }
        }
        Ok(self.ahead.pop_front())
    }
}

/// Below which id, and above which.
pub(super) type Bounds = (Option<Uuid>, Option<Uuid>);

/// Of a page that goes on below `before`, and of a filter that means nothing above `newest` and below `oldest`.
pub(super) fn bounds<I: Ord>(
    before: Option<I>,
    newest: Option<I>,
    oldest: Option<I>,
    as_uuid: impl Fn(&I) -> &Uuid,
) -> Bounds {
    let below = before.into_iter().chain(newest).min();
    let uuid = |id: Option<I>| id.map(|id| *as_uuid(&id));
    (uuid(below), uuid(oldest))
}

/// All runs as one.
pub(super) struct Newest<'db> {
    db: &'db Connection,
    runs: Vec<Run>,
    above: Vec<u8>,
    /// The newest of each run.
    heads: BinaryHeap<(Uuid, usize)>,
}

impl<'db> Newest<'db> {
    /// Ids below and above these. `page`: how many will be wanted, as far as that is known.
    pub(super) fn new(db: &'db Connection, mut runs: Vec<Run>, (before, above): Bounds, page: usize) -> DbResult<Self> {
        // No id is as great as a blob that is longer than ids are, and none is as small as an empty one.
        let below = before.map_or(vec![u8::MAX; 17], |id| id.as_bytes().to_vec());
        let above = above.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
        let mut heads = BinaryHeap::with_capacity(runs.len());
        let share = (page / runs.len().max(1)).clamp(1, MOST_AHEAD);
        for (index, run) in runs.iter_mut().enumerate() {
            run.ahead
                .retain(|id| id.as_bytes()[..] < below[..] && id.as_bytes()[..] > above[..]);
            run.below.clone_from(&below);
            run.read_next = share;
            heads.extend(run.next(db, &above)?.map(|id| (id, index)));
        }
        Ok(Self { db, runs, above, heads })
    }

    /// The next id, and whose it is.
    pub(super) fn next(&mut self) -> DbResult<Option<(i64, Uuid)>> {
        let Some((id, index)) = self.heads.pop() else {
            return Ok(None);
        };
        if let Some(next) = self.runs[index].next(self.db, &self.above)? {
            self.heads.push((next, index));
        }
        Ok(Some((self.runs[index].merchant, id)))
    }

    /// A page of what `find` answers for these ids, and below which id the next one begins. It looks at `most_looked_at`
    /// ids, but never at fewer than there may be on the page.
    pub(super) fn page<T>(
        mut self,
        most: usize,
        most_looked_at: usize,
        mut find: impl FnMut(i64, &Uuid) -> DbResult<Option<T>>,
    ) -> DbResult<(Vec<T>, Option<Uuid>)> {
        let mut filling = Filling::new(most, most_looked_at);
        while let Some((merchant, id)) = self.next()? {
            if !filling.take(id, find(merchant, &id)?) {
                break;
            }
        }
        Ok(filling.done())
    }
}
