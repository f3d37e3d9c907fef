//! Taking a delivery that waits: planned on what is there now, its next attempt made durable before anything is sent.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{
    DeliveryId, ErrorKind, Held, PreparedUpsert, Priority, ProviderError, Repeat, RetryAdvice, StateAtVendor,
    WaitingFor,
};
use upsert_store::{
    Applied, AttemptRecord, Changeset, DeliveryRecord, Expect, Known, Lane, PausedBy, Progress, StoreError, Write,
};

use crate::delivery::Deliveries;
use crate::delivery::log::observe;
use crate::delivery::record::delivery_error;
use crate::delivery::work::{PREDECESSOR_CHECK, Work, attempt, calls_below, count_call, lease_until, unchanged};
use crate::directory::merchant::Connection;
use crate::outbox::races::{Race, commit_with_retry};
use crate::planning::lane::reserve;
use crate::planning::plan::{ConnectionPlan, PlanRefusal, plan};
use crate::runtime::connections::UNTIL_RELEASED;

/// So often a claim is worked out anew because the lane changed meanwhile; after that the next pass tries.
const MOST_RACES: usize = 16;

/// What came of a claim.
pub(crate) enum Claimed {
    /// It is to be sent: its attempt is durable.
    Work(Box<Work>),
    /// It ended without a call, or had ended before; what goes on in its lane.
    Ended(Option<DeliveryId>),
    /// Somebody else has it, or it cannot be sent now.
    NotNow,
}

/// What a delivery is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClaimPurpose {
    /// To be brought to its vendor, unless the connection is paused.
    Usual,
    /// To find out whether a paused connection may go on.
    Probe,
    /// To see what the vendor says now, because somebody asked: whatever it said before. Not where an operator paused the
    /// connection.
    Trial,
}

impl Deliveries {
    /// Takes a delivery that waits.
    pub(crate) async fn claim(
        &self,
        merchant: &str,
        id: DeliveryId,
        purpose: ClaimPurpose,
    ) -> Result<Claimed, StoreError> {
        let claim = |key_is_taken| self.try_claim(merchant, id, purpose, key_is_taken);
        let claimed = commit_with_retry(MOST_RACES, claim).await?;
        Ok(claimed.unwrap_or(Claimed::NotNow))
    }

    async fn try_claim(
        &self,
        merchant: &str,
        id: DeliveryId,
        purpose: ClaimPurpose,
        key_is_taken: bool,
    ) -> Result<Race<Claimed>, StoreError> {
        let Some(delivery) = self.context.store.delivery(merchant, id).await? else {
            return Ok(Race::Won(Claimed::NotNow));
        };
        if let Some(claimed) = unless_it_waits(&delivery) {
            return Ok(Race::Won(claimed));
        }
        let directory = self.context.directory_with(merchant).await?;
        let Some(connection) = directory.connection(&delivery.merchant, &delivery.connection) else {
            if self.context.store.is_shared() {
                // While configuration is rolled out another process may know it.
                return Ok(Race::Won(Claimed::NotNow));
            }
            tracing::warn!(delivery_id = %id, connection = delivery.connection, "a delivery's connection is not configured");
            self.put_off(delivery, UNTIL_RELEASED).await?;
            return Ok(Race::Won(Claimed::NotNow));
        };
        let known = self.context.customer_of(&delivery).await?;
        let found = known.and_then(|known| known.lane(&connection.name).cloned().map(|lane| (known, lane)));
        let Some((known, lane)) = found else {
            return self.end_without_customer(delivery).await.map(Race::Won);
        };
        if lane.in_flight().is_some() {
            return self.look_again_later(delivery).await.map(Race::Won);
        }
        if let Some(other) = lane.queued().filter(|queued| *queued != id) {
            return Ok(Race::Won(Claimed::Ended(Some(other))));
        }
        if let Some(held) = self.holds_back(purpose, &connection, &delivery) {
            if purpose == ClaimPurpose::Usual {
                self.put_off(delivery, held).await?;
            }
            return Ok(Race::Won(Claimed::NotNow));
        }
        let mut claiming = Claiming::new(self.context.clock.now(), connection.clone(), delivery, lane, &known);
        claiming.is_trial = purpose == ClaimPurpose::Trial;
        claiming.plan(&known, key_is_taken);
        self.finish_claim(claiming).await
    }

