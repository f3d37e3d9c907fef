//! Questions about deliveries and attempts.

use std::borrow::Cow;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use upsert_core::{DeliveryId, Word as _};
use upsert_store::{
    AttemptRecord, Counted, DeliveryFilter, DeliveryPage, DeliveryRecord, DeliveryState, DeliveryStore, FailedCount,
    StoreError, WaitingCount,
};

use super::super::PostgresStore;
use super::super::error::{DbError, DbResult};
use super::super::reader::{Client, LEAST, all, count, first, get};
use super::super::text;
use super::lists::{Bounds, MOST_LOOKED_AT, Newest, bounds};
use crate::copy::form::{self, UPSERTS};
use crate::filling::Filling;
use crate::kept::{last_of, limit};

/// Rows that a count goes through where it need not look into them.
const MOST_COUNTED: usize = 100_000;

/// Rows that are read at once where they are known.
const AT_ONCE: usize = 200;

const DELIVERY: &str =
    "SELECT id, revision, body FROM upserts WHERE merchant = $1 AND id = $2 AND connection IS NOT NULL";
const OF_CONNECTIONS: &str = "SELECT p.merchant, d.id, d.revision, d.body FROM places p CROSS JOIN LATERAL ( \
    SELECT id, revision, body FROM upserts WHERE merchant = p.merchant AND connection = p.name AND id < $1 AND id > $2 \
    ORDER BY id DESC LIMIT $3) d WHERE p.kind = 'connection' AND ($4::text[] IS NULL OR p.merchant = ANY($4)) \
    AND ($5::text IS NULL OR p.name = $5) ORDER BY d.id DESC LIMIT $3";
const STANDING: &str = "SELECT p.merchant, d.id, d.revision, d.body FROM places p CROSS JOIN unnest($6::text[]) AS s(standing) \
    CROSS JOIN LATERAL (SELECT id, revision, body FROM upserts WHERE standing = s.standing AND merchant = p.merchant \
    AND connection = p.name AND id < $1 AND id > $2 ORDER BY id DESC LIMIT $3) d \
    WHERE p.kind = 'connection' AND ($4::text[] IS NULL OR p.merchant = ANY($4)) \
    AND ($5::text IS NULL OR p.name = $5) ORDER BY d.id DESC LIMIT $3";
const COUNT_STANDING: &str = "SELECT count(*) AS found FROM (SELECT 1 FROM places p \
    CROSS JOIN unnest($6::text[]) AS s(standing) JOIN upserts u ON u.standing = s.standing AND u.merchant = p.merchant \
    AND u.connection = p.name AND u.id < $1 AND u.id > $2 \
    WHERE p.kind = 'connection' AND ($4::text[] IS NULL OR p.merchant = ANY($4)) \
    AND ($5::text IS NULL OR p.name = $5) LIMIT $3) found";
const COUNT_ALL: &str = "SELECT count(*) AS found FROM (SELECT 1 FROM places p \
    JOIN upserts u ON u.merchant = p.merchant AND u.connection = p.name AND u.id < $1 AND u.id > $2 \
    WHERE p.kind = 'connection' AND ($4::text[] IS NULL OR p.merchant = ANY($4)) \
    AND ($5::text IS NULL OR p.name = $5) LIMIT $3) found";
const UPSERTS_OF_CUSTOMER: &str = "SELECT u.id FROM (SELECT DISTINCT merchant FROM places \
    WHERE $1::text[] IS NULL OR merchant = ANY($1)) m JOIN upserts u ON u.merchant = m.merchant AND u.customer = $2";
const BETWEEN: &str = "SELECT d.merchant, d.id, d.revision, d.body FROM (SELECT DISTINCT merchant FROM places \
    WHERE $1::text[] IS NULL OR merchant = ANY($1)) m CROSS JOIN unnest($2::uuid[], $3::uuid[]) AS w(first, last) \
    JOIN upserts d ON d.merchant = m.merchant AND d.id > w.first AND d.id <= w.last AND d.connection IS NOT NULL \
    ORDER BY d.id DESC";
/// The first one stands with the delivery, the others apart.
const ATTEMPTS: &str = "SELECT 1::bigint AS number, id, id AS delivery, attempt, request FROM upserts \
    WHERE merchant = $1 AND id = $2 AND length(attempt) > 0 \
    UNION ALL SELECT number, delivery AS id, delivery, attempt, request FROM attempts \
    WHERE merchant = $1 AND delivery = $2 ORDER BY number";
