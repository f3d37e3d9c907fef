//! Merchants that live in the store. Nothing of them is read when the process starts: a merchant is read and built when it is
//! first needed, and kept until it changes. So neither a start nor an upsert's way grows with their number.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use jiff::civil::Date;
use parking_lot::{Mutex, RwLock};

use upsert_store::{MerchantRecord, Store, StoreError};

use crate::directory::merchant::Merchant;

/// So many are loaded at once.
const AT_ONCE: usize = 64;

/// Ids that are known to have no merchant: whoever asks for others makes no more than these be remembered.
const MOST_ABSENT: usize = 10_000;

/// Makes merchants of what the store keeps of them. The secrets are sealed, and only this opens them.
pub trait BuildMerchant: Debug + Send + Sync + 'static {
    /// Builds one. `calls`: made today, by connection. What says the same as in `before` is taken over as it is, with its
    /// breaker and its limits.
    ///
    /// # Errors
    /// Why it cannot be built, for operators; free of secrets.
    fn build(
        &self,
        record: &MerchantRecord,
        calls: &[(String, u32)],
        before: Option<&Merchant>,
    ) -> Result<Merchant, String>;
}

/// What is done for a merchant that was read, before anybody sees it. The other one: as it was before.
pub(crate) type BeforeSeen<'a> = &'a (dyn Fn(&Merchant, Option<&Merchant>) + Send + Sync);

/// What is known of a merchant.
#[derive(Debug, Clone)]
enum Entry {
    Ready(Arc<Merchant>),
    /// It is there and cannot be built.
    Broken(String),
    /// It is not there.
    Absent,
}

/// What is known of merchants, by id.
#[derive(Debug, Default)]
struct Entries {
    by_id: HashMap<String, Entry>,
    /// How many are not there.
    absent: usize,
}

impl Entries {
    /// Remembers it; answers what was known before.
    fn put(&mut self, id: &str, entry: Entry) -> Option<Entry> {
        if self.absent >= MOST_ABSENT {
            self.by_id.retain(|_, entry| !matches!(entry, Entry::Absent));
            self.absent = 0;
        }
        self.absent += usize::from(matches!(entry, Entry::Absent));
        let before = self.by_id.insert(id.to_owned(), entry);
        self.absent -= usize::from(matches!(before, Some(Entry::Absent)));
        before
    }

    fn remove(&mut self, id: &str) {
        let before = self.by_id.remove(id);
        self.absent -= usize::from(matches!(before, Some(Entry::Absent)));
    }
}

/// A merchant that was just loaded.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) merchant: Arc<Merchant>,
    /// As it was before.
    pub(crate) before: Option<Arc<Merchant>>,
    /// Whether it was looked for before and could not be had: something may wait for it.
    pub(crate) was_away: bool,
}

/// All of them, as far as they were needed.
#[derive(Debug)]
pub struct StoredMerchants {
    builder: Option<Arc<dyn BuildMerchant>>,
    entries: RwLock<Entries>,
    /// Held while a merchant is read and built, by a hash of its id: it is built once, and whoever learns that it has changed
    /// waits until what was read before is known.
    loading: Vec<tokio::sync::Mutex<()>>,
    hashes: RandomState,
    fresh: Mutex<Vec<Fresh>>,
}

/// Of a gateway whose merchants are all in files.
impl Default for StoredMerchants {
    fn default() -> Self {
        Self {
            builder: None,
            entries: RwLock::default(),
            loading: (0..AT_ONCE).map(|_| tokio::sync::Mutex::default()).collect(),
            hashes: RandomState::new(),
            fresh: Mutex::default(),
        }
    }
}

impl StoredMerchants {
    /// None so far; `builder` makes them.
    pub fn new(builder: Arc<dyn BuildMerchant>) -> Self {
        Self {
            builder: Some(builder),
            ..Self::default()
        }
    }

    /// Whether there can be any.
    pub(crate) fn are_served(&self) -> bool {
        self.builder.is_some()
    }

