//! Questions about customers and who they are. Those about deliveries stand below.

mod deliveries;
mod incoming;
mod lists;
mod newest;
mod older;
mod outgoing;
mod places;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[cfg(test)]
use rusqlite::types::Value as SqlValue;
use rusqlite::{Row, params};

use upsert_core::{CustomerId, Identifier, MatchKey, UpsertId};
use upsert_store::{
    CustomerChange, CustomerFilter, CustomerPage, CustomerRecord, HistoryPage, HistoryRecord, IdentityQuery,
    IdentityView, Known, Lane,
};

use super::readers::Reader;
use super::rows::{
    CustomerWas, DbError, DbResult, OURS, all, blob, body, each, first, from_bytes, identifier_kind, key_kind,
    unsigned, uuid,
};
use crate::digest::Kind;
use crate::filling::Filling;
use lists::MOST_LOOKED_AT;

const HOLDERS: &str = "SELECT customer FROM keys WHERE merchant = ?1 AND hash = ?2 AND rest = ?3 AND connection = ?4 \
    ORDER BY customer";
const OWNERS: &str = "SELECT customer FROM customers INDEXED BY customers_of_record \
    WHERE merchant = ?1 AND connection = ?2 AND record = ?3 ORDER BY customer";
const EVERY_CUSTOMER: &str = "SELECT customer, revision, body FROM customers \
    WHERE merchant = ?1 AND customer > ?2 AND connection = 0 ORDER BY customer";
const VERSIONS: &str = "SELECT body, change FROM upserts INDEXED BY upserts_of \
    WHERE merchant = ?1 AND customer = ?2 AND id < ?3 AND made IS NOT NULL ORDER BY id DESC";

impl Reader {
    pub(super) fn identify(&mut self, merchant: &str, query: &IdentityQuery) -> DbResult<IdentityView> {
        let mut view = IdentityView {
            by_id: None,
            holders: vec![Vec::new(); query.identifiers.len()],
        };
        let Some(number) = self.names.find(&self.db, merchant)? else {
            return Ok(view);
        };
        let mut seen: BTreeMap<CustomerId, Option<Arc<Known>>> = BTreeMap::new();
        let mut known = |reader: &Self, id| match seen.get(&id) {
            Some(known) => Ok(known.clone()),
            None => {
                let known = reader.known(merchant, number, id)?.map(Arc::new);
                seen.insert(id, known.clone());
                Ok::<_, DbError>(known)
            }
        };
        if let Some(id) = query.id {
            view.by_id = known(self, id)?;
        }
        for (identifier, holders) in query.identifiers.iter().zip(&mut view.holders) {
            let mut ids = self.holders(number, identifier)?.into_iter();
            while let Some(id) = ids.next().filter(|_| holders.len() < IdentityView::MOST) {
                holders.extend(known(self, id)?);
            }
        }
        Ok(view)
    }

    /// Whom the identifier finds, oldest first.
    fn holders(&self, merchant: i64, identifier: &Identifier) -> DbResult<Vec<CustomerId>> {
        let digest = self.digests.digest(identifier_kind(identifier.kind), &identifier.value);
        let params = params![merchant, digest.hash, digest.rest, OURS];
        all(&self.db, HOLDERS, params, |row| {
            Ok(CustomerId::from_uuid(uuid(row, "customer")?))
        })
    }

    pub(super) fn customer(&mut self, merchant: &str, id: CustomerId) -> DbResult<Option<Known>> {
        match self.names.find(&self.db, merchant)? {
            Some(number) => self.known(merchant, number, id),
            None => Ok(None),
        }
    }

    /// The customer and, right behind it, its lanes.
    fn known(&self, merchant: &str, number: i64, id: CustomerId) -> DbResult<Option<Known>> {
        let sql = "SELECT customer, connection, revision, body FROM customers WHERE merchant = ?1 AND customer = ?2 \
                   ORDER BY connection";
        let (mut found, mut lanes): (_, Vec<Lane>) = (None, Vec::new());
        each(&self.db, sql, params![number, blob(id.as_uuid())], |row| {
            if row.get::<_, i64>("connection")? == OURS {
                found = Some(customer(row, merchant)?);
            } else {
                lanes.push(body(row)?);
            }
            Ok(found.is_some())
        })?;
        lanes.sort_by(|one, other| one.connection.cmp(&other.connection));
        Ok(found.map(|record| Known { record, lanes }))
    }

    pub(super) fn customers(
        &mut self,
        merchant: &str,
        filter: &CustomerFilter,
        after: Option<CustomerId>,
        most: usize,
    ) -> DbResult<CustomerPage> {
        let Some(number) = self.names.find(&self.db, merchant)? else {
            return Ok(CustomerPage::default());
        };
        if !filter.identifiers.is_empty() {
            return self.holders_of_all((merchant, number), filter, after, most);
        }
        let mut filling = Filling::new(most, MOST_LOOKED_AT);
        // No id is as small as an empty blob.
        let after = after.map_or(Vec::new(), |id| id.as_uuid().as_bytes().to_vec());
        each(&self.db, EVERY_CUSTOMER, params![number, after], |row| {
            let found = customer(row, merchant)?;
            let id = found.id;
            Ok(filling.take(
                id,
                Some(found).filter(|found| found.matches_but_for_identifiers(filter)),
            ))
        })?;
        Ok(page(filling))
    }

