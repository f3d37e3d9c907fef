//! Dead letters: a delivery that has failed is replayed or discarded, one or all that match a filter. What still waits
//! can be discarded too.

use std::collections::{BTreeSet, HashMap};

use futures_util::StreamExt as _;

use upsert_api::{DeliveriesDone, DeliverySelection, ListedDelivery, Own, ProblemCode, RefusedDelivery, Visibility};
use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{Customer, CustomerId, DeliveryId, Priority, Problem};
use upsert_store::{Applied, Changeset, DeliveryRecord, DeliveryState, Expect, Known, Lane, StoreError, Write};

use crate::delivery::log::observe;
use crate::directory::merchant::Connection;
use crate::operations::Operations;
use crate::operations::replay::{Failed, not_now};
use crate::operations::selected::check_code;
use crate::planning::declined::not_accepted;
use crate::planning::lane::give_back_keys;
use crate::planning::plan::{ConnectionPlan, plan};
use crate::problem::Refusal;
use crate::queries::page::to_cursor;
use crate::upsert::command::Caller;
use crate::view::answer::Answer;
use crate::view::delivery::listed_delivery;

/// So often a discard is worked out anew because the lane changed meanwhile.
const MOST_RACES: usize = 16;
/// Replays and discards by filter that are committed side by side.
const SIDE_BY_SIDE: usize = 16;
/// Refusals that an answer tells one by one.
const MOST_TOLD: usize = 100;

