//! Questions about upserts, deliveries, connections and idempotency keys.

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Row, params};

use uuid::Uuid;

use upsert_core::{DeliveryId, MerchantMark, UpsertId, Word as _};
use upsert_store::{
    AttemptRecord, ConnectionRecord, DeliveryRecord, DeliveryState, FailedCount, IdempotencyRecord, UpsertRecord,
    WaitingCount,
};

use super::super::made;
use super::super::names::{marked, name};
use super::super::readers::Reader;
use super::super::rows::{DbError, DbResult, all, blob, each, first, limit, micros, moment, unsigned, uuid};
use super::lists::STANDING_PLACES;
use super::places::{DuePlaces, Wanted};
use crate::copy::form::{ATTEMPTS, CONNECTIONS, IDEMPOTENCY, UPSERTS};
use crate::digest;
use crate::kept::last_of;

const DUE_CONNECTIONS: DuePlaces = DuePlaces {
    next_name: "SELECT merchant, connection, due_at FROM upserts INDEXED BY upserts_due \
    WHERE due_at IS NOT NULL AND merchant = ?1 AND connection > ?2 ORDER BY connection, due_at LIMIT 1",
    next_merchant: "SELECT merchant, connection, due_at FROM upserts INDEXED BY upserts_due \
    WHERE due_at IS NOT NULL AND merchant > ?1 AND ?2 >= 0 ORDER BY merchant, connection, due_at LIMIT 1",
};
const DUE_AT: &str = "SELECT id, revision, body FROM upserts INDEXED BY upserts_due \
    WHERE merchant = ?1 AND connection = ?2 AND due_at <= ?3 ORDER BY due_at, id LIMIT ?4";
const STANDING_AT: &str = "SELECT id FROM upserts INDEXED BY upserts_standing \
    WHERE standing = ?5 AND merchant = ?1 AND connection = ?2 AND id > ?3 ORDER BY id LIMIT ?4";
const COUNT_FAILED: &str = "SELECT count(*) AS failed FROM upserts INDEXED BY upserts_standing \
    WHERE standing = 'failed' AND merchant = ?1 AND connection = ?2";
const NEWEST_FAILED: &str = "SELECT id FROM upserts INDEXED BY upserts_standing \
    WHERE standing = 'failed' AND merchant = ?1 AND connection = ?2 ORDER BY id DESC LIMIT 1";
const IN_FLIGHT: &str = "SELECT merchant, id FROM upserts INDEXED BY upserts_standing \
    WHERE standing = 'in_flight' AND (?1 IS NULL OR lease_until <= ?1) LIMIT ?2";
const COUNT_OPEN: &str = "SELECT standing, merchant, connection, count(*) AS waiting, min(id) AS oldest \
    FROM upserts INDEXED BY upserts_standing WHERE standing = ?1 GROUP BY merchant, connection";
const HAS_OPEN: &str = "SELECT 1 FROM upserts WHERE merchant = ?1 AND id > ?2 AND id <= ?3 \
    AND standing IN ('pending', 'in_flight', 'retrying', 'waiting') LIMIT 1";

/// Upserts that somebody has to look at once more, by merchant.
struct Left {
    next_merchant: &'static str,
    of_merchant: &'static str,
}

const PENDING: Left = Left {
    next_merchant: "SELECT merchant FROM upserts INDEXED BY upserts_standing \
        WHERE standing = 'upsert_pending' AND merchant > ?1 ORDER BY merchant LIMIT 1",
    of_merchant: "SELECT id, revision, body FROM upserts INDEXED BY upserts_standing \
        WHERE standing = 'upsert_pending' AND merchant = ?1 AND connection IS NULL AND id > ?2 ORDER BY id",
};
const OWING: Left = Left {
    next_merchant: "SELECT merchant FROM upserts INDEXED BY upserts_owing \
        WHERE owes_event IS NOT NULL AND merchant > ?1 ORDER BY merchant LIMIT 1",
    of_merchant: "SELECT id, revision, body FROM upserts INDEXED BY upserts_owing \
        WHERE owes_event IS NOT NULL AND merchant = ?1 AND id > ?2 ORDER BY id",
};

