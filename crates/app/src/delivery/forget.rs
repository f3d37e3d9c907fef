//! Upserts that ended long ago are forgotten: with their deliveries and attempts, little by little. What they changed stays in
//! the history, for as long as that is kept.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use upsert_core::{CustomerId, UpsertId};
use upsert_store::{Applied, Changeset, DeliveryRecord, DeliveryState, StoreError, UpsertRecord, UpsertState, Write};

use super::Deliveries;
use super::recover::is_ahead;

/// Upserts that are looked at together, and forgotten in one changeset where they are one merchant's.
const AT_ONCE: usize = 100;

/// Pages that are looked at in one pass where nothing is to be forgotten.
const PAGES: usize = 20;

/// How long a walk through all that is old rests before the next one begins.
const REST: SignedDuration = SignedDuration::from_hours(6);

/// How far the walk through all that is old is. It is the process's own: a new one begins from the start.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    after: Option<UpsertRecord>,
    rests_until: Option<Timestamp>,
}

/// Before which moment what was made is forgotten; none: never.
#[derive(Debug, Clone, Copy)]
struct Limits {
    now: Timestamp,
    attempts: Option<Timestamp>,
    upserts: Option<Timestamp>,
    history: Option<Timestamp>,
}

impl Limits {
    /// Whether an upsert was made before this one. Where its id says that it is yet to come, the upsert itself says when.
    fn is_past(&self, limit: Option<Timestamp>, upsert: &UpsertRecord) -> bool {
        let is_ahead = is_ahead(upsert.id.made_at(), self.now);
        limit.is_some_and(|before| {
            if is_ahead {
                upsert.created_at < before
            } else {
                upsert.id < UpsertId::oldest_at(before)
            }
        })
    }

    /// Whether it goes at all, by its age.
    fn are_past(&self, upsert: &UpsertRecord) -> bool {
        self.is_past(self.upserts, upsert) || self.is_past(self.attempts, upsert)
    }
}

type Whole = (UpsertRecord, Vec<DeliveryRecord>);

