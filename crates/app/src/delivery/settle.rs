//! When every delivery of an upsert has ended: its state, and, where all connections refused it, the way back to the
//! version before, so that bad data does not poison later upserts.

use jiff::Timestamp;

use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{Customer, StateAtVendor, UpsertId};
use upsert_store::{
    Changeset, CustomerRecord, DeliveryRecord, DeliveryState, HistoryRecord, Known, Lane, Progress, StoreError,
    UpsertRecord, UpsertState, Write,
};

use crate::delivery::Deliveries;
use crate::outbox::publish::has_ended_well;
use crate::outbox::races::{Race, commit_with_retry};
use crate::planning::identifiers::identifier_writes;
use crate::planning::plan::has_all;
use crate::view::answer::state_of;

/// So often it is looked whether an upsert has ended: two deliveries may end at once, and whoever loses finds the work done.
const MOST_RACES: usize = 8;

/// How an upsert stands that was looked at, if anything is new.
type Settled = Option<UpsertRecord>;

impl Deliveries {
    /// Ends an upsert whose deliveries have all ended, and tells of it where that is owed. A store in trouble is tried
    /// again by the background pass.
    pub(crate) async fn settle(&self, merchant: &str, id: UpsertId) {
        // What it does not know of a merchant that cannot be served is asked of nobody.
        let _known_or_not = self.context.directory_with(merchant).await;
        let mut next = Some(id);
        while let Some(id) = next.take() {
            // Boxed, since the way back is long and every delivery's task would have to hold it.
            match Box::pin(self.settle_one(merchant, id)).await {
                // What was refused before it and could not go back then may go back now.
                Ok(other) => next = other,
                Err(error) => {
                    tracing::error!(%error, upsert_id = %id, "an upsert could not be ended yet");
                    self.context.to_settle.lock().push((merchant.to_owned(), id));
                }
            }
        }
    }

    /// Tries again to end those that could not be ended.
    pub(crate) async fn settle_those_that_failed(&self) {
        let failed = std::mem::take(&mut *self.context.to_settle.lock());
        for (merchant, id) in failed {
            self.settle(&merchant, id).await;
        }
    }

    /// Ends the upserts of the deliveries that this one went in the place of, now that it has ended.
    pub(crate) fn settle_those_before(&self, delivery: &DeliveryRecord) {
        if delivery.took_over().is_empty() || !delivery.state().has_ended() || delivery.superseded_by().is_some() {
            return;
        }
        let (wing, delivery) = (self.clone(), delivery.clone());
        self.context.spawn(async move {
            let mut before = delivery.took_over().to_vec();
            while let Some(id) = before.pop() {
                match wing.context.store.delivery(&delivery.merchant, id).await {
                    Ok(Some(old)) => {
                        wing.settle(&old.merchant, old.upsert()).await;
                        wing.context.ring_everywhere(old.customer);
                        before.extend(old.took_over());
                    }
                    Ok(None) => {}
                    Err(error) => tracing::error!(%error, delivery_id = %id, "an upsert could not be ended"),
                }
            }
        });
    }

    /// Answers which other upsert is to be looked at now.
    async fn settle_one(&self, merchant: &str, id: UpsertId) -> Result<Option<UpsertId>, StoreError> {
        match commit_with_retry(MOST_RACES, |_| self.try_settle(merchant, id)).await? {
            Some(Some(upsert)) => self.standing_refusal(&upsert).await,
            Some(None) | None => Ok(None),
        }
    }

    /// The upsert that made the version that stands now, where it may have been kept by what has just failed: a newer
    /// version that is gone, or a second try of the same.
    async fn standing_refusal(&self, upsert: &UpsertRecord) -> Result<Option<UpsertId>, StoreError> {
        if upsert.state() != UpsertState::Failed || (upsert.changed && !upsert.rolled_back()) {
            return Ok(None);
        }
        let Some((standing, _)) = self.newest_accepted(upsert).await? else {
            return Ok(None);
        };
        Ok(Some(standing.upsert).filter(|maker| *maker < upsert.id))
    }