/// From place to place through the index: what waits behind the first of a place is not looked at.
const DUE_CONNECTIONS: &str = "WITH RECURSIVE place AS ( \
    (SELECT merchant, connection, due_at FROM upserts WHERE due_at IS NOT NULL \
    ORDER BY merchant, connection, due_at LIMIT 1) \
    UNION ALL SELECT n.merchant, n.connection, n.due_at FROM place p CROSS JOIN LATERAL ( \
    SELECT merchant, connection, due_at FROM upserts WHERE due_at IS NOT NULL \
    AND (merchant, connection) > (p.merchant, p.connection) ORDER BY merchant, connection, due_at LIMIT 1) n) \
    SELECT merchant, connection FROM place WHERE due_at <= $1 ORDER BY merchant, connection";
const DUE_AT: &str = "SELECT id, revision, body FROM upserts WHERE merchant = $1 AND connection = $2 AND due_at <= $3 \
    ORDER BY due_at, id LIMIT $4";
const WAITING_AT: &str = "SELECT d.id, d.revision, d.body FROM unnest($5::text[]) AS s(standing) CROSS JOIN LATERAL ( \
    SELECT id, revision, body FROM upserts WHERE standing = s.standing AND merchant = $1 AND connection = $2 AND id > $3 \
    ORDER BY id LIMIT $4) d ORDER BY d.id LIMIT $4";
const IN_FLIGHT: &str = "SELECT merchant, id, revision, body FROM upserts WHERE standing = 'in_flight' \
    AND ($1::bigint IS NULL OR lease_until <= $1) LIMIT $2";
const COUNT_OPEN: &str = "SELECT c.standing, c.merchant, c.connection, c.waiting, oldest.id, oldest.revision, oldest.body \
    FROM ( \
    SELECT standing, merchant, connection, count(*) AS waiting FROM upserts WHERE standing = ANY($1) \
    GROUP BY standing, merchant, connection) c CROSS JOIN LATERAL ( \
    SELECT id, revision, body FROM upserts WHERE standing = c.standing AND merchant = c.merchant AND connection = c.connection \
    ORDER BY id LIMIT 1) oldest";
const FAILED: &str = "SELECT c.merchant, c.connection, c.failed, newest.id FROM ( \
    SELECT merchant, connection, count(*) AS failed FROM upserts WHERE standing = 'failed' \
    GROUP BY merchant, connection) c CROSS JOIN LATERAL ( \
    SELECT id FROM upserts WHERE standing = 'failed' AND merchant = c.merchant AND connection = c.connection \
    ORDER BY id DESC LIMIT 1) newest ORDER BY c.merchant, c.connection";