    /// What it has to wait for. It is asked as late as can be: another call may just have found that the vendor refuses the
    /// credentials.
    fn holds_back(&self, purpose: ClaimPurpose, connection: &Connection, delivery: &DeliveryRecord) -> Option<Held> {
        let (merchant, name) = (&delivery.merchant, &delivery.connection);
        let pause = self.context.connections.pause_of(merchant, name);
        match (purpose, pause) {
            (ClaimPurpose::Usual, Some(_)) => Some(UNTIL_RELEASED),
            (ClaimPurpose::Usual, None) => day_is_used_up(connection, delivery),
            (ClaimPurpose::Trial, Some(pause)) => (pause.by == PausedBy::Operator).then_some(UNTIL_RELEASED),
            (ClaimPurpose::Trial, None) | (ClaimPurpose::Probe, _) => None,
        }
    }

    async fn finish_claim(&self, claiming: Claiming) -> Result<Race<Claimed>, StoreError> {
        let Claiming {
            connection,
            delivery,
            mut lane,
            mut changes,
            attempt,
            send,
            is_trial,
            ..
        } = claiming;
        if send.is_none() {
            changes.write.extend(lane.give_back_keys());
        }
        changes.write.push(Write::PutLane(lane.clone()));
        changes.write.push(Write::PutDelivery(delivery.clone(), attempt));
        let expect = changes.expect.clone();
        crash_point(points::CLAIM_BEFORE_COMMIT);
        let applied = self.outbox.apply(changes).await?;
        crash_point(points::CLAIM_AFTER_COMMIT);
        let race = Race::of(applied, &expect, Claimed::Ended(lane.queued()));
        if !matches!(race, Race::Won(_)) {
            return Ok(race);
        }
        if let Some(sent) = send {
            let mut work = Work::new(connection, delivery, lane, sent);
            work.is_trial = is_trial;
            return Ok(Race::Won(Claimed::Work(Box::new(work))));
        }
        crash_point(points::CLAIM_ENDED);
        observe(&delivery, delivery.traceparent.as_deref());
        Box::pin(self.settle(&delivery.merchant, delivery.upsert())).await;
        self.settle_those_before(&delivery);
        self.context.ring_everywhere(delivery.customer);
        Ok(race)
    }

    /// Writes it, unless somebody has claimed it since.
    pub(crate) async fn put_delivery(&self, expected: Expect, delivery: DeliveryRecord) -> Result<Applied, StoreError> {
        let merchant = delivery.merchant.clone();
        let write = vec![Write::PutDelivery(delivery, None)];
        self.outbox.write(&merchant, vec![expected], write).await
    }

    /// There is nothing to bring any more.
    async fn end_without_customer(&self, mut delivery: DeliveryRecord) -> Result<Claimed, StoreError> {
        let expected = delivery.expected();
        let error = refused("customer_gone", "the customer is gone");
        delivery.fail_unsent(delivery_error(&error), self.context.clock.now());
        self.put_delivery(expected, delivery).await?;
        Ok(Claimed::Ended(None))
    }

    /// What is in flight will call it; should that never happen, it looks for itself.
    async fn look_again_later(&self, mut delivery: DeliveryRecord) -> Result<Claimed, StoreError> {
        let expected = delivery.expected();
        let again = self.context.clock.now().checked_add(PREDECESSOR_CHECK);
        delivery.look_again_at(again.unwrap_or(Timestamp::MAX));
        self.put_delivery(expected, delivery).await?;
        Ok(Claimed::NotNow)
    }
}

/// Where a claim would be one call too many for the day.
fn day_is_used_up(connection: &Connection, delivery: &DeliveryRecord) -> Option<Held> {
    let held = connection.status.room(delivery.priority).err();
    held.filter(|held| connection.counts_calls && held.waiting_for == WaitingFor::Quota)
}

/// What there is to be said of one that need not be claimed.
fn unless_it_waits(delivery: &DeliveryRecord) -> Option<Claimed> {
    match delivery.progress() {
        Progress::Pending { .. } | Progress::Retrying { .. } | Progress::Waiting { .. } => None,
        Progress::InFlight { .. } => Some(Claimed::NotNow),
        Progress::Superseded { by, .. } => Some(Claimed::Ended(Some(*by))),
        Progress::Succeeded(_) | Progress::Failed { .. } | Progress::Discarded { .. } => Some(Claimed::Ended(None)),
    }
}

struct Claiming {
    connection: std::sync::Arc<Connection>,
    delivery: DeliveryRecord,
    lane: Lane,
    changes: Changeset,
    attempt: Option<AttemptRecord>,
    /// What is to be sent, and whether it leaves the present link behind.
    send: Option<(Box<PreparedUpsert>, bool)>,
    /// Somebody asked for the call, and waits for it.
    is_trial: bool,
    now: Timestamp,
}

