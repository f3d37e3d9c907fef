//! Questions about upserts, deliveries, connections and idempotency keys.

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Row, params};

use upsert_core::{DeliveryId, UpsertId, Word as _};
use upsert_store::{
    AttemptRecord, ConnectionRecord, DeliveryRecord, DeliveryState, FailedCount, IdempotencyRecord, UpsertRecord,
    WaitingCount,
};

use super::super::readers::Reader;
use super::super::rows::{
    DbError, DbResult, all, blob, first, from_json, hash, limit, micros, moment, moment_if_any, record, unsigned, uuid,
};
use super::lists::SET_ASIDE_PLACES;
use super::places::{DuePlaces, Wanted};

const DUE_CONNECTIONS: DuePlaces = DuePlaces {
    next_name: "SELECT merchant, connection, due_at FROM deliveries INDEXED BY deliveries_due \
    WHERE due_at IS NOT NULL AND merchant = ?1 AND connection > ?2 ORDER BY connection, due_at LIMIT 1",
    next_merchant: "SELECT merchant, connection, due_at FROM deliveries INDEXED BY deliveries_due \
    WHERE due_at IS NOT NULL AND merchant > ?1 AND ?2 >= 0 ORDER BY merchant, connection, due_at LIMIT 1",
};
const DUE_AT: &str = "SELECT record FROM deliveries INDEXED BY deliveries_due \
    WHERE merchant = ?1 AND connection = ?2 AND due_at <= ?3 ORDER BY due_at, id LIMIT ?4";
const WAITING_AT: &str = "SELECT record FROM deliveries INDEXED BY deliveries_waiting \
    WHERE state IN ('pending', 'retrying', 'waiting') AND merchant = ?1 AND connection = ?2 AND id > ?3 \
    ORDER BY id LIMIT ?4";
const COUNT_FAILED: &str = "SELECT count(*) AS failed FROM deliveries INDEXED BY deliveries_set_aside \
    WHERE state IN ('failed', 'discarded', 'superseded') AND state = 'failed' AND merchant = ?1 AND connection = ?2";
const NEWEST_FAILED: &str = "SELECT id FROM deliveries INDEXED BY deliveries_set_aside \
    WHERE state IN ('failed', 'discarded', 'superseded') AND state = 'failed' AND merchant = ?1 AND connection = ?2 \
    ORDER BY id DESC LIMIT 1";
const OWING: &str = "SELECT record FROM upserts INDEXED BY upserts_owing \
    WHERE owes_event = 1 AND id > ?1 ORDER BY id LIMIT ?2";

impl Reader {
    pub(in super::super) fn idempotency(
        &mut self,
        key: &[u8; 32],
        now: Timestamp,
    ) -> DbResult<Option<IdempotencyRecord>> {
        let sql = "SELECT i.*, n.name AS merchant_name FROM idempotency i JOIN names n ON n.id = i.merchant \
                   WHERE i.key = ?1 AND i.expires_at > ?2";
        first(&self.db, sql, params![&key[..], micros(now)], |row| {
            Ok(IdempotencyRecord {
                key: hash(row, "key")?,
                fingerprint: hash(row, "fingerprint")?,
                merchant: row.get("merchant_name")?,
                upsert: UpsertId::from_uuid(uuid(row, "upsert")?),
                created_at: moment(row, "created_at")?,
                expires_at: moment(row, "expires_at")?,
                answer: from_json(row, "answer")?,
            })
        })
    }

    pub(in super::super) fn upsert(
        &mut self,
        merchant: &str,
        id: UpsertId,
    ) -> DbResult<Option<(UpsertRecord, Vec<DeliveryRecord>)>> {
        let Some(merchant) = self.names.find(&self.db, merchant)? else {
            return Ok(None);
        };
        let sql = "SELECT record FROM upserts WHERE id = ?1 AND merchant = ?2";
        let id = blob(id.as_uuid());
        let Some(upsert) = first(&self.db, sql, params![id, merchant], record)? else {
            return Ok(None);
        };
        let sql = "SELECT record FROM deliveries WHERE upsert = ?1 ORDER BY id";
        Ok(Some((upsert, all(&self.db, sql, params![id], record)?)))
    }