/// What became of each of those that were found.
#[derive(Default)]
struct Sum {
    done: usize,
    refused: Vec<(DeliveryId, Refusal)>,
}

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
        merchants: Option<&BTreeSet<String>>,
        id: DeliveryId,
        of: Option<CustomerId>,
        visibility: Visibility,
    ) -> Result<Answer, Refusal> {
        let delivery = self.queries.visible_delivery(merchants, id).await?;
        if of.is_some_and(|of| of != delivery.customer) {
            let detail = "the delivery is another customer's, and brings that one's state; to have this one changed, send \
                          an upsert with its `id`";
            let problem = Problem::new("/customer_id", "other_customer", detail);
            return Err(Refusal::invalid(vec![problem]));
        }
        if delivery.state != DeliveryState::Failed {
            return Err(not_now("replayed", delivery.state));
        }
        let answer = self.replay_failed(caller, Failed::one(&delivery), Priority::Interactive);
        // It brings the customer as it is: nothing of that was sent with it.
        Ok(answer.await?.seen_by(visibility, Own::default()))
    }

    /// Replays all that have failed and match; several of one customer at one connection become one call.
    ///
    /// # Errors
    /// 422 where other states are asked for.
    pub async fn replay_matching(
        &self,
        caller: &Caller,
        mut selection: DeliverySelection,
        visibility: Visibility,
    ) -> Result<DeliveriesDone, Refusal> {
        check_code(&selection, visibility)?;
        let failed = BTreeSet::from([DeliveryState::Failed]);
        if !selection.filter.state.is_empty() && selection.filter.state != failed {
            let detail = "only `failed` ones can be replayed";
            let problem = Problem::new("/state", "invalid_value", detail);
            return Err(Refusal::invalid(vec![problem]));
        }
        selection.filter.state = failed;
        if selection.dry_run {
            return self.counted(&selection).await;
        }
        let (found, next) = self.found(&selection).await?;
        let replays = by_lane(&found).into_iter().map(|failed| async {
            let ids = failed.deliveries.clone();
            let outcome = self.replay_failed(caller, failed, Priority::Bulk).await;
            (ids, outcome.map(drop))
        });
        let outcomes = futures_util::stream::iter(replays).buffer_unordered(SIDE_BY_SIDE);
        let sum = outcomes.fold(Sum::default(), add_up).await;
        Ok(told(&found, next, sum))
    }

    /// Gives a delivery up: what it would have brought is not wanted there until it changes again. It may have failed, or
    /// wait.
    ///
    /// # Errors
    /// 404; 422 where it has ended otherwise; 503 while one of this customer is in flight there.
    pub async fn discard_delivery(
        &self,
        caller: &Caller,
        merchants: Option<&BTreeSet<String>>,
        id: DeliveryId,
        visibility: Visibility,
    ) -> Result<ListedDelivery, Refusal> {
        self.queries.visible_delivery(merchants, id).await?;
        let discarded = self.discard_on_a_task(caller, id).await?;
        Ok(visibility.show(listed_delivery(&discarded)))
    }

    async fn discard_on_a_task(&self, caller: &Caller, id: DeliveryId) -> Result<DeliveryRecord, Refusal> {
        // On a task of its own: what was waiting for it has to be answered, whoever hangs up.
        let (wing, by) = (self.clone(), caller.name.clone());
        let task = self.context.tasks.spawn(async move { wing.discard_now(id, &by).await });
        task.await.unwrap_or_else(|_| {
            tracing::error!("a discard's task ended before its time");
            Err(Refusal::new(ProblemCode::Internal, "the request could not be handled"))
        })
    }

    /// Discards all that match; unless states are named, those that have failed.
    ///
    /// # Errors
    /// 422 where the body names no filter at all.
    pub async fn discard_matching(
        &self,
        caller: &Caller,
        mut selection: DeliverySelection,
        visibility: Visibility,
    ) -> Result<DeliveriesDone, Refusal> {
        check_code(&selection, visibility)?;
        if !selection.filter.is_narrowed() {
            let detail = "name at least one filter: `state`, `connection`, `error_kind` …";
            let problem = Problem::new("", "required", detail);
            return Err(Refusal::invalid(vec![problem]));
        }
        if selection.filter.state.is_empty() {
            selection.filter.state.insert(DeliveryState::Failed);
        }
        if selection.dry_run {
            return self.counted(&selection).await;
        }
        let (found, next) = self.found(&selection).await?;
        let discards = found.iter().map(|delivery| async {
            let outcome = self.discard_on_a_task(caller, delivery.id).await;
            (vec![delivery.id], outcome.map(drop))
        });
        let outcomes = futures_util::stream::iter(discards).buffer_unordered(SIDE_BY_SIDE);
        let sum = outcomes.fold(Sum::default(), add_up).await;
        Ok(told(&found, next, sum))
    }

    async fn discard_now(&self, id: DeliveryId, by: &str) -> Result<DeliveryRecord, Refusal> {
        let busy = |detail| Err(Refusal::new(ProblemCode::Overloaded, detail).retry_after(1));
        for _race in 0..MOST_RACES {
            let Some(delivery) = self.context.store.delivery(id).await? else {
                return Err(Refusal::not_found("delivery"));
            };
            let known = self
                .context
                .store
                .customer(&delivery.merchant, delivery.customer)
                .await?;
            let lane = known.as_ref().and_then(|known| known.lane(&delivery.connection));
            let is_in_flight = delivery.state == DeliveryState::InFlight;
            if delivery.state.has_ended() && delivery.state != DeliveryState::Failed {
                return Err(not_now("discarded", delivery.state));
            }
            if is_in_flight || lane.is_some_and(|lane| lane.in_flight.is_some()) {
                return busy("a delivery of this customer is in flight at this connection");
            }
            let mut changes = Changeset::default();
            if let (Some(known), Some(lane)) = (&known, lane) {
                let lane = self.without(&delivery, known, lane.clone()).await?;
                put_lane(&mut changes, known, lane);
            }
            let discarded = self.given_up(delivery, &mut changes);
            crash_point(points::DISCARD_BEFORE_COMMIT);
            if self.outbox.apply(changes).await? == Applied::Done {
                crash_point(points::DISCARD_AFTER_COMMIT);
                self.events_of_discard(&discarded, by).await;
                return Ok(discarded);
            }
        }
        busy("too many changes of this customer at once")
    }

    fn given_up(&self, mut delivery: DeliveryRecord, changes: &mut Changeset) -> DeliveryRecord {
        changes.expect.push(Expect::Delivery {
            id: delivery.id,
            fence: delivery.fence,
        });
        // Whoever has read it and not written yet (a claim, a replay) comes too late now.
        delivery.fence += 1;
        delivery.state = DeliveryState::Discarded;
        delivery.waiting_for = None;
        delivery.next_attempt_at = None;
        delivery.ended_at = delivery.ended_at.or_else(|| Some(self.context.clock.now()));
        changes.write.push(Write::PutDelivery(delivery.clone()));
        delivery
    }

    async fn events_of_discard(&self, delivery: &DeliveryRecord, by: &str) {
        tracing::warn!(
            merchant = delivery.merchant, connection = delivery.connection, delivery_id = %delivery.id, by,
            "delivery discarded by hand"
        );
        observe(delivery, delivery.traceparent.as_deref());
        Box::pin(self.deliveries.settle(&delivery.merchant, delivery.upsert)).await;
        self.context.notifier.ring(delivery.customer);
    }

    /// The lane without the delivery, and with what it would have brought marked as not wanted.
    async fn without(&self, delivery: &DeliveryRecord, known: &Known, mut lane: Lane) -> Result<Lane, StoreError> {
        if lane.queued == Some(delivery.id) {
            lane.queued = None;
        }
        let directory = self.context.directory();
        let merchant = directory.get(&delivery.merchant);
        if let Some(connection) = merchant.and_then(|merchant| merchant.connection(&delivery.connection)) {
            let brought = self.brought_by(delivery, known).await?;
            let customer = &known.record.customer;
            lane.declined
                .extend(not_accepted(connection, customer, &brought, &lane));
            let is_in_sync = lane.queued.is_none() && is_unchanged(connection, customer, &lane);
            lane.failed = lane.failed && !is_in_sync;
        }
        Ok(lane)
    }

    /// The customer as the delivery was to bring it: what waits brings what is there now.
    async fn brought_by(&self, delivery: &DeliveryRecord, known: &Known) -> Result<Customer, StoreError> {
        let current = &known.record;
        if delivery.state != DeliveryState::Failed {
            return Ok(current.customer.clone());
        }
        // The number of a version that was rolled back is another one's by now.
        let upsert = self.context.store.upsert(&delivery.merchant, delivery.upsert).await?;
        let was_rolled_back = upsert.is_some_and(|(upsert, _)| upsert.rolled_back);
        if delivery.version == current.version && !was_rolled_back {
            return Ok(current.customer.clone());
        }
        let mut before = None;
        loop {
            let page = self.context.store.history(current.id, before, 100).await?;
            let Some(last) = page.entries.last().map(|entry| entry.upsert) else {
                return Ok(Customer::default());
            };
            before = Some(last);
            let is_its = |entry: &&upsert_store::HistoryRecord| {
                let is_own = entry.upsert == delivery.upsert;
                entry.version == delivery.version && (is_own || !(entry.refused || was_rolled_back))
            };
            if let Some(entry) = page.entries.iter().find(is_its) {
                return Ok(entry.record.clone());
            }
        }
    }
}

