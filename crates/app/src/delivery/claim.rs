//! Taking a delivery that waits: planned on what is there now, its next attempt made durable before anything is sent.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{
    DeliveryId, ErrorKind, OnCollision, PreparedUpsert, ProviderError, Repeat, RetryAdvice, StateAtVendor,
};
use upsert_store::{
    Applied, Changeset, DeliveryError, DeliveryRecord, DeliveryState, Expect, Known, Lane, StoreError, Write,
};

use crate::delivery::Deliveries;
use crate::delivery::log::observe;
use crate::delivery::record::delivery_error;
use crate::delivery::work::{PREDECESSOR_CHECK, Work, attempt_writes, lease_until, unchanged};
use crate::directory::merchant::Connection;
use crate::planning::lane::{contested_keys, give_back_keys, mark_failed, sending};
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
}

/// What a try at a claim found in its way.
enum Raced {
    /// The lane or the delivery changed.
    Changed,
    /// Another customer holds a key that the vendor would match by.
    KeyTaken,
}

impl Deliveries {
    /// Takes a delivery that waits.
    pub(crate) async fn claim(&self, id: DeliveryId, purpose: ClaimPurpose) -> Result<Claimed, StoreError> {
        let mut key_is_taken = false;
        for _race in 0..MOST_RACES {
            match self.try_claim(id, purpose, key_is_taken).await? {
                Ok(claimed) => return Ok(claimed),
                Err(Raced::KeyTaken) => key_is_taken = true,
                Err(Raced::Changed) => {}
            }
        }
        Ok(Claimed::NotNow)
    }

    async fn try_claim(
        &self,
        id: DeliveryId,
        purpose: ClaimPurpose,
        key_is_taken: bool,
    ) -> Result<Result<Claimed, Raced>, StoreError> {
        let Some(delivery) = self.context.store.delivery(id).await? else {
            return Ok(Ok(Claimed::NotNow));
        };
        match delivery.state {
            DeliveryState::Superseded => return Ok(Ok(Claimed::Ended(delivery.superseded_by))),
            DeliveryState::InFlight => return Ok(Ok(Claimed::NotNow)),
            state if state.has_ended() => return Ok(Ok(Claimed::Ended(None))),
            _ => {}
        }
        let directory = self.context.directory();
        let merchant = directory.get(&delivery.merchant);
        let Some(connection) = merchant
            .and_then(|merchant| merchant.connection(&delivery.connection))
            .cloned()
        else {
            tracing::warn!(delivery_id = %id, connection = delivery.connection, "a delivery's connection is not configured");
            self.put_off(delivery, UNTIL_RELEASED).await?;
            return Ok(Ok(Claimed::NotNow));
        };
        let known = self
            .context
            .store
            .customer(&delivery.merchant, delivery.customer)
            .await?;
        let found = known.and_then(|known| known.lane(&connection.name).cloned().map(|lane| (known, lane)));
        let Some((known, lane)) = found else {
            return self.end_without_customer(delivery).await.map(Ok);
        };
        if lane.in_flight.is_some() {
            return self.look_again_later(delivery).await.map(Ok);
        }
        if let Some(other) = lane.queued.filter(|queued| *queued != id) {
            return Ok(Ok(Claimed::Ended(Some(other))));
        }
        // As late as can be: another call may just have found that the vendor refuses the credentials.
        let pause = self
            .context
            .connections
            .pause_of(&delivery.merchant, &delivery.connection);
        if pause.is_some() && purpose == ClaimPurpose::Usual {
            self.put_off(delivery, UNTIL_RELEASED).await?;
            return Ok(Ok(Claimed::NotNow));
        }
        let mut claiming = Claiming::new(self.context.clock.now(), connection, delivery, lane, &known);
        claiming.plan(&known, key_is_taken);
        self.finish_claim(claiming).await
    }

