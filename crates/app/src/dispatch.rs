//! Bringing events to endpoints. Each endpoint has a pump of its own, as each connection has: one that is dead, or slow,
//! delays nobody else. At least once: what is not recorded as taken is sent again, with the same id.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use upsert_core::EventId;
use upsert_store::{Applied, Changeset, Disabled, Expect, OutgoingEvent, OutgoingState, StoreError, Write};
use upsert_webhook::sign;

use crate::announce::give_up;
use crate::gateway::Gateway;
use crate::pump::{Place, Reach};
use crate::webhooks::{Endpoint, SignedEvent};

/// Events under way to one endpoint.
const AT_ONCE: usize = 16;
/// Events that are read at once.
const PAGE: usize = 128;

/// So often it is looked what has come while others are under way.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How long after each try the next one is made, as Standard Webhooks recommends; after the last one it is given up.
const SCHEDULE: [SignedDuration; 9] = [
    SignedDuration::from_secs(5),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(2),
    SignedDuration::from_hours(5),
    SignedDuration::from_hours(10),
    SignedDuration::from_hours(14),
    SignedDuration::from_hours(20),
    SignedDuration::from_hours(24),
];
/// An event that has not got through by then is given up, however often it was tried: what the schedule comes to, and a
/// little more.
const TOO_OLD: SignedDuration = SignedDuration::from_hours(80);
/// The longest time that an endpoint may ask for.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);
/// It says that it wants no more events.
const GONE: u16 = 410;

/// What came of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tried {
    /// HTTP status; none: no answer came.
    pub(crate) status: Option<u16>,
    /// Why it was not taken; none: it was.
    pub(crate) error: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) took: Duration,
}

impl Gateway {
    /// Takes what is due to an endpoint as fast as it takes it.
    pub(crate) async fn dispatch_round(&self, merchant: &str, name: &str, reach: Reach) -> Result<(), StoreError> {
        if self.endpoint_now(merchant, name).is_none() {
            return self
                .give_up_all(merchant, name, "the endpoint is not configured any more")
                .await;
        }
        if self.endpoints.is_disabled(merchant, name) {
            return self.give_up_all(merchant, name, "the endpoint is disabled").await;
        }
        let mut round = Round {
            gateway: self,
            merchant,
            name,
            reach,
            after: None,
            page: Vec::new(),
            taken: HashSet::new(),
            going: FuturesUnordered::new(),
        };
        loop {
            round.fill().await?;
            let recorded = match tokio::time::timeout(LOOK_AGAIN, round.going.next()).await {
                Ok(Some(recorded)) => recorded,
                Ok(None) => return Ok(()),
                // What has come meanwhile need not wait for an event that takes its time.
                Err(_) => continue,
            };
            // A busy round may go on for ever, and so has to see what is due again; what could not be recorded is for
            // another round.
            if let Some(id) = recorded {
                round.taken.remove(&id);
            }
        }
    }

    /// The endpoint as it is configured now.
    fn endpoint_now(&self, merchant: &str, name: &str) -> Option<Arc<Endpoint>> {
        let directory = self.directory();
        let merchant = directory.get(merchant)?;
        merchant.endpoint(name).cloned()
    }

    /// One event, once. Its id where what came of it is durable.
    async fn dispatch(&self, endpoint: &Endpoint, event: OutgoingEvent) -> Option<EventId> {
        if self.endpoints.is_disabled(&event.merchant, &endpoint.name) {
            return None;
        }
        let id = event.id;
        let tried = self.try_endpoint(endpoint, id, &event.body).await;
        if let Err(error) = self.record_try(endpoint, event, &tried).await {
            tracing::error!(%error, endpoint = endpoint.name, "what became of an event could not be recorded; it will be sent again");
            return None;
        }
        Some(id)
    }

    /// Signs it for this moment and sends it.
    pub(crate) async fn try_endpoint(&self, endpoint: &Endpoint, id: EventId, body: &str) -> Tried {
        let (id, now, started) = (id.to_string(), self.clock.now(), Instant::now());
        let signature = sign(&endpoint.keys, &id, now, body.as_bytes());
        let event = SignedEvent {
            id: &id,
            timestamp: now.as_second(),
            signature: &signature,
            body,
        };
        let answer = endpoint.sender.send(event).await;
        let (status, retry_after) = match &answer {
            Ok(answer) => (Some(answer.status), answer.retry_after),
            Err(_) => (None, None),
        };
        let error = match answer {
            Ok(answer) if (200..300).contains(&answer.status) => None,
            Ok(answer) => Some(format!("the endpoint answered {}", answer.status)),
            Err(why) => Some(why),
        };
        Tried {
            status,
            error,
            retry_after,
            took: started.elapsed(),
        }
    }

