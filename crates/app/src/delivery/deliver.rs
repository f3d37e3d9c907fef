//! Step 9: to all connections at once, each on a tracked task, so that a client that hangs up strands nothing. The
//! synchronous answer, the background pass and the retry all run the same code.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio::time::Instant;

use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{
    CallContext, DeliveryId, ErrorKind, Exchange, Held, InLine, Priority, ProviderError, WaitingFor,
    traceparent_of_attempt,
};
use upsert_store::{DeliveryRecord, DeliveryState, PausedBy, StoreError};

use crate::delivery::Deliveries;
use crate::delivery::attempt_span::AttemptSpan;
use crate::delivery::claim::{ClaimPurpose, Claimed, time_left};
use crate::delivery::log::observe;
use crate::delivery::record::{AttemptEnd, AttemptTimes, Recorded, ends_its_upsert, judge};
use crate::delivery::work::{Committed, LEASE_MARGIN, Work};
use crate::directory::merchant::{Connection, NextStep};
use crate::runtime::connections::UNTIL_RELEASED;
use crate::runtime::tracing::trace_id;
use crate::runtime::wakeups::Reach;

/// A delivery that somebody may wait for and that is due again within this is kept on its task; anything else is left to
/// its connection's worker.
const KEPT_ON_TASK: SignedDuration = SignedDuration::from_secs(10);

/// How long a call may wait for its turn and a place among the connection's calls; then it still has its whole time-out.
/// Less than what a lease has over it.
const WAIT_FOR_A_PLACE: Duration = Duration::from_secs(8);

/// What is left of a lease when its call has to be over: to record the result, with clocks that differ.
const TO_RECORD: SignedDuration = SignedDuration::from_secs(12);

/// How often, and how long apart, a result is handed to a store that cannot take it: for most of what a lease has over
/// the attempt.
const RECORD_TRIES: u32 = 14;
const RECORD_EVERY: Duration = Duration::from_millis(500);

/// When what waits is looked at again where neither vendor nor connection named a time.
const LOOK_AGAIN: Duration = Duration::from_hours(1);

/// News of the deliveries of one upsert.
pub(crate) type Progress = mpsc::UnboundedReceiver<DeliveryRecord>;

pub(crate) type News = Option<mpsc::UnboundedSender<DeliveryRecord>>;

/// What came of one attempt.
pub(crate) struct SentOnce {
    pub(crate) end: AttemptEnd,
    pub(crate) took_ms: u64,
    pub(crate) recorded: Recorded,
}

impl Deliveries {
    /// Starts what the commit said is to be sent now.
    pub(crate) fn start_deliveries(&self, committed: &mut Committed) -> Progress {
        let (news, progress) = mpsc::unbounded_channel();
        let has_failed = committed.deliveries.iter().any(|d| d.state() == DeliveryState::Failed);
        if committed.works.is_empty() && (has_failed || committed.upsert.owes_event()) {
            let (wing, upsert) = (self.clone(), committed.upsert.clone());
            self.context
                .spawn(async move { wing.settle(&upsert.merchant, upsert.id).await });
        }
        for connection in &committed.to_wake {
            self.context
                .wake_connection(&committed.upsert.merchant, connection, Reach::Due);
        }
        for work in std::mem::take(&mut committed.works) {
            let (wing, news) = (self.clone(), news.clone());
            // Boxed: a task is moved several times before it runs, and what it is made of is large.
            let drive = async move { Box::pin(wing.drive(work, Some(news))).await };
            self.context.spawn(drive);
        }
        progress
    }

    /// Sends one delivery until it has ended or has to wait for long, then whatever waits behind it.
    pub(crate) async fn drive(&self, work: Work, news: News) {
        let mut next = Some(work);
        while let Some(work) = next.take() {
            let (merchant, id, fence) = (work.delivery.merchant.clone(), work.delivery.id, work.delivery.fence());
            match self.drive_once(work, &news).await {
                Ok(following) => next = following,
                Err(error) => {
                    tracing::error!(%error, delivery_id = %id, "a delivery's result could not be recorded");
                    // Nobody knows it any more: as good as a call of a process that died.
                    self.context.in_flight.lost(&merchant, id, fence);
                }
            }
        }
    }

    async fn drive_once(&self, work: Work, news: &News) -> Result<Option<Work>, StoreError> {
        let Some((delivery, queued)) = self.send_once(&work, news).await?.recorded else {
            // Somebody else has claimed it since: this result came too late.
            return Ok(None);
        };
        crash_point(points::LANE_BEFORE_NEXT);
        let longest_wait = news.as_ref().map_or(SignedDuration::ZERO, |_| KEPT_ON_TASK);
        Box::pin(self.following(&delivery, queued, longest_wait)).await
    }