fn put_lane(changes: &mut Changeset, known: &Known, mut lane: Lane) {
    changes.expect.push(Expect::Customer {
        id: known.record.id,
        revision: Some(known.record.revision),
    });
    changes.expect.push(Expect::Lane {
        customer: lane.customer,
        connection: lane.connection.clone(),
        revision: Some(lane.revision),
    });
    lane.revision += 1;
    changes.write.extend(give_back_keys(&mut lane));
    changes.write.push(Write::PutLane(lane));
}

fn is_unchanged(connection: &Connection, customer: &Customer, lane: &Lane) -> bool {
    let plan = plan(connection, lane.customer, customer, Some(lane), false);
    matches!(plan, Ok(ConnectionPlan::Unchanged { .. }))
}

/// Those of one customer at one connection together.
fn by_lane(found: &[DeliveryRecord]) -> Vec<Failed> {
    let mut lanes: Vec<Failed> = Vec::new();
    let mut places = HashMap::new();
    for delivery in found {
        let place = (delivery.customer, &delivery.connection);
        match places.get(&place) {
            Some(index) => {
                let lane: &mut Failed = &mut lanes[*index];
                lane.deliveries.push(delivery.id);
            }
            None => {
                places.insert(place, lanes.len());
                lanes.push(Failed::one(delivery));
            }
        }
    }
    lanes
}

async fn add_up(mut sum: Sum, (ids, outcome): (Vec<DeliveryId>, Result<(), Refusal>)) -> Sum {
    match outcome {
        Ok(()) => sum.done += ids.len(),
        Err(refusal) => sum.refused.extend(ids.into_iter().map(|id| (id, refusal.clone()))),
    }
    sum
}

fn told(found: &[DeliveryRecord], next: Option<DeliveryId>, mut sum: Sum) -> DeliveriesDone {
    sum.refused.sort_by(|(one, _), (other, _)| other.cmp(one));
    let refusals = sum.refused.iter().take(MOST_TOLD);
    let refusal = |(id, refusal): &(DeliveryId, Refusal)| RefusedDelivery {
        delivery_id: *id,
        code: refusal.code,
        detail: refusal.detail.clone(),
    };
    DeliveriesDone {
        dry_run: false,
        matched: found.len(),
        done: sum.done,
        refused: sum.refused.len(),
        refusals: refusals.map(refusal).collect(),
        more: next.is_some(),
        next_cursor: next.map(|next| to_cursor(next.as_uuid())),
        counted_at: None,
    }
}
