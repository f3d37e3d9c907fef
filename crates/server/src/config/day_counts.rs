//! The calls of the day, read from the store so that a restart does not give a connection its quota again.

use std::collections::HashMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use upsert_core::Clock;
use upsert_policy::InMemoryDayCount;
use upsert_store::{Store, StoreError};

/// What was called today (UTC), by merchant and connection.
#[derive(Debug, Default)]
pub(crate) struct DayCounts {
    day: Date,
    used: HashMap<(String, String), u32>,
}

impl DayCounts {
    /// As the store has them.
    pub(crate) async fn read(store: &dyn Store, clock: &dyn Clock) -> Result<Self, StoreError> {
        let day = clock.now().to_zoned(TimeZone::UTC).date();
        let calls = store.calls(day).await?;
        let used = calls
            .into_iter()
            .map(|(merchant, connection, used)| ((merchant, connection), used));
        Ok(Self {
            day,
            used: used.collect(),
        })
    }

    /// One merchant's, as the store has them.
    pub(crate) fn of_merchant(merchant: &str, calls: &[(String, u32)], clock: &dyn Clock) -> Self {
        let used = calls
            .iter()
            .map(|(connection, used)| ((merchant.to_owned(), connection.clone()), *used));
        Self {
            day: clock.now().to_zoned(TimeZone::UTC).date(),
            used: used.collect(),
        }
    }

    /// One connection's count, to go on from.
    pub(crate) fn of(&self, merchant: &str, connection: &str) -> InMemoryDayCount {
        let key = (merchant.to_owned(), connection.to_owned());
        InMemoryDayCount::preloaded(self.day, self.used.get(&key).copied().unwrap_or_default())
    }
}