    async fn record_try(&self, endpoint: &Endpoint, before: OutgoingEvent, tried: &Tried) -> Result<(), StoreError> {
        let now = self.clock.now();
        let (merchant, name) = (before.merchant.clone(), &endpoint.name);
        let event = after_try(before.clone(), tried, now);
        observe(&event, tried);
        match &tried.error {
            None if self.endpoints.succeeded(&merchant, name, now) => {
                self.pump_place(Place::Endpoint(merchant.clone(), name.clone()), Reach::All);
            }
            None => {}
            Some(why) => self.endpoints.failed(&merchant, name, why, now),
        }
        if tried.status == Some(GONE) {
            tracing::warn!(merchant, endpoint = name, "endpoint disabled: it answered 410");
            let disabled = Disabled {
                by: "endpoint".to_owned(),
                since: now,
            };
            self.set_disabled(&merchant, name, Some(disabled)).await?;
        }
        let changes = Changeset {
            expect: vec![Expect::OutgoingEvent {
                id: before.id,
                revision: before.revision,
            }],
            write: vec![Write::PutOutgoingEvent(event)],
        };
        // Somebody who changed it meanwhile (an operator gave it up) has the last word.
        self.apply(changes).await.map(drop)
    }

    /// Nothing will be sent there: what waits becomes dead letters, which can be replayed.
    async fn give_up_all(&self, merchant: &str, endpoint: &str, why: &str) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.store.waiting_for_endpoint(merchant, endpoint, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            tracing::warn!(merchant, endpoint, events = page.len(), why, "events given up");
            for mut event in page {
                let expect = vec![Expect::OutgoingEvent {
                    id: event.id,
                    revision: event.revision,
                }];
                event.revision += 1;
                give_up(&mut event, why, self.clock.now());
                let write = vec![Write::PutOutgoingEvent(event)];
                let _changed_meanwhile: Applied = self.apply(Changeset { expect, write }).await?;
            }
        }
    }
}

/// The event as the try leaves it. What was taken is not kept: it is personal data that nobody needs any more.
fn after_try(mut event: OutgoingEvent, tried: &Tried, now: Timestamp) -> OutgoingEvent {
    event.revision += 1;
    event.attempts += 1;
    event.last_attempt_at = Some(now);
    event.last_status = tried.status;
    event.last_error.clone_from(&tried.error);
    let Some(why) = &tried.error else {
        event.state = OutgoingState::Succeeded;
        event.next_attempt_at = None;
        event.ended_at = Some(now);
        event.body = String::new();
        return event;
    };
    let tries = usize::try_from(event.attempts).unwrap_or(usize::MAX);
    let wait = SCHEDULE.get(tries - 1).filter(|_| tried.status != Some(GONE));
    let age = now.duration_since(event.replayed_at.unwrap_or(event.created_at));
    match wait.filter(|_| age < TOO_OLD) {
        Some(wait) => {
            event.state = OutgoingState::Retrying;
            event.next_attempt_at = now.checked_add(spread(*wait, tried.retry_after, event.id)).ok();
        }
        None => give_up(&mut event, why, now),
    }
    event
}

/// Up to a tenth more, so that what failed together does not come back together; and what the endpoint asked for.
fn spread(wait: SignedDuration, asked: Option<Duration>, id: EventId) -> SignedDuration {
    let part = i64::try_from(id.as_uuid().as_u128() % 1_000).unwrap_or_default();
    let wait = wait + SignedDuration::from_micros(i64::try_from(wait.as_micros()).unwrap_or_default() / 10_000 * part);
    let asked = asked.and_then(|asked| SignedDuration::try_from(asked).ok());
    wait.max(asked.unwrap_or_default().min(LONGEST_WAIT))
}

fn observe(event: &OutgoingEvent, tried: &Tried) {
    let labels = [
        ("merchant", event.merchant.clone()),
        ("endpoint", event.endpoint.clone()),
        ("type", event.kind.clone()),
    ];
    let result = match event.state {
        OutgoingState::Retrying => "retrying",
        state => state.as_str(),
    };
    let with_result: Vec<(&'static str, String)> =
        labels.iter().cloned().chain([("result", result.to_owned())]).collect();
    metrics::counter!("upsert_gateway_events_out_total", &with_result).increment(1);
    metrics::histogram!("upsert_gateway_event_send_seconds", "endpoint" => event.endpoint.clone())
        .record(tried.took.as_secs_f64());
    tracing::info!(
        event = %event.id, merchant = event.merchant, endpoint = event.endpoint, kind = event.kind, state = result,
        attempts = event.attempts, status = event.last_status, "event sent"
    );
}

/// One time round of an endpoint's pump.
struct Round<'a> {
    gateway: &'a Gateway,
    merchant: &'a str,
    name: &'a str,
    reach: Reach,
    after: Option<EventId>,
    /// In the opposite order.
    page: Vec<OutgoingEvent>,
    /// Read in this round, and not recorded as tried.
    taken: HashSet<EventId>,
    going: FuturesUnordered<BoxFuture<'a, Option<EventId>>>,
}