    /// Those that every identifier of the filter finds.
    fn holders_of_all(
        &self,
        (merchant, number): (&str, i64),
        filter: &CustomerFilter,
        after: Option<CustomerId>,
        most: usize,
    ) -> DbResult<CustomerPage> {
        let mut held: Option<BTreeSet<CustomerId>> = None;
        for identifier in &filter.identifiers {
            let holders = self.holders(number, identifier)?.into_iter();
            held = Some(match held {
                Some(held) => holders.filter(|id| held.contains(id)).collect(),
                None => holders.collect(),
            });
        }
        let mut filling = Filling::new(most, MOST_LOOKED_AT);
        let held = held.unwrap_or_default().into_iter();
        for id in held.filter(|id| after.is_none_or(|after| *id > after)) {
            let known = self.known(merchant, number, id)?.map(|known| known.record);
            if !filling.take(id, known.filter(|record| record.matches_but_for_identifiers(filter))) {
                break;
            }
        }
        Ok(page(filling))
    }

    pub(super) fn history(
        &mut self,
        merchant: &str,
        of: CustomerId,
        before: Option<UpsertId>,
        most: usize,
    ) -> DbResult<HistoryPage> {
        let Some(merchant) = self.names.find(&self.db, merchant)? else {
            return Ok(HistoryPage::default());
        };
        // No id is as great as a blob that is longer than ids are.
        let end = before.map_or(vec![u8::MAX; 17], |id| id.as_uuid().as_bytes().to_vec());
        let mut page = HistoryPage::default();
        each(&self.db, VERSIONS, params![merchant, blob(of.as_uuid()), end], |row| {
            let change: Option<CustomerChange> = from_bytes(row, "change")?;
            let entry = HistoryRecord::of(body(row)?, change.ok_or(DbError::Value("change"))?);
            if page.entries.len() < most {
                page.entries.push(entry);
            } else if !entry.refused {
                page.below = Some(entry);
            }
            Ok(most > 0 && page.below.is_none())
        })?;
        Ok(page)
    }

    pub(super) fn key_holders(
        &mut self,
        merchant: &str,
        connection: &str,
        keys: &[MatchKey],
        except: CustomerId,
    ) -> DbResult<Vec<(MatchKey, CustomerId)>> {
        let Some((merchant, connection)) = self.numbers(merchant, connection)? else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for key in keys {
            let digest = self.digests.digest(key_kind(key.kind), &key.value);
            let params = params![merchant, digest.hash, digest.rest, connection];
            let holders = all(&self.db, HOLDERS, params, |row| {
                Ok(CustomerId::from_uuid(uuid(row, "customer")?))
            })?;
            let others = holders.into_iter().filter(|holder| *holder != except);
            found.extend(others.map(|holder| (key.clone(), holder)));
        }
        Ok(found)
    }

    pub(super) fn record_owners(
        &mut self,
        merchant: &str,
        connection: &str,
        vendor_id: &str,
    ) -> DbResult<Vec<CustomerId>> {
        let Some((merchant, connection)) = self.numbers(merchant, connection)? else {
            return Ok(Vec::new());
        };
        let record = self.digests.digest(Kind::VendorRecord, vendor_id).bytes();
        all(&self.db, OWNERS, params![merchant, connection, &record[..]], |row| {
            Ok(CustomerId::from_uuid(uuid(row, "customer")?))
        })
    }

    pub(super) fn numbers(&mut self, merchant: &str, connection: &str) -> DbResult<Option<(i64, i64)>> {
        let merchant = self.names.find(&self.db, merchant)?;
        Ok(merchant.zip(self.names.find(&self.db, connection)?))
    }

    /// Whether the file can be read.
    pub(super) fn check(&mut self) -> DbResult<()> {
        first(&self.db, "SELECT count(*) FROM health", [], |_| Ok(())).map(drop)
    }
}

/// An upsert with its deliveries, however it stands.
pub(super) fn upsert_of_any_standing(
    db: &rusqlite::Connection,
    merchant: i64,
    id: &uuid::Uuid,
) -> DbResult<Option<(upsert_store::UpsertRecord, Vec<upsert_store::DeliveryRecord>)>> {
    lists::upsert(db, merchant, id, |_| true)
}

fn page(filling: Filling<CustomerId, CustomerRecord>) -> CustomerPage {
    let (entries, next) = filling.done();
    CustomerPage { entries, next }
}

fn customer(row: &Row<'_>, merchant: &str) -> DbResult<CustomerRecord> {
    let body: CustomerWas = body(row)?;
    Ok(CustomerRecord {
        id: CustomerId::from_uuid(uuid(row, "customer")?),
        merchant: merchant.to_owned(),
        version: body.version,
        revision: unsigned(row, "revision")?,
        customer: body.customer,
        created_at: body.created_at,
        updated_at: body.updated_at,
    })
}

/// How SQLite goes about a statement.
#[cfg(test)]
pub(super) fn plan(sql: &str) -> String {
    let db = rusqlite::Connection::open_in_memory().unwrap();
    for step in crate::sqlite::open::MIGRATIONS {
        db.execute_batch(step).unwrap();
    }
    let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let nothing = vec![SqlValue::Null; statement.parameter_count()];
    let steps = statement.query_map(rusqlite::params_from_iter(nothing), |row| {
        row.get::<_, String>("detail")
    });
    steps.unwrap().map(Result::unwrap).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_question_is_one_walk_through_an_index_without_sorting() {
        for (sql, index) in [
            (
                HOLDERS,
                "PRIMARY KEY (merchant=? AND hash=? AND rest=? AND connection=?)",
            ),
            (EVERY_CUSTOMER, "PRIMARY KEY (merchant=? AND customer>?)"),
            (VERSIONS, "upserts_of (merchant=? AND customer=? AND id<?)"),
            (OWNERS, "customers_of_record (merchant=? AND connection=? AND record=?)"),
        ] {
            let plan = plan(sql);
            assert!(plan.contains(index), "{plan}");
            assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
