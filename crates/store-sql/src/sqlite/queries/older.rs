//! Upserts that may be old enough to be forgotten.

use jiff::Timestamp;
use rusqlite::params;

use upsert_core::UpsertId;
use upsert_store::{DeliveryRecord, UpsertRecord};

use super::super::names::name;
use super::super::readers::Reader;
use super::super::rows::{DbResult, blob, each, first};
use crate::copy::form::UPSERTS;
use crate::kept::last_of;

const NEXT_MERCHANT: &str = "SELECT merchant FROM upserts WHERE merchant > ?1 ORDER BY merchant LIMIT 1";
/// Each with its deliveries right behind it.
const OLDER: &str = "SELECT connection IS NULL AS is_upsert, id, revision, body FROM upserts \
    WHERE merchant = ?1 AND id > ?2 AND id < ?3 ORDER BY id";

impl Reader {
    pub(in super::super) fn older_upserts(
        &mut self,
        after: Option<(&str, UpsertId)>,
        before: Timestamp,
        most: usize,
    ) -> DbResult<Vec<(UpsertRecord, Vec<DeliveryRecord>)>> {
        let mut merchants = Vec::new();
        let mut last = 0;
        while let Some(merchant) = first(&self.db, NEXT_MERCHANT, params![last], |row| Ok(row.get::<_, i64>(0)?))? {
            merchants.push((name(&self.db, merchant)?, merchant));
            last = merchant;
        }
        merchants.sort_unstable();
        let before = UpsertId::oldest_at(before);
        let from = after.map_or("", |(merchant, _)| merchant);
        let mut found: Vec<(UpsertRecord, Vec<DeliveryRecord>)> = Vec::new();
        for (name, merchant) in merchants.iter().filter(|(name, _)| name.as_str() >= from) {
            if found.len() == most {
                break;
            }
            let after = after.filter(|(merchant, _)| merchant == name);
            let after = after.map_or(Vec::new(), |(_, id)| last_of(id.as_uuid()).as_bytes().to_vec());
            each(
                &self.db,
                OLDER,
                params![merchant, after, blob(before.as_uuid())],
                |row| {
                    if row.get("is_upsert")? {
                        if found.len() == most {
                            return Ok(false);
                        }
                        found.push((self.body(row, &UPSERTS, name)?, Vec::new()));
                    } else if let Some((upsert, deliveries)) = found.last_mut() {
                        let delivery: DeliveryRecord = self.body(row, &UPSERTS, name)?;
                        if delivery.upsert() == upsert.id && delivery.merchant == upsert.merchant {
                            deliveries.push(delivery);
                        }
                    }
                    Ok(true)
                },
            )?;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan;
    use super::*;

    #[test]
    fn what_is_old_is_read_from_where_it_ended_and_nothing_else_is() {
        for (sql, step) in [
            (NEXT_MERCHANT, "PRIMARY KEY (merchant>?)"),
            (OLDER, "PRIMARY KEY (merchant=? AND id>? AND id<?)"),
        ] {
            let plan = plan(sql);
            assert!(plan.contains(step) && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
