//! One transaction: the rows of a batch are locked, its changesets applied to them, and what is left is written.

use std::collections::{BTreeSet, HashSet};
use std::future::Future;
use std::pin::Pin;

use deadpool_postgres::Object;
use futures_util::future::{try_join, try_join_all};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};
use uuid::Uuid;

use upsert_core::MerchantMark;
use upsert_core::crash_point::{self as points, crash_point};
use upsert_store::{Applied, Changeset};

use super::batch::{Batch, Place};
use super::error::DbResult;
use super::keys::content_of;
use super::rows::{Key, Rows};
use super::table::{Column, Table, column};
use super::tables::{CUSTOMERS, INCOMING, KEYS, MARKS};
use super::text;
use super::value::{Array, Kind, Value};

/// What the database tells of when the newest id was made is ahead by so much: one statement more in a second, and not in
/// every commit.
const AHEAD_MICROS: i64 = 1_000_000;

const BY_CONTENT: &str = "SELECT t.merchant, t.source, t.event_id, t.content, t.id, t.revision \
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS w(merchant, source, event_id, content) \
    JOIN incoming_events t ON t.merchant = w.merchant AND t.source = w.source AND t.event_id = w.event_id \
    AND t.content = w.content ORDER BY t.merchant, t.id FOR UPDATE OF t";
const ALL_OF_CUSTOMERS: &str = "SELECT t.merchant, t.customer, t.connection, t.revision, t.record \
    FROM unnest($1::text[], $2::uuid[]) AS w(merchant, customer) \
    JOIN customers t ON t.merchant = w.merchant AND t.customer = w.customer \
    ORDER BY t.merchant, t.customer, t.connection FOR UPDATE OF t";
const ALL_MARKS: &str = "SELECT t.merchant, t.customer, t.source, t.revision \
    FROM unnest($1::text[], $2::uuid[]) AS w(merchant, customer) \
    JOIN event_marks t ON t.merchant = w.merchant AND t.customer = w.customer \
    ORDER BY t.merchant, t.customer, t.source FOR UPDATE OF t";
const PLACES: &str = "INSERT INTO places (merchant, kind, name, mark) \
    SELECT w.merchant, w.kind, w.name, w.mark FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) \
    AS w(merchant, kind, name, mark) ORDER BY w.merchant, w.kind, w.name ON CONFLICT DO NOTHING";
const MADE: &str = "INSERT INTO made (id, until) SELECT 0, w.until FROM unnest($1::bigint[]) AS w(until) \
    ON CONFLICT (id) DO UPDATE SET until = greatest(made.until, excluded.until)";

/// What the database is known to have, so that it is not told once more.
#[derive(Default)]
pub(super) struct Told {
    places: HashSet<Place>,
    made_until: i64,
}

impl Told {
    /// What a transaction has told it.
    pub(super) fn note(&mut self, places: BTreeSet<Place>, made_until: Option<i64>) {
        self.places.extend(places);
        self.made_until = self.made_until.max(made_until.unwrap_or_default());
    }
}

/// What was applied, and until when ids were made, if the database was told.
pub(super) type Committed = (Vec<Applied>, Option<i64>);

/// Begins, applies what can be applied, commits. Where it fails the transaction is still to be taken back.
pub(super) async fn run(
    client: &Object,
    batch: &mut Batch<'_>,
    changesets: &[&Changeset],
    told: &Told,
) -> DbResult<Committed> {
    lock(client, batch).await?;
    let mut applied = Vec::with_capacity(changesets.len());
    for changes in changesets {
        applied.push(batch.apply(changes)?);
    }
    let made_until = batch.made.filter(|made| *made > told.made_until);
    let made_until = made_until.map(|made| made.saturating_add(AHEAD_MICROS));
    write(client, batch, told, made_until).await?;
    Ok((applied, made_until))
}

/// Key and values of a row.
type Line<'a> = (&'a [Value], &'a [Value]);

/// A statement, and an array for each of its parameters.
struct Prepared<'a> {
    statement: Statement,
    arrays: Vec<Array<'a>>,
}