#[async_trait]
impl DeliveryStore for PostgresStore {
    async fn delivery(&self, merchant: &str, id: DeliveryId) -> Result<Option<DeliveryRecord>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let row = first(&client, DELIVERY, &[&merchant, id.as_uuid()]).await?;
            row.map(|row| client.body(&row, &UPSERTS, merchant)).transpose()
        };
        self.patiently(question).await
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        before: Option<DeliveryId>,
        limit: usize,
    ) -> Result<DeliveryPage, StoreError> {
        let client = self.client().await?;
        let question = async {
            let wanted = Wanted::of(filter);
            let bounds = bounds(before, filter.newest(), filter.oldest().as_ref(), DeliveryId::as_uuid);
            let (entries, next) = if wanted.is_of_one() {
                wanted.of_one(&client, bounds, limit, MOST_LOOKED_AT).await?
            } else {
                wanted
                    .newest()
                    .page(&client, bounds, limit, |row| wanted.matching(&client, row))
                    .await?
            };
            let next = next.map(DeliveryId::from_uuid);
            Ok(DeliveryPage { entries, next })
        };
        self.patiently(question).await
    }

    async fn count_deliveries(&self, filter: &DeliveryFilter, most: usize) -> Result<Counted, StoreError> {
        let client = self.client().await?;
        let question = async {
            let wanted = Wanted::of(filter);
            let bounds = bounds(None, filter.newest(), filter.oldest().as_ref(), DeliveryId::as_uuid);
            wanted.count(&client, bounds, most).await
        };
        self.patiently(question).await
    }

    async fn attempts(&self, merchant: &str, delivery: DeliveryId) -> Result<Vec<AttemptRecord>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let rows = all(&client, ATTEMPTS, &[&merchant, delivery.as_uuid()]).await?;
            rows.iter().map(|row| attempt(&client, row, merchant)).collect()
        };
        self.patiently(question).await
    }

    async fn due_connections(&self, now: Timestamp) -> Result<Vec<(String, String)>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let rows = all(&client, DUE_CONNECTIONS, &[&now.as_microsecond()]).await?;
            rows.iter()
                .map(|row| Ok((get(row, "merchant")?, get(row, "connection")?)))
                .collect()
        };
        self.patiently(question).await
    }

    async fn due_at(
        &self,
        merchant: &str,
        connection: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let (now, most) = (now.as_microsecond(), self::limit(limit));
            let rows = all(&client, DUE_AT, &[&merchant, &connection, &now, &most]).await?;
            client.bodies(&rows, &UPSERTS, merchant)
        };
        self.patiently(question).await
    }

    async fn waiting_at(
        &self,
        merchant: &str,
        connection: &str,
        after: Option<DeliveryId>,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let after = after.map_or(LEAST, |id| *id.as_uuid());
            let states = [DeliveryState::Pending, DeliveryState::Retrying, DeliveryState::Waiting];
            let states = states.map(DeliveryState::as_str);
            let (most, states) = (self::limit(limit), &states[..]);
            let rows = all(&client, WAITING_AT, &[&merchant, &connection, &after, &most, &states]).await?;
            client.bodies(&rows, &UPSERTS, merchant)
        };
        self.patiently(question).await
    }

    async fn abandoned(&self, now: Option<Timestamp>, limit: usize) -> Result<Vec<DeliveryRecord>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let now = now.map(Timestamp::as_microsecond);
            let rows = all(&client, IN_FLIGHT, &[&now, &self::limit(limit)]).await?;
            client.bodies_of_any(&rows, &UPSERTS)
        };
        self.patiently(question).await
    }

    async fn waiting(&self) -> Result<Vec<WaitingCount>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let open = DeliveryState::ALL.iter().filter(|state| !state.has_ended());
            let open: Vec<&str> = open.map(|state| state.as_str()).collect();
            let rows = all(&client, COUNT_OPEN, &[&open]).await?;
            let mut counts = rows
                .iter()
                .map(|row| waiting(&client, row))
                .collect::<DbResult<Vec<_>>>()?;
            counts.sort_by(|one, other| {
                let key = |count: &WaitingCount| (count.merchant.clone(), count.connection.clone(), count.state);
                key(one).cmp(&key(other))
            });
            Ok(counts)
        };
        self.patiently(question).await
    }

    async fn failed_deliveries(&self) -> Result<Vec<FailedCount>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let rows = all(&client, FAILED, &[]).await?;
            let read = |row: &Row| {
                Ok(FailedCount {
                    merchant: get(row, "merchant")?,
                    connection: get(row, "connection")?,
                    count: count(row, "failed")?,
                    newest: DeliveryId::from_uuid(get(row, "id")?),
                })
            };
            rows.iter().map(read).collect()
        };
        self.patiently(question).await
    }
}

fn attempt(client: &Client, row: &Row, merchant: &str) -> DbResult<AttemptRecord> {
    let is_first = get::<i64>(row, "number")? == 1;
    let part = if is_first { &UPSERTS } else { &form::ATTEMPTS };
    let attempt: Option<AttemptRecord> = client.record(row, (part, "attempt"), merchant)?;
    Ok(AttemptRecord {
        request: client.record(row, (part, "request"), merchant)?,
        ..attempt.ok_or(DbError::Value("attempt"))?
    })
}

fn waiting(client: &Client, row: &Row) -> DbResult<WaitingCount> {
    let (standing, oldest): (&str, DeliveryRecord) = (get(row, "standing")?, client.body_of_any(row, &UPSERTS)?);
    let state = DeliveryState::ALL.iter().find(|state| state.as_str() == standing);
    Ok(WaitingCount {
        merchant: get(row, "merchant")?,
        connection: get(row, "connection")?,
        state: *state.ok_or(DbError::Value("standing"))?,
        count: count(row, "waiting")?,
        oldest: oldest.created_at,
    })
}

