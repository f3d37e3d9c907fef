//! Erasing a customer. One commit takes the customer away, with its keys and what still waits, and puts the tombstone and the
//! record of the erasure in its place: from then on nobody finds the person. What is left is removed page by page, and begun
//! again by whoever finds the erasure open: a process that dies in between leaves none of it done or all of it to be done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};

use upsert_api::{AuditAction, Erasure, ProblemCode};
use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{Customer, CustomerId, ErasureId, Word as _};
use upsert_store::{
    Applied, Changeset, CustomerRecord, ErasureRecord, Expect, Known, Left, SessionWrite, StoreError, Write,
};

use crate::audit::act::Act;
use crate::directory::merchant::Merchant;
use crate::operations::Operations;
use crate::operations::connections::MOST_RACES;
use crate::operations::erasing::Erasing;
use crate::outbox::races::{Race, commit_with_retry};
use crate::problem::Refusal;
use crate::view::erasure::{Ids, certificate};

/// Open erasures that are read at once.
const AT_ONCE: usize = 100;

/// How often open erasures are looked for: those that a process left that is gone.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// So often a request asks the store to let go of what was removed, before that is left to the next look.
const SCRUBS: u32 = 5;

/// From one of these to the next: somebody may read what is older, as a backup does. Each may hold up writers for a little.
const SCRUB_AGAIN: Duration = Duration::from_secs(1);

/// So often clearing up is begun anew while the store is busy, before that is left to the next look. Each time later.
const CLEARINGS: u32 = 6;

/// From the first of these to the second.
const CLEAR_AGAIN: Duration = Duration::from_millis(100);

impl Operations {
    /// Erases a customer: what the gateway holds of the person. Vendors keep theirs, and the certificate says so. For one that
    /// was erased before it is the same certificate; the vendors' ids are in it until the erasure has ended.
    ///
    /// # Errors
    /// 404; 503 where others change the customer all the time.
    pub async fn erase(&self, merchant: &Arc<Merchant>, id: CustomerId, by: &str) -> Result<Erasure, Refusal> {
        let (wing, merchant, by) = (self.clone(), merchant.clone(), by.to_owned());
        let task = async move { Box::pin(wing.erase_now(&merchant, id, &by)).await };
        self.context.on_own_task("an erasure", task).await
    }

    async fn erase_now(&self, merchant: &Merchant, id: CustomerId, by: &str) -> Result<Erasure, Refusal> {
        let begun = self.put_tombstone_in_place_of(merchant, id, by).await?;
        self.remove_what_is_left(merchant, &begun).await?;
        let mut erasure = self.queries.known_erasure(merchant, begun.id).await?;
        // The store has forgotten them by now.
        erasure.recall_ids(&begun);
        crash_point(points::ERASE_BEFORE_ANSWER);
        Ok(certificate(&erasure, Ids::Shown, self.context.signing_key.as_ref()))
    }

    /// Takes the customer away, and everything that finds it, holds a place for it or waits to be brought to a vendor.
    async fn put_tombstone_in_place_of(
        &self,
        merchant: &Merchant,
        id: CustomerId,
        by: &str,
    ) -> Result<ErasureRecord, Refusal> {
        let begun = commit_with_retry(MOST_RACES, |_| async move {
            let Some(known) = self.context.store.customer(&merchant.id, id).await? else {
                if let Some(erasure) = self.context.store.erasure(&merchant.id, ErasureId::of(id)).await? {
                    return Ok(Race::Won(erasure));
                }
                let drawn_up = self.draw_up_refused(merchant, id, by).await?;
                return self
                    .begin(
                        merchant,
                        id,
                        by,
                        drawn_up.ok_or_else(|| Refusal::not_found("customer"))?,
                    )
                    .await;
            };
            let drawn_up = self.draw_up(merchant, &known, by).await?;
            self.begin(merchant, id, by, drawn_up).await
        });
        let begun = begun.await?.ok_or_else(Refusal::too_many_changes)?;
        self.context.ring_everywhere(id);
        Ok(begun)
    }

    async fn begin(
        &self,
        merchant: &Merchant,
        id: CustomerId,
        by: &str,
        (changes, begun): (Changeset, ErasureRecord),
    ) -> Result<Race<ErasureRecord>, Refusal> {
        crash_point(points::ERASE_BEFORE_COMMIT);
        let applied = self.outbox.apply_audited(changes, &[act_of(merchant, id, by)]).await?;
        crash_point(points::ERASE_AFTER_COMMIT);
        if applied == Applied::Done {
            tell(&begun);
        }
        Ok(Race::over(applied, begun))
    }

