//! When every delivery of an upsert has ended: its state, and, where all connections refused it, the way back to the
//! version before, so that bad data does not poison later upserts.

use parking_lot::MutexGuard;

use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{Customer, CustomerId, StateAtVendor, UpsertId};
use upsert_store::{
    Applied, Changeset, CustomerRecord, DeliveryRecord, DeliveryState, Expect, HistoryRecord, Lane, StoreError,
    UpsertRecord, UpsertState, Write,
};

use crate::delivery::Deliveries;
use crate::outbox::publish::has_ended_well;
use crate::planning::identifiers::identifier_writes;
use crate::planning::plan::{ConnectionPlan, plan};
use crate::view::answer::state_of;

/// What came of looking whether an upsert has ended.
enum Settled {
    /// Somebody else changed something: look again.
    Raced,
    /// Nothing is new.
    AsItWas,
    /// It stands so now.
    Ended(UpsertRecord),
}

impl Deliveries {
    /// Ends an upsert whose deliveries have all ended, and tells of it where that is owed. A store in trouble is tried
    /// again by the background pass.
    pub(crate) async fn settle(&self, merchant: &str, id: UpsertId) {
        let mut next = Some(id);
        while let Some(id) = next.take() {
            // Boxed, since the way back is long and every delivery's task would have to hold it.
            match Box::pin(self.settle_one(merchant, id)).await {
                // What was refused before it and could not go back then may go back now.
                Ok(other) => next = other,
                Err(error) => {
                    tracing::error!(%error, upsert_id = %id, "an upsert could not be ended yet");
                    self.to_settle().push((merchant.to_owned(), id));
                }
            }
        }
    }

    /// Tries again to end those that could not be ended.
    pub(crate) async fn settle_those_that_failed(&self) {
        let failed = std::mem::take(&mut *self.to_settle());
        for (merchant, id) in failed {
            self.settle(&merchant, id).await;
        }
    }