impl Reader {
    pub(in super::super) fn idempotency(
        &mut self,
        merchant: &str,
        key: &[u8; 32],
        now: Timestamp,
    ) -> DbResult<Option<IdempotencyRecord>> {
        let Some(number) = self.names.find(&self.db, merchant)? else {
            return Ok(None);
        };
        let sql = "SELECT * FROM idempotency WHERE merchant = ?1 AND key = ?2 AND expires_at > ?3";
        let kept = self.digests.hash(digest::Kind::IdempotencyKey, key);
        first(&self.db, sql, params![number, kept, micros(now)], |row| {
            let fingerprint = self.bytes(row, (&IDEMPOTENCY, "fingerprint"), merchant)?;
            Ok(IdempotencyRecord {
                key: *key,
                fingerprint: fingerprint.try_into().map_err(|_| DbError::Value("fingerprint"))?,
                merchant: merchant.to_owned(),
                upsert: UpsertId::from_uuid(uuid(row, "upsert")?),
                created_at: moment(row, "created_at")?,
                expires_at: moment(row, "expires_at")?,
                answer: self.record(row, (&IDEMPOTENCY, "answer"), merchant)?,
            })
        })
    }

    pub(in super::super) fn upsert(
        &mut self,
        merchant: &str,
        id: UpsertId,
    ) -> DbResult<Option<(UpsertRecord, Vec<DeliveryRecord>)>> {
        match self.names.find(&self.db, merchant)? {
            Some(merchant) => self.upsert_at(merchant, id.as_uuid(), |found| !found.is_forgotten()),
            None => Ok(None),
        }
    }

    pub(in super::super) fn delivery(&mut self, merchant: &str, id: DeliveryId) -> DbResult<Option<DeliveryRecord>> {
        match self.names.find(&self.db, merchant)? {
            Some(merchant) => self.delivery_at(merchant, id.as_uuid()),
            None => Ok(None),
        }
    }

    /// The first one stands with the delivery, the others apart.
    pub(in super::super) fn attempts(&mut self, merchant: &str, delivery: DeliveryId) -> DbResult<Vec<AttemptRecord>> {
        let Some(number) = self.names.find(&self.db, merchant)? else {
            return Ok(Vec::new());
        };
        let sql = "SELECT 1 AS number, id, id AS delivery, attempt, request FROM upserts \
                   WHERE merchant = ?1 AND id = ?2 AND length(attempt) > 0 \
                   UNION ALL SELECT number, delivery AS id, delivery, attempt, request FROM attempts \
                   WHERE merchant = ?1 AND delivery = ?2";
        let params = params![number, blob(delivery.as_uuid())];
        let mut attempts = all(&self.db, sql, params, |row| self.attempt(row, merchant))?;
        attempts.sort_by_key(|attempt| attempt.number);
        Ok(attempts)
    }

    fn attempt(&self, row: &Row<'_>, merchant: &str) -> DbResult<AttemptRecord> {
        let is_first = row.get::<_, u32>("number")? == 1;
        let part = if is_first { &UPSERTS } else { &ATTEMPTS };
        let attempt: Option<AttemptRecord> = self.record(row, (part, "attempt"), merchant)?;
        Ok(AttemptRecord {
            request: self.record(row, (part, "request"), merchant)?,
            ..attempt.ok_or(DbError::Value("attempt"))?
        })
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
        let Some((number, connection)) = self.numbers(merchant, connection)? else {
            return Ok(Vec::new());
        };
        let params = params![number, connection, micros(now), limit(most)];
        all(&self.db, DUE_AT, params, |row| self.body(row, &UPSERTS, merchant))
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
        let mut ids = Vec::new();
        for state in [DeliveryState::Pending, DeliveryState::Retrying, DeliveryState::Waiting] {
            let params = params![merchant, connection, after, limit(most), state.as_str()];
            ids.extend(all(&self.db, STANDING_AT, params, |row| uuid(row, "id"))?);
        }
        ids.sort_unstable();
        ids.truncate(most);
        let found = ids.iter().map(|id| self.delivery_at(merchant, id));
        Ok(found.collect::<DbResult<Vec<_>>>()?.into_iter().flatten().collect())
    }

