//! Questions about customers and who they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use tokio_postgres::Row;
use uuid::Uuid;

use upsert_core::{CustomerId, Identifier, MatchKey, UpsertId};
use upsert_store::{
    CustomerFilter, CustomerPage, CustomerRecord, CustomerStore, HistoryPage, HistoryRecord, IdentityQuery,
    IdentityView, Known, StoreError,
};

use super::super::PostgresStore;
use super::super::batch::OURS;
use super::super::error::{DbError, DbResult};
use super::super::reader::{Client, GREATEST, LEAST, all, count, execute, get};
use super::lists::MOST_LOOKED_AT;
use crate::copy::form::{CUSTOMERS, UPSERTS};
use crate::digest::{Digests, Kind};
use crate::filling::Filling;
use crate::kept::{CustomerWas, identifier_kind, key_kind, limit};

/// Whom each digest finds, by its place from 1 on, and who has the id, in place 0; each with its lanes right behind it. Of
/// those that share a digest some more are read than are answered: an identifier may find somebody who is gone.
/// Each key and each customer is looked up by itself, by the whole of its key (`LIMIT`, `OFFSET` keep a planner from doing it
/// otherwise): one that knows nothing of the tables yet, or what they were an hour ago, takes a merchant for a handful of rows,
/// and reads them all.
const IDENTIFY: &str = "SELECT w.place, c.customer, c.connection, c.revision, c.body FROM ( \
    SELECT i.place, held.customer FROM unnest($2::bytea[]) WITH ORDINALITY AS i(digest, place) \
    CROSS JOIN LATERAL (SELECT customers FROM keys \
        WHERE merchant = $1 AND digest = i.digest AND connection = '' LIMIT 1) k \
    CROSS JOIN LATERAL unnest(k.customers[1:64]) AS held(customer) \
    UNION ALL SELECT 0, $3::uuid WHERE $3::uuid IS NOT NULL) w \
    CROSS JOIN LATERAL (SELECT customer, connection, revision, body FROM customers \
        WHERE merchant = $1 AND customer = w.customer OFFSET 0) c \
    ORDER BY w.place, c.customer, c.connection";
const CUSTOMER: &str = "SELECT customer, connection, revision, body FROM customers \
    WHERE merchant = $1 AND customer = $2 ORDER BY connection";
const EVERY_CUSTOMER: &str = "SELECT customer, connection, revision, body FROM customers \
    WHERE merchant = $1 AND customer > $2 AND connection = '' ORDER BY customer LIMIT $3";
const SOME_CUSTOMERS: &str = "SELECT c.customer, c.connection, c.revision, c.body FROM unnest($2::uuid[]) AS w(customer) \
    CROSS JOIN LATERAL (SELECT customer, connection, revision, body FROM customers \
        WHERE merchant = $1 AND customer = w.customer AND connection = '' LIMIT 1) c ORDER BY c.customer";
const VERSIONS: &str = "SELECT id, revision, body, change FROM upserts \
    WHERE merchant = $1 AND customer = $2 AND id < $3 AND made IS NOT NULL ORDER BY id DESC LIMIT $4";
const HOLDERS: &str = "SELECT i.place, k.customers FROM unnest($3::bytea[]) WITH ORDINALITY AS i(digest, place) \
    CROSS JOIN LATERAL (SELECT customers FROM keys \
        WHERE merchant = $1 AND digest = i.digest AND connection = $2 LIMIT 1) k ORDER BY i.place";

/// Rows that are read at once where nobody knows how many are wanted.
const AT_ONCE: usize = 100;

#[async_trait]
impl CustomerStore for PostgresStore {
    async fn identify(&self, merchant: &str, query: &IdentityQuery) -> Result<IdentityView, StoreError> {
        let client = self.client().await?;
        self.patiently(identify(&client, &self.digests, merchant, query)).await
    }