    fn to_settle(&self) -> MutexGuard<'_, Vec<(String, UpsertId)>> {
        self.context.to_settle.lock()
    }

    /// Ends the upserts of the deliveries that this one went in the place of, now that it has ended.
    pub(crate) fn settle_those_before(&self, delivery: &DeliveryRecord) {
        if delivery.took_over.is_empty() || !delivery.state.has_ended() || delivery.superseded_by.is_some() {
            return;
        }
        let (wing, delivery) = (self.clone(), delivery.clone());
        self.context.spawn(async move {
            let mut before = delivery.took_over.clone();
            while let Some(id) = before.pop() {
                match wing.context.store.delivery(id).await {
                    Ok(Some(old)) => {
                        wing.settle(&old.merchant, old.upsert).await;
                        wing.context.notifier.ring(old.customer);
                        before.extend(old.took_over);
                    }
                    Ok(None) => {}
                    Err(error) => tracing::error!(%error, delivery_id = %id, "an upsert could not be ended"),
                }
            }
        });
    }

    /// Answers which other upsert is to be looked at now.
    async fn settle_one(&self, merchant: &str, id: UpsertId) -> Result<Option<UpsertId>, StoreError> {
        // Two deliveries may end at once: whoever loses finds the work done.
        for _race in 0..8 {
            match self.try_settle(merchant, id).await? {
                Settled::Raced => {}
                Settled::AsItWas => return Ok(None),
                Settled::Ended(upsert) => return self.standing_refusal(&upsert).await,
            }
        }
        Ok(None)
    }

    /// The upsert that made the version that stands now, where it may have been kept by what has just failed: a newer
    /// version that is gone, or a second try of the same.
    async fn standing_refusal(&self, upsert: &UpsertRecord) -> Result<Option<UpsertId>, StoreError> {
        if upsert.state != UpsertState::Failed || (upsert.changed && !upsert.rolled_back) {
            return Ok(None);
        }
        let Some((standing, _)) = self.newest_accepted(upsert.customer).await? else {
            return Ok(None);
        };
        Ok(Some(standing.upsert).filter(|maker| *maker < upsert.id))
    }

    async fn try_settle(&self, merchant: &str, id: UpsertId) -> Result<Settled, StoreError> {
        let Some((mut upsert, own)) = self.context.store.upsert(merchant, id).await? else {
            return Ok(Settled::AsItWas);
        };
        let deliveries = self.effective(own.clone()).await?;
        let state = state_of(&deliveries);
        let goes_back = refused_by_all(&upsert, &deliveries);
        if state == UpsertState::Pending || (upsert.state == state && !goes_back) {
            return self.pay_event(upsert, &own, &deliveries).await;
        }
        let mut changes = Changeset::default();
        changes.expect.push(Expect::Upsert {
            id: upsert.id,
            revision: upsert.revision,
        });
        if goes_back {
            upsert.rolled_back = self.go_back(&upsert, &mut changes).await?;
        }
        // What failed was not told; a replay may have brought it home.
        let has_come_round = upsert.state == UpsertState::Failed;
        upsert.state = state;
        upsert.revision += 1;
        upsert.ended_at = upsert.ended_at.or_else(|| Some(self.context.clock.now()));
        let is_owed = std::mem::take(&mut upsert.owes_event) || has_come_round;
        if is_owed && has_ended_well(state, &deliveries) {
            changes
                .write
                .extend(self.outbox.events_of_upsert(&upsert, &own, &deliveries).await?);
        }
        changes.write.push(Write::PutUpsert(upsert.clone()));
        let (before, after) = if upsert.rolled_back {
            points::ROLLBACK
        } else {
            points::SETTLE
        };
        crash_point(before);
        let applied = self.outbox.apply(changes).await?;
        crash_point(after);
        if upsert.rolled_back {
            self.context.successors.forget();
        }
        Ok(match applied {
            Applied::Done => Settled::Ended(upsert),
            Applied::Unmet(_) => Settled::Raced,
        })
    }

    /// The upsert stands as it stood; but its required deliveries may have ended well without those that are not required,
    /// or the process that was to tell of it died.
    async fn pay_event(
        &self,
        mut upsert: UpsertRecord,
        own: &[DeliveryRecord],
        effective: &[DeliveryRecord],
    ) -> Result<Settled, StoreError> {
        let has_ended_well = has_ended_well(upsert.state, effective);
        if !upsert.owes_event || (upsert.state == UpsertState::Pending && !has_ended_well) {
            return Ok(Settled::AsItWas);
        }
        let mut changes = Changeset::default();
        changes.expect.push(Expect::Upsert {
            id: upsert.id,
            revision: upsert.revision,
        });
        upsert.owes_event = false;
        upsert.revision += 1;
        if has_ended_well {
            changes
                .write
                .extend(self.outbox.events_of_upsert(&upsert, own, effective).await?);
        }
        changes.write.push(Write::PutUpsert(upsert));
        Ok(match self.outbox.apply(changes).await? {
            Applied::Done => Settled::AsItWas,
            Applied::Unmet(_) => Settled::Raced,
        })
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
            let Some(successor) = delivery.superseded_by else { break };
            next = self.context.store.delivery(successor).await?;
            if next.as_ref().is_some_and(|next| next.version >= refused) {
                return Ok(Some(delivery));
            }
        }
        Ok(None)
    }

    fn taken_up(&self, mut delivery: DeliveryRecord) -> DeliveryRecord {
        delivery.fence += 1;
        delivery.state = DeliveryState::Retrying;
        delivery.superseded_by = None;
        delivery.next_attempt_at = Some(self.context.clock.now());
        delivery.ended_at = None;
        delivery
    }

    /// Whether the vendor has accepted all of it: a link that had failed before goes on as failed.
    fn is_in_sync(&self, lane: &Lane, customer: &Customer) -> bool {
        let directory = self.context.directory();
        let merchant = directory.get(&lane.merchant);
        let Some(connection) = merchant.and_then(|merchant| merchant.connection(&lane.connection)) else {
            return false;
        };
        let plan = plan(connection, lane.customer, customer, Some(lane), false);
        matches!(plan, Ok(ConnectionPlan::Unchanged { .. }))
    }

    /// The version that stands, and the one below it; versions that were taken back do not count.
    async fn newest_accepted(
        &self,
        customer: CustomerId,
    ) -> Result<Option<(HistoryRecord, Option<HistoryRecord>)>, StoreError> {
        let mut before = None;
        let mut newest = None;
        loop {
            let page = self.context.store.history(customer, before, 10).await?;
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
        let has_open = known
            .lanes
            .iter()
            .any(|lane| lane.in_flight.is_some() || lane.queued.is_some());
        // The same version may have been asked for again, and a vendor may have taken it that time.
        let was_brought = known.lanes.iter().any(|lane| lane.brought >= upsert.version);
        if known.record.version != upsert.version || has_open || was_brought {
            return Ok(false);
        }
        let Some((mut entry, below)) = self.newest_accepted(upsert.customer).await? else {
            return Ok(false);
        };
        if entry.upsert != upsert.id {
            return Ok(false);
        }
        entry.refused = true;
        changes.expect.push(Expect::Customer {
            id: upsert.customer,
            revision: Some(known.record.revision),
        });
        let now_held = &known.record.customer;
        // Every lane is held to what was read: a delivery that was queued meanwhile needs the customer.
        for lane in &known.lanes {
            changes.expect.push(Expect::Lane {
                customer: lane.customer,
                connection: lane.connection.clone(),
                revision: Some(lane.revision),
            });
        }
        match below {
            Some(below) => {
                changes.write.push(Write::PutCustomer(CustomerRecord {
                    version: below.version,
                    revision: known.record.revision + 1,
                    customer: below.record.clone(),
                    updated_at: below.at,
                    ..known.record.clone()
                }));
                changes.write.extend(identifier_writes(
                    &upsert.merchant,
                    upsert.customer,
                    now_held,
                    &below.record,
                ));
                let is_claimed = |lane: &Lane| {
                    let link = lane.link.as_ref();
                    link.is_some_and(|link| link.claimed_by() == Some(upsert.id))
                };
                let touched = known.lanes.into_iter().filter(|lane| lane.failed || is_claimed(lane));
                for mut lane in touched {
                    if is_claimed(&lane) {
                        // The word of the request that was refused.
                        lane.link = None;
                    }
                    lane.failed = lane.failed && !self.is_in_sync(&lane, &below.record);
                    if let Some(left) = self
                        .left_behind(&upsert.merchant, below.upsert, &lane, upsert.version)
                        .await?
                    {
                        lane.queued = Some(left.id);
                        changes.expect.push(Expect::Delivery {
                            id: left.id,
                            fence: left.fence,
                        });
                        changes.write.push(Write::PutDelivery(self.taken_up(left)));
                    }
                    lane.revision += 1;
                    changes.write.push(Write::PutLane(lane));
                }
            }
            None => {
                let nothing = Customer::default();
                changes
                    .write
                    .extend(identifier_writes(&upsert.merchant, upsert.customer, now_held, &nothing));
                let reserved = known.lanes.iter().flat_map(|lane| {
                    lane.reserved.iter().map(|key| Write::Release {
                        merchant: lane.merchant.clone(),
                        connection: lane.connection.clone(),
                        key: key.clone(),
                        customer: lane.customer,
                    })
                });
                changes.write.extend(reserved);
                changes.write.push(Write::DeleteCustomer(upsert.customer));
            }
        }
        changes.write.push(Write::PutHistory(entry));
        Ok(true)
    }
}

/// Every connection refused it, and none of them may have changed anything. Deliveries that went in the place of its own
/// count where they brought the same version.
fn refused_by_all(upsert: &UpsertRecord, deliveries: &[DeliveryRecord]) -> bool {
    let left_unchanged = |delivery: &DeliveryRecord| match delivery.state {
        DeliveryState::Failed => {
            !delivery.maybe_written
                && delivery
                    .error
                    .as_ref()
                    .is_none_or(|error| error.state_at_vendor == StateAtVendor::Unchanged)
        }
        DeliveryState::Succeeded => delivery.attempts == 0,
        _ => false,
    };
    // Where every required connection is content the caller was told so, and the change stands.
    let has_failed = |delivery: &DeliveryRecord| delivery.state == DeliveryState::Failed;
    upsert.changed
        && !upsert.rolled_back
        && (state_of(deliveries) == UpsertState::Failed || deliveries.iter().all(has_failed))
        && deliveries
            .iter()
            .all(|delivery| delivery.version == upsert.version && left_unchanged(delivery))
}