    async fn finish_claim(&self, claiming: Claiming) -> Result<Result<Claimed, Raced>, StoreError> {
        let Claiming {
            connection,
            delivery,
            mut lane,
            mut changes,
            send,
            ..
        } = claiming;
        if send.is_none() {
            changes.write.extend(give_back_keys(&mut lane));
        }
        changes.write.push(Write::PutLane(lane.clone()));
        changes.write.push(Write::PutDelivery(delivery.clone()));
        let expect = changes.expect.clone();
        crash_point(points::CLAIM_BEFORE_COMMIT);
        let applied = self.outbox.apply(changes).await?;
        crash_point(points::CLAIM_AFTER_COMMIT);
        let unmet = match applied {
            Applied::Done => None,
            Applied::Unmet(index) => expect.get(index),
        };
        match unmet {
            Some(Expect::KeysFree { .. }) => return Ok(Err(Raced::KeyTaken)),
            Some(_) => return Ok(Err(Raced::Changed)),
            None => {}
        }
        if let Some((prepared, replaces_link)) = send {
            let work = Work {
                connection,
                delivery,
                lane,
                prepared,
                replaces_link,
                sole_of: None,
                open_siblings: None,
                owes_event: false,
            };
            return Ok(Ok(Claimed::Work(Box::new(work))));
        }
        crash_point(points::CLAIM_ENDED);
        observe(&delivery, delivery.traceparent.as_deref());
        Box::pin(self.settle(&delivery.merchant, delivery.upsert)).await;
        self.settle_those_before(&delivery);
        self.context.notifier.ring(delivery.customer);
        Ok(Ok(Claimed::Ended(lane.queued)))
    }

    /// There is nothing to bring any more.
    async fn end_without_customer(&self, mut delivery: DeliveryRecord) -> Result<Claimed, StoreError> {
        let expect = vec![Expect::Delivery {
            id: delivery.id,
            fence: delivery.fence,
        }];
        let error = refused("customer_gone", "the customer is gone");
        end_failed(&mut delivery, &error, self.context.clock.now());
        self.outbox
            .apply(Changeset {
                expect,
                write: vec![Write::PutDelivery(delivery)],
            })
            .await?;
        Ok(Claimed::Ended(None))
    }

    /// What is in flight will call it; should that never happen, it looks for itself.
    async fn look_again_later(&self, mut delivery: DeliveryRecord) -> Result<Claimed, StoreError> {
        let expect = vec![Expect::Delivery {
            id: delivery.id,
            fence: delivery.fence,
        }];
        delivery.next_attempt_at = self.context.clock.now().checked_add(PREDECESSOR_CHECK).ok();
        self.outbox
            .apply(Changeset {
                expect,
                write: vec![Write::PutDelivery(delivery)],
            })
            .await?;
        Ok(Claimed::NotNow)
    }
}

