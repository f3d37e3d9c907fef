//! Bringing events to endpoints. Each endpoint has a worker of its own, as each connection has: one that is dead, or slow,
//! delays nobody else. At least once: what is not recorded as taken is sent again, with the same id.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use upsert_core::{EventId, Word as _};
use upsert_store::{Applied, Changeset, Disabled, OutgoingEvent, StoreError, Write};
use upsert_webhook::sign;

use crate::directory::webhooks::{Endpoint, SignedEvent};
use crate::outbox::Outbox;
use crate::outbox::event_span::EventSpan;
use crate::outbox::retry_schedule::{GONE, Tried, record};
use crate::runtime::tracing::Origin;
use crate::runtime::wakeups::{QueueKey, Reach};
use crate::runtime::worker::{PAGE, Queue, Take, work_through};

/// Events under way to one endpoint.
const AT_ONCE: usize = 16;

/// How long a process has an event for itself: longer than a try takes.
const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// Processes over one store have the same configuration after so long.
const ROLLOUT: SignedDuration = SignedDuration::from_hours(1);

/// What waits for one endpoint.
struct EndpointQueue {
    wing: Outbox,
    merchant: String,
    name: String,
}

impl Outbox {
    /// Takes what is due to an endpoint as fast as it takes it.
    pub(crate) async fn work_through(&self, merchant: &str, name: &str, reach: Reach) -> Result<(), StoreError> {
        let now = self.context.clock.now();
        let _known = self.context.directory_with(merchant).await?;
        if self.endpoint(merchant, name).is_none() {
            let why = "the endpoint is not configured any more";
            return self
                .give_up_all(merchant, name, self.not_of_a_newer_configuration(now), why)
                .await;
        }
        if self.context.endpoints.is_disabled(merchant, name) {
            return self.give_up_all(merchant, name, now, "the endpoint is disabled").await;
        }
        let queue = EndpointQueue {
            wing: self.clone(),
            merchant: merchant.to_owned(),
            name: name.to_owned(),
        };
        work_through(queue, reach).await.map(drop)
    }

    /// Until when an event was made for an endpoint that another process cannot know better: while configuration is rolled
    /// out, processes over one store differ.
    fn not_of_a_newer_configuration(&self, now: Timestamp) -> Timestamp {
        let is_shared = self.context.store.is_shared();
        let rollout = if is_shared { ROLLOUT } else { SignedDuration::ZERO };
        now.checked_sub(rollout).unwrap_or(Timestamp::MIN)
    }

    fn endpoint(&self, merchant: &str, name: &str) -> Option<Arc<Endpoint>> {
        let directory = self.context.directory();
        directory.get(merchant)?.endpoint(name).cloned()
    }

    /// One event, once. Whether what came of it is durable: otherwise it is still due, and would be sent again and again.
    async fn dispatch(&self, endpoint: &Endpoint, event: OutgoingEvent) -> bool {
        if self.context.endpoints.is_disabled(&event.merchant, &endpoint.name) {
            return true;
        }
        let event = match self.for_itself(event).await {
            Ok(Some(event)) => event,
            Ok(None) => return true,
            Err(error) => {
                tracing::error!(%error, endpoint = endpoint.name, "an event could not be claimed");
                return false;
            }
        };
        // As late as can be: the store may have been slow, and the configuration another one since.
        let Some(endpoint) = &self.endpoint(&event.merchant, &endpoint.name) else {
            return self.give_back(endpoint, event).await;
        };
        let origin = EventSpan::origin(&event, self.context.clock.now());
        let trying = self.try_endpoint(&event.merchant, endpoint, (event.id, event.body()), origin);
        let Some(tried) = self.context.unless_cut_short(trying).await else {
            return self.give_back(endpoint, event).await;
        };
        let recorded = self.record_try(endpoint, event, &tried).await;
        if let Err(error) = &recorded {
            tracing::error!(%error, endpoint = endpoint.name, "what became of an event could not be recorded; it will be sent again");
        }
        recorded.is_ok()
    }

    /// Where others work with the store too, the event has to be claimed before it is sent; elsewhere it is enough that it
    /// stands as it was read, however long it had to wait for its turn: its customer may have been erased. None: somebody else
    /// has it, or has changed it.
    async fn for_itself(&self, mut event: OutgoingEvent) -> Result<Option<OutgoingEvent>, StoreError> {
        if !self.context.store.is_shared() {
            let now = self.context.store.outgoing_event(&event.merchant, event.id).await?;
            return Ok(now.filter(|now| now.revision() == event.revision()));
        }
        let now = self.context.clock.now();
        if event.is_claimed(now) || self.context.stopping.is_cancelled() {
            return Ok(None);
        }
        let expected = event.change();
        event.claim(now.checked_add(LEASE).unwrap_or(Timestamp::MAX));
        let write = vec![Write::PutOutgoingEvent(event.clone())];
        // Straight to the store: nobody is to be woken by a claim.
        let applied = self.context.store.apply(Changeset {
            expect: vec![expected],
            write,
            ..Changeset::of(&event.merchant)
        });
        Ok((applied.await? == Applied::Done).then_some(event))
    }