    async fn try_settle(&self, merchant: &str, id: UpsertId) -> Result<Race<Settled>, StoreError> {
        let Some((mut upsert, own)) = self.context.store.upsert(merchant, id).await? else {
            return Ok(Race::Won(None));
        };
        let deliveries = self.effective(own.clone()).await?;
        let state = state_of(&deliveries);
        let goes_back = refused_by_all(&upsert, &deliveries);
        if state == UpsertState::Pending || (upsert.state() == state && !goes_back) {
            return self.pay_event(upsert, &own, &deliveries).await;
        }
        let mut changes = Changeset::of(merchant);
        changes.expect.push(upsert.change());
        let is_rolled_back = goes_back && self.go_back(&upsert, &mut changes).await?;
        if is_rolled_back {
            upsert.roll_back();
        }
        // What failed was not told; a replay may have brought it home.
        let has_come_round = upsert.state() == UpsertState::Failed;
        upsert.end(state, self.context.clock.now());
        let is_owed = upsert.pay_event() || has_come_round;
        if is_owed && has_ended_well(state, &deliveries) {
            let events = self.outbox.events_of_upsert(&upsert, &own, &deliveries).await?;
            changes.write.extend(events);
        }
        changes.write.push(Write::PutUpsert(upsert.clone(), None));
        let (before, after) = if upsert.rolled_back() {
            points::ROLLBACK
        } else {
            points::SETTLE
        };
        crash_point(before);
        let applied = self.outbox.apply(changes).await?;
        crash_point(after);
        if upsert.rolled_back() {
            self.context.successors.forget();
        }
        Ok(Race::over(applied, Some(upsert)))
    }

    /// The upsert stands as it stood; but its required deliveries may have ended well without those that are not required,
    /// or the process that was to tell of it died.
    async fn pay_event(
        &self,
        mut upsert: UpsertRecord,
        own: &[DeliveryRecord],
        effective: &[DeliveryRecord],
    ) -> Result<Race<Settled>, StoreError> {
        let has_ended_well = has_ended_well(upsert.state(), effective);
        if !upsert.owes_event() || (upsert.state() == UpsertState::Pending && !has_ended_well) {
            return Ok(Race::Won(None));
        }
        let expect = vec![upsert.change()];
        upsert.pay_event();
        let mut write = Vec::new();
        if has_ended_well {
            write.extend(self.outbox.events_of_upsert(&upsert, own, effective).await?);
        }
        let merchant = upsert.merchant.clone();
        write.push(Write::PutUpsert(upsert, None));
        let applied = self.outbox.write(&merchant, expect, write).await?;
        Ok(Race::over(applied, None))
    }

    /// The delivery of the version below that gave way to the refused one and so never came to be: what was accepted is
    /// not lost with what was refused.
    async fn left_behind(
        &self,
        merchant: &str,
        below: UpsertId,
        lane: &Lane,
        refused: u64,
    ) -> Result<Option<DeliveryRecord>, StoreError> {
        let Some((_, deliveries)) = self.context.store.upsert(merchant, below).await? else {
            return Ok(None);
        };
        let mut next = deliveries.into_iter().find(|d| d.connection == lane.connection);
        while let Some(delivery) = next.take() {
            let Some(successor) = delivery.superseded_by() else {
                break;
            };
            next = self.context.store.delivery(merchant, successor).await?;
            if next.as_ref().is_some_and(|next| next.version() >= refused) {
                return Ok(Some(delivery));
            }
        }
        Ok(None)
    }

    /// Whether the vendor has accepted all of it: a link that had failed before goes on as failed.
    fn is_in_sync(&self, lane: &Lane, customer: &Customer) -> bool {
        let directory = self.context.directory();
        let connection = directory.connection(&lane.merchant, &lane.connection);
        connection.is_some_and(|connection| has_all(&connection, customer, lane))
    }

    /// The version of this upsert's customer that stands, and the one below it; versions that were taken back do not count.
    async fn newest_accepted(
        &self,
        upsert: &UpsertRecord,
    ) -> Result<Option<(HistoryRecord, Option<HistoryRecord>)>, StoreError> {
        let mut before = None;
        let mut newest = None;
        loop {
            let (merchant, customer) = (&upsert.merchant, upsert.customer);
            let page = self.context.store.history(merchant, customer, before, 10).await?;
            let Some(last) = page.entries.last().map(|entry| entry.upsert) else {
                return Ok(newest.map(|newest| (newest, None)));
            };
            before = Some(last);
            for entry in page.entries.into_iter().filter(|entry| !entry.refused) {
                match newest.take() {
                    None => newest = Some(entry),
                    Some(newest) => return Ok(Some((newest, Some(entry)))),
                }
            }
        }
    }

