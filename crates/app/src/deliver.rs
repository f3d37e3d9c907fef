//! Step 9: to all connections at once, each on a tracked task, so that a client that hangs up strands nothing. The
//! synchronous answer, the background pass and the retry all run the same code.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;
use tokio::time::Instant;

use upsert_core::{
    CallContext, DeliveryId, ErrorKind, PreparedUpsert, ProviderError, Repeat, RetryAdvice, StateAtVendor, WaitingFor,
};
use upsert_store::{Applied, Changeset, DeliveryRecord, DeliveryState, Expect, Lane, StoreError, Write};

use crate::commit::{Committed, PROBE_EVERY, Work, attempt_writes, unchanged};
use crate::gateway::Gateway;
use crate::merchant::{Connection, NextStep, OnCollision};
use crate::plan::{ConnectionPlan, plan};
use crate::record::{AttemptEnd, AttemptTimes, delivery_error, ends_its_upsert};

/// A delivery that is due again within this is kept on its task; longer waits are left to the background pass.
const KEPT_ON_TASK: SignedDuration = SignedDuration::from_secs(10);

/// How long a call may wait for a place among the connection's calls; then it still has its whole time-out. Less than
/// what a lease has over it.
const WAIT_FOR_A_PLACE: Duration = Duration::from_secs(5);

/// How often a delivery that waits behind another one looks for itself, should nobody call it.
pub(crate) const PREDECESSOR_CHECK: SignedDuration = SignedDuration::from_secs(60);

/// News of the deliveries of one upsert.
pub(crate) type Progress = mpsc::UnboundedReceiver<DeliveryRecord>;

type News = Option<mpsc::UnboundedSender<DeliveryRecord>>;

impl Gateway {
    /// Starts what the commit said is to be sent now.
    pub(crate) fn start_deliveries(&self, committed: &Committed) -> Progress {
        let (news, progress) = mpsc::unbounded_channel();
        if committed.works.is_empty() && committed.deliveries.iter().any(|d| d.state == DeliveryState::Failed) {
            let (gateway, upsert) = (self.clone(), committed.upsert.clone());
            self.spawn(async move { gateway.settle(&upsert.merchant, upsert.id).await });
        }
        for work in &committed.works {
            let (gateway, work, news) = (self.clone(), work.clone(), news.clone());
            self.spawn(async move { gateway.drive(work, Some(news)).await });
        }
        progress
    }

    /// Sends one delivery until it has ended or has to wait for long, then whatever waits behind it.
    pub(crate) async fn drive(&self, work: Work, news: News) {
        let mut next = Some(work);
        while let Some(work) = next.take() {
            match self.drive_once(work, &news).await {
                Ok(following) => next = following,
                Err(error) => tracing::error!(%error, "a delivery's result could not be recorded"),
            }
        }
    }

