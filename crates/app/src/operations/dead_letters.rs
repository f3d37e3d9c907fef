//! Dead letters: a delivery that has failed is replayed or discarded, one or all that match a filter. What still waits
//! can be discarded too.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use futures_util::StreamExt as _;

use upsert_api::{AuditAction, DeliveriesDone, DeliverySelection, ListedDelivery, Own, RefusedDelivery, Visibility};
use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{Customer, CustomerId, DeliveryId, Priority};
use upsert_store::{Changeset, DeliveryRecord, DeliveryState, Known, Lane, StoreError, Write};

use crate::audit::act::Act;
use crate::delivery::log::observe;
use crate::operations::Operations;
use crate::operations::acts::{of_delivery, of_many};
use crate::operations::connections::{MOST_RACES, in_flight};
use crate::operations::replay::{Failed, not_now};
use crate::operations::selected::{Tally, check_code};
use crate::outbox::races::{Race, commit_with_retry};
use crate::planning::declined::not_accepted;
use crate::planning::plan::has_all;
use crate::problem::Refusal;
use crate::queries::Merchants;
use crate::queries::page::to_cursor;
use crate::upsert::command::{Caller, StillMay};
use crate::view::answer::Answer;
use crate::view::delivery::listed_delivery;

/// Replays and discards by filter that are committed side by side.
const SIDE_BY_SIDE: usize = 16;

impl Operations {
    /// Sends the customer's current state in the place of a delivery that has failed. `merchants`: those that the caller
    /// may speak for; none: all. `of`: whose the caller takes it for.
    ///
    /// # Errors
    /// 404, for the customer too; 422 where it has not failed, or its connection is not configured any more; what a plan
    /// may be refused for.
    pub async fn replay_delivery(
        &self,
        caller: &Caller,
        merchants: Merchants<'_>,
        id: DeliveryId,
        of: Option<CustomerId>,
        visibility: Visibility,
    ) -> Result<Answer, Refusal> {
        let delivery = self.queries.visible_delivery(merchants, id).await?;
        if of.is_some_and(|of| of != delivery.customer) {
            let detail = "the delivery is another customer's, and brings that one's state; to have this one changed, send \
                          an upsert with its `id`";
            return Err(Refusal::invalid_at("/customer_id", "other_customer", detail));
        }
        if delivery.state() != DeliveryState::Failed {
            return Err(not_now("replayed", delivery.state()));
        }
        let acts = vec![of_delivery(&caller.name, AuditAction::DeliveryReplay, &delivery)];
        let answer = self.replay_failed(caller, Failed::one(&delivery), Priority::Interactive, acts);
        // It brings the customer as it is: nothing of that was sent with it.
        let answer = answer.await.map_err(|refusal| refusal.seen_by(visibility))?;
        Ok(answer.seen_by(visibility, Own::default()))
    }

    /// Replays all that have failed and match; several of one customer at one connection become one call. `still_may` is asked
    /// before each.
    ///
    /// # Errors
    /// 422 where other states are asked for.
    pub async fn replay_matching(
        &self,
        caller: &Caller,
        mut selection: DeliverySelection,
        visibility: Visibility,
        still_may: StillMay<'_>,
    ) -> Result<DeliveriesDone, Refusal> {
        check_code(&selection, visibility)?;
        let failed = BTreeSet::from([DeliveryState::Failed]);
        if !selection.filter.state.is_empty() && selection.filter.state != failed {
            let detail = "only `failed` ones can be replayed";
            return Err(Refusal::invalid_at("/state", "invalid_value", detail));
        }
        selection.filter.state = failed;
        let replay = |failed| async {
            still_may()?;
            let replayed = self.replay_failed(caller, failed, Priority::Bulk, Vec::new());
            replayed.await.map(drop)
        };
        let act = (caller, AuditAction::DeliveryReplay);
        self.handle_matching(&selection, act, by_lane, replay).await
    }