    /// One that was loaded.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Merchant>> {
        match self.entries.read().by_id.get(id)? {
            Entry::Ready(merchant) => Some(Arc::clone(merchant)),
            Entry::Broken(_) | Entry::Absent => None,
        }
    }

    /// All that were loaded, in no order.
    pub(crate) fn loaded(&self) -> Vec<Arc<Merchant>> {
        let entries = self.entries.read();
        let ready = entries.by_id.values().filter_map(|entry| match entry {
            Entry::Ready(merchant) => Some(Arc::clone(merchant)),
            Entry::Broken(_) | Entry::Absent => None,
        });
        ready.collect()
    }

    /// Ids of all of which anything is known.
    pub(crate) fn known(&self) -> Vec<String> {
        self.entries.read().by_id.keys().cloned().collect()
    }

    /// Of how many anything is known.
    pub(crate) fn count(&self) -> usize {
        self.entries.read().by_id.len()
    }

    /// Sees to it that a merchant is known, if it is there.
    ///
    /// # Errors
    /// The store failed, or it is there and cannot be built.
    pub(crate) async fn load(
        &self,
        store: &dyn Store,
        today: Date,
        id: &str,
        before_seen: BeforeSeen<'_>,
    ) -> Result<(), StoreError> {
        if self.builder.is_none() {
            return Ok(());
        }
        if let Some(known) = self.known_outcome(id) {
            return known;
        }
        let _one_at_a_time = self.loading_of(id).lock().await;
        if self.known_outcome(id).is_none() {
            self.read(store, today, id, before_seen).await?;
        }
        self.known_outcome(id).unwrap_or(Ok(()))
    }

    /// Reads a merchant anew, if anything is known of it or `even_unknown`.
    ///
    /// # Errors
    /// The store failed. That it cannot be built is remembered, and told to whoever needs it.
    pub(crate) async fn reload(
        &self,
        store: &dyn Store,
        today: Date,
        id: &str,
        even_unknown: bool,
        before_seen: BeforeSeen<'_>,
    ) -> Result<(), StoreError> {
        // Whoever is reading it now may have read what it was before: it is known what came of that, then.
        let _one_at_a_time = self.loading_of(id).lock().await;
        if even_unknown || self.entries.read().by_id.contains_key(id) {
            self.read(store, today, id, before_seen).await?;
        }
        Ok(())
    }

    /// A merchant that was deleted is put again: something may wait for it, whoever had it wait.
    pub(crate) fn is_back(&self, id: &str) {
        let mut entries = self.entries.write();
        if !entries.by_id.contains_key(id) {
            entries.put(id, Entry::Absent);
        }
    }

    /// What is known of it is forgotten, until it is needed again.
    pub(crate) fn forget(&self, id: &str) {
        self.entries.write().remove(id);
    }

    /// Those that were loaded since they were last asked for.
    pub(crate) fn take_fresh(&self) -> Vec<Fresh> {
        std::mem::take(&mut *self.fresh.lock())
    }

    fn known_outcome(&self, id: &str) -> Option<Result<(), StoreError>> {
        self.entries.read().by_id.get(id).map(|entry| match entry {
            Entry::Ready(_) | Entry::Absent => Ok(()),
            Entry::Broken(why) => Err(broken(id, why)),
        })
    }

    fn loading_of(&self, id: &str) -> &tokio::sync::Mutex<()> {
        let shard = usize::try_from(self.hashes.hash_one(id) % AT_ONCE as u64).unwrap_or_default();
        &self.loading[shard]
    }

    async fn read(
        &self,
        store: &dyn Store,
        today: Date,
        id: &str,
        before_seen: BeforeSeen<'_>,
    ) -> Result<(), StoreError> {
        let Some(builder) = &self.builder else { return Ok(()) };
        let record = store.merchant(id).await?.filter(|record| record.body.is_some());
        let Some(record) = record else {
            self.know(id, Entry::Absent);
            return Ok(());
        };
        let calls = store.calls_of(id, today).await?;
        let before = self.get(id);
        match builder.build(&record, &calls, before.as_deref()) {
            Ok(merchant) => {
                before_seen(&merchant, before.as_deref());
                let merchant = Arc::new(merchant);
                let earlier = self.know(id, Entry::Ready(Arc::clone(&merchant)));
                self.fresh.lock().push(Fresh {
                    merchant,
                    before,
                    was_away: matches!(earlier, Some(Entry::Broken(_) | Entry::Absent)),
                });
            }
            Err(why) => {
                tracing::error!(merchant = id, error = why, "a merchant in the store cannot be served");
                self.know(id, Entry::Broken(why));
            }
        }
        Ok(())
    }

    /// Remembers it; answers what was known before. What of that is gone sends nothing more.
    fn know(&self, id: &str, entry: Entry) -> Option<Entry> {
        let now = match &entry {
            Entry::Ready(merchant) => Some(Arc::clone(merchant)),
            Entry::Broken(_) | Entry::Absent => None,
        };
        let before = self.entries.write().put(id, entry);
        if let Some(Entry::Ready(before)) = &before {
            before.retire(now.as_deref());
        }
        before
    }
}

/// Nobody may take it for one that is not there: what waits for it would be given up.
fn broken(id: &str, why: &str) -> StoreError {
    StoreError::Unavailable(format!("the merchant `{id}` cannot be served: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_are_not_there_are_remembered_up_to_a_bound_and_those_that_are_stay() {
        let mut entries = Entries::default();
        entries.put("broken", Entry::Broken("x".to_owned()));
        for number in 0..3 * MOST_ABSENT {
            entries.put(&format!("absent-{number}"), Entry::Absent);
            assert!(entries.by_id.len() <= MOST_ABSENT + 1);
        }
        assert!(entries.by_id.contains_key("broken"));
        entries.put("broken", Entry::Absent);
        let absent = entries.by_id.values().filter(|entry| matches!(entry, Entry::Absent));
        assert_eq!(absent.count(), entries.absent);
    }
}
