//! Who did what when. What an operator does is written down in the same commit as what it changes; what is no commit of its own
//! (a call, a setting of the process, many at once) is written down before it is done. So nothing is done that is not written
//! down.

pub(crate) mod act;
pub(crate) mod chain;
pub(crate) mod failed_sign_ins;
pub(crate) mod verify;

use std::fmt;
use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard};

use upsert_core::Clock;
use upsert_core::crash_point::{self as points, crash_point};
use upsert_store::{Applied, AuditHead, Changeset, Expect, Store, StoreError, Write};

use act::Act;
use chain::{AuditKeys, Chain};

/// So often an entry is made anew because another process has added one.
const MOST_RACES: usize = 64;

/// Entries that are forgotten in one commit.
const FORGOTTEN_AT_ONCE: usize = 200;

/// Writes down what is done. Within a process it is done one after the other: each entry follows the one before it.
#[derive(Clone)]
pub struct Auditing(Arc<Shared>);

struct Shared {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    chain: Chain,
    /// The last head that this process wrote or read; none: it has to be read.
    head: Mutex<Option<AuditHead>>,
}

impl fmt::Debug for Auditing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Auditing")
    }
}

impl Auditing {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, keys: Arc<dyn AuditKeys>) -> Self {
        Self(Arc::new(Shared {
            store,
            clock,
            chain: Chain::new(keys),
            head: Mutex::default(),
        }))
    }

    pub(crate) fn chain(&self) -> &Chain {
        &self.0.chain
    }

    /// Writes these down, durably, before they are done.
    ///
    /// # Errors
    /// The store failed: they are not to be done.
    pub async fn record(&self, acts: &[Act]) -> Result<(), StoreError> {
        if acts.is_empty() {
            return Ok(());
        }
        crash_point(points::AUDIT_BEFORE_RECORD);
        let commit = |changes| self.0.store.apply(changes);
        let applied = self.commit_with(Changeset::of(""), acts, commit).await?;
        crash_point(points::AUDIT_AFTER_RECORD);
        match applied {
            Applied::Done => Ok(()),
            Applied::Unmet(_) => Err(busy()),
        }
    }

    /// Commits changes together with what is written down of them: both, or neither. `commit` may be called several times, as
    /// often as others add entries meanwhile; an expectation of the changes that is not met is answered as ever.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn commit_with<F>(
        &self,
        changes: Changeset,
        acts: &[Act],
        commit: impl Fn(Changeset) -> F,
    ) -> Result<Applied, StoreError>
    where
        F: Future<Output = Result<Applied, StoreError>>,
    {
        if acts.is_empty() {
            return commit(changes).await;
        }
        let mut last = self.0.head.lock().await;
        for _ in 0..MOST_RACES {
            let head = self.head(&mut last).await?;
            let (entries, next) = self.0.chain.following(head.as_ref(), acts, self.0.clock.now());
            let mut audited = changes.clone();
            let place = audited.expect.len();
            audited.expect.push(Expect::AuditHead {
                revision: head.as_ref().map(|head| head.revision),
            });
            audited.write.extend(entries.into_iter().map(Write::PutAuditEntry));
            audited.write.push(Write::PutAuditHead(next.clone()));
            audited.can_be_lost = false;
            // Should it fail, nobody knows whether it was written: the head is read anew.
            *last = None;
            match commit(audited).await? {
                Applied::Unmet(index) if index == place => {}
                applied => {
                    if applied == Applied::Done {
                        tell(acts, &next);
                        *last = Some(next);
                    }
                    return Ok(applied);
                }
            }
        }
        Err(busy())
    }

    async fn head(&self, last: &mut MutexGuard<'_, Option<AuditHead>>) -> Result<Option<AuditHead>, StoreError> {
        if last.is_none() {
            **last = self.0.store.audit_head().await?;
        }
        Ok((**last).clone())
    }

    /// Forgets some entries that were made before this moment, from the beginning of the chain. Whether there may be more.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn forget_before(&self, before: jiff::Timestamp) -> Result<bool, StoreError> {
        let mut last = self.0.head.lock().await;
        let stretch = self.0.store.audit_after(0, FORGOTTEN_AT_ONCE).await?;
        let Some(head) = stretch.head else {
            return Ok(false);
        };
        let first = head.forgotten + 1;
        let old = stretch.entries.iter().take_while(|entry| entry.at < before);
        // What does not follow what was forgotten is left for whoever verifies the chain.
        let old: Vec<_> = old
            .zip(first..)
            .take_while(|(entry, number)| entry.number == *number)
            .collect();
        let Some((newest, _)) = old.last() else {
            return Ok(false);
        };
        let next = self.0.chain.without(&head, newest);
        let mut changes = Changeset::of("");
        changes.expect.push(Expect::AuditHead {
            revision: Some(head.revision),
        });
        changes
            .write
            .extend(old.iter().map(|(entry, _)| Write::ForgetAuditEntry(entry.number)));
        changes.write.push(Write::PutAuditHead(next.clone()));
        *last = None;
        let applied = self.0.store.apply(changes).await?;
        if applied == Applied::Done {
            tracing::info!(
                entries = old.len(),
                up_to = next.forgotten,
                "old entries of the audit trail were forgotten"
            );
            *last = Some(next);
        }
        Ok(old.len() == FORGOTTEN_AT_ONCE)
    }
}

/// The log keeps the end of the chain elsewhere: an entry that was cut off stands there still.
fn tell(acts: &[Act], head: &AuditHead) {
    let hash = chain::hex(&head.hash);
    for act in acts {
        tracing::info!(
            by = act.by,
            action = act.action.to_string(),
            subject = act.subject,
            last_entry = head.number,
            hash,
            "audited"
        );
    }
}

fn busy() -> StoreError {
    tracing::warn!("the audit trail could not be added to: other processes did all the time");
    StoreError::Busy
}