    /// Handles all that match, some side by side; or only counts them. Before it is begun it is written down, for each
    /// merchant, of how many it is done.
    async fn handle_matching<F: Future<Output = Result<(), Refusal>>>(
        &self,
        selection: &DeliverySelection,
        (caller, action): (&Caller, AuditAction),
        together: impl Fn(&[DeliveryRecord]) -> Vec<Failed>,
        handle: impl Fn(Failed) -> F,
    ) -> Result<DeliveriesDone, Refusal> {
        if selection.dry_run {
            return self.counted(selection).await;
        }
        let (found, next) = self.found(selection).await?;
        let merchants = found.iter().map(|delivery| delivery.merchant.as_str());
        let acts = of_many(&caller.name, action, "deliveries", selection.filter.texts(), merchants);
        self.context.audit.record(&acts).await?;
        let handled = together(&found).into_iter().map(|failed| async {
            let ids = failed.deliveries.clone();
            (ids, handle(failed).await)
        });
        let tally = Tally::of(futures_util::stream::iter(handled).buffer_unordered(SIDE_BY_SIDE)).await;
        Ok(told(&found, next, tally))
    }

    /// Gives a delivery up: what it would have brought is not wanted there until it changes again. It may have failed, or
    /// wait.
    ///
    /// # Errors
    /// 404; 422 where it has ended otherwise; 503 while one of this customer is in flight there.
    pub async fn discard_delivery(
        &self,
        caller: &Caller,
        merchants: Merchants<'_>,
        id: DeliveryId,
        visibility: Visibility,
    ) -> Result<ListedDelivery, Refusal> {
        let delivery = self.queries.visible_delivery(merchants, id).await?;
        let acts = vec![of_delivery(&caller.name, AuditAction::DeliveryDiscard, &delivery)];
        let discarded = self.discard_on_a_task(caller, delivery.merchant, id, acts).await?;
        Ok(visibility.show(listed_delivery(&discarded)))
    }

    async fn discard_on_a_task(
        &self,
        caller: &Caller,
        merchant: String,
        id: DeliveryId,
        acts: Vec<Act>,
    ) -> Result<DeliveryRecord, Refusal> {
        // What was waiting for it has to be answered, whoever hangs up.
        let (wing, by) = (self.clone(), caller.name.clone());
        let task = async move { wing.discard_now(&merchant, id, &by, &acts).await };
        self.context.on_own_task("a discard", task).await
    }

    /// Discards all that match; unless states are named, those that have failed. `still_may` is asked before each.
    ///
    /// # Errors
    /// 422 where the body names no filter at all.
    pub async fn discard_matching(
        &self,
        caller: &Caller,
        mut selection: DeliverySelection,
        visibility: Visibility,
        still_may: StillMay<'_>,
    ) -> Result<DeliveriesDone, Refusal> {
        check_code(&selection, visibility)?;
        if !selection.filter.is_narrowed() {
            let detail = "name at least one filter: `state`, `connection`, `error_kind` …";
            return Err(Refusal::invalid_at("", "required", detail));
        }
        if selection.filter.state.is_empty() {
            selection.filter.state.insert(DeliveryState::Failed);
        }
        let discard = |failed: Failed| async move {
            for id in failed.deliveries {
                still_may()?;
                let merchant = failed.merchant.clone();
                self.discard_on_a_task(caller, merchant, id, Vec::new()).await?;
            }
            Ok(())
        };
        let one_by_one = |found: &[DeliveryRecord]| found.iter().map(Failed::one).collect();
        let act = (caller, AuditAction::DeliveryDiscard);
        self.handle_matching(&selection, act, one_by_one, discard).await
    }

    async fn discard_now(
        &self,
        merchant: &str,
        id: DeliveryId,
        by: &str,
        acts: &[Act],
    ) -> Result<DeliveryRecord, Refusal> {
        let discarded = commit_with_retry(MOST_RACES, |_| async move {
            let delivery = self.context.store.delivery(merchant, id).await?;
            let mut delivery = delivery.ok_or_else(|| Refusal::not_found("delivery"))?;
            let known = self.context.customer_of(&delivery).await?;
            let lane = known.as_ref().and_then(|known| known.lane(&delivery.connection));
            let is_in_flight = delivery.state() == DeliveryState::InFlight;
            if delivery.state().has_ended() && delivery.state() != DeliveryState::Failed {
                return Err(not_now("discarded", delivery.state()));
            }
            if is_in_flight || lane.is_some_and(|lane| lane.in_flight().is_some()) {
                return Err(in_flight());
            }
            let mut changes = Changeset::of(&delivery.merchant);
            if let (Some(known), Some(lane)) = (&known, lane) {
                let lane = self.without(&delivery, known, lane.clone()).await?;
                put_lane(&mut changes, known, lane);
            }
            changes.expect.push(delivery.expected());
            delivery.discard(self.context.clock.now());
            changes.write.push(Write::PutDelivery(delivery.clone(), None));
            crash_point(points::DISCARD_BEFORE_COMMIT);
            let applied = self.outbox.apply_audited(changes, acts).await?;
            Ok(Race::over(applied, delivery))
        });
        let discarded = discarded.await?.ok_or_else(Refusal::too_many_changes)?;
        crash_point(points::DISCARD_AFTER_COMMIT);
        self.events_of_discard(&discarded, by).await;
        Ok(discarded)
    }

