//! Questions about upserts and idempotency keys.

use async_trait::async_trait;
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use upsert_core::{MerchantMark, UpsertId};
use upsert_store::{
    DeliveryRecord, IdempotencyRecord, StoreError, UpsertFilter, UpsertPage, UpsertRecord, UpsertStore,
};

use super::super::PostgresStore;
use super::super::error::{DbError, DbResult};
use super::super::reader::{Client, LEAST, all, count, execute, first, get, moment};
use super::lists::{Newest, bounds};
use crate::copy::form::{self, UPSERTS};
use crate::digest::Kind;
use crate::kept::{last_of, limit, standing_of_upsert};

const UPSERT: &str = "SELECT connection IS NULL AS is_upsert, id, revision, body FROM upserts \
    WHERE merchant = $1 AND id >= $2 AND id <= $3 ORDER BY id";
const OF_MERCHANT: &str = "SELECT id, revision, body FROM upserts \
    WHERE merchant = $4 AND connection IS NULL AND id < $1 AND id > $2 ORDER BY id DESC LIMIT $3";
const OF_CUSTOMER: &str = "SELECT id, revision, body FROM upserts \
    WHERE merchant = $4 AND customer = $5 AND id < $1 AND id > $2 ORDER BY id DESC LIMIT $3";
const STANDING: &str = "SELECT u.id, u.revision, u.body FROM unnest($5::text[]) AS s(standing) CROSS JOIN LATERAL ( \
    SELECT id, revision, body FROM upserts WHERE standing = s.standing AND merchant = $4 AND connection IS NULL \
    AND id < $1 AND id > $2 ORDER BY id DESC LIMIT $3) u ORDER BY u.id DESC LIMIT $3";
/// Deliveries of several upserts: each one's lie between two ids, and are looked up by themselves (see `IDENTIFY`).
const DELIVERIES_OF: &str = "SELECT w.first, d.id, d.revision, d.body FROM unnest($2::uuid[], $3::uuid[]) AS w(first, last) \
    CROSS JOIN LATERAL (SELECT id, revision, body FROM upserts WHERE merchant = $1 AND id > w.first AND id <= w.last \
        AND connection IS NOT NULL OFFSET 0) d ORDER BY w.first, d.id";
const PENDING: &str = "SELECT merchant, id, revision, body FROM upserts WHERE standing = 'upsert_pending' \
    AND connection IS NULL AND (merchant, id) > ($1, $2) ORDER BY merchant, id LIMIT $3";
/// Those of these upserts that have an open delivery of their own.
const HAVE_OPEN: &str = "SELECT w.merchant, w.first FROM unnest($1::text[], $2::uuid[], $3::uuid[]) \
    AS w(merchant, first, last) WHERE EXISTS (SELECT 1 FROM upserts d WHERE d.merchant = w.merchant AND d.id > w.first \
    AND d.id <= w.last AND d.standing IN ('pending', 'in_flight', 'retrying', 'waiting') OFFSET 0)";
const OWING: &str = "SELECT merchant, id, revision, body FROM upserts WHERE owes_event AND (merchant, id) > ($1, $2) \
    ORDER BY merchant, id LIMIT $3";
/// Merchant by merchant: what is not old is not looked at.
const OLDER: &str = "SELECT u.merchant, u.id, u.revision, u.body FROM (SELECT merchant FROM places \
    WHERE kind = 'merchant' AND name = '' AND merchant >= $1 ORDER BY merchant) m CROSS JOIN LATERAL ( \
    SELECT merchant, id, revision, body FROM upserts WHERE merchant = m.merchant AND connection IS NULL \
    AND (m.merchant > $1 OR id > $2) AND id < $3 ORDER BY id LIMIT $4) u ORDER BY u.merchant, u.id LIMIT $4";
