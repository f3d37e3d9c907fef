//! Questions about customers and who they are. Those about deliveries stand below.

mod deliveries;
mod incoming;
mod lists;
mod newest;
mod outgoing;
mod places;

use std::collections::BTreeMap;

use rusqlite::types::Value as SqlValue;
use rusqlite::{Row, params, params_from_iter};

use upsert_core::{CustomerId, Identifier, MatchKey, UpsertId};
use upsert_store::{
    CustomerFilter, CustomerRecord, HistoryPage, HistoryRecord, IdentityQuery, IdentityView, Known, Lane,
};

use super::readers::Reader;
use super::rows::{
    DbResult, OURS, all, blob, first, from_json, identifier_kind, key_kind, limit, micros, moment, record, unsigned,
    uuid,
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
        let sql = "SELECT k.customer AS customer FROM keys k \
                   JOIN customers c ON c.id = k.customer AND c.merchant = k.merchant \
                   WHERE k.merchant = ?1 AND k.kind = ?2 AND k.value = ?3 AND k.connection = ?4 \
                   ORDER BY k.customer LIMIT ?5";
        let (kind, most) = (identifier_kind(identifier.kind), limit(IdentityView::MOST));
        let params = params![merchant, kind, identifier.value, OURS, most];
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
        let sql = "SELECT customer FROM keys WHERE merchant = ?1 AND connection = ?2 AND kind = ?3 \
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

    pub(super) fn numbers(&mut self, merchant: &str, connection: &str) -> DbResult<Option<(i64, i64)>> {
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
            SqlValue::Integer(OURS),
        ];
        and(
            "id IN (SELECT customer FROM keys WHERE merchant = ? AND kind = ? AND value = ? AND connection = ?)",
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
        links: from_json(row, "links")?.unwrap_or_default(),
        ignored: from_json(row, "ignored")?.unwrap_or_default(),
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
    use rusqlite::Connection;
    use upsert_core::{Identifier, IdentifierKind};

    use super::*;

    fn plan(filter: &CustomerFilter) -> String {
        let db = Connection::open_in_memory().unwrap();
        for step in crate::sqlite::open::MIGRATIONS {
            db.execute_batch(step).unwrap();
        }
        let (sql, params) = listing(1, filter, Some(CustomerId::from_uuid(uuid::Uuid::nil())), 20);
        let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.query_map(params_from_iter(params), |row| row.get::<_, String>("detail"));
        steps.unwrap().map(Result::unwrap).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_page_is_read_from_where_the_last_one_ended_without_sorting() {
        let plan = plan(&CustomerFilter::default());
        assert!(plan.contains("customers_of_merchant (merchant=? AND id>?)"), "{plan}");
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{plan}");
    }

    #[test]
    fn an_identifier_leads_to_its_customers_without_walking_through_the_others() {
        let filter = CustomerFilter {
            identifiers: vec![Identifier {
                kind: IdentifierKind::Email,
                value: "a@example.com".to_owned(),
            }],
            ..CustomerFilter::default()
        };
        let plan = plan(&filter);
        assert!(plan.contains("(merchant=? AND id=?)"), "{plan}");
        assert!(
            plan.contains("keys USING PRIMARY KEY (merchant=? AND kind=? AND value=? AND connection=?)"),
            "{plan}"
        );
    }
}