    /// The process ends before the endpoint has answered: another one sends it once more, and need not wait for the claim to
    /// end. Never got on with.
    async fn give_back(&self, endpoint: &Endpoint, mut event: OutgoingEvent) -> bool {
        if self.context.store.is_shared() {
            let (merchant, expect) = (event.merchant.clone(), vec![event.change()]);
            event.give_back(self.context.clock.now());
            let write = vec![Write::PutOutgoingEvent(event)];
            if let Err(error) = self.write(&merchant, expect, write).await {
                tracing::warn!(%error, endpoint = endpoint.name, "an event could not be given back: its claim has to end");
            }
        }
        false
    }

    /// Signs an event, by its id and body, for this moment and sends it. `origin`: what the try belongs to.
    pub(crate) async fn try_endpoint(
        &self,
        merchant: &str,
        endpoint: &Endpoint,
        (id, body): (EventId, &str),
        origin: Origin<'_>,
    ) -> Tried {
        let span = EventSpan::begin(self.context.spans.as_deref(), merchant, endpoint, id, origin);
        let (id, now, started) = (id.to_string(), self.context.clock.now(), Instant::now());
        let signature = sign(&endpoint.keys, &id, now, body.as_bytes());
        let event = SignedEvent {
            id: &id,
            timestamp: now.as_second(),
            signature: &signature,
            body,
        };
        let answer = endpoint.sender.send(event).await;
        let took = started.elapsed();
        let tried = match answer {
            Ok(answer) => Tried::answered(answer, took),
            Err(why) => Tried::unanswered(why, took),
        };
        span.end(&tried);
        tried
    }

    async fn record_try(&self, endpoint: &Endpoint, mut event: OutgoingEvent, tried: &Tried) -> Result<(), StoreError> {
        let now = self.context.clock.now();
        let (merchant, name) = (event.merchant.clone(), &endpoint.name);
        let expected = event.change();
        record(&mut event, tried, now);
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
            self.set_disabled(&merchant, name, Some(disabled), &[]).await?;
        }
        // Somebody who changed it meanwhile (an operator gave it up) has the last word.
        let write = vec![Write::PutOutgoingEvent(event)];
        self.write(&merchant, vec![expected], write).await.map(drop)
    }

    /// Nothing will be sent there: what waits becomes dead letters, which can be replayed.
    async fn give_up_all(
        &self,
        merchant: &str,
        endpoint: &str,
        made_until: Timestamp,
        why: &str,
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let store = &self.context.store;
            let page = store.waiting_for_endpoint(merchant, endpoint, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            let page: Vec<_> = page
                .into_iter()
                .filter(|event| event.created_at <= made_until)
                .collect();
            if page.is_empty() {
                continue;
            }
            tracing::warn!(merchant, endpoint, events = page.len(), why, "events given up");
            for mut event in page {
                let expect = vec![event.change()];
                event.give_up(why, self.context.clock.now());
                let write = vec![Write::PutOutgoingEvent(event)];
                let _changed_meanwhile: Applied = self.write(merchant, expect, write).await?;
            }
        }
    }
}

fn observe(event: &OutgoingEvent, tried: &Tried) {
    let result = event.state().as_str();
    metrics::counter!("upsert_gateway_events_out_total",
        "merchant" => event.merchant.clone(), "endpoint" => event.endpoint.clone(),
        "type" => event.kind.clone(), "result" => result)
    .increment(1);
    metrics::histogram!("upsert_gateway_event_send_seconds",
        "merchant" => event.merchant.clone(), "endpoint" => event.endpoint.clone())
    .record(tried.took.as_secs_f64());
    tracing::info!(
        event = %event.id, merchant = event.merchant, endpoint = event.endpoint, kind = event.kind, state = result,
        attempts = event.attempts(), status = event.last_status(), "event sent"
    );
}

#[async_trait]
impl Queue for EndpointQueue {
    type Entry = OutgoingEvent;
    type Id = EventId;

    /// Nobody waits for an answer that does not come.
    const GOES_ON: Option<Duration> = Some(Duration::from_millis(500));

    fn id(event: &OutgoingEvent) -> EventId {
        event.id
    }

    fn room(&mut self, _under_way: usize) -> usize {
        let context = &self.wing.context;
        if context.stopping.is_cancelled() || context.endpoints.is_disabled(&self.merchant, &self.name) {
            return 0;
        }
        let now = context.clock.now();
        context.endpoints.room(&self.merchant, &self.name, AT_ONCE, now)
    }

    async fn due(&self, most: usize) -> Result<Vec<OutgoingEvent>, StoreError> {
        let (store, now) = (&self.wing.context.store, self.wing.context.clock.now());
        store.due_to(&self.merchant, &self.name, now, most).await
    }

    async fn waiting(&self, after: Option<EventId>, most: usize) -> Result<Vec<OutgoingEvent>, StoreError> {
        let store = &self.wing.context.store;
        store
            .waiting_for_endpoint(&self.merchant, &self.name, after, most)
            .await
    }

    async fn take(&self, event: OutgoingEvent) -> Result<Take, StoreError> {
        // As it is configured now: where events never cease a round may last for days, and secrets change meanwhile.
        Ok(match self.wing.endpoint(&self.merchant, &self.name) {
            Some(endpoint) => {
                let wing = self.wing.clone();
                Take::Work(Box::pin(async move { wing.dispatch(&endpoint, event).await }))
            }
            None => Take::Stop,
        })
    }
}