    async fn drive_once(&self, work: Work, news: &News) -> Result<Option<Work>, StoreError> {
        let times = |started: Instant, at: Timestamp| AttemptTimes {
            started_at: at,
            took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        let (started, started_at) = (Instant::now(), self.clock.now());
        let result = work.connection.adapter.upsert(&context(&work), &work.prepared).await;
        let end = match result {
            Ok(receipt) => AttemptEnd::Accepted(Box::new(receipt)),
            Err(error) => self.next_step(&work, error).await?,
        };
        let Some((delivery, lane)) = self.record(&work, end, times(started, started_at)).await? else {
            // Somebody else has claimed it since: this result came too late.
            return Ok(None);
        };
        observe(&delivery);
        self.after_record(&work, &delivery, news).await?;
        self.following(&delivery, &lane).await
    }

    async fn after_record(&self, work: &Work, delivery: &DeliveryRecord, news: &News) -> Result<(), StoreError> {
        let (merchant, connection) = (&delivery.merchant, &delivery.connection);
        let is_last = work
            .open_siblings
            .as_ref()
            .is_none_or(|open| open.fetch_sub(1, Ordering::AcqRel) == 1);
        if delivery.state.has_ended() && is_last && !ends_its_upsert(work, delivery) {
            self.settle(merchant, delivery.upsert).await;
        }
        match delivery.state {
            DeliveryState::Succeeded => {
                if self
                    .connections
                    .pause_of(merchant, connection)
                    .is_some_and(|pause| pause.by == "vendor")
                {
                    self.set_pause(merchant, connection, None).await?;
                    self.connections.mark_troubled(merchant, connection);
                }
                if self.connections.take_troubled(merchant, connection) {
                    self.release(merchant, connection);
                }
            }
            DeliveryState::Retrying | DeliveryState::Waiting => {
                self.connections.mark_troubled(merchant, connection);
            }
            _ => {}
        }
        if let Some(news) = news {
            // Nobody may be listening any more: the client has its 202, or hung up.
            let _ = news.send(delivery.clone());
        }
        self.bell(delivery.customer).notify_waiters();
        Ok(())
    }

    /// What goes on in this lane: the same delivery after a short wait, or the one that waited behind it.
    async fn following(&self, delivery: &DeliveryRecord, lane: &Lane) -> Result<Option<Work>, StoreError> {
        let mut next = match lane.queued {
            Some(id) if delivery.state.has_ended() && id != delivery.id => self.store.delivery(id).await?,
            Some(_) => Some(delivery.clone()),
            None => return Ok(None),
        };
        loop {
            let Some(waiting) = next.take() else { return Ok(None) };
            // What it waited behind has ended just now.
            let is_next = waiting.waiting_for == Some(WaitingFor::Predecessor);
            let due = if is_next {
                self.clock.now()
            } else {
                waiting.next_attempt_at.unwrap_or(Timestamp::MAX)
            };
            let wait = due.duration_since(self.clock.now());
            if wait > KEPT_ON_TASK {
                return Ok(None);
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::try_from(wait).unwrap_or(Duration::ZERO)) => {}
                () = self.stopping.cancelled() => return Ok(None),
            }
            match self.claim(waiting.id).await? {
                Claimed::Work(work) => return Ok(Some(*work)),
                Claimed::Ended(Some(id)) => next = self.store.delivery(id).await?,
                Claimed::Ended(None) | Claimed::NotNow => return Ok(None),
            }
        }
    }

    /// What the failed attempt leads to.
    async fn next_step(&self, work: &Work, error: ProviderError) -> Result<AttemptEnd, StoreError> {
        let now = self.clock.now();
        let delivery = &work.delivery;
        let attempts = delivery.attempts + u32::from(error.sent);
        let age =
            now.duration_since(delivery.created_at) - SignedDuration::from_millis(delivery.parked_ms.cast_signed());
        let time_left = work
            .connection
            .max_age
            .saturating_sub(Duration::try_from(age).unwrap_or_default());
        let step = work
            .connection
            .retry
            .next(&error, attempts, work.prepared.repeat, time_left);
        if error.kind == ErrorKind::Unauthorised {
            let reason = error.to_string();
            self.pause_by_vendor(&delivery.merchant, &work.connection, reason)
                .await?;
            let probe_at = now.checked_add(PROBE_EVERY).ok();
            return Ok(AttemptEnd::Held(Box::new(error), WaitingFor::Paused, probe_at));
        }
        let at = |after: Duration| {
            now.checked_add(SignedDuration::try_from(after).unwrap_or_default())
                .unwrap_or(now)
        };
        Ok(match step {
            NextStep::Fail => AttemptEnd::Failed(Box::new(error)),
            NextStep::Again(after) => AttemptEnd::Again(Box::new(error), at(after)),
            NextStep::Hold(held) => {
                let until = held
                    .for_at_least
                    .map_or_else(|| now.checked_add(PROBE_EVERY).ok(), |wait| Some(at(wait)));
                AttemptEnd::Held(Box::new(error), held.waiting_for, until)
            }
        })
    }