impl<'a> Prepared<'a> {
    /// Of rows; none: there are none. `columns` are those of the key and those of the values.
    async fn of(
        client: &Object,
        sql: &str,
        (key, values): (&[Column], &[Column]),
        lines: &[Line<'a>],
    ) -> DbResult<Option<Self>> {
        if lines.is_empty() {
            return Ok(None);
        }
        let of_key =
            |(index, column): (usize, &Column)| Array::of(column.kind, lines.iter().map(|line| &line.0[index]));
        let of_values =
            |(index, column): (usize, &Column)| Array::of(column.kind, lines.iter().map(|line| &line.1[index]));
        let arrays = key.iter().enumerate().map(of_key);
        let arrays = arrays.chain(values.iter().enumerate().map(of_values)).collect();
        Ok(Some(Self {
            statement: client.prepare_cached(sql).await?,
            arrays,
        }))
    }

    fn params(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.arrays.iter().map(Array::as_sql).collect()
    }

    async fn query(&self, client: &Object) -> DbResult<Vec<Row>> {
        Ok(client.query(&self.statement, &self.params()).await?)
    }

    async fn execute(&self, client: &Object) -> DbResult<()> {
        client.execute(&self.statement, &self.params()).await?;
        Ok(())
    }
}

const TEXT: Column = column("", Kind::Text);
const UUID: Column = column("", Kind::Uuid);
const BIG: Column = column("", Kind::Big);

/// Begins, and locks every row that the batch needs.
async fn lock(client: &Object, batch: &mut Batch<'_>) -> DbResult<()> {
    let going: Vec<[Value; 2]> = batch
        .going
        .iter()
        .map(|(merchant, customer)| [merchant.as_str().into(), customer.into()])
        .collect();
    let going: Vec<Line<'_>> = going.iter().map(|key| (&key[..], &[][..])).collect();
    let by_content: Vec<[Value; 4]> = batch
        .by_content
        .keys()
        .map(|(merchant, source, event_id, content)| {
            [merchant, source, event_id, content].map(|text| text.as_str().into())
        })
        .collect();
    let by_content: Vec<Line<'_>> = by_content.iter().map(|key| (&key[..], &[][..])).collect();
    let of_customer = (&[TEXT, UUID][..], &[][..]);
    let mut asked = Vec::new();
    let all_of_customers = Prepared::of(client, ALL_OF_CUSTOMERS, of_customer, &going).await?;
    asked.extend(all_of_customers.map(|prepared| (Found::Of(&CUSTOMERS), prepared)));
    let locks = locks(client, batch.all()).await?;
    asked.extend(locks.into_iter().map(|(table, prepared)| (Found::Of(table), prepared)));
    let marks = Prepared::of(client, ALL_MARKS, of_customer, &going).await?;
    asked.extend(marks.map(|prepared| (Found::Of(&MARKS), prepared)));
    let events = Prepared::of(client, BY_CONTENT, (&[TEXT; 4], &[]), &by_content).await?;
    asked.extend(events.map(|prepared| (Found::ByContent, prepared)));
    let begin = async { Ok(client.batch_execute("BEGIN").await?) };
    let all = try_join_all(asked.iter().map(|(_, prepared)| prepared.query(client)));
    // Each is sent when it is first looked at, in this order, and none waits for the answer of the one before.
    let ((), found) = try_join(begin, all).await?;
    let found: Vec<(Found, Vec<Row>)> = asked.into_iter().map(|(of, _)| of).zip(found).collect();
    for (of, rows) in found {
        of.take(batch, &rows)?;
    }
    lock_links(client, batch).await
}

/// Keys of the vendor records that lanes are linked to: only the lanes could tell.
async fn lock_links(client: &Object, batch: &mut Batch<'_>) -> DbResult<()> {
    let mut links = batch.keys_of_links();
    links.retain(|key| !batch.of(&KEYS).has(key));
    links.sort_unstable();
    links.dedup();
    let lines: Vec<Line<'_>> = links.iter().map(|key| (&key[..], &[][..])).collect();
    if let Some(prepared) = Prepared::of(client, &KEYS.sql().lock, (KEYS.key, &[]), &lines).await? {
        let rows = prepared.query(client).await?;
        Found::Of(&KEYS).take(batch, &rows)?;
    }
    Ok(())
}

async fn locks<'a>(client: &Object, all: &'a [Rows]) -> DbResult<Vec<(&'static Table, Prepared<'a>)>> {
    let mut locks = Vec::new();
    for rows in all {
        let lines: Vec<Line<'_>> = rows.keys().map(|key| (&key[..], &[][..])).collect();
        let prepared = Prepared::of(client, &rows.table.sql().lock, (rows.table.key, &[]), &lines).await?;
        locks.extend(prepared.map(|prepared| (rows.table, prepared)));
    }
    Ok(locks)
}