    pub(in super::super) fn delivery(&mut self, id: DeliveryId) -> DbResult<Option<DeliveryRecord>> {
        let sql = "SELECT record FROM deliveries WHERE id = ?1";
        first(&self.db, sql, params![blob(id.as_uuid())], record)
    }

    pub(in super::super) fn attempts(&mut self, delivery: DeliveryId) -> DbResult<Vec<AttemptRecord>> {
        let sql = "SELECT * FROM attempts WHERE delivery = ?1 ORDER BY number";
        all(&self.db, sql, params![blob(delivery.as_uuid())], attempt)
    }

    pub(in super::super) fn due_connections(&mut self, now: Timestamp) -> DbResult<Vec<(String, String)>> {
        self.due_places(DUE_CONNECTIONS, now)
    }

    pub(in super::super) fn due_at(
        &mut self,
        merchant: &str,
        connection: &str,
        now: Timestamp,
        most: usize,
    ) -> DbResult<Vec<DeliveryRecord>> {
        let Some((merchant, connection)) = self.numbers(merchant, connection)? else {
            return Ok(Vec::new());
        };
        all(
            &self.db,
            DUE_AT,
            params![merchant, connection, micros(now), limit(most)],
            record,
        )
    }

    pub(in super::super) fn waiting_at(
        &mut self,
        merchant: &str,
        connection: &str,
        after: Option<DeliveryId>,
        most: usize,
    ) -> DbResult<Vec<DeliveryRecord>> {
        let Some((merchant, connection)) = self.numbers(merchant, connection)? else {
            return Ok(Vec::new());
        };
        let after = after.map_or(Vec::new(), |id| id.as_uuid().as_bytes().to_vec());
        all(
            &self.db,
            WAITING_AT,
            params![merchant, connection, after, limit(most)],
            record,
        )
    }

    pub(in super::super) fn unsettled(&mut self, after: Option<UpsertId>, most: usize) -> DbResult<Vec<UpsertRecord>> {
        let sql = "SELECT record FROM upserts WHERE state = 'pending' AND id > ?1 AND NOT EXISTS (SELECT 1 \
                   FROM deliveries WHERE upsert = upserts.id AND open_state IS NOT NULL) ORDER BY id LIMIT ?2";
        let after = after.map_or(Vec::new(), |id| id.as_uuid().as_bytes().to_vec());
        all(&self.db, sql, params![after, limit(most)], record)
    }

    pub(in super::super) fn owing(&mut self, after: Option<UpsertId>, most: usize) -> DbResult<Vec<UpsertRecord>> {
        let after = after.map_or(Vec::new(), |id| id.as_uuid().as_bytes().to_vec());
        all(&self.db, OWING, params![after, limit(most)], record)
    }

    pub(in super::super) fn abandoned(&mut self, now: Option<Timestamp>, most: usize) -> DbResult<Vec<DeliveryRecord>> {
        let sql = "SELECT record FROM deliveries WHERE open_state = 'in_flight' \
                   AND (?1 IS NULL OR lease_until <= ?1) ORDER BY id LIMIT ?2";
        all(&self.db, sql, params![now.map(micros), limit(most)], record)
    }

    pub(in super::super) fn waiting(&mut self) -> DbResult<Vec<WaitingCount>> {
        let sql = "SELECT m.name AS merchant, c.name AS connection, d.state AS state, d.waiting AS waiting, \
                   d.oldest AS oldest FROM (SELECT merchant, connection, open_state AS state, count(*) AS waiting, \
                   min(created_at) AS oldest FROM deliveries WHERE open_state IS NOT NULL \
                   GROUP BY open_state, merchant, connection) d \
                   JOIN names m ON m.id = d.merchant JOIN names c ON c.id = d.connection";
        let mut counts = all(&self.db, sql, [], |row| {
            let state: String = row.get("state")?;
            Ok(WaitingCount {
                merchant: row.get("merchant")?,
                connection: row.get("connection")?,
                state: state.parse().map_err(|_| DbError::Value("open_state"))?,
                count: unsigned(row, "waiting")?,
                oldest: moment(row, "oldest")?,
            })
        })?;
        counts.sort_by(|one, other| {
            let key = |count: &WaitingCount| (count.merchant.clone(), count.connection.clone(), count.state);
            key(one).cmp(&key(other))
        });
        Ok(counts)
    }