    async fn draw_up(
        &self,
        merchant: &Merchant,
        known: &Known,
        by: &str,
    ) -> Result<(Changeset, ErasureRecord), StoreError> {
        let mut erasing = Erasing::new(merchant, known, by, self.context.clock.now());
        for lane in &known.lanes {
            for id in lane.in_flight().into_iter().chain(lane.queued()) {
                if let Some(delivery) = self.context.store.delivery(&merchant.id, id).await? {
                    erasing.end(&delivery);
                }
            }
            for (record, left) in Erasing::left_at(lane) {
                let hash = match &record {
                    Some(record) => Some(self.context.record_hash(&lane.connection, record).await?),
                    None => None,
                };
                erasing.note_vendor(&lane.connection, record, hash, left);
            }
        }
        Ok(self.with_events(erasing))
    }

    /// The same of somebody whom every vendor has refused: there is no customer any more, but what was tried. None: there is
    /// nothing of the kind.
    async fn draw_up_refused(
        &self,
        merchant: &Merchant,
        id: CustomerId,
        by: &str,
    ) -> Result<Option<(Changeset, ErasureRecord)>, StoreError> {
        let store = &self.context.store;
        let tried = store.upserts_of(&merchant.id, id, AT_ONCE).await?;
        let Some((last, _)) = tried.last() else { return Ok(None) };
        let versions = store.history(&merchant.id, id, None, 1).await?.entries;
        let record = CustomerRecord {
            id,
            merchant: merchant.id.clone(),
            version: last.version,
            revision: 0,
            customer: versions
                .into_iter()
                .next()
                .map_or_else(Customer::default, |last| last.record),
            created_at: last.created_at,
            updated_at: last.created_at,
        };
        let known = Known {
            record,
            lanes: Vec::new(),
        };
        let mut erasing = Erasing::of_refused(merchant, &known, by, self.context.clock.now());
        let mut left: BTreeMap<&str, Left> = BTreeMap::new();
        for delivery in tried.iter().flat_map(|(_, deliveries)| deliveries) {
            let left = left.entry(&delivery.connection).or_insert(Left::Nothing);
            // Where there are more tries than were looked at, nobody knows of the others.
            if delivery.maybe_written() || tried.len() >= AT_ONCE {
                *left = Left::Record;
            }
        }
        for (connection, left) in left {
            erasing.note_vendor(connection, None, None, left);
        }
        Ok(Some(self.with_events(erasing)))
    }

    fn with_events(&self, erasing: Erasing<'_>) -> (Changeset, ErasureRecord) {
        let shown = certificate(erasing.erasure(), Ids::Left, self.context.signing_key.as_ref());
        let events = self.outbox.events_of_erasure(erasing.merchant(), shown);
        erasing.finish(events)
    }

    /// Upserts, answers and events; then the store lets go of it, and the erasure has ended.
    async fn remove_what_is_left(&self, merchant: &Merchant, erasure: &ErasureRecord) -> Result<(), Refusal> {
        if erasure.ended_at().is_some() {
            return Ok(());
        }
        self.clear_up(Some(merchant), erasure).await?;
        self.end_erasures(std::slice::from_ref(erasure), SCRUBS).await
    }

    /// Of a merchant that is there and cannot be served just now nobody can tell whether dead letters are about the person:
    /// the erasure stays open until somebody can.
    async fn go_on_with(&self, erasure: &ErasureRecord) -> Result<(), Refusal> {
        if self.cleared.lock().contains(&erasure.id) {
            return Ok(());
        }
        match self.context.directory_with(&erasure.merchant).await {
            Ok(directory) => {
                let merchant = directory.get(&erasure.merchant);
                self.clear_up(merchant.as_deref(), erasure).await
            }
            Err(unserved) => {
                self.clear_up(None, erasure).await?;
                Err(unserved.into())
            }
        }
    }

    /// However busy the store is for a moment: whoever erases waits for it.
    async fn clear_up(&self, merchant: Option<&Merchant>, erasure: &ErasureRecord) -> Result<(), Refusal> {
        for clearing in 1..CLEARINGS {
            match self.clear_up_once(merchant, erasure).await {
                Err(refusal) if refusal.code == ProblemCode::Overloaded => sleep(CLEAR_AGAIN * clearing).await,
                done_or_not => return done_or_not,
            }
        }
        self.clear_up_once(merchant, erasure).await
    }

    async fn clear_up_once(&self, merchant: Option<&Merchant>, erasure: &ErasureRecord) -> Result<(), Refusal> {
        self.remove_upserts(&erasure.merchant, erasure.id.customer()).await?;
        crash_point(points::ERASE_BEFORE_EVENTS);
        self.remove_events_in(merchant, erasure).await?;
        self.remove_events_out(erasure).await?;
        self.forget_words_in_incidents(erasure).await?;
        // What a page was to tell may be a vendor's words about the person. It is told within moments or never.
        self.context.store.write_session(&SessionWrite::TellNothing).await?;
        if merchant.is_some() {
            self.cleared.lock().insert(erasure.id);
        }
        Ok(())
    }