    /// Takes a delivery that waits, plans it on what is there now, and makes its next attempt durable.
    pub(crate) async fn claim(&self, id: DeliveryId) -> Result<Claimed, StoreError> {
        let Some(mut delivery) = self.store.delivery(id).await? else {
            return Ok(Claimed::NotNow);
        };
        if delivery.state.has_ended() || delivery.state == DeliveryState::InFlight {
            return Ok(Claimed::NotNow);
        }
        let directory = self.directory();
        let connection = directory
            .get(&delivery.merchant)
            .and_then(|m| m.connection(&delivery.connection))
            .cloned();
        let known = self.store.customer(&delivery.merchant, delivery.customer).await?;
        let Some(connection) = connection else {
            return self.put_off_unconfigured(delivery).await;
        };
        let Some((known, lane)) =
            known.and_then(|known| known.lane(&connection.name).cloned().map(|lane| (known, lane)))
        else {
            return self.end_without_customer(delivery).await;
        };
        if lane.in_flight.is_some() {
            return self.look_again_later(delivery).await;
        }
        if lane.queued.is_some_and(|queued| queued != id) {
            return Ok(Claimed::NotNow);
        }
        let now = self.clock.now();
        let mut claiming = Claiming {
            lane: lane.clone(),
            changes: Changeset::default(),
        };
        claiming.expect_unchanged(&delivery);
        claiming.lane.revision += 1;
        claiming.lane.queued = None;
        delivery.fence += 1;
        delivery.version = known.record.version;
        if let Some(since) = delivery.parked_since.take() {
            let parked = u64::try_from(now.duration_since(since).as_millis()).unwrap_or_default();
            delivery.parked_ms += parked;
        }
        let plan = plan(
            &connection,
            delivery.customer,
            &known.record.customer,
            Some(&lane),
            delivery.force,
        );
        let work = match plan {
            Ok(ConnectionPlan::Send { prepared, .. })
                if delivery.maybe_written && prepared.repeat == Repeat::Unsafe =>
            {
                fail(&mut delivery, &mut claiming.lane, &unsafe_to_repeat(), now);
                None
            }
            Ok(ConnectionPlan::Send {
                prepared,
                replaces_link,
            }) => {
                delivery.warnings.clone_from(&prepared.warnings);
                self.start_again(&connection, &mut delivery, &mut claiming, &prepared, now);
                Some((prepared, replaces_link))
            }
            Ok(ConnectionPlan::Unchanged { warnings }) => {
                delivery.warnings = warnings;
                unchanged(&mut delivery, &mut claiming.lane, now);
                None
            }
            Err(refusal) => {
                let mut error = ProviderError::new(
                    ErrorKind::Rejected,
                    StateAtVendor::Unchanged,
                    RetryAdvice::Never,
                    refusal.detail(),
                );
                error.code = Some("plan_refused".to_owned());
                fail(&mut delivery, &mut claiming.lane, &error, now);
                None
            }
        };
        let Claiming { lane, mut changes } = claiming;
        changes.write.push(Write::PutLane(lane.clone()));
        changes.write.push(Write::PutDelivery(delivery.clone()));
        if self.store.apply(changes).await? != Applied::Done {
            return Ok(Claimed::NotNow);
        }
        Ok(match work {
            Some((prepared, replaces_link)) => Claimed::Work(Box::new(Work {
                connection,
                delivery,
                lane,
                prepared,
                replaces_link,
                sole_of: None,
                open_siblings: None,
            })),
            None => {
                observe(&delivery);
                self.settle(&delivery.merchant, delivery.upsert).await;
                self.bell(delivery.customer).notify_waiters();
                Claimed::Ended(lane.queued)
            }
        })
    }

    fn start_again(
        &self,
        connection: &Connection,
        delivery: &mut DeliveryRecord,
        claiming: &mut Claiming,
        prepared: &PreparedUpsert,
        now: Timestamp,
    ) {
        delivery.state = DeliveryState::InFlight;
        delivery.waiting_for = None;
        delivery.next_attempt_at = None;
        delivery.lease_until = Some(self.lease(connection));
        claiming.lane.in_flight = Some(delivery.id);
        claiming.reserve(connection, prepared);
        claiming.changes.write.extend(attempt_writes(connection, delivery, now));
    }

    /// Its connection is not configured any more: it waits until it is again, or until somebody discards it.
    async fn put_off_unconfigured(&self, delivery: DeliveryRecord) -> Result<Claimed, StoreError> {
        tracing::warn!(delivery_id = %delivery.id, connection = delivery.connection, "a delivery's connection is gone");
        self.put_off(delivery).await?;
        Ok(Claimed::NotNow)
    }