/// Of upserts of several merchants.
const DELIVERIES_OF_ALL: &str = "SELECT w.place, w.merchant, d.id, d.revision, d.body \
    FROM unnest($1::text[], $2::uuid[], $3::uuid[]) WITH ORDINALITY AS w(merchant, first, last, place) \
    CROSS JOIN LATERAL (SELECT id, revision, body FROM upserts WHERE merchant = w.merchant AND id > w.first AND id <= w.last \
        AND connection IS NOT NULL OFFSET 0) d ORDER BY w.place, d.id";
const IDEMPOTENCY: &str = "SELECT key, fingerprint, upsert, created_at, expires_at, answer FROM idempotency \
    WHERE merchant = $1 AND key = $2 AND expires_at > $3";
const MERCHANTS_OF: &str = "SELECT DISTINCT merchant FROM places WHERE mark = $1 ORDER BY merchant";
const EXPIRED: &str = "DELETE FROM idempotency t USING (SELECT merchant, key FROM idempotency WHERE expires_at <= $1 \
    ORDER BY expires_at, key LIMIT $2 FOR UPDATE SKIP LOCKED) w WHERE t.merchant = w.merchant AND t.key = w.key";

/// Upserts of which it is looked at once whether anything of theirs is open.
const AT_ONCE: usize = 500;

#[async_trait]
impl UpsertStore for PostgresStore {
    async fn upsert(
        &self,
        merchant: &str,
        id: UpsertId,
    ) -> Result<Option<(UpsertRecord, Vec<DeliveryRecord>)>, StoreError> {
        let client = self.client().await?;
        self.patiently(upsert(&client, merchant, id)).await
    }

    async fn upserts(
        &self,
        filter: &UpsertFilter,
        before: Option<UpsertId>,
        limit: usize,
    ) -> Result<UpsertPage, StoreError> {
        let client = self.client().await?;
        self.patiently(upserts(&client, filter, before, limit)).await
    }

    async fn unsettled(&self, after: Option<&UpsertRecord>, limit: usize) -> Result<Vec<UpsertRecord>, StoreError> {
        let client = self.client().await?;
        self.patiently(unsettled(&client, after, limit)).await
    }

    async fn owing(&self, after: Option<&UpsertRecord>, limit: usize) -> Result<Vec<UpsertRecord>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let (merchant, id) = place(after);
            let rows = all(&client, OWING, &[&merchant, &id, &self::limit(limit)]).await?;
            client.bodies_of_any(&rows, &UPSERTS)
        };
        self.patiently(question).await
    }

    async fn older_upserts(
        &self,
        after: Option<&UpsertRecord>,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<(UpsertRecord, Vec<DeliveryRecord>)>, StoreError> {
        let client = self.client().await?;
        self.patiently(older(&client, after, before, limit)).await
    }

    async fn idempotency(
        &self,
        merchant: &str,
        key: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let kept = self.digests.hash(Kind::IdempotencyKey, key);
            let params = (&*kept, now.as_microsecond());
            let row = first(&client, IDEMPOTENCY, &[&merchant, &params.0, &params.1]).await?;
            row.map(|row| idempotency(&client, merchant, key, &row)).transpose()
        };
        self.patiently(question).await
    }

    async fn merchants_of(&self, mark: MerchantMark) -> Result<Vec<String>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let rows = all(&client, MERCHANTS_OF, &[&i64::from(mark.number())]).await?;
            rows.iter().map(|row| get(row, "merchant")).collect()
        };
        self.patiently(question).await
    }

    async fn made_until(&self) -> Result<Option<Timestamp>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let row = first(&client, "SELECT until FROM made", &[]).await?;
            row.map(|row| moment(&row, "until")).transpose()
        };
        self.patiently(question).await
    }

    async fn forget_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let client = self.client().await?;
        let question = async {
            let forgot = execute(&client, EXPIRED, &[&now.as_microsecond(), &self::limit(limit)]).await?;
            usize::try_from(forgot).map_err(|_| DbError::Value("count"))
        };
        self.patiently(question).await
    }
}