struct Claiming {
    connection: std::sync::Arc<Connection>,
    delivery: DeliveryRecord,
    lane: Lane,
    changes: Changeset,
    /// What is to be sent, and whether it leaves the present link behind.
    send: Option<(Box<PreparedUpsert>, bool)>,
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
        let expect = vec![
            Expect::Delivery {
                id: delivery.id,
                fence: delivery.fence,
            },
            Expect::Lane {
                customer: lane.customer,
                connection: lane.connection.clone(),
                revision: Some(lane.revision),
            },
            Expect::Customer {
                id: known.record.id,
                revision: Some(known.record.revision),
            },
        ];
        lane.revision += 1;
        lane.queued = None;
        delivery.fence += 1;
        delivery.version = known.record.version;
        if let Some(since) = delivery.parked_since.take() {
            delivery.parked_ms += u64::try_from(now.duration_since(since).as_millis()).unwrap_or_default();
        }
        let changes = Changeset {
            expect,
            write: Vec::new(),
        };
        Self {
            connection,
            delivery,
            lane,
            changes,
            send: None,
            now,
        }
    }

    /// What is sent, or how it ends without a call.
    fn plan(&mut self, known: &Known, key_is_taken: bool) {
        let Self {
            connection,
            delivery,
            lane,
            ..
        } = self;
        let plan = plan(
            connection,
            delivery.customer,
            &known.record.customer,
            Some(lane),
            delivery.force,
        );
        let plan = if key_is_taken {
            Err(PlanRefusal::Collision(Vec::new()))
        } else {
            plan
        };
        match plan {
            Ok(ConnectionPlan::Send { prepared, .. })
                // A replay has attempts of its own: whoever asked for it has decided about those before.
                if delivery.maybe_written && delivery.attempts > 0 && prepared.repeat == Repeat::Unsafe =>
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
                self.delivery.warnings = warnings;
                unchanged(&mut self.delivery, &mut self.lane, self.now);
            }
            Err(refusal @ PlanRefusal::Collision(_)) => self.fail(&refused("match_key_collision", refusal.detail())),
            Err(refusal) => self.fail(&refused("plan_refused", refusal.detail())),
        }
    }

    fn start(&mut self, prepared: Box<PreparedUpsert>, replaces_link: bool) {
        let delivery = &mut self.delivery;
        delivery.warnings.clone_from(&prepared.warnings);
        delivery.state = DeliveryState::InFlight;
        delivery.waiting_for = None;
        delivery.next_attempt_at = None;
        delivery.lease_until = Some(lease_until(&self.connection, self.now));
        self.lane.in_flight = Some(delivery.id);
        self.lane.sending = Some(sending(&prepared));
        self.changes
            .write
            .extend(attempt_writes(&self.connection, delivery, &prepared, self.now));
        self.reserve(&prepared);
        self.send = Some((prepared, replaces_link));
    }

    fn reserve(&mut self, prepared: &PreparedUpsert) {
        let new: Vec<_> = prepared
            .known_by
            .iter()
            .filter(|key| !self.lane.reserved.contains(key))
            .cloned()
            .collect();
        let contested = contested_keys(prepared, Some(&self.lane));
        if !contested.is_empty() && self.connection.on_collision == OnCollision::Refuse {
            self.changes.expect.push(Expect::KeysFree {
                merchant: self.lane.merchant.clone(),
                connection: self.lane.connection.clone(),
                keys: contested,
                customer: self.lane.customer,
            });
        }
        for key in new {
            self.lane.reserved.insert(key.clone());
            self.changes.write.push(Write::Reserve {
                merchant: self.lane.merchant.clone(),
                connection: self.lane.connection.clone(),
                key,
                customer: self.lane.customer,
            });
        }
    }

    fn fail(&mut self, error: &ProviderError) {
        end_failed(&mut self.delivery, error, self.now);
        mark_failed(&mut self.lane, self.delivery.version);
    }
}

fn end_failed(delivery: &mut DeliveryRecord, error: &ProviderError, now: Timestamp) {
    let last = delivery.error.take().filter(|last| last.vendor_status.is_some());
    delivery.error = Some(match last {
        Some(last) => with_last_words(last, error),
        None => delivery_error(error),
    });
    delivery.state = DeliveryState::Failed;
    delivery.waiting_for = None;
    delivery.next_attempt_at = None;
    delivery.lease_until = None;
    delivery.ended_at = Some(now);
}

/// A delivery that ends without another call says why, and what the vendor said last stays with it.
fn with_last_words(last: DeliveryError, error: &ProviderError) -> DeliveryError {
    DeliveryError {
        kind: error.kind,
        state_at_vendor: error.state,
        detail: format!("{}; before that: {}", error.detail, last.detail),
        code: error.code.clone().or(last.code),
        ..last
    }
}

/// A delivery that fails without a call.
fn refused(code: &str, detail: &str) -> ProviderError {
    ProviderError::new(
        ErrorKind::Rejected,
        StateAtVendor::Unchanged,
        RetryAdvice::Never,
        detail,
    )
    .with_code(code)
}

/// What is left until the delivery is too old to be sent. Time that it waited for a pause or a quota does not count.
pub(crate) fn time_left(connection: &Connection, delivery: &DeliveryRecord, now: Timestamp) -> Duration {
    let age = now.duration_since(delivery.created_at) - SignedDuration::from_millis(delivery.parked_ms.cast_signed());
    connection
        .max_age
        .saturating_sub(Duration::try_from(age).unwrap_or_default())
}

/// Nobody would expect it any more.
fn too_old(delivery: &DeliveryRecord) -> ProviderError {
    let state = if delivery.maybe_written {
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