impl Claiming {
    fn new(
        now: Timestamp,
        connection: std::sync::Arc<Connection>,
        mut delivery: DeliveryRecord,
        mut lane: Lane,
        known: &Known,
    ) -> Self {
        let expect = vec![delivery.expected(), lane.change(), known.record.expected()];
        lane.unqueue(delivery.id);
        delivery.claim(known.record.version, now);
        let changes = Changeset {
            expect,
            ..Changeset::of(&delivery.merchant)
        };
        Self {
            connection,
            delivery,
            lane,
            changes,
            attempt: None,
            send: None,
            is_trial: false,
            now,
        }
    }

    /// What is sent, or how it ends without a call.
    fn plan(&mut self, known: &Known, key_is_taken: bool) {
        let (connection, delivery, lane) = (&self.connection, &self.delivery, &self.lane);
        let customer = &known.record.customer;
        let plan = if key_is_taken {
            Err(PlanRefusal::Collision(Vec::new()))
        } else {
            plan(connection, delivery.customer, customer, Some(lane), delivery.force)
        };
        match plan {
            Ok(ConnectionPlan::Send { prepared, .. })
                // A replay has attempts of its own: whoever asked for it has decided about those before.
                if delivery.maybe_written() && delivery.attempts() > 0 && prepared.repeat == Repeat::Unsafe =>
            {
                self.fail(&unsafe_to_repeat());
            }
            Ok(ConnectionPlan::Send { .. }) if time_left(connection, delivery, self.now).is_zero() => {
                let error = too_old(delivery);
                self.fail(&error);
            }
            Ok(ConnectionPlan::Send {
                prepared,
                replaces_link,
            }) => self.start(prepared, replaces_link),
            Ok(ConnectionPlan::Unchanged { warnings }) => {
                self.delivery.warnings = warnings.into();
                unchanged(&mut self.delivery, &mut self.lane, self.now);
            }
            Err(refusal @ PlanRefusal::Collision(_)) => self.fail(&refused("match_key_collision", refusal.detail())),
            Err(refusal) => self.fail(&refused("plan_refused", refusal.detail())),
        }
    }

    fn start(&mut self, prepared: Box<PreparedUpsert>, replaces_link: bool) {
        let delivery = &mut self.delivery;
        delivery.warnings = prepared.warnings.as_slice().into();
        delivery.start(lease_until(&self.connection, self.now));
        self.lane.start(delivery.id, &prepared);
        self.attempt = Some(attempt(delivery, &prepared, self.now));
        if self.connection.counts_calls {
            let priority = if self.is_trial {
                Priority::Interactive
            } else {
                delivery.priority
            };
            let below = calls_below(&self.connection, priority, self.now);
            self.changes.expect.extend(below);
            self.changes.write.push(count_call(&self.connection.name, self.now));
        }
        reserve(&self.connection, &prepared, &mut self.lane, &mut self.changes);
        self.send = Some((prepared, replaces_link));
    }

    fn fail(&mut self, error: &ProviderError) {
        self.delivery.fail_unsent(delivery_error(error), self.now);
        self.lane.mark_failed(self.delivery.version());
    }
}

/// A delivery that fails without a call.
pub(crate) fn refused(code: &str, detail: &str) -> ProviderError {
    let (kind, state) = (ErrorKind::Rejected, StateAtVendor::Unchanged);
    ProviderError::new(kind, state, RetryAdvice::Never, detail).with_code(code)
}

/// What is left until the delivery is too old to be sent. Time that it waited for a pause or a quota does not count.
pub(crate) fn time_left(connection: &Connection, delivery: &DeliveryRecord, now: Timestamp) -> Duration {
    let age = now.duration_since(delivery.created_at) - SignedDuration::from_millis(delivery.parked_ms().cast_signed());
    connection
        .max_age
        .saturating_sub(Duration::try_from(age).unwrap_or_default())
}

/// Nobody would expect it any more.
fn too_old(delivery: &DeliveryRecord) -> ProviderError {
    let state = if delivery.maybe_written() {
        StateAtVendor::Unknown
    } else {
        StateAtVendor::Unchanged
    };
    let detail = "the delivery is older than the connection's max_age and was not sent any more";
    ProviderError::new(ErrorKind::Transient, state, RetryAdvice::Never, detail).with_code("too_old")
}

/// A call of unknown outcome that this vendor would not match again.
fn unsafe_to_repeat() -> ProviderError {
    let detail = "whether the vendor wrote is not known, and sending again might make a second record";
    ProviderError::new(ErrorKind::Transient, StateAtVendor::Unknown, RetryAdvice::Never, detail)
        .with_code("outcome_unknown")
}