    /// Adds the way back to the changes, unless a newer version stands in it.
    async fn go_back(&self, upsert: &UpsertRecord, changes: &mut Changeset) -> Result<bool, StoreError> {
        let Some(known) = self.context.store.customer(&upsert.merchant, upsert.customer).await? else {
            return Ok(false);
        };
        // The same version may have been asked for again, and a vendor may have taken it that time.
        let was_brought = known.lanes.iter().any(|lane| lane.brought() >= upsert.version);
        if known.record.version != upsert.version || known.lanes.iter().any(Lane::is_busy) || was_brought {
            return Ok(false);
        }
        let Some((entry, below)) = self.newest_accepted(upsert).await? else {
            return Ok(false);
        };
        if entry.upsert != upsert.id {
            return Ok(false);
        }
        changes.expect.push(known.record.expected());
        match below {
            Some(below) => self.go_back_to(&below, upsert, known, changes).await?,
            None => go_back_to_nothing(upsert, &known, changes),
        }
        Ok(true)
    }

    async fn go_back_to(
        &self,
        below: &HistoryRecord,
        upsert: &UpsertRecord,
        known: Known,
        changes: &mut Changeset,
    ) -> Result<(), StoreError> {
        let Known { record, lanes } = known;
        changes.write.push(Write::PutCustomer(CustomerRecord {
            version: below.version,
            revision: record.revision + 1,
            customer: below.record.clone(),
            updated_at: below.at.max(unless_past(upsert, self.context.clock.now())),
            ..record.clone()
        }));
        let merchant = &upsert.merchant;
        let identifiers = identifier_writes(upsert.customer, &record.customer, &below.record);
        changes.write.extend(identifiers);
        // Every lane is held to what was read: a delivery that was queued meanwhile needs the customer.
        for mut lane in lanes {
            changes.expect.push(lane.change());
            let is_claimed = lane.claimed_by() == Some(upsert.id);
            if !lane.failed() && !is_claimed {
                continue;
            }
            if is_claimed {
                lane.drop_claim();
            }
            if lane.failed() && self.is_in_sync(&lane, &below.record) {
                lane.mark_in_sync();
            }
            let left = self.left_behind(merchant, below.upsert, &lane, upsert.version).await?;
            if let Some(mut left) = left {
                lane.queue(left.id);
                changes.expect.push(left.expected());
                left.take_up_again(self.context.clock.now());
                changes.write.push(Write::PutDelivery(left, None));
            }
            changes.write.push(Write::PutLane(lane));
        }
        Ok(())
    }
}

/// When the id was made of an upsert that goes back, if that is yet to come: what comes next has to sort after it.
fn unless_past(upsert: &UpsertRecord, now: Timestamp) -> Timestamp {
    let made_at = upsert.id.made_at();
    if made_at > now { made_at } else { Timestamp::MIN }
}

/// There was no customer before.
fn go_back_to_nothing(upsert: &UpsertRecord, known: &Known, changes: &mut Changeset) {
    let (held, nothing) = (&known.record.customer, Customer::default());
    changes.expect.extend(known.lanes.iter().map(Lane::expected));
    let identifiers = identifier_writes(upsert.customer, held, &nothing);
    let keys = known.lanes.iter().flat_map(Lane::give_back_all_keys);
    changes.write.extend(identifiers.into_iter().chain(keys));
    changes.write.push(Write::DeleteCustomer(upsert.customer));
}

/// Every connection refused it, and none of them may have changed anything. Deliveries that went in the place of its own
/// count where they brought the same version.
fn refused_by_all(upsert: &UpsertRecord, deliveries: &[DeliveryRecord]) -> bool {
    let left_unchanged = |delivery: &DeliveryRecord| match delivery.progress() {
        Progress::Failed { error, .. } => {
            !delivery.maybe_written() && error.state_at_vendor == StateAtVendor::Unchanged
        }
        Progress::Succeeded(_) => delivery.attempts() == 0,
        _ => false,
    };
    // Where every required connection is content the caller was told so, and the change stands.
    let has_failed = |delivery: &DeliveryRecord| delivery.state() == DeliveryState::Failed;
    let is_refused = state_of(deliveries) == UpsertState::Failed || deliveries.iter().all(has_failed);
    let mut brought = deliveries.iter();
    upsert.changed
        && !upsert.rolled_back()
        && is_refused
        && brought.all(|delivery| delivery.version() == upsert.version && left_unchanged(delivery))
}