    /// Of those of whom all was removed: the store lets go of it, together. The vendors' ids go last of all, once it can let go
    /// of them at once: until then whoever was not answered asks for them once more.
    async fn end_erasures(&self, cleared: &[ErasureRecord], most: u32) -> Result<(), Refusal> {
        if cleared.is_empty() {
            return Ok(());
        }
        crash_point(points::ERASE_BEFORE_SCRUB);
        if !self.is_scrubbed(most).await? {
            return Ok(());
        }
        let named: Vec<&ErasureRecord> = cleared.iter().filter(|erasure| erasure.has_ids()).collect();
        for erasure in &named {
            self.change_erasure(erasure, ErasureRecord::forget_ids).await?;
        }
        if !named.is_empty() && !self.is_scrubbed(most).await? {
            return Ok(());
        }
        crash_point(points::ERASE_BEFORE_END);
        let now = self.context.clock.now();
        for erasure in cleared {
            self.change_erasure(erasure, |erasure| erasure.end(now)).await?;
            self.cleared.lock().remove(&erasure.id);
        }
        Ok(())
    }

    /// Whether the store has let go of what was removed. Asked so often at most.
    async fn is_scrubbed(&self, most: u32) -> Result<bool, StoreError> {
        for asked in 1..=most {
            match self.context.store.scrub().await {
                Ok(()) => return Ok(true),
                Err(StoreError::Busy) if asked < most => sleep(SCRUB_AGAIN).await,
                Err(StoreError::Busy) => {}
                Err(error) => return Err(error),
            }
        }
        tracing::warn!(
            "all of an erased customer is removed, but somebody still reads what is older: the store lets go of it later"
        );
        Ok(false)
    }

    /// Of one that has not ended.
    async fn change_erasure(&self, begun: &ErasureRecord, change: impl Fn(&mut ErasureRecord)) -> Result<(), Refusal> {
        let change = &change;
        let changed = commit_with_retry(MOST_RACES, |_| async move {
            let found = self.context.store.erasure(&begun.merchant, begun.id).await?;
            let Some(mut erasure) = found.filter(|found| found.ended_at().is_none()) else {
                return Ok(Race::Won(()));
            };
            let expect: Vec<Expect> = vec![erasure.change()];
            change(&mut erasure);
            let write = vec![Write::PutErasure(erasure)];
            let applied = self.outbox.write(&begun.merchant, expect, write).await?;
            Ok::<_, Refusal>(Race::over(applied, ()))
        });
        changed.await?.ok_or_else(Refusal::too_many_changes)
    }

    /// Goes on with erasures that were begun and have not ended, now and then: whoever began them may be gone.
    pub(crate) fn watch_erasures(&self) {
        let wing = self.clone();
        self.context.spawn(async move {
            let mut ticks = interval(LOOK_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = wing.context.stopping.cancelled() => return,
                    _ = ticks.tick() => {}
                }
                if let Err(refusal) = wing.go_on_with_erasures().await {
                    tracing::error!(
                        code = refusal.code.as_str(),
                        "erasures that are open could not be gone on with"
                    );
                }
            }
        });
    }

    async fn go_on_with_erasures(&self) -> Result<(), Refusal> {
        let mut after: Option<ErasureRecord> = None;
        let mut cleared = Vec::new();
        loop {
            let open = self.context.store.open_erasures(after.as_ref(), AT_ONCE).await?;
            let Some(last) = open.last() else { break };
            after = Some(last.clone());
            for erasure in open {
                if self.context.stopping.is_cancelled() {
                    return Ok(());
                }
                match self.go_on_with(&erasure).await {
                    Ok(()) => cleared.push(erasure),
                    // The others are not to wait for it.
                    Err(refusal) => tracing::error!(
                        merchant = erasure.merchant, erasure = %erasure.id, code = refusal.code.as_str(),
                        "an erasure that is open could not be gone on with"
                    ),
                }
            }
        }
        // Once for all of them, and not again before the next look: while somebody reads what is older, each time holds up
        // whoever writes.
        self.end_erasures(&cleared, 1).await
    }
}

/// The audit trail tells of it in the commit itself. It is done once: whoever asks again leaves no entry.
fn act_of(merchant: &Merchant, id: CustomerId, by: &str) -> Act {
    let act = Act::new(by, AuditAction::CustomerErase, format!("customers/{id}")).of(&merchant.id);
    act.with("erasure_id", ErasureId::of(id).to_string())
}

fn tell(erasure: &ErasureRecord) {
    tracing::warn!(merchant = erasure.merchant, erasure = %erasure.id, by = erasure.by, "a customer was erased");
}
