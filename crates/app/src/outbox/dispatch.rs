//! Bringing events to endpoints. Each endpoint has a worker of its own, as each connection has: one that is dead, or slow,
//! delays nobody else. At least once: what is not recorded as taken is sent again, with the same id.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::time::{Instant, timeout};

use upsert_core::{EventId, Word as _};
use upsert_store::{Applied, Changeset, Disabled, Expect, OutgoingEvent, OutgoingState, StoreError, Write};
use upsert_webhook::sign;

use crate::directory::webhooks::{Endpoint, SignedEvent};
use crate::outbox::Outbox;
use crate::outbox::retry_schedule::{GONE, Tried, after_try, give_up};
use crate::runtime::wakeups::{QueueKey, Reach};

/// Events under way to one endpoint.
const AT_ONCE: usize = 16;
/// Events that are read at once.
const PAGE: usize = 128;
/// How soon what became due is seen while answers are waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// An event that a worker took.
struct Dispatched {
    id: EventId,
    /// Otherwise it is still due, and would be sent again and again.
    is_recorded: bool,
}

impl Outbox {
    /// Takes what is due to an endpoint as fast as it takes it.
    pub(crate) async fn work_through(&self, merchant: &str, name: &str, reach: Reach) -> Result<(), StoreError> {
        if self.endpoint(merchant, name).is_none() {
            return self
                .give_up_all(merchant, name, "the endpoint is not configured any more")
                .await;
        }
        if self.context.endpoints.is_disabled(merchant, name) {
            return self.give_up_all(merchant, name, "the endpoint is disabled").await;
        }
        let round = Batch {
            wing: self,
            merchant,
            name,
            reach,
            after: None,
            page: Vec::new(),
            taken: HashSet::new(),
            going: FuturesUnordered::new(),
        };
        round.run().await
    }

    fn endpoint(&self, merchant: &str, name: &str) -> Option<Arc<Endpoint>> {
        let directory = self.context.directory();
        directory.get(merchant)?.endpoint(name).cloned()
    }

    /// One event, once; what came of it is durable when this answers, unless it says otherwise.
    async fn dispatch(&self, endpoint: &Endpoint, event: OutgoingEvent) -> Dispatched {
        let id = event.id;
        let mut dispatched = Dispatched { id, is_recorded: true };
        if self.context.endpoints.is_disabled(&event.merchant, &endpoint.name) {
            return dispatched;
        }
        let tried = self.try_endpoint(endpoint, id, &event.body).await;
        if let Err(error) = self.record_try(endpoint, event, &tried).await {
            dispatched.is_recorded = false;
            tracing::error!(%error, endpoint = endpoint.name, "what became of an event could not be recorded; it will be sent again");
        }
        dispatched
    }

    /// Signs it for this moment and sends it.
    pub(crate) async fn try_endpoint(&self, endpoint: &Endpoint, id: EventId, body: &str) -> Tried {
        let (id, now, started) = (id.to_string(), self.context.clock.now(), Instant::now());
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
        let now = self.context.clock.now();
        let (merchant, name) = (before.merchant.clone(), &endpoint.name);
        let event = after_try(before.clone(), tried, now);
        observe(&event, tried);
        match &tried.error {
            None if self.context.endpoints.succeeded(&merchant, name, now) => {
                self.context
                    .wake(QueueKey::Endpoint(merchant.clone(), name.clone()), Reach::All);
            }
            None => {}
            Some(why) => self.context.endpoints.failed(&merchant, name, why, now),
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
            let page = self
                .context
                .store
                .waiting_for_endpoint(merchant, endpoint, after, PAGE)
                .await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            tracing::warn!(merchant, endpoint, events = page.len(), why, "events given up");
            for mut event in page {
                let expect = vec![Expect::OutgoingEvent {
                    id: event.id,
                    revision: event.revision,
                }];
                event.revision += 1;
                give_up(&mut event, why, self.context.clock.now());
                let write = vec![Write::PutOutgoingEvent(event)];
                let _changed_meanwhile: Applied = self.apply(Changeset { expect, write }).await?;
            }
        }
    }
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
    metrics::histogram!("upsert_gateway_event_send_seconds",
        "merchant" => event.merchant.clone(), "endpoint" => event.endpoint.clone())
    .record(tried.took.as_secs_f64());
    tracing::info!(
        event = %event.id, merchant = event.merchant, endpoint = event.endpoint, kind = event.kind, state = result,
        attempts = event.attempts, status = event.last_status, "event sent"
    );
}

/// One time round of an endpoint's worker.
struct Batch<'a> {
    wing: &'a Outbox,
    merchant: &'a str,
    name: &'a str,
    reach: Reach,
    after: Option<EventId>,
    /// In the opposite order.
    page: Vec<OutgoingEvent>,
    /// What is under way or on the page, and what could not be recorded.
    taken: HashSet<EventId>,
    going: FuturesUnordered<BoxFuture<'a, Dispatched>>,
}

impl Batch<'_> {
    /// Until nothing is due and nothing under way. What becomes due meanwhile goes as soon as there is room: nobody waits
    /// for an answer that does not come.
    async fn run(mut self) -> Result<(), StoreError> {
        loop {
            self.fill().await?;
            match timeout(LOOK_AGAIN, self.going.next()).await {
                Ok(Some(done)) if done.is_recorded => drop(self.taken.remove(&done.id)),
                Ok(Some(_)) | Err(_) => {}
                Ok(None) => return Ok(()),
            }
        }
    }

    /// Starts as many as may be under way.
    async fn fill(&mut self) -> Result<(), StoreError> {
        let wing = self.wing;
        loop {
            let now = wing.context.clock.now();
            let room = wing.context.endpoints.room(self.merchant, self.name, AT_ONCE, now);
            let is_disabled = wing.context.endpoints.is_disabled(self.merchant, self.name);
            if self.going.len() >= room || wing.context.stopping.is_cancelled() || is_disabled {
                return Ok(());
            }
            let Some(event) = self.next(now).await? else {
                return Ok(());
            };
            // As it is configured now: where events never cease a round may last for days, and secrets change meanwhile.
            let Some(endpoint) = wing.endpoint(self.merchant, self.name) else {
                return Ok(());
            };
            self.going
                .push(Box::pin(async move { wing.dispatch(&endpoint, event).await }));
        }
    }

    async fn next(&mut self, now: Timestamp) -> Result<Option<OutgoingEvent>, StoreError> {
        if self.page.is_empty() {
            let (store, name) = (&self.wing.context.store, self.name);
            let mut page = match self.reach {
                Reach::Due => {
                    // What was taken stays due until it is recorded.
                    let most = PAGE + self.going.len();
                    store.due_to(self.merchant, name, now, most).await?
                }
                Reach::Parked | Reach::All => {
                    store
                        .waiting_for_endpoint(self.merchant, name, self.after, PAGE)
                        .await?
                }
            };
            self.after = page.last().map(|last| last.id).or(self.after);
            if page.len() < PAGE {
                // That was all; from here on it goes by what is due.
                self.reach = Reach::Due;
            }
            page.retain(|event| self.taken.insert(event.id));
            page.reverse();
            self.page = page;
        }
        Ok(self.page.pop())
    }
}