/// A filter as its statements take it.
struct Wanted<'a> {
    filter: &'a DeliveryFilter,
    merchants: Option<Vec<Cow<'a, str>>>,
    /// As they stand in the index; none: what went well is wanted too, and is in no such index.
    standings: Vec<&'static str>,
}

impl<'a> Wanted<'a> {
    fn of(filter: &'a DeliveryFilter) -> Self {
        let merchants = filter.merchants.as_ref();
        let well = filter.state.contains(&DeliveryState::Succeeded);
        let standings = filter.state.iter().filter(|_| !well).map(|state| state.as_str());
        Self {
            filter,
            merchants: merchants.map(text::kept_all),
            standings: standings.collect(),
        }
    }

    /// The narrowest rows in which everything is that matches.
    fn newest(&self) -> Newest<'_> {
        if self.standings.is_empty() {
            Newest {
                sql: OF_CONNECTIONS,
                params: vec![&self.merchants, &self.filter.connection],
            }
        } else {
            Newest {
                sql: STANDING,
                params: vec![&self.merchants, &self.filter.connection, &self.standings],
            }
        }
    }

    fn matching(&self, client: &Client, row: &Row) -> DbResult<Option<DeliveryRecord>> {
        let found: DeliveryRecord = client.body_of_any(row, &UPSERTS)?;
        Ok(Some(found).filter(|found| found.matches(self.filter)))
    }

    /// Whether it is an upsert's or a customer's: few.
    fn is_of_one(&self) -> bool {
        self.filter.upsert_id.is_some() || self.filter.customer_id.is_some()
    }

    /// An upsert's or a customer's, at each merchant that is wanted.
    async fn of_one(
        &self,
        client: &Client,
        (below, above): Bounds,
        most: usize,
        most_looked_at: usize,
    ) -> DbResult<(Vec<DeliveryRecord>, Option<Uuid>)> {
        let mut upserts: Vec<Uuid> = match (self.filter.upsert_id, self.filter.customer_id) {
            (Some(upsert), _) => vec![*upsert.as_uuid()],
            (None, Some(customer)) => {
                let rows = all(client, UPSERTS_OF_CUSTOMER, &[&self.merchants, customer.as_uuid()]).await?;
                rows.iter().map(|row| get(row, "id")).collect::<DbResult<_>>()?
            }
            (None, None) => Vec::new(),
        };
        upserts.sort_unstable_by(|one, other| other.cmp(one));
        upserts.dedup();
        let mut filling = Filling::new(most, most_looked_at);
        for some in upserts.chunks(AT_ONCE) {
            let lasts: Vec<Uuid> = some.iter().map(last_of).collect();
            let rows = all(client, BETWEEN, &[&self.merchants, &some, &lasts]).await?;
            for row in &rows {
                let id: Uuid = get(row, "id")?;
                if id >= below || id <= above {
                    continue;
                }
                if !filling.take(id, self.matching(client, row)?) {
                    return Ok(filling.done());
                }
            }
        }
        Ok(filling.done())
    }

    async fn count(&self, client: &Client, bounds: Bounds, most: usize) -> DbResult<Counted> {
        let (found, is_cut) = if self.is_of_one() {
            let (found, next) = self.of_one(client, bounds, most, MOST_LOOKED_AT).await?;
            (found.len(), next.is_some())
        } else if self.is_decided_by_columns() {
            let up_to = MOST_COUNTED.max(most).min(most);
            let newest = Newest {
                sql: if self.standings.is_empty() {
                    COUNT_ALL
                } else {
                    COUNT_STANDING
                },
                ..self.newest()
            };
            let rows = newest.some(client, bounds, up_to.saturating_add(1)).await?;
            let found: usize = rows.first().map_or(Ok(0), |row| count(row, "found"))?;
            (found.min(up_to), found > up_to)
        } else {
            let (found, next) = self
                .newest()
                .page(client, bounds, most, |row| self.matching(client, row))
                .await?;
            (found.len(), next.is_some())
        };
        Ok(Counted {
            count: found,
            is_all: !is_cut,
        })
    }

    /// Whether all matches that its statement finds.
    fn is_decided_by_columns(&self) -> bool {
        let by_state = DeliveryFilter {
            merchants: self.filter.merchants.clone(),
            connection: self.filter.connection.clone(),
            state: self.filter.state.clone(),
            ..DeliveryFilter::default()
        };
        *self.filter == by_state && (self.filter.state.is_empty() || !self.standings.is_empty())
    }
}