    async fn customer(&self, merchant: &str, id: CustomerId) -> Result<Option<Known>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let rows = all(&client, CUSTOMER, &[&merchant, id.as_uuid()]).await?;
            known(&client, merchant, &rows)
        };
        self.patiently(question).await
    }

    async fn customers(
        &self,
        merchant: &str,
        filter: &CustomerFilter,
        after: Option<CustomerId>,
        limit: usize,
    ) -> Result<CustomerPage, StoreError> {
        let client = self.client().await?;
        let question = async {
            if filter.identifiers.is_empty() {
                every_customer(&client, merchant, filter, after, limit).await
            } else {
                holders_of_all(&client, &self.digests, merchant, filter, after, limit).await
            }
        };
        self.patiently(question).await
    }

    async fn history(
        &self,
        merchant: &str,
        customer: CustomerId,
        before: Option<UpsertId>,
        limit: usize,
    ) -> Result<HistoryPage, StoreError> {
        let client = self.client().await?;
        self.patiently(history(&client, merchant, customer, before, limit))
            .await
    }

    async fn key_holders(
        &self,
        merchant: &str,
        connection: &str,
        keys: &[MatchKey],
        except: CustomerId,
    ) -> Result<Vec<(MatchKey, CustomerId)>, StoreError> {
        let digests = keys
            .iter()
            .map(|key| self.digests.digest(key_kind(key.kind), &key.value).bytes().to_vec());
        let digests: Vec<Vec<u8>> = digests.collect();
        let client = self.client().await?;
        let question = async {
            let mut found = Vec::new();
            for (index, holders) in holders(&client, merchant, connection, &digests).await? {
                let key = keys.get(index).ok_or(DbError::Value("place"))?;
                let others = holders.into_iter().filter(|holder| *holder != except);
                found.extend(others.map(|holder| (key.clone(), holder)));
            }
            Ok(found)
        };
        self.patiently(question).await
    }

    async fn record_owners(
        &self,
        merchant: &str,
        connection: &str,
        provider_customer_id: &str,
    ) -> Result<Vec<CustomerId>, StoreError> {
        let digest = [self
            .digests
            .digest(Kind::VendorRecord, provider_customer_id)
            .bytes()
            .to_vec()];
        let client = self.client().await?;
        let question = async {
            let found = holders(&client, merchant, connection, &digest).await?;
            Ok(found.into_iter().flat_map(|(_, holders)| holders).collect())
        };
        self.patiently(question).await
    }
}

async fn identify(client: &Client, digests: &Digests, merchant: &str, query: &IdentityQuery) -> DbResult<IdentityView> {
    let of = |identifier: &Identifier| digest_of(digests, identifier);
    let wanted: Vec<Vec<u8>> = query.identifiers.iter().map(of).collect();
    let id = query.id.map(|id| *id.as_uuid());
    let rows = all(client, IDENTIFY, &[&merchant, &wanted, &id]).await?;
    let mut view = IdentityView {
        by_id: None,
        holders: vec![Vec::new(); query.identifiers.len()],
    };
    let mut seen: BTreeMap<Uuid, Option<Arc<Known>>> = BTreeMap::new();
    let of_one = |row: &Row| Ok::<_, DbError>((get::<i64>(row, "place")?, get::<Uuid>(row, "customer")?));
    let mut from = 0;
    while let Some(row) = rows.get(from) {
        let (place, customer) = of_one(row)?;
        let mut to = from + 1;
        while let Some(row) = rows.get(to)
            && of_one(row)? == (place, customer)
        {
            to += 1;
        }
        let found = match seen.get(&customer) {
            Some(found) => found.clone(),
            None => {
                let found = known(client, merchant, &rows[from..to])?.map(Arc::new);
                seen.insert(customer, found.clone());
                found
            }
        };
        match usize::try_from(place).ok().and_then(|place| place.checked_sub(1)) {
            None => view.by_id = found,
            Some(index) => {
                let holders = view.holders.get_mut(index).ok_or(DbError::Value("place"))?;
                holders.extend(found.filter(|_| holders.len() < IdentityView::MOST));
            }
        }
        from = to;
    }
    Ok(view)
}

fn digest_of(digests: &Digests, identifier: &Identifier) -> Vec<u8> {
    digests
        .digest(identifier_kind(identifier.kind), &identifier.value)
        .bytes()
        .to_vec()
}

/// A customer and its lanes, out of its rows; none where there are lanes alone.
fn known(client: &Client, merchant: &str, rows: &[Row]) -> DbResult<Option<Known>> {
    let Some((row, lanes)) = rows.split_first() else {
        return Ok(None);
    };
    if get::<&str>(row, "connection")? != OURS {
        return Ok(None);
    }
    Ok(Some(Known {
        record: customer(client, merchant, row)?,
        lanes: client.bodies(lanes, &CUSTOMERS, merchant)?,
    }))
}

fn customer(client: &Client, merchant: &str, row: &Row) -> DbResult<CustomerRecord> {
    let body: CustomerWas = client.body(row, &CUSTOMERS, merchant)?;
    Ok(CustomerRecord {
        id: CustomerId::from_uuid(get(row, "customer")?),
        merchant: merchant.to_owned(),
        version: body.version,
        revision: count(row, "revision")?,
        customer: body.customer,
        created_at: body.created_at,
        updated_at: body.updated_at,
    })
}

