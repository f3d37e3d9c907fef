//! Questions about customers and who they are. Those about deliveries stand below.

mod deliveries;

use std::collections::BTreeMap;

use rusqlite::types::Value as SqlValue;
use rusqlite::{Row, params, params_from_iter};

use upsert_core::{CustomerId, Identifier, MatchKey, UpsertId};
use upsert_store::{
    CustomerFilter, CustomerRecord, HistoryPage, HistoryRecord, IdentityQuery, IdentityView, Known, Lane,
};

use super::readers::Reader;
use super::rows::{
    DbResult, all, blob, first, identifier_kind, key_kind, limit, micros, moment, record, unsigned, uuid,
};

impl Reader {
    pub(super) fn identify(&mut self, merchant: &str, query: &IdentityQuery) -> DbResult<IdentityView> {
        let mut view = IdentityView {
            by_id: None,
            holders: vec![Vec::new(); query.identifiers.len()],
        };
        let Some(number) = self.names.find(&self.db, merchant)? else {
            return Ok(view);
        };
        let mut seen: BTreeMap<CustomerId, Option<Known>> = BTreeMap::new();
        let mut known = |reader: &Self, id| match seen.get(&id) {
            Some(known) => Ok(known.clone()),
            None => {
                let known = reader.known(merchant, number, id)?;
                seen.insert(id, known.clone());
                Ok::<_, super::rows::DbError>(known)
            }
        };
        if let Some(id) = query.id {
            view.by_id = known(self, id)?;
        }
        for (identifier, holders) in query.identifiers.iter().zip(&mut view.holders) {
            for id in self.holders(number, identifier)? {
                holders.extend(known(self, id)?);
            }
        }
        Ok(view)
    }

    /// Whom the identifier finds, oldest first; only customers that are there.
    fn holders(&self, merchant: i64, identifier: &Identifier) -> DbResult<Vec<CustomerId>> {
        let sql = "SELECT i.customer AS customer FROM identifiers i \
                   JOIN customers c ON c.id = i.customer AND c.merchant = i.merchant \
                   WHERE i.merchant = ?1 AND i.kind = ?2 AND i.value = ?3 ORDER BY i.customer LIMIT ?4";
        let kind = identifier_kind(identifier.kind);
        let params = params![merchant, kind, identifier.value, limit(IdentityView::MOST)];
        all(&self.db, sql, params, |row| {
            Ok(CustomerId::from_uuid(uuid(row, "customer")?))
        })
    }

    pub(super) fn customer(&mut self, merchant: &str, id: CustomerId) -> DbResult<Option<Known>> {
        match self.names.find(&self.db, merchant)? {
            Some(number) => self.known(merchant, number, id),
            None => Ok(None),
        }
    }

    fn known(&self, merchant: &str, number: i64, id: CustomerId) -> DbResult<Option<Known>> {
        let sql = "SELECT id, version, revision, created_at, updated_at, record FROM customers \
                   WHERE id = ?1 AND merchant = ?2";
        let found = first(&self.db, sql, params![blob(id.as_uuid()), number], |row| {
            customer(row, merchant)
        })?;
        let Some(found) = found else {
            return Ok(None);
        };
        let sql = "SELECT record FROM lanes WHERE customer = ?1";
        let mut lanes: Vec<Lane> = all(&self.db, sql, params![blob(id.as_uuid())], record)?;
        lanes.sort_by(|one, other| one.connection.cmp(&other.connection));
        Ok(Some(Known { record: found, lanes }))
    }

    pub(super) fn customers(
        &mut self,
        merchant: &str,
        filter: &CustomerFilter,
        after: Option<CustomerId>,
        most: usize,
    ) -> DbResult<Vec<CustomerRecord>> {
        let Some(number) = self.names.find(&self.db, merchant)? else {
            return Ok(Vec::new());
        };
        let (sql, params) = listing(number, filter, after, most);
        all(&self.db, &sql, params_from_iter(params), |row| customer(row, merchant))
    }