async fn older(
    client: &Client,
    after: Option<&UpsertRecord>,
    before: Timestamp,
    most: usize,
) -> DbResult<Vec<(UpsertRecord, Vec<DeliveryRecord>)>> {
    let (merchant, id) = place(after);
    let before = UpsertId::oldest_at(before);
    let rows = all(client, OLDER, &[&merchant, &id, before.as_uuid(), &limit(most)]).await?;
    deliveries_of(client, client.bodies_of_any(&rows, &UPSERTS)?).await
}

/// Upserts with their deliveries.
pub(super) async fn deliveries_of(
    client: &Client,
    upserts: Vec<UpsertRecord>,
) -> DbResult<Vec<(UpsertRecord, Vec<DeliveryRecord>)>> {
    let merchants: Vec<&str> = upserts.iter().map(|upsert| upsert.merchant.as_str()).collect();
    let firsts: Vec<Uuid> = upserts.iter().map(|upsert| *upsert.id.as_uuid()).collect();
    let lasts: Vec<Uuid> = firsts.iter().map(last_of).collect();
    let deliveries = all(client, DELIVERIES_OF_ALL, &[&merchants, &firsts, &lasts]).await?;
    let mut found: Vec<(UpsertRecord, Vec<DeliveryRecord>)> =
        upserts.into_iter().map(|upsert| (upsert, Vec::new())).collect();
    for row in &deliveries {
        let place: usize = count(row, "place")?;
        let of = place.checked_sub(1).and_then(|index| found.get_mut(index));
        let delivery = client.body_of_any(row, &UPSERTS)?;
        of.ok_or(DbError::Value("place"))?.1.push(delivery);
    }
    Ok(found)
}

/// The last one of the page before.
fn place(after: Option<&UpsertRecord>) -> (&str, Uuid) {
    after.map_or(("", LEAST), |after| (&after.merchant, *after.id.as_uuid()))
}

fn idempotency(client: &Client, merchant: &str, key: &[u8; 32], row: &Row) -> DbResult<IdempotencyRecord> {
    let fingerprint = client.bytes(row, (&form::IDEMPOTENCY, "fingerprint"), merchant)?;
    Ok(IdempotencyRecord {
        key: *key,
        fingerprint: fingerprint.try_into().map_err(|_| DbError::Value("fingerprint"))?,
        merchant: merchant.to_owned(),
        upsert: UpsertId::from_uuid(get(row, "upsert")?),
        created_at: moment(row, "created_at")?,
        expires_at: moment(row, "expires_at")?,
        answer: client.record(row, (&form::IDEMPOTENCY, "answer"), merchant)?,
    })
}

/// An upsert and, right behind it, its deliveries.
async fn upsert(
    client: &Client,
    merchant: &str,
    id: UpsertId,
) -> DbResult<Option<(UpsertRecord, Vec<DeliveryRecord>)>> {
    let last = last_of(id.as_uuid());
    let rows = all(client, UPSERT, &[&merchant, id.as_uuid(), &last]).await?;
    // Whoever asks may have the id of a delivery.
    let Some((upsert, deliveries)) = rows.split_first() else {
        return Ok(None);
    };
    if !get::<bool>(upsert, "is_upsert")? {
        return Ok(None);
    }
    let upsert: UpsertRecord = client.body(upsert, &UPSERTS, merchant)?;
    if upsert.is_forgotten() {
        return Ok(None);
    }
    Ok(Some((upsert, client.bodies(deliveries, &UPSERTS, merchant)?)))
}