async fn every_customer(
    client: &Client,
    merchant: &str,
    filter: &CustomerFilter,
    after: Option<CustomerId>,
    most: usize,
) -> DbResult<CustomerPage> {
    let mut filling = Filling::new(most, MOST_LOOKED_AT);
    let mut after = after.map_or(LEAST, |id| *id.as_uuid());
    let mut at_once = most.saturating_add(1);
    loop {
        let rows = all(client, EVERY_CUSTOMER, &[&merchant, &after, &limit(at_once)]).await?;
        for row in &rows {
            let found = customer(client, merchant, row)?;
            after = *found.id.as_uuid();
            let is_wanted = found.matches_but_for_identifiers(filter);
            if !filling.take(found.id, Some(found).filter(|_| is_wanted)) {
                return Ok(page(filling));
            }
        }
        if rows.len() < at_once {
            return Ok(page(filling));
        }
        at_once = at_once.max(AT_ONCE);
    }
}

fn page(filling: Filling<CustomerId, CustomerRecord>) -> CustomerPage {
    let (entries, next) = filling.done();
    CustomerPage { entries, next }
}

/// Those that every identifier of the filter finds.
async fn holders_of_all(
    client: &Client,
    digests: &Digests,
    merchant: &str,
    filter: &CustomerFilter,
    after: Option<CustomerId>,
    most: usize,
) -> DbResult<CustomerPage> {
    let wanted: Vec<Vec<u8>> = filter
        .identifiers
        .iter()
        .map(|identifier| digest_of(digests, identifier))
        .collect();
    let found = holders(client, merchant, OURS, &wanted).await?;
    if found.len() < wanted.len() {
        return Ok(CustomerPage::default());
    }
    let mut held: Option<BTreeSet<CustomerId>> = None;
    for (_, holders) in found {
        held = Some(match held {
            Some(held) => holders.into_iter().filter(|id| held.contains(id)).collect(),
            None => holders.into_iter().collect(),
        });
    }
    let held = held
        .unwrap_or_default()
        .into_iter()
        .filter(|id| after.is_none_or(|after| *id > after));
    let held: Vec<Uuid> = held.map(|id| *id.as_uuid()).collect();
    let mut filling = Filling::new(most, MOST_LOOKED_AT);
    for some in held.chunks(AT_ONCE) {
        let rows = all(client, SOME_CUSTOMERS, &[&merchant, &some]).await?;
        let mut rows = rows.iter().map(|row| customer(client, merchant, row)).peekable();
        for id in some {
            let is_it = |row: &DbResult<CustomerRecord>| row.as_ref().map_or(true, |row| row.id.as_uuid() == id);
            let found = rows.next_if(is_it).transpose()?;
            let found = found.filter(|found| found.matches_but_for_identifiers(filter));
            if !filling.take(CustomerId::from_uuid(*id), found) {
                return Ok(page(filling));
            }
        }
    }
    Ok(page(filling))
}

async fn history(
    client: &Client,
    merchant: &str,
    of: CustomerId,
    before: Option<UpsertId>,
    most: usize,
) -> DbResult<HistoryPage> {
    let mut page = HistoryPage::default();
    let mut before = before.map_or(GREATEST, |id| *id.as_uuid());
    let mut at_once = most.saturating_add(1);
    while most > 0 && page.below.is_none() {
        let rows = all(client, VERSIONS, &[&merchant, of.as_uuid(), &before, &limit(at_once)]).await?;
        for row in &rows {
            before = get(row, "id")?;
            let change = client.record(row, (&UPSERTS, "change"), merchant)?;
            let upsert = client.body(row, &UPSERTS, merchant)?;
            let entry = HistoryRecord::of(upsert, change.ok_or(DbError::Value("change"))?);
            if page.entries.len() < most {
                page.entries.push(entry);
            } else if !entry.refused && page.below.is_none() {
                page.below = Some(entry);
            }
        }
        if rows.len() < at_once {
            break;
        }
        at_once = at_once.max(AT_ONCE);
    }
    Ok(page)
}

/// By the places of the digests that find anybody: whom, oldest first.
pub(super) async fn holders(
    client: &Client,
    merchant: &str,
    connection: &str,
    digests: &[Vec<u8>],
) -> DbResult<Vec<(usize, Vec<CustomerId>)>> {
    let rows = all(client, HOLDERS, &[&merchant, &connection, &digests]).await?;
    let read = |row: &Row| {
        let place: usize = count(row, "place")?;
        let customers: Vec<Uuid> = get(row, "customers")?;
        let index = place.checked_sub(1).ok_or(DbError::Value("place"))?;
        Ok((index, customers.into_iter().map(CustomerId::from_uuid).collect()))
    };
    rows.iter().map(read).collect()
}

/// Whether the database can be read and written.
pub(in super::super) async fn check(client: &Client) -> DbResult<()> {
    let sql = "INSERT INTO health (id, checks) VALUES (0, 1) ON CONFLICT (id) DO UPDATE SET checks = health.checks + 1";
    execute(client, sql, &[]).await.map(drop)
}
