//! Questions about upserts, deliveries, connections and idempotency keys.

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Row, params};

use upsert_core::{DeliveryId, UpsertId};
use upsert_store::{
    AttemptRecord, ConnectionRecord, DeliveryRecord, DeliveryState, IdempotencyRecord, UpsertRecord, WaitingCount,
};

use super::super::readers::Reader;
use super::super::rows::{
    DbError, DbResult, all, blob, first, from_json, hash, limit, micros, moment, moment_if_any, record, unsigned, uuid,
};

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

    /// Leaps from one connection to the next: what waits behind its first one is not looked at.
    pub(in super::super) fn due_connections(&mut self, now: Timestamp) -> DbResult<Vec<(String, String)>> {
        let sql = "SELECT merchant, connection, due_at FROM deliveries WHERE due_at IS NOT NULL \
                   AND (merchant, connection) > (?1, ?2) ORDER BY merchant, connection, due_at LIMIT 1";
        let mut at = (0_i64, 0_i64);
        let mut due = Vec::new();
        while let Some((merchant, connection, first_due)) = first(&self.db, sql, params![at.0, at.1], |row| {
            Ok::<(i64, i64, i64), DbError>((row.get(0)?, row.get(1)?, row.get(2)?))
        })? {
            at = (merchant, connection);
            if first_due <= micros(now) {
                due.push((self.name(merchant)?, self.name(connection)?));
            }
        }
        due.sort_unstable();
        Ok(due)
    }

    fn name(&self, number: i64) -> DbResult<String> {
        let found = first(
            &self.db,
            "SELECT name FROM names WHERE id = ?1",
            params![number],
            |row| Ok(row.get(0)?),
        )?;
        found.ok_or(DbError::Value("names"))
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
        let sql = "SELECT record FROM deliveries WHERE merchant = ?1 AND connection = ?2 AND due_at <= ?3 \
                   ORDER BY due_at, id LIMIT ?4";
        all(
            &self.db,
            sql,
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
        let sql = "SELECT record FROM deliveries WHERE merchant = ?1 AND connection = ?2 \
                   AND state IN ('pending', 'retrying', 'waiting') AND id > ?3 ORDER BY id LIMIT ?4";
        let after = after.map_or(Vec::new(), |id| id.as_uuid().as_bytes().to_vec());
        all(&self.db, sql, params![merchant, connection, after, limit(most)], record)
    }

    pub(in super::super) fn unsettled(&mut self, after: Option<UpsertId>, most: usize) -> DbResult<Vec<UpsertRecord>> {
        let sql = "SELECT record FROM upserts WHERE state = 'pending' AND id > ?1 AND NOT EXISTS (SELECT 1 \
                   FROM deliveries WHERE upsert = upserts.id AND open_state IS NOT NULL) ORDER BY id LIMIT ?2";
        let after = after.map_or(Vec::new(), |id| id.as_uuid().as_bytes().to_vec());
        all(&self.db, sql, params![after, limit(most)], record)
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
                state: DeliveryState::from_name(&state).ok_or(DbError::Value("open_state"))?,
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
    })
}