    /// One attempt, and the recording of what came of it.
    pub(crate) async fn send_once(&self, work: &Work, news: &News) -> Result<SentOnce, StoreError> {
        let (started, started_at) = (Instant::now(), self.context.clock.now());
        let lease = work.connection.timeout + LEASE_MARGIN.unsigned_abs();
        let _own = self.context.in_flight.enter(work.delivery.id, started + lease);
        crash_point(points::DELIVER_BEFORE_SEND);
        let span = AttemptSpan::begin(self.context.spans.as_deref(), work, started_at);
        let context = context(work, &span, self.latest_end(work));
        let call = work.connection.adapter.upsert(&context, &work.prepared);
        let end = match self.unless_cut_short(&context, call).await {
            Some(Ok(receipt)) => AttemptEnd::Accepted(Arc::new(receipt)),
            Some(Err(error)) => self.next_step(work, error).await?,
            None => self.after_a_cut(work, &context).await?,
        };
        crash_point(end.crash_point());
        let end = judge(work, end);
        span.end(&end, &context.exchange);
        let times = AttemptTimes {
            started_at,
            took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        let recorded = self.record_at_last(work, end.clone(), times).await?;
        let sent = SentOnce {
            end,
            took_ms: times.took_ms,
            recorded,
        };
        let Some((delivery, _)) = &sent.recorded else {
            return Ok(sent);
        };
        if work.delivery.attempts() == 0 && delivery.attempts() == 1 {
            self.context.counters.first_tried(&work.delivery, started_at);
        }
        observe(delivery, context.traceparent.as_deref());
        self.after_record(work, delivery, news).await?;
        Ok(sent)
    }

    /// When the call has to be over at the latest. In a store that others work with too its lease may be nearly over by now,
    /// because the process was stopped for a while, or the store was slow.
    fn latest_end(&self, work: &Work) -> Instant {
        let longest = work.connection.timeout + WAIT_FOR_A_PLACE;
        let lease = work.delivery.lease_until().filter(|_| self.context.store.is_shared());
        let left = lease.map(|until| until.duration_since(self.context.clock.now()) - TO_RECORD);
        let left = left.map_or(longest, |left| {
            Duration::try_from(left).unwrap_or_default().min(longest)
        });
        Instant::now() + left
    }

    /// Records it, however often it takes while the store is in trouble: the result is known here and nowhere else.
    async fn record_at_last(&self, work: &Work, end: AttemptEnd, times: AttemptTimes) -> Result<Recorded, StoreError> {
        for _trouble in 1..RECORD_TRIES {
            match self.record(work, end.clone(), times).await {
                Err(error) => {
                    tracing::warn!(%error, delivery_id = %work.delivery.id, "a result could not be recorded yet");
                }
                recorded => return recorded,
            }
            tokio::time::sleep(RECORD_EVERY).await;
        }
        self.record(work, end, times).await
    }

    async fn after_record(&self, work: &Work, delivery: &DeliveryRecord, news: &News) -> Result<(), StoreError> {
        let (merchant, connection, connections) = (&delivery.merchant, &delivery.connection, &self.context.connections);
        let siblings = work.open_siblings.as_ref();
        let is_last = siblings.is_none_or(|open| open.fetch_sub(1, Ordering::AcqRel) == 1);
        // An event may be owed once the required ones have ended, whatever the others do.
        let may_end = delivery.state().has_ended() || work.owes_event;
        if may_end && is_last && !ends_its_upsert(work, delivery) {
            Box::pin(self.settle(merchant, delivery.upsert())).await;
        }
        self.settle_those_before(delivery);
        if delivery.attempts() > work.delivery.attempts() {
            self.context.troubles.called(delivery, self.context.clock.now());
        }
        match delivery.state() {
            DeliveryState::Succeeded => {
                let pause = connections.pause_of(merchant, connection);
                let was_paused = pause.is_some_and(|pause| pause.by == PausedBy::Vendor);
                if was_paused {
                    self.set_pause(merchant, connection, None, &[]).await?;
                }
                if connections.succeeded(merchant, connection) || was_paused {
                    self.release(merchant, connection);
                }
            }
            DeliveryState::Retrying => connections.failed(merchant, connection),
            DeliveryState::Waiting => connections.held_back(merchant, connection, delivery.waiting_for()),
            _ => {}
        }
        if let Some(news) = news {
            // Nobody may be listening any more: the client has its 202, or hung up.
            let _ = news.send(delivery.clone());
        }
        if work.is_its_requests() {
            // Whoever waits for it does so here.
            self.context.notifier.ring(delivery.customer);
        } else {
            self.context.ring_everywhere(delivery.customer);
        }
        Ok(())
    }

    /// What goes on in this lane: the same delivery after a short wait, or the one that waited behind it.
    pub(crate) async fn following(
        &self,
        delivery: &DeliveryRecord,
        queued: Option<DeliveryId>,
        longest_wait: SignedDuration,
    ) -> Result<Option<Work>, StoreError> {
        let mut next = match queued {
            Some(id) if delivery.state().has_ended() && id != delivery.id => {
                self.context.store.delivery(&delivery.merchant, id).await?
            }
            Some(_) => Some(delivery.clone()),
            None => return Ok(None),
        };
        loop {
            let Some(waiting) = next.take() else { return Ok(None) };
            if let Some(successor) = waiting.superseded_by() {
                next = self.context.store.delivery(&waiting.merchant, successor).await?;
                continue;
            }
            let wait = wait_for(&waiting, self.context.clock.now());
            if wait > longest_wait {
                return Ok(None);
            }
            let is_stopping = tokio::select! {
                // First, though there be nothing to wait for: a lane in which much waits would keep the process from ending.
                biased;
                () = self.context.stopping.cancelled() => true,
                () = tokio::time::sleep(Duration::try_from(wait).unwrap_or(Duration::ZERO)) => false,
            };
            if is_stopping {
                next = self.leave_to_others(waiting).await?;
                continue;
            }
            let connections = &self.context.connections;
            if connections.is_paused(&waiting.merchant, &waiting.connection) {
                let customer = waiting.customer;
                self.put_off(waiting, UNTIL_RELEASED).await?;
                self.context.ring_everywhere(customer);
                return Ok(None);
            }
            match self.claim(&delivery.merchant, waiting.id, ClaimPurpose::Usual).await? {
                Claimed::Work(work) => {
                    crash_point(points::LANE_AFTER_CLAIM);
                    return Ok(Some(*work));
                }
                Claimed::Ended(Some(id)) => next = self.context.store.delivery(&delivery.merchant, id).await?,
                Claimed::Ended(None) | Claimed::NotNow => return Ok(None),
            }
        }
    }

    /// What the failed attempt leads to.
    pub(crate) async fn next_step(&self, work: &Work, error: ProviderError) -> Result<AttemptEnd, StoreError> {
        let now = self.context.clock.now();
        let delivery = &work.delivery;
        let attempts = delivery.attempts() + u32::from(error.sent);
        let time_left = time_left(&work.connection, delivery, now);
        if error.kind == ErrorKind::Unauthorised {
            let reason = error.to_string();
            let is_paused = self
                .pause_by_vendor(&delivery.merchant, &work.connection, reason)
                .await?;
            // Otherwise the connection was configured anew while the call was out: it is taken anew at once.
            let (waiting_for, until) = if is_paused {
                (WaitingFor::Paused, None)
            } else {
                (WaitingFor::RateLimit, Some(now))
            };
            return Ok(AttemptEnd::Held(Arc::new(error), waiting_for, until));
        }
        let after = |wait: Duration| SignedDuration::try_from(wait).unwrap_or_default();
        let at = |wait| now.checked_add(after(wait)).unwrap_or(now);
        let (rule, repeat) = (&work.connection.retry, work.prepared.repeat);
        Ok(match rule.next(&error, attempts, repeat, time_left) {
            NextStep::Fail => AttemptEnd::Failed(Arc::new(error)),
            NextStep::Again(after) => AttemptEnd::Again(Arc::new(error), at(after)),
            NextStep::Hold(held) => {
                let until = opens_in(&work.connection, work.delivery.priority, held).map(at);
                AttemptEnd::Held(Arc::new(error), held.waiting_for, until)
            }
        })
    }
}

/// How long it is until one that waits in a lane may be taken, where nothing of the lane is in flight any more.
fn wait_for(waiting: &DeliveryRecord, now: Timestamp) -> SignedDuration {
    // What it waited behind has ended just now.
    if waiting.waiting_for() == Some(WaitingFor::Predecessor) {
        return SignedDuration::ZERO;
    }
    waiting.next_attempt_at().unwrap_or(Timestamp::MAX).duration_since(now)
}

/// How long a call that was held back waits at least. Of a spent quota the vendor may have named a time that is over before
/// the day is: then the later one holds, which the connection knows. A pause ends when somebody ends it; for anything else
/// there is a time to look again.
pub(crate) fn opens_in(connection: &Connection, priority: Priority, held: Held) -> Option<Duration> {
    let own = || connection.status.room(priority).err().and_then(|own| own.for_at_least);
    let named = match held.waiting_for {
        WaitingFor::Quota => held.for_at_least.max(own()),
        _ => held.for_at_least.or_else(own),
    };
    named.or((held.waiting_for != WaitingFor::Paused).then_some(LOOK_AGAIN))
}

fn context(work: &Work, span: &AttemptSpan, deadline: Instant) -> CallContext {
    let delivery = &work.delivery;
    let attempt = delivery.attempts() + 1;
    // Without spans too a vendor is told of each attempt apart: its log names the call, and the retry.
    let unrecorded = || traceparent_of_attempt(delivery.traceparent.as_deref(), delivery.id, attempt);
    let traceparent = span.traceparent().map_or_else(unrecorded, str::to_owned);
    // What others say of the request's trace is not said of another one.
    let is_in_requests = trace_id(&traceparent) == delivery.traceparent.as_deref().and_then(trace_id);
    CallContext {
        deadline,
        attempt,
        delivery_id: Some(delivery.id),
        traceparent: Some(traceparent),
        tracestate: delivery.tracestate.clone().filter(|_| is_in_requests),
        // Somebody waits for it.
        priority: if work.is_trial {
            Priority::Interactive
        } else {
            delivery.priority
        },
        is_counted: work.connection.counts_calls,
        is_trial: work.is_trial,
        in_line: InLine::default(),
        exchange: Exchange::default(),
    }
}