    pub(in super::super) fn unsettled(
        &mut self,
        after: Option<(&str, UpsertId)>,
        most: usize,
    ) -> DbResult<Vec<UpsertRecord>> {
        self.left(&PENDING, after, most, |merchant, id| {
            let last = last_of(id);
            let params = params![merchant, blob(id), blob(&last)];
            Ok(first(&self.db, HAS_OPEN, params, |_| Ok(()))?.is_none())
        })
    }

    pub(in super::super) fn owing(
        &mut self,
        after: Option<(&str, UpsertId)>,
        most: usize,
    ) -> DbResult<Vec<UpsertRecord>> {
        self.left(&OWING, after, most, |_, _| Ok(true))
    }

    fn left(
        &self,
        left: &Left,
        after: Option<(&str, UpsertId)>,
        most: usize,
        is_wanted: impl Fn(i64, &Uuid) -> DbResult<bool>,
    ) -> DbResult<Vec<UpsertRecord>> {
        let mut merchants = Vec::new();
        let mut last = 0;
        while let Some(merchant) = first(&self.db, left.next_merchant, params![last], |row| {
            Ok(row.get::<_, i64>(0)?)
        })? {
            merchants.push((name(&self.db, merchant)?, merchant));
            last = merchant;
        }
        merchants.sort_unstable();
        let mut found = Vec::new();
        let from = after.map_or("", |(merchant, _)| merchant);
        for (name, merchant) in merchants.iter().filter(|(name, _)| name.as_str() >= from) {
            let after = after.filter(|(merchant, _)| merchant == name);
            let after = after.map_or(Vec::new(), |(_, id)| id.as_uuid().as_bytes().to_vec());
            each(&self.db, left.of_merchant, params![merchant, after], |row| {
                if found.len() < most && is_wanted(*merchant, &uuid(row, "id")?)? {
                    found.push(self.body(row, &UPSERTS, name)?);
                }
                Ok(found.len() < most)
            })?;
        }
        Ok(found)
    }

    pub(in super::super) fn abandoned(&mut self, now: Option<Timestamp>, most: usize) -> DbResult<Vec<DeliveryRecord>> {
        let params = params![now.map(micros), limit(most)];
        let ids = all(&self.db, IN_FLIGHT, params, |row| {
            Ok((row.get("merchant")?, uuid(row, "id")?))
        })?;
        let found = ids.iter().map(|(merchant, id)| self.delivery_at(*merchant, id));
        Ok(found.collect::<DbResult<Vec<_>>>()?.into_iter().flatten().collect())
    }

    /// All of it in the index alone, but for the oldest of each.
    pub(in super::super) fn waiting(&mut self) -> DbResult<Vec<WaitingCount>> {
        let mut counts = Vec::new();
        for state in DeliveryState::ALL.iter().filter(|state| !state.has_ended()) {
            let found = all(&self.db, COUNT_OPEN, params![state.as_str()], |row| {
                let (merchant, connection): (i64, i64) = (row.get("merchant")?, row.get("connection")?);
                Ok((merchant, connection, unsigned(row, "waiting")?, uuid(row, "oldest")?))
            })?;
            for (merchant, connection, count, oldest) in found {
                let oldest = self.delivery_at(merchant, &oldest)?.ok_or(DbError::Value("oldest"))?;
                counts.push(WaitingCount {
                    merchant: name(&self.db, merchant)?,
                    connection: name(&self.db, connection)?,
                    state: *state,
                    count,
                    oldest: oldest.created_at,
                });
            }
        }
        counts.sort_by(|one, other| {
            let key = |count: &WaitingCount| (count.merchant.clone(), count.connection.clone(), count.state);
            key(one).cmp(&key(other))
        });
        Ok(counts)
    }