/// What rows were asked for.
enum Found {
    /// Rows of a table: their keys, and what is judged of them.
    Of(&'static Table),
    /// Events that came in, by what they are known by.
    ByContent,
}

impl Found {
    fn take(self, batch: &mut Batch<'_>, rows: &[Row]) -> DbResult<()> {
        for row in rows {
            match self {
                Self::Of(table) => {
                    let read = |index: usize, column: &Column| Value::read(row, index, column.kind, column.name);
                    let columns = table.key.iter().chain(table.judged()).enumerate();
                    let mut key: Key = columns
                        .map(|(index, column)| read(index, column))
                        .collect::<DbResult<_>>()?;
                    let judged = key.split_off(table.key.len());
                    batch.of(table).found(key, judged);
                }
                Self::ByContent => {
                    let text = |index: usize| row.try_get::<_, &str>(index).map(text::read);
                    let content = content_of(&text(0)?, &text(1)?, &text(2)?, &text(3)?);
                    let (id, revision): (Uuid, i64) = (row.try_get(4)?, row.try_get(5)?);
                    let key = vec![content.0.as_str().into(), id.into()];
                    batch.of(&INCOMING).found(key, vec![revision.into()]);
                    batch.by_content.insert(content, Some(id));
                }
            }
        }
        Ok(())
    }
}

type Running<'a> = Pin<Box<dyn Future<Output = DbResult<()>> + Send + 'a>>;

/// Writes what is left of the batch, and commits.
async fn write(client: &Object, batch: &Batch<'_>, told: &Told, made_until: Option<i64>) -> DbResult<()> {
    let mut writes = Vec::new();
    let places: Vec<[Value; 4]> = batch
        .places
        .iter()
        .filter(|place| !told.places.contains(*place))
        .map(|(merchant, kind, name)| {
            let mark = MerchantMark::of(merchant).number();
            [
                merchant.as_str().into(),
                (*kind).into(),
                name.as_str().into(),
                i64::from(mark).into(),
            ]
        })
        .collect();
    let places: Vec<Line<'_>> = places.iter().map(|place| (&place[..], &[][..])).collect();
    writes.extend(Prepared::of(client, PLACES, (&[TEXT, TEXT, TEXT, BIG], &[]), &places).await?);
    let held: Vec<Line<'_>> = batch
        .held_places()
        .into_iter()
        .map(|key| (&key[..], &NOBODY[..]))
        .collect();
    for rows in batch.all() {
        let (table, changes) = (rows.table, rows.changes());
        let (sql, all) = (table.sql(), (table.key, table.values));
        writes.extend(Prepared::of(client, &sql.delete, (table.key, &[]), &changes.delete).await?);
        writes.extend(Prepared::of(client, &sql.update, all, &changes.update).await?);
        writes.extend(Prepared::of(client, &sql.insert, all, &changes.insert).await?);
    }
    writes.extend(Prepared::of(client, &KEYS.sql().insert, (KEYS.key, KEYS.values), &held).await?);
    writes.extend(Prepared::of(client, &KEYS.sql().delete, (KEYS.key, &[]), &held).await?);
    let until = made_until.map(|until| [Value::Big(until)]);
    let until: Vec<Line<'_>> = until.iter().map(|until| (&until[..], &[][..])).collect();
    writes.extend(Prepared::of(client, MADE, (&[BIG], &[]), &until).await?);
    crash_point(points::STORE_BEFORE_COMMIT);
    let mut running: Vec<Running<'_>> = Vec::with_capacity(writes.len() + 1);
    for prepared in &writes {
        running.push(Box::pin(prepared.execute(client)));
    }
    running.push(Box::pin(async { Ok(client.batch_execute("COMMIT").await?) }));
    // As above. Where one fails the transaction has failed, and COMMIT takes it back.
    try_join_all(running).await?;
    crash_point(points::STORE_AFTER_COMMIT);
    Ok(())
}

/// What a key's row has that only holds its place.
static NOBODY: [Value; 1] = [Value::Uuids(Vec::new())];
