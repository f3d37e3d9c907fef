//! Merchants in the store: putting and deleting them, and taking over what any process did to them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::time::{MissedTickBehavior, interval};

use upsert_api::{AuditAction, ProblemCode};
use upsert_store::{Applied, Changeset, Expect, Hints, MerchantRecord, PausedBy, StoreError, Write};

use crate::audit::act::Act;
use crate::directory::merchant::Merchant;
use crate::directory::stored::Fresh;
use crate::operations::Operations;
use crate::operations::connections::MOST_RACES;
use crate::problem::Refusal;
use crate::runtime::metrics;
use crate::runtime::wakeups::Reach;

/// Changes that are read at once.
const CHANGES_AT_ONCE: usize = 1_000;

/// As long as there are no more than so many, all are loaded soon after the start, so that lists show them before anybody
/// needs them. Of more, lists show those that were needed.
const MOST_LOADED_EARLY: usize = 1_000;

/// What a caller says of the merchant that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MerchantExpected {
    /// Nothing.
    Anything,
    /// It has this generation.
    Generation(u64),
    /// There is none.
    Nothing,
}

impl MerchantExpected {
    fn check(self, current: Option<u64>) -> Result<(), Refusal> {
        let is_as_expected = match self {
            Self::Anything => true,
            Self::Generation(wanted) => current == Some(wanted),
            Self::Nothing => current.is_none(),
        };
        if is_as_expected {
            return Ok(());
        }
        let there_is = match current {
            Some(generation) => format!("the merchant has generation {generation}"),
            None => "there is no such merchant in the store".to_owned(),
        };
        Err(Refusal::new(ProblemCode::PreconditionFailed, there_is))
    }
}

/// What is put in the place of a merchant.
#[derive(Debug, Clone)]
pub struct NewMerchant {
    /// Its id.
    pub id: String,
    /// The name of the key that puts it.
    pub by: String,
    /// The key that its secrets are sealed with.
    pub sealed_with: Option<String>,
    /// What is configured; none: it is deleted.
    pub body: Option<String>,
}

impl NewMerchant {
    /// As a row.
    fn at(&self, revision: u64, now: Timestamp) -> MerchantRecord {
        MerchantRecord {
            id: self.id.clone(),
            revision,
            put_at: now,
            put_by: self.by.clone(),
            sealed_with: self.sealed_with.clone(),
            body: self.body.clone(),
        }
    }
}

/// Who did what, for whoever reads the log.
fn tell(row: &MerchantRecord) {
    let what = if row.body.is_some() {
        "merchant put"
    } else {
        "merchant deleted"
    };
    tracing::info!(merchant = row.id, by = row.put_by, generation = row.revision, "{what}");
}

/// The same, for the audit trail.
fn act_of(row: &MerchantRecord, is_new: bool) -> Act {
    let action = match row.body {
        Some(_) => AuditAction::MerchantPut,
        None => AuditAction::MerchantDelete,
    };
    let act = Act::new(&row.put_by, action, format!("merchants/{}", row.id)).of(&row.id);
    let act = act.with("generation", row.revision);
    if is_new { act.with("new", true) } else { act }
}

impl Operations {
    /// Puts a merchant, or deletes it, durably, and takes it over here at once; every other process does within two
    /// seconds. Answers its row, and whether it was there before.
    ///
    /// # Errors
    /// 412; 404 if one is to be deleted that is not there; 503.
    pub async fn change_merchant(
        &self,
        new: NewMerchant,
        expected: MerchantExpected,
    ) -> Result<(MerchantRecord, bool), Refusal> {
        for _ in 0..MOST_RACES {
            let known = self.context.store.merchant(&new.id).await?;
            let current = known.as_ref().filter(|row| row.body.is_some());
            expected.check(current.map(|row| row.revision))?;
            if new.body.is_none() && current.is_none() {
                return Err(Refusal::not_found("merchant in the store"));
            }
            let revision = known.as_ref().map(|row| row.revision);
            let row = new.at(revision.unwrap_or_default() + 1, self.context.clock.now());
            let changes = Changeset {
                expect: vec![Expect::Merchant { revision }],
                write: vec![Write::PutMerchant(row.clone())],
                ..Changeset::of(&new.id)
            };
            let acts = [act_of(&row, current.is_none())];
            let commit = |changes| self.context.store.apply(changes);
            let applied = self.context.audit.commit_with(changes, &acts, commit).await?;
            if applied == Applied::Done {
                tell(&row);
                let merchants = true;
                self.context.store.tell(Hints {
                    merchants,
                    ..Hints::default()
                });
                if known.is_some() && current.is_none() {
                    self.context.directory().stored().is_back(&row.id);
                }
                self.take_over_or_tell(&row.id).await;
                return Ok((row, current.is_some()));
            }
        }
        Err(Refusal::overloaded("the merchant is changed all the time"))
    }

    /// Puts a merchant as it is, its secrets sealed anew: nothing else changes, so it keeps its generation.
    ///
    /// # Errors
    /// The store failed. Where it was changed meanwhile nothing is done.
    pub async fn put_sealed_anew(&self, row: MerchantRecord) -> Result<(), StoreError> {
        let changes = Changeset {
            expect: vec![Expect::Merchant {
                revision: Some(row.revision),
            }],
            ..Changeset::of(&row.id)
        };
        let write = vec![Write::PutMerchant(row)];
        self.context.store.apply(Changeset { write, ..changes }).await.map(drop)
    }