    pub(in super::super) fn merchants_of(&mut self, mark: MerchantMark) -> DbResult<Vec<String>> {
        marked(&self.db, mark)
    }

    pub(in super::super) fn made_until(&mut self) -> DbResult<Option<Timestamp>> {
        made::until(&self.db)
    }

    /// From place to place, so that the state's index is the only thing that is read, and only where there is any.
    pub(in super::super) fn failed_deliveries(&mut self) -> DbResult<Vec<FailedCount>> {
        let everywhere = Wanted {
            merchants: None,
            name: None,
        };
        let mut places = Vec::new();
        let failed = Some(DeliveryState::Failed.as_str());
        self.each_place(STANDING_PLACES, failed, &everywhere, |merchant, connection| {
            places.push((merchant, connection));
        })?;
        let mut counts = Vec::with_capacity(places.len());
        for (merchant, connection) in places {
            let of = params![merchant, connection];
            let newest = first(&self.db, NEWEST_FAILED, of, |row| uuid(row, "id"))?;
            let count = first(&self.db, COUNT_FAILED, of, |row| unsigned(row, "failed"))?;
            if let (Some(newest), Some(count)) = (newest, count) {
                counts.push(FailedCount {
                    merchant: name(&self.db, merchant)?,
                    connection: name(&self.db, connection)?,
                    count,
                    newest: DeliveryId::from_uuid(newest),
                });
            }
        }
        counts.sort_by(|one, other| (&one.merchant, &one.connection).cmp(&(&other.merchant, &other.connection)));
        Ok(counts)
    }

    pub(in super::super) fn connections(&mut self) -> DbResult<Vec<ConnectionRecord>> {
        let sql = "SELECT merchant, connection, revision, body FROM connections";
        let read = |row: &Row<'_>| self.body_of_any(row, &CONNECTIONS);
        let mut found: Vec<ConnectionRecord> = all(&self.db, sql, [], read)?;
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

#[cfg(test)]
mod tests {
    use super::super::plan;
    use super::*;

    #[test]
    fn what_stands_in_a_state_is_counted_in_the_index_alone() {
        for (sql, step) in [
            (COUNT_FAILED, "(standing=? AND merchant=? AND connection=?)"),
            (NEWEST_FAILED, "(standing=? AND merchant=? AND connection=?)"),
            (COUNT_OPEN, "(standing=?)"),
            (IN_FLIGHT, "(standing=?)"),
            (PENDING.next_merchant, "(standing=? AND merchant>?)"),
            (STANDING_AT, "(standing=? AND merchant=? AND connection=? AND id>?)"),
        ] {
            let plan = plan(sql);
            let step = format!("COVERING INDEX upserts_standing {step}");
            assert!(plan.contains(&step) && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }

    #[test]
    fn what_waits_is_found_without_what_has_ended() {
        for (sql, step) in [
            (DUE_CONNECTIONS.next_name, "upserts_due (merchant=? AND connection>?)"),
            (DUE_CONNECTIONS.next_merchant, "upserts_due (merchant>?)"),
            (DUE_AT, "upserts_due (merchant=? AND connection=? AND due_at<?)"),
            (
                PENDING.of_merchant,
                "upserts_standing (standing=? AND merchant=? AND connection=? AND id>?)",
            ),
            (OWING.next_merchant, "upserts_owing (merchant>?)"),
            (OWING.of_merchant, "upserts_owing (merchant=? AND id>?)"),
            (HAS_OPEN, "PRIMARY KEY (merchant=? AND id>? AND id<?)"),
        ] {
            let plan = plan(sql);
            assert!(plan.contains(step) && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
