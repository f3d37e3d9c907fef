//! Questions about incidents.

use std::cmp::Reverse;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::params;
use uuid::Uuid;

use upsert_core::IncidentId;
use upsert_store::{IncidentFilter, IncidentRecord, IncidentStore, StoreError};

use super::SqliteStore;
use super::readers::Reader;
use super::rows::{DbResult, all, blob, first, limit, micros, uuid};
use crate::copy::form::INCIDENTS;

const INCIDENT: &str = "SELECT id, revision, body FROM incidents WHERE merchant = ?1 AND id = ?2";
const OF_ALL: &str = "SELECT merchant, id, revision, body FROM incidents INDEXED BY incidents_by_id \
    WHERE id < ?1 AND (?2 IS NULL OR connection = ?2) AND (?3 IS NULL OR (ended_at IS NOT NULL) = ?3) \
    ORDER BY id DESC LIMIT ?4";
const OF_ONE: &str = "SELECT id, revision, body FROM incidents \
    WHERE merchant = ?5 AND id < ?1 AND (?2 IS NULL OR connection = ?2) \
    AND (?3 IS NULL OR (ended_at IS NOT NULL) = ?3) ORDER BY id DESC LIMIT ?4";
const ENDED: &str = "SELECT merchant, id FROM incidents INDEXED BY incidents_ended \
    WHERE ended_at < ?1 ORDER BY ended_at, id LIMIT ?2";

impl Reader {
    fn incident(&mut self, merchant: &str, id: IncidentId) -> DbResult<Option<IncidentRecord>> {
        let Some(number) = self.names.find(&self.db, merchant)? else {
            return Ok(None);
        };
        first(&self.db, INCIDENT, params![number, blob(id.as_uuid())], |row| {
            self.body(row, &INCIDENTS, merchant)
        })
    }

    /// Of several merchants: the newest of each, of which the newest stay.
    fn incidents(
        &mut self,
        filter: &IncidentFilter,
        before: Option<IncidentId>,
        most: usize,
    ) -> DbResult<Vec<IncidentRecord>> {
        let connection = match &filter.connection {
            Some(name) => match self.names.find(&self.db, name)? {
                Some(number) => Some(number),
                None => return Ok(Vec::new()),
            },
            None => None,
        };
        let before = before.map_or(Uuid::max(), |before| *before.as_uuid());
        let has_ended = filter.has_ended();
        let Some(merchants) = filter.of_merchants() else {
            let params = params![blob(&before), connection, has_ended, limit(most)];
            return all(&self.db, OF_ALL, params, |row| self.body_of_any(row, &INCIDENTS));
        };
        let mut found: Vec<IncidentRecord> = Vec::new();
        for merchant in merchants {
            let Some(number) = self.names.find(&self.db, &merchant)? else {
                continue;
            };
            let params = params![blob(&before), connection, has_ended, limit(most), number];
            found.extend(all(&self.db, OF_ONE, params, |row| {
                self.body(row, &INCIDENTS, &merchant)
            })?);
        }
        found.sort_by_key(|row: &IncidentRecord| Reverse(row.id));
        found.truncate(most);
        Ok(found)
    }

    fn incidents_ended_before(&mut self, before: Timestamp, most: usize) -> DbResult<Vec<(String, IncidentId)>> {
        let ended: Vec<(i64, Uuid)> = all(&self.db, ENDED, params![micros(before), limit(most)], |row| {
            Ok((row.get("merchant")?, uuid(row, "id")?))
        })?;
        let mut named = Vec::new();
        for (merchant, id) in ended {
            named.push((
                self.names.called(&self.db, merchant)?.to_string(),
                IncidentId::from_uuid(id),
            ));
        }
        Ok(named)
    }
}

#[async_trait]
impl IncidentStore for SqliteStore {
    async fn incident(&self, merchant: &str, id: IncidentId) -> Result<Option<IncidentRecord>, StoreError> {
        self.readers.look(|db| db.incident(merchant, id))
    }

    async fn incidents(
        &self,
        filter: &IncidentFilter,
        before: Option<IncidentId>,
        limit: usize,
    ) -> Result<Vec<IncidentRecord>, StoreError> {
        let filter = filter.clone();
        self.readers.ask(move |db| db.incidents(&filter, before, limit)).await
    }

    async fn incidents_ended_before(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<(String, IncidentId)>, StoreError> {
        self.readers
            .ask(move |db| db.incidents_ended_before(before, limit))
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::super::queries::plan;
    use super::*;

    #[test]
    fn each_question_is_one_walk_through_an_index_without_sorting() {
        for (sql, step) in [
            (INCIDENT, "PRIMARY KEY (merchant=? AND id=?)"),
            (OF_ALL, "incidents_by_id (id<?)"),
            (OF_ONE, "PRIMARY KEY (merchant=? AND id<?)"),
            (ENDED, "incidents_ended (ended_at<?)"),
        ] {
            let plan = plan(sql);
            assert!(plan.contains(step) && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