    /// From place to place, so that the state's index is the only thing that is read, and only where there is any.
    pub(in super::super) fn failed_deliveries(&mut self) -> DbResult<Vec<FailedCount>> {
        let everywhere = Wanted {
            merchants: None,
            name: None,
        };
        let mut places = Vec::new();
        let failed = Some(DeliveryState::Failed.as_str());
        self.each_place(SET_ASIDE_PLACES, failed, &everywhere, |merchant, connection| {
            places.push((merchant, connection));
        })?;
        let mut counts = Vec::with_capacity(places.len());
        for (merchant, connection) in places {
            let of = params![merchant, connection];
            let newest = first(&self.db, NEWEST_FAILED, of, |row| uuid(row, "id"))?;
            let count = first(&self.db, COUNT_FAILED, of, |row| unsigned(row, "failed"))?;
            if let (Some(newest), Some(count)) = (newest, count) {
                counts.push(FailedCount {
                    merchant: self.name(merchant)?,
                    connection: self.name(connection)?,
                    count,
                    newest: DeliveryId::from_uuid(newest),
                });
            }
        }
        counts.sort_by(|one, other| (&one.merchant, &one.connection).cmp(&(&other.merchant, &other.connection)));
        Ok(counts)
    }

    pub(in super::super) fn connections(&mut self) -> DbResult<Vec<ConnectionRecord>> {
        let mut found: Vec<ConnectionRecord> = all(&self.db, "SELECT record FROM connections", [], record)?;
        found.sort_by(|one, other| (&one.merchant, &one.connection).cmp(&(&other.merchant, &other.connection)));
        Ok(found)
    }

    pub(in super::super) fn calls(&mut self, day: Date) -> DbResult<Vec<(String, String, u32)>> {
        let sql = "SELECT m.name AS merchant, c.name AS connection, count FROM calls \
                   JOIN names m ON m.id = calls.merchant JOIN names c ON c.id = calls.connection \
                   WHERE day = ?1 ORDER BY m.name, c.name";
        all(&self.db, sql, params![day.to_string()], |row| {
            Ok((row.get("merchant")?, row.get("connection")?, unsigned(row, "count")?))
        })
    }
}

fn attempt(row: &Row<'_>) -> DbResult<AttemptRecord> {
    Ok(AttemptRecord {
        delivery: DeliveryId::from_uuid(uuid(row, "delivery")?),
        number: unsigned(row, "number")?,
        fence: unsigned(row, "fence")?,
        started_at: moment(row, "started_at")?,
        ended_at: moment_if_any(row, "ended_at")?,
        result: row.get("result")?,
        vendor_status: row.get("vendor_status")?,
        vendor_said: from_json(row, "vendor_said")?.unwrap_or_default(),
        request: from_json(row, "request")?,
        error: from_json(row, "error")?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::plan;
    use super::*;

    #[test]
    fn dead_letters_are_counted_in_the_index_alone() {
        for sql in [COUNT_FAILED, NEWEST_FAILED] {
            let plan = plan(sql);
            let step = "COVERING INDEX deliveries_set_aside (state=? AND merchant=? AND connection=?)";
            assert!(plan.contains(step) && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }

    #[test]
    fn what_waits_is_found_without_what_has_ended() {
        for (sql, step) in [
            (
                DUE_CONNECTIONS.next_name,
                "deliveries_due (merchant=? AND connection>?)",
            ),
            (DUE_CONNECTIONS.next_merchant, "deliveries_due (merchant>?)"),
            (DUE_AT, "deliveries_due (merchant=? AND connection=? AND due_at<?)"),
            (WAITING_AT, "deliveries_waiting (merchant=? AND connection=? AND id>?)"),
            (OWING, "upserts_owing (id>?)"),
        ] {
            let plan = plan(sql);
            assert!(plan.contains(step) && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