    async fn events_of_discard(&self, delivery: &DeliveryRecord, by: &str) {
        tracing::warn!(
            merchant = delivery.merchant, connection = delivery.connection, delivery_id = %delivery.id, by,
            "delivery discarded by hand"
        );
        observe(delivery, delivery.traceparent.as_deref());
        Box::pin(self.deliveries.settle(&delivery.merchant, delivery.upsert())).await;
        self.context.ring_everywhere(delivery.customer);
    }

    /// The lane without the delivery, and with what it would have brought marked as not wanted.
    async fn without(&self, delivery: &DeliveryRecord, known: &Known, mut lane: Lane) -> Result<Lane, StoreError> {
        lane.unqueue(delivery.id);
        let directory = self.context.directory_with(&delivery.merchant).await?;
        if let Some(connection) = directory.connection(&delivery.merchant, &delivery.connection) {
            let brought = self.brought_by(delivery, known).await?;
            let customer = &known.record.customer;
            lane.decline(not_accepted(&connection, customer, &brought, &lane));
            if lane.queued().is_none() && has_all(&connection, customer, &lane) {
                lane.mark_in_sync();
            }
        }
        Ok(lane)
    }

    /// The customer as the delivery was to bring it: what waits brings what is there now.
    async fn brought_by(&self, delivery: &DeliveryRecord, known: &Known) -> Result<Customer, StoreError> {
        let current = &known.record;
        if delivery.state() != DeliveryState::Failed {
            return Ok(current.customer.clone());
        }
        // The number of a version that was rolled back is another one's by now.
        let upsert = self.context.store.upsert(&delivery.merchant, delivery.upsert()).await?;
        let was_rolled_back = upsert.is_some_and(|(upsert, _)| upsert.rolled_back());
        if delivery.version() == current.version && !was_rolled_back {
            return Ok(current.customer.clone());
        }
        let mut before = None;
        loop {
            let (merchant, customer) = (&current.merchant, current.id);
            let page = self.context.store.history(merchant, customer, before, 100).await?;
            let Some(last) = page.entries.last().map(|entry| entry.upsert) else {
                return Ok(Customer::default());
            };
            before = Some(last);
            let is_its = |entry: &&upsert_store::HistoryRecord| {
                let is_own = entry.upsert == delivery.upsert();
                entry.version == delivery.version() && (is_own || !(entry.refused || was_rolled_back))
            };
            if let Some(entry) = page.entries.iter().find(is_its) {
                return Ok(entry.record.clone());
            }
        }
    }
}

fn put_lane(changes: &mut Changeset, known: &Known, mut lane: Lane) {
    changes.expect.push(known.record.expected());
    changes.expect.push(lane.change());
    changes.write.extend(lane.give_back_keys());
    changes.write.push(Write::PutLane(lane));
}

/// Those of one customer at one connection together.
fn by_lane(found: &[DeliveryRecord]) -> Vec<Failed> {
    let mut lanes: Vec<Failed> = Vec::new();
    let mut places = HashMap::new();
    for delivery in found {
        let place = *places
            .entry((delivery.customer, &delivery.connection))
            .or_insert(lanes.len());
        match lanes.get_mut(place) {
            Some(lane) => lane.deliveries.push(delivery.id),
            None => lanes.push(Failed::one(delivery)),
        }
    }
    lanes
}

fn told(found: &[DeliveryRecord], next: Option<DeliveryId>, mut tally: Tally<DeliveryId>) -> DeliveriesDone {
    tally.refused.sort_by_key(|(id, _)| Reverse(*id));
    DeliveriesDone {
        dry_run: false,
        matched: found.len(),
        done: tally.done,
        refused: tally.refused.len(),
        refusals: tally.told(|delivery_id, code, detail| RefusedDelivery {
            delivery_id,
            code,
            detail,
        }),
        more: next.is_some(),
        next_cursor: next.map(|next| to_cursor(next.as_uuid())),
        counted_at: None,
    }
}