    /// Builds all that were loaded anew, in the background: what they were built by has changed.
    pub fn rebuild_stored_merchants(&self) {
        let wing = self.clone();
        self.context.spawn(async move {
            for id in wing.context.directory().stored().known() {
                wing.take_over_or_tell(&id).await;
            }
        });
    }

    /// A file stood in front of it until now: what the store has of it is served, and what waits for it goes on.
    pub(crate) async fn uncover(&self, id: &str) {
        let stored = self.context.directory().stored().clone();
        if stored.are_served() {
            stored.is_back(id);
            self.take_over_or_tell(id).await;
        }
    }

    /// Takes over what any process changes, from now until the shutdown.
    pub(crate) fn watch_merchants(&self) {
        if !self.context.directory().stored().are_served() {
            return;
        }
        let wing = self.clone();
        self.context.spawn(async move {
            tokio::select! {
                () = wing.context.stopping.cancelled() => {}
                () = wing.watch() => {}
            }
        });
    }

    async fn watch(&self) {
        // A change takes effect everywhere within two of them.
        let mut ticks = interval(self.context.look_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut seen, mut all_early) = (None, false);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.context.wakeups.merchants_marked() => {}
            }
            let looked = match seen {
                None => self.begin_to_watch().await,
                Some(seen) => self
                    .look_for_changes(seen, all_early)
                    .await
                    .map(|seen| (seen, all_early)),
            };
            match looked {
                Ok((last, early)) => (seen, all_early) = (Some(last), early),
                Err(error) => tracing::error!(%error, "changes of merchants could not be read"),
            }
            self.settle_in().await;
        }
    }

    /// Whatever was loaded before this moment is read anew, since nobody watched. Answers the last change, and whether all
    /// are loaded early.
    async fn begin_to_watch(&self) -> Result<(u64, bool), StoreError> {
        let store = &self.context.store;
        let last = store.last_merchant_change().await?;
        let first = store.merchants(None, MOST_LOADED_EARLY + 1).await?;
        let are_few = first.len() <= MOST_LOADED_EARLY;
        let mut ids = self.context.directory().stored().known();
        if are_few {
            ids.extend(first.into_iter().map(|row| row.id));
        }
        for id in ids {
            self.take_over(&id, true).await?;
        }
        Ok((last, are_few))
    }

    /// Changes are numbered in the order of their commits: whoever sees one sees all before it, so none can be missed by
    /// going on after the last one seen.
    async fn look_for_changes(&self, mut seen: u64, all_early: bool) -> Result<u64, StoreError> {
        loop {
            let changes = self.context.store.merchant_changes(seen, CHANGES_AT_ONCE).await?;
            for change in &changes {
                let is_early = all_early && self.context.directory().stored().count() < MOST_LOADED_EARLY;
                self.take_over(&change.id, is_early).await?;
                seen = change.number;
            }
            if changes.len() < CHANGES_AT_ONCE {
                return Ok(seen);
            }
        }
    }

    /// Takes a merchant over as it is now, if anything is known of it or `even_unknown`.
    async fn take_over(&self, id: &str, even_unknown: bool) -> Result<(), StoreError> {
        let directory = self.context.directory();
        let today = self.context.clock.now().to_zoned(TimeZone::UTC).date();
        let store = &*self.context.store;
        let hear = |merchant: &Merchant, before: Option<&Merchant>| self.context.hear_of_vendors(merchant, before);
        let stored = directory.stored();
        stored.reload(store, today, id, even_unknown, &hear).await?;
        self.settle_in().await;
        Ok(())
    }

    /// The same, of one of which anything is known. Whoever watches takes over what cannot be taken over now.
    async fn take_over_or_tell(&self, id: &str) {
        if let Err(error) = self.take_over(id, false).await {
            tracing::error!(%error, merchant = id, "a merchant could not be read anew");
        }
    }

    /// Does for merchants that were just loaded what a start and a reload do for those in files.
    async fn settle_in(&self) {
        for fresh in self.context.directory().stored().take_fresh() {
            metrics::begin_at_zero_of(&fresh.merchant);
            self.wake_what_waited(&fresh);
            if let Err(error) = self.lift_pauses(&fresh).await {
                tracing::error!(%error, merchant = fresh.merchant.id, "pauses could not be looked through");
            }
        }
    }

    /// What waited for a merchant or a connection that was away has somewhere to go now.
    fn wake_what_waited(&self, fresh: &Fresh) {
        for connection in &fresh.merchant.connections {
            let was_there = fresh
                .before
                .as_ref()
                .is_some_and(|before| before.connection(&connection.name).is_some());
            let is_first = fresh.before.is_none() && !fresh.was_away;
            if !was_there && !is_first {
                self.context
                    .wake_connection(&fresh.merchant.id, &connection.name, Reach::All);
            }
        }
    }

    /// A pause by the vendor ends with the credentials that it was for.
    async fn lift_pauses(&self, fresh: &Fresh) -> Result<(), StoreError> {
        let id = &fresh.merchant.id;
        for connection in &fresh.merchant.connections {
            let pause = self.context.connections.pause_of(id, &connection.name);
            let is_over = |by, fingerprint: &str| by == PausedBy::Vendor && fingerprint != connection.fingerprint;
            if pause.is_some_and(|pause| is_over(pause.by, &pause.fingerprint)) {
                self.deliveries.set_pause(id, &connection.name, None, &[]).await?;
                self.deliveries.release(id, &connection.name);
            }
        }
        Ok(())
    }
}