    /// There is nothing to bring any more.
    async fn end_without_customer(&self, mut delivery: DeliveryRecord) -> Result<Claimed, StoreError> {
        let expect = vec![Expect::Delivery {
            id: delivery.id,
            fence: delivery.fence,
        }];
        let detail = "the customer is gone";
        let mut error = ProviderError::new(
            ErrorKind::Rejected,
            StateAtVendor::Unchanged,
            RetryAdvice::Never,
            detail,
        );
        error.code = Some("customer_gone".to_owned());
        let now = self.clock.now();
        delivery.error = Some(delivery_error(&error));
        end_failed(&mut delivery, now);
        self.store
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
        delivery.next_attempt_at = self.clock.now().checked_add(PREDECESSOR_CHECK).ok();
        self.store
            .apply(Changeset {
                expect,
                write: vec![Write::PutDelivery(delivery)],
            })
            .await?;
        Ok(Claimed::NotNow)
    }
}

/// What came of a claim.
pub(crate) enum Claimed {
    /// It is to be sent: its attempt is durable.
    Work(Box<Work>),
    /// It ended without a call; what waits behind it.
    Ended(Option<DeliveryId>),
    /// Somebody else has it, or it cannot be sent now.
    NotNow,
}

struct Claiming {
    lane: Lane,
    changes: Changeset,
}

impl Claiming {
    fn expect_unchanged(&mut self, delivery: &DeliveryRecord) {
        self.changes.expect.push(Expect::Delivery {
            id: delivery.id,
            fence: delivery.fence,
        });
        self.changes.expect.push(Expect::Lane {
            customer: self.lane.customer,
            connection: self.lane.connection.clone(),
            revision: Some(self.lane.revision),
        });
    }

    fn reserve(&mut self, connection: &Connection, prepared: &PreparedUpsert) {
        let new: Vec<_> = prepared
            .known_by
            .iter()
            .filter(|key| !self.lane.reserved.contains(key))
            .cloned()
            .collect();
        if new.is_empty() {
            return;
        }
        if connection.on_collision == OnCollision::Refuse {
            let contested = new
                .iter()
                .filter(|key| prepared.matches_by.contains(key))
                .cloned()
                .collect();
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
}

fn context(work: &Work) -> CallContext {
    CallContext {
        deadline: Instant::now() + work.connection.timeout + WAIT_FOR_A_PLACE,
        attempt: work.delivery.attempts + 1,
        delivery_id: Some(work.delivery.id),
        traceparent: work.delivery.traceparent.clone(),
        priority: work.delivery.priority,
    }
}

fn fail(delivery: &mut DeliveryRecord, lane: &mut Lane, error: &ProviderError, now: Timestamp) {
    delivery.error = Some(delivery_error(error));
    end_failed(delivery, now);
    lane.failed = true;
}

fn end_failed(delivery: &mut DeliveryRecord, now: Timestamp) {
    delivery.state = DeliveryState::Failed;
    delivery.waiting_for = None;
    delivery.next_attempt_at = None;
    delivery.lease_until = None;
    delivery.ended_at = Some(now);
}

/// A call of unknown outcome that this vendor would not match again.
fn unsafe_to_repeat() -> ProviderError {
    let detail = "whether the vendor wrote is not known, and sending again might make a second record";
    let mut error = ProviderError::new(ErrorKind::Transient, StateAtVendor::Unknown, RetryAdvice::Never, detail);
    error.code = Some("outcome_unknown".to_owned());
    error
}

/// Counts and logs a delivery that has ended or was parked. Ids and names only.
fn observe(delivery: &DeliveryRecord) {
    let outcome = match (delivery.outcome, &delivery.error) {
        (Some(outcome), _) => outcome.as_str(),
        (None, Some(error)) => error.kind.as_str(),
        (None, None) => "none",
    };
    if delivery.state.has_ended() {
        metrics::counter!("upsert_gateway_deliveries_total",
            "merchant" => delivery.merchant.clone(), "connection" => delivery.connection.clone(),
            "state" => delivery.state.as_str(), "outcome" => outcome)
        .increment(1);
    }
    tracing::info!(
        delivery_id = %delivery.id, upsert_id = %delivery.upsert, merchant = delivery.merchant,
        connection = delivery.connection, state = delivery.state.as_str(), outcome,
        waiting_for = delivery.waiting_for.map(WaitingFor::as_str), attempts = delivery.attempts,
        duration_ms = delivery.duration_ms, "delivery"
    );
}