impl Round<'_> {
    /// Starts as many as may be under way.
    async fn fill(&mut self) -> Result<(), StoreError> {
        let gateway = self.gateway;
        loop {
            let (now, name) = (gateway.clock.now(), self.name);
            let room = gateway.endpoints.room(self.merchant, name, AT_ONCE, now);
            let is_disabled = gateway.endpoints.is_disabled(self.merchant, name);
            if self.going.len() >= room || gateway.stopping.is_cancelled() || is_disabled {
                return Ok(());
            }
            // A busy round may go on through a change of the configuration.
            let Some(endpoint) = gateway.endpoint_now(self.merchant, name) else {
                return Ok(());
            };
            let Some(event) = self.next(now).await? else {
                return Ok(());
            };
            self.going
                .push(Box::pin(async move { gateway.dispatch(&endpoint, event).await }));
        }
    }

    async fn next(&mut self, now: Timestamp) -> Result<Option<OutgoingEvent>, StoreError> {
        if self.page.is_empty() {
            let (store, name) = (&self.gateway.store, self.name);
            let mut page = match self.reach {
                Reach::Due => {
                    // What was taken stays due until it is recorded.
                    let most = PAGE + self.going.len();
                    store.due_to(self.merchant, name, now, most).await?
                }
                Reach::Parked | Reach::All => {
                    let page = store
                        .waiting_for_endpoint(self.merchant, name, self.after, PAGE)
                        .await?;
                    if page.len() < PAGE {
                        // All that waited has been read: from now on what is due is enough.
                        self.reach = Reach::Due;
                    }
                    page
                }
            };
            self.after = page.last().map(|last| last.id).or(self.after);
            page.retain(|event| self.taken.insert(event.id));
            page.reverse();
            self.page = page;
        }
        Ok(self.page.pop())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(attempts: u32) -> OutgoingEvent {
        OutgoingEvent {
            id: EventId::from_uuid(uuid::Uuid::from_u128(7)),
            merchant: "acme".to_owned(),
            endpoint: "hooks".to_owned(),
            kind: "customer.upserted".to_owned(),
            revision: 1,
            state: OutgoingState::Pending,
            created_at: Timestamp::UNIX_EPOCH,
            attempts,
            next_attempt_at: Some(Timestamp::UNIX_EPOCH),
            last_attempt_at: None,
            last_status: None,
            last_error: None,
            ended_at: None,
            replayed_at: None,
            body: "{}".to_owned(),
        }
    }

    fn answered(status: u16, retry_after: Option<Duration>) -> Tried {
        Tried {
            status: Some(status),
            error: (status >= 300).then(|| format!("the endpoint answered {status}")),
            retry_after,
            took: Duration::ZERO,
        }
    }

    #[test]
    fn an_event_is_tried_ten_times_over_three_days_and_then_given_up() {
        let mut now = Timestamp::UNIX_EPOCH;
        let mut waiting = event(0);
        let mut waits = Vec::new();
        while waiting.state.is_open() {
            waiting = after_try(waiting, &answered(503, None), now);
            if let Some(next) = waiting.next_attempt_at {
                waits.push(next.duration_since(now).as_secs());
                now = next;
            }
        }
        let usual = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
        assert_eq!(waits.len(), usual.len());
        for (wait, usual) in waits.into_iter().zip(usual) {
            assert!((usual..=usual + usual / 10).contains(&wait), "{wait} s for {usual}");
        }
        assert_eq!((waiting.attempts, waiting.state), (10, OutgoingState::Failed));
        assert_eq!(waiting.last_error.as_deref(), Some("the endpoint answered 503"));
        assert_eq!(waiting.body, "{}", "a dead letter can be replayed");
    }

    #[test]
    fn a_redirect_fails_and_what_was_taken_is_not_kept() {
        let redirected = after_try(event(0), &answered(302, None), Timestamp::UNIX_EPOCH);
        assert_eq!(redirected.state, OutgoingState::Retrying);
        let taken = after_try(event(3), &answered(204, None), Timestamp::UNIX_EPOCH);
        assert_eq!((taken.state, taken.body.as_str()), (OutgoingState::Succeeded, ""));
    }

    #[test]
    fn an_endpoint_may_ask_for_more_time_but_not_for_ever() {
        let now = Timestamp::UNIX_EPOCH;
        let after = |asked| {
            let event = after_try(event(0), &answered(429, Some(asked)), now);
            event.next_attempt_at.map(|at| at.duration_since(now).as_secs())
        };
        assert_eq!(after(Duration::from_secs(600)), Some(600));
        assert_eq!(after(Duration::from_secs(1)), Some(5));
        assert_eq!(after(Duration::from_hours(900)), Some(86_400));
    }

    #[test]
    fn gone_is_not_tried_again() {
        let gone = after_try(event(0), &answered(410, None), Timestamp::UNIX_EPOCH);
        assert_eq!((gone.state, gone.attempts), (OutgoingState::Failed, 1));
    }
}