    pub(super) fn history(&mut self, of: CustomerId, before: Option<UpsertId>, most: usize) -> DbResult<HistoryPage> {
        // No id is as great as a blob that is longer than ids are.
        let end = before.map_or(vec![u8::MAX; 17], |id| id.as_uuid().as_bytes().to_vec());
        let sql = "SELECT * FROM history WHERE customer = ?1 AND upsert < ?2 ORDER BY upsert DESC LIMIT ?3";
        let of = blob(of.as_uuid());
        let entries: Vec<HistoryRecord> = all(&self.db, sql, params![of, end, limit(most)], version)?;
        let Some(oldest) = entries.last() else {
            return Ok(HistoryPage::default());
        };
        let sql = "SELECT * FROM history WHERE customer = ?1 AND upsert < ?2 AND refused = 0 \
                   ORDER BY upsert DESC LIMIT 1";
        let below = first(&self.db, sql, params![of, blob(oldest.upsert.as_uuid())], version)?;
        Ok(HistoryPage { entries, below })
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
        let sql = "SELECT customer FROM reservations WHERE merchant = ?1 AND connection = ?2 AND kind = ?3 \
                   AND value = ?4 AND customer <> ?5 ORDER BY customer";
        let mut found = Vec::new();
        for key in keys {
            let except = blob(except.as_uuid());
            let params = params![merchant, connection, key_kind(key.kind), key.value, except];
            found.extend(all(&self.db, sql, params, |row| {
                Ok((key.clone(), CustomerId::from_uuid(uuid(row, "customer")?)))
            })?);
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
        let sql = "SELECT customer FROM lanes WHERE merchant = ?1 AND connection = ?2 AND vendor_id = ?3 \
                   ORDER BY customer";
        all(&self.db, sql, params![merchant, connection, vendor_id], |row| {
            Ok(CustomerId::from_uuid(uuid(row, "customer")?))
        })
    }

    fn numbers(&mut self, merchant: &str, connection: &str) -> DbResult<Option<(i64, i64)>> {
        let merchant = self.names.find(&self.db, merchant)?;
        Ok(merchant.zip(self.names.find(&self.db, connection)?))
    }

    /// Whether the file can be read.
    pub(super) fn check(&mut self) -> DbResult<()> {
        first(&self.db, "SELECT count(*) FROM health", [], |_| Ok(())).map(drop)
    }
}

fn id_value(id: &uuid::Uuid) -> SqlValue {
    SqlValue::Blob(id.as_bytes().to_vec())
}

/// The statement of a filtered page, with a condition for each filter that is there.
fn listing(merchant: i64, filter: &CustomerFilter, after: Option<CustomerId>, most: usize) -> (String, Vec<SqlValue>) {
    let mut sql =
        "SELECT id, version, revision, created_at, updated_at, record FROM customers WHERE merchant = ?".to_owned();
    let mut params = vec![SqlValue::Integer(merchant)];
    let mut and = |condition: &str, values: Vec<SqlValue>| {
        sql.push_str(" AND ");
        sql.push_str(condition);
        params.extend(values);
    };
    if let Some(after) = after {
        and("id > ?", vec![id_value(after.as_uuid())]);
    }
    for identifier in &filter.identifiers {
        let values = vec![
            SqlValue::Integer(merchant),
            SqlValue::Integer(identifier_kind(identifier.kind)),
            SqlValue::Text(identifier.value.clone()),
        ];
        and(
            "id IN (SELECT customer FROM identifiers WHERE merchant = ? AND kind = ? AND value = ?)",
            values,
        );
    }
    if let Some(tag) = &filter.tag {
        let carries = "EXISTS (SELECT 1 FROM json_each(customers.record, '$.tags') WHERE value = ?)";
        and(carries, vec![SqlValue::Text(tag.clone())]);
    }
    if let Some(status) = &filter.status {
        and("record ->> '$.status' = ?", vec![SqlValue::Text(status.clone())]);
    }
    if let Some(kind) = &filter.kind {
        let is = "coalesce(record ->> '$.kind', 'person') = ?";
        and(is, vec![SqlValue::Text(kind.clone())]);
    }
    if let Some(since) = filter.updated_since {
        and("updated_at >= ?", vec![SqlValue::Integer(micros(since))]);
    }
    sql.push_str(" ORDER BY id LIMIT ?");
    params.push(SqlValue::Integer(limit(most)));
    (sql, params)
}

fn customer(row: &Row<'_>, merchant: &str) -> DbResult<CustomerRecord> {
    Ok(CustomerRecord {
        id: CustomerId::from_uuid(uuid(row, "id")?),
        merchant: merchant.to_owned(),
        version: unsigned(row, "version")?,
        revision: unsigned(row, "revision")?,
        customer: record(row)?,
        created_at: moment(row, "created_at")?,
        updated_at: moment(row, "updated_at")?,
    })
}

fn version(row: &Row<'_>) -> DbResult<HistoryRecord> {
    Ok(HistoryRecord {
        customer: CustomerId::from_uuid(uuid(row, "customer")?),
        version: unsigned(row, "version")?,
        upsert: UpsertId::from_uuid(uuid(row, "upsert")?),
        at: moment(row, "at")?,
        by: row.get("made_by")?,
        refused: row.get("refused")?,
        record: record(row)?,
    })
}