async fn upserts(
    client: &Client,
    filter: &UpsertFilter,
    before: Option<UpsertId>,
    most: usize,
) -> DbResult<UpsertPage> {
    let customer = filter.customer_id.map(|customer| *customer.as_uuid());
    let standings: Option<Vec<&str>> = filter.state.iter().map(|state| standing_of_upsert(*state)).collect();
    let standings = standings.unwrap_or_default();
    let newest = if customer.is_some() {
        Newest {
            sql: OF_CUSTOMER,
            params: vec![&filter.merchant, &customer],
        }
    } else if standings.is_empty() {
        Newest {
            sql: OF_MERCHANT,
            params: vec![&filter.merchant],
        }
    } else {
        Newest {
            sql: STANDING,
            params: vec![&filter.merchant, &standings],
        }
    };
    let mut bounds = bounds(before, filter.newest(), filter.oldest().as_ref(), UpsertId::as_uuid);
    let mut page = UpsertPage::default();
    // What its deliveries are decides only where a connection is asked for: pages of what may match are read until one is
    // full of what does.
    let mut looked_at = 0;
    loop {
        let find = |row: &Row| {
            let found: UpsertRecord = client.body(row, &UPSERTS, &filter.merchant)?;
            Ok(Some(found).filter(|found| found.matches_alone(filter)))
        };
        let wanted = most - page.entries.len();
        let (found, next) = newest.page(client, bounds, wanted, find).await?;
        looked_at += found.len();
        page.entries.extend(with_deliveries(client, filter, found).await?);
        page.next = next.map(UpsertId::from_uuid);
        let Some(next) = next else {
            return Ok(page);
        };
        if page.entries.len() == most || looked_at >= super::lists::MOST_LOOKED_AT / 2 {
            return Ok(page);
        }
        bounds.0 = next;
    }
}

async fn with_deliveries(
    client: &Client,
    filter: &UpsertFilter,
    upserts: Vec<UpsertRecord>,
) -> DbResult<Vec<(UpsertRecord, Vec<DeliveryRecord>)>> {
    let firsts: Vec<Uuid> = upserts.iter().map(|upsert| *upsert.id.as_uuid()).collect();
    let lasts: Vec<Uuid> = firsts.iter().map(last_of).collect();
    let rows = all(client, DELIVERIES_OF, &[&filter.merchant, &firsts, &lasts]).await?;
    let mut found: Vec<(UpsertRecord, Vec<DeliveryRecord>)> =
        upserts.into_iter().map(|upsert| (upsert, Vec::new())).collect();
    for row in &rows {
        let first: Uuid = get(row, "first")?;
        // Newest first.
        let index = found.binary_search_by(|(upsert, _)| first.cmp(upsert.id.as_uuid()));
        let index = index.map_err(|_| DbError::Value("first"))?;
        found[index].1.push(client.body(row, &UPSERTS, &filter.merchant)?);
    }
    found.retain(|(upsert, deliveries)| upsert.matches(filter, deliveries));
    Ok(found)
}

async fn unsettled(client: &Client, after: Option<&UpsertRecord>, most: usize) -> DbResult<Vec<UpsertRecord>> {
    let (merchant, mut id) = place(after);
    let mut merchant = merchant.to_owned();
    let mut unsettled = Vec::new();
    while unsettled.len() < most {
        let rows = all(client, PENDING, &[&merchant, &id, &limit(AT_ONCE)]).await?;
        let pending: Vec<UpsertRecord> = client.bodies_of_any(&rows, &UPSERTS)?;
        let Some(last) = pending.last() else {
            break;
        };
        (merchant, id) = (last.merchant.clone(), *last.id.as_uuid());
        let merchants: Vec<&str> = pending.iter().map(|upsert| upsert.merchant.as_str()).collect();
        let firsts: Vec<Uuid> = pending.iter().map(|upsert| *upsert.id.as_uuid()).collect();
        let lasts: Vec<Uuid> = firsts.iter().map(last_of).collect();
        let open = all(client, HAVE_OPEN, &[&merchants, &firsts, &lasts]).await?;
        let open = open
            .iter()
            .map(|row| Ok((get::<String>(row, "merchant")?, get::<Uuid>(row, "first")?)));
        let open = open.collect::<DbResult<std::collections::HashSet<_>>>()?;
        let is_read = pending.len() < AT_ONCE;
        let settled = |upsert: &UpsertRecord| open.contains(&(upsert.merchant.clone(), *upsert.id.as_uuid()));
        unsettled.extend(pending.into_iter().filter(|upsert| !settled(upsert)));
        if is_read {
            break;
        }
    }
    unsettled.truncate(most);
    Ok(unsettled)
}