impl Deliveries {
    /// Goes a few pages on with the walk. It stops after the first page of which anything was forgotten, so that others have
    /// their turn at the store.
    pub(crate) async fn forget_old(&self, walk: &mut Walk) -> Result<(), StoreError> {
        let (now, keep) = (self.context.clock.now(), self.context.retention);
        let before = |keep: Option<SignedDuration>| keep.and_then(|keep| now.checked_sub(keep).ok());
        let limits = Limits {
            now,
            attempts: before(keep.attempts),
            upserts: before(keep.upserts),
            history: before(keep.history),
        };
        let Some(newest) = limits.attempts.max(limits.upserts) else {
            return Ok(());
        };
        let is_resting = |until: Timestamp| now < until && until.duration_since(now) <= REST;
        if walk.rests_until.is_some_and(is_resting) {
            return Ok(());
        }
        // By its id nothing would be old that a clock stamped which was years ahead, nor what its customer had since.
        let newest = if self.is_stamped_ahead().await? {
            Timestamp::MAX
        } else {
            newest
        };
        for _ in 0..PAGES {
            let store = &self.context.store;
            let page = store.older_upserts(walk.after.as_ref(), newest, AT_ONCE).await?;
            if page.len() < AT_ONCE {
                walk.rests_until = now.checked_add(REST).ok();
                walk.after = None;
            } else {
                walk.after = page.last().map(|(upsert, _)| upsert.clone());
            }
            let forgot = self.forget_of(page, limits).await?;
            if forgot || walk.after.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Forgets what is over of these. Whether anything was.
    async fn forget_of(&self, page: Vec<Whole>, limits: Limits) -> Result<bool, StoreError> {
        let mut by_merchant: BTreeMap<String, Changeset> = BTreeMap::new();
        for (upsert, deliveries) in page {
            let merchant = upsert.merchant.clone();
            let changes = by_merchant
                .entry(merchant.clone())
                .or_insert_with(|| Changeset::of(&merchant));
            self.forget_one(upsert, &deliveries, limits, changes).await?;
        }
        let mut forgot = false;
        for changes in by_merchant.into_values().filter(|changes| !changes.write.is_empty()) {
            // Where somebody was at one of them meanwhile, the next walk finds them all again.
            forgot |= self.context.store.apply(changes).await? == Applied::Done;
        }
        Ok(forgot)
    }

    async fn forget_one(
        &self,
        mut upsert: UpsertRecord,
        deliveries: &[DeliveryRecord],
        limits: Limits,
        changes: &mut Changeset,
    ) -> Result<(), StoreError> {
        if is_ahead(upsert.created_at, limits.now) {
            // A clock stamped it that was ahead. From now on it is as old as it is known to be at the least.
            changes.expect.push(upsert.change());
            upsert.created_at = limits.now;
            changes.write.push(Write::PutUpsert(upsert, None));
            return Ok(());
        }
        if !limits.are_past(&upsert) {
            return Ok(());
        }
        if !limits.is_past(limits.upserts, &upsert) {
            return self.forget_attempts(&upsert, deliveries, changes).await;
        }
        let is_version = upsert.changed;
        let goes_wholly = !is_version || self.leaves_history(&upsert, limits).await?;
        if upsert.is_forgotten() && !goes_wholly {
            return Ok(());
        }
        if !upsert.is_forgotten() && !self.is_over(&upsert, deliveries).await? {
            return Ok(());
        }
        changes.expect.push(upsert.change());
        changes.expect.extend(deliveries.iter().map(DeliveryRecord::expected));
        changes
            .write
            .extend(deliveries.iter().map(|delivery| Write::ForgetDelivery {
                id: delivery.id,
                attempts: delivery.last_attempt(),
            }));
        if goes_wholly {
            changes.write.push(Write::ForgetUpsert(upsert.id));
        } else {
            upsert.forget();
            changes.write.push(Write::PutUpsert(upsert, None));
        }
        Ok(())
    }

    /// Of an upsert that stays: what went out, and what was answered.
    async fn forget_attempts(
        &self,
        upsert: &UpsertRecord,
        deliveries: &[DeliveryRecord],
        changes: &mut Changeset,
    ) -> Result<(), StoreError> {
        let has_any = |delivery: &&DeliveryRecord| delivery.attempts() > 0 && !delivery.attempts_are_forgotten();
        let having: Vec<&DeliveryRecord> = deliveries.iter().filter(has_any).collect();
        if having.is_empty() || upsert.is_forgotten() || !self.is_over(upsert, deliveries).await? {
            return Ok(());
        }
        for delivery in having {
            let mut delivery = delivery.clone();
            changes.expect.push(delivery.expected());
            delivery.forget_attempts();
            changes.write.push(Write::PutDelivery(delivery, None));
        }
        Ok(())
    }

    /// Whether it has ended and nothing refers to it any more: nothing of it is open or a dead letter, nor is what went in its
    /// place, nobody is still to be told of it, and no lane names it.
    async fn is_over(&self, upsert: &UpsertRecord, deliveries: &[DeliveryRecord]) -> Result<bool, StoreError> {
        if upsert.state() == UpsertState::Pending || upsert.owes_event() {
            return Ok(false);
        }
        let standing = self.effective(deliveries.to_vec()).await?;
        let is_left =
            |delivery: &DeliveryRecord| delivery.state().has_ended() && delivery.state() != DeliveryState::Failed;
        if !deliveries.iter().chain(&standing).all(is_left) {
            return Ok(false);
        }
        let known = self.context.store.customer(&upsert.merchant, upsert.customer).await?;
        let lanes = known.iter().flat_map(|known| &known.lanes);
        Ok(!lanes.into_iter().any(|lane| {
            let mut waiting = lane.in_flight().into_iter().chain(lane.queued());
            lane.claimed_by() == Some(upsert.id) || waiting.any(|delivery| delivery.upsert() == upsert.id)
        }))
    }

    /// Whether the version that it made is older than the history goes back, and is neither the customer's own nor the one
    /// before: what is refused goes back to that.
    async fn leaves_history(&self, upsert: &UpsertRecord, limits: Limits) -> Result<bool, StoreError> {
        if !limits.is_past(limits.history, upsert) {
            return Ok(false);
        }
        let (merchant, customer): (_, CustomerId) = (&upsert.merchant, upsert.customer);
        if self.context.store.customer(merchant, customer).await?.is_none() {
            return Ok(true);
        }
        // Refused ones do not count, and may be many.
        let mut accepted = 0;
        let mut before = None;
        loop {
            let page = self.context.store.history(merchant, customer, before, 20).await?;
            for entry in page.entries.iter().filter(|entry| !entry.refused) {
                if entry.upsert <= upsert.id {
                    return Ok(accepted >= 2);
                }
                accepted += 1;
            }
            match page.entries.last() {
                Some(last) if accepted < 2 && last.upsert > upsert.id => before = Some(last.upsert),
                _ => return Ok(accepted >= 2),
            }
        }
    }
}
