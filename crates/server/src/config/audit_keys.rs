//! The keys that entries of the audit trail are keyed with: without them nobody can tell whether these were changed.

use std::collections::BTreeMap;

use tokio::sync::Mutex;

use upsert_app::Gateway;
use upsert_store::StoreError;

use crate::config::stored_merchants::MerchantBuilder;

/// Entries that are read at once.
const AT_ONCE: usize = 1_000;

/// What was seen of the trail so far. The whole of it is read once in the life of a process.
#[derive(Debug, Default)]
pub(crate) struct AuditKeys(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// The number of the last entry that was read.
    until: u64,
    /// Of each key the last entry.
    last: BTreeMap<String, u64>,
}

impl AuditKeys {
    /// The ids of all but the first key of the configuration, sorted.
    pub(crate) async fn but(&self, first: &str, gateway: &Gateway) -> Result<Vec<String>, StoreError> {
        let mut seen = self.0.lock().await;
        loop {
            let stretch = gateway.store().audit_after(seen.until, AT_ONCE).await?;
            // What is older than entries are kept needs no key any more.
            let forgotten = stretch.head.map_or(0, |head| head.forgotten);
            seen.last.retain(|_, last| *last > forgotten);
            let Some(end) = stretch.entries.last().map(|entry| entry.number) else {
                break;
            };
            let keyed = stretch
                .entries
                .into_iter()
                .filter_map(|entry| Some((entry.key?, entry.number)));
            seen.last.extend(keyed);
            seen.until = end;
        }
        Ok(seen.last.keys().filter(|key| *key != first).cloned().collect())
    }

    /// Says which of them are not configured any more: their entries stay, and nobody can judge them.
    pub(crate) async fn say_missing(&self, gateway: &Gateway, merchants: &MerchantBuilder) -> Result<(), StoreError> {
        let keys = self.but(&merchants.seals_with().unwrap_or_default(), gateway).await?;
        let missing: Vec<String> = keys
            .into_iter()
            .filter(|key| merchants.missing_key(std::slice::from_ref(key)).is_some())
            .collect();
        if !missing.is_empty() {
            tracing::warn!(
                keys = missing.join(", "),
                "entries of the audit trail are keyed with keys that `store.encryption_keys` has no more: nobody can tell \
                 whether they were changed; put these keys back, behind the first"
            );
        }
        Ok(())
    }
}
