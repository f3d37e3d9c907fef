//! A gateway that is killed and started again over one store, its vendors and its clocks.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use upsert_api::{ConnectionState, EventResult, ProblemCode, Visibility};
use upsert_app::{
    Answer, Caller, Connection, ConnectionStatus, Directory, Endpoint, EndpointAnswer, EventKind, EventSender, Gateway,
    GatewayParts, LOOK_EVERY, Merchant, NextStep, NoAuditKeys, OnCollision, OnKeyChange, Refusal, Retention, RetryRule,
    SignedEvent, Source, TraceContext, UpsertCommand,
};
use upsert_core::{Clock, Handling, Held, IdentifierKind, Priority, ProviderError, Repeat, UpsertId, Word as _};
use upsert_policy::{Decision, RetryPolicy, again};
use upsert_store::{DeliveryState, Store, Through};
use upsert_webhook::mapping::{Conditions, EventId, Pointer, Rule as MapRule, Target};
use upsert_webhook::{Mapping, Received, SigningKey, Verifier, sign};

use crate::actions::{Action, Submit};
use crate::books::{Books, MAX_AGE, Shared};
use crate::reference::FIELDS;
use crate::untouched::untouched;
use crate::vendor::{Matching, TIME_OUT, Vendor};
use crate::watched::Watched;

/// The wall clock: it goes with tokio's, and jumps when it is told to.
#[derive(Debug)]
pub struct JumpingClock {
    start: Timestamp,
    since: Instant,
    off_by: Mutex<SignedDuration>,
}

impl Clock for JumpingClock {
    fn now(&self) -> Timestamp {
        let now = self.start + SignedDuration::try_from(self.since.elapsed()).unwrap() + *self.off_by.lock();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap()
    }
}

impl JumpingClock {
    fn jump(&self, by: SignedDuration) {
        *self.off_by.lock() += by;
    }
}

/// The product's own rule, without its dice.
#[derive(Debug)]
struct Rule;

impl RetryRule for Rule {
    fn next(&self, error: &ProviderError, attempts: u32, repeat: Repeat, time_left: Duration) -> NextStep {
        let policy = RetryPolicy {
            attempts: NonZeroU32::new(3).unwrap(),
            ..RetryPolicy::default()
        };
        match again(error, attempts, repeat, &policy, true, time_left, 0.5) {
            Decision::Retry { after } | Decision::Later { after } => NextStep::Again(after),
            Decision::Hold(held) => NextStep::Hold(held),
            Decision::Fail => NextStep::Fail,
        }
    }
}

#[derive(Debug)]
struct Fine;

impl ConnectionStatus for Fine {
    fn snapshot(&self) -> upsert_api::ConnectionStatus {
        untouched()
    }
    fn state(&self) -> ConnectionState {
        ConnectionState::Healthy
    }
    fn room(&self, _: Priority) -> Result<usize, Held> {
        Ok(16)
    }
    fn through_in(&self, _: u64) -> Option<Duration> {
        None
    }
}

/// What an idempotency key has been answered so far.
#[derive(Debug, Default)]
struct KeyAnswers {
    upsert: Option<UpsertId>,
    /// Whether the request that was taken has the other body.
    is_other: Option<bool>,
    last: Option<(u16, String)>,
}

/// A used key: with which body.
type Key = (String, Json);

pub struct World {
    pub books: Shared,
    pub vendors: [Arc<Vendor>; 3],
    pub gateway: Gateway,
    clock: Arc<JumpingClock>,
    store: Arc<dyn Store>,
    has_threads: bool,
    dead: Arc<AtomicBool>,
    fails_in: Arc<AtomicI64>,
    credentials: [u32; 3],
    removed: [bool; 3],
    open: JoinSet<()>,
    keys: Vec<Key>,
    answers: Arc<Mutex<BTreeMap<String, KeyAnswers>>>,
    requests: u32,
    /// How far the wall clock was set back in all: leases of lost calls last so much longer.
    set_back: SignedDuration,
}

impl World {
    pub async fn new(store: Arc<dyn Store>, has_threads: bool) -> Self {
        let books = Arc::new(Mutex::new(Books::default()));
        let clock = Arc::new(JumpingClock {
            start: "2026-11-21T09:00:00Z".parse().unwrap(),
            since: Instant::now(),
            off_by: Mutex::default(),
        });
        let vendors = [
            Vendor::new("by_reference", Matching::Reference, &books),
            Vendor::new("by_contact", Matching::Contact, &books),
            Vendor::new("by_nothing", Matching::Nothing, &books),
        ];
        let directory = directory(&vendors, [0; 3], [false; 3]);
        let (dead, fails_in) = (Arc::<AtomicBool>::default(), Arc::new(AtomicI64::new(-1)));
        let watched = Watched {
            inner: store.clone(),
            books: books.clone(),
            clock: clock.clone(),
            dead: dead.clone(),
            fails_in: fails_in.clone(),
            has_threads,
        };
        let gateway = start(watched, clock.clone(), directory).await;
        Self {
            books,
            vendors,
            gateway,
            clock,
            store,
            has_threads,
            dead,
            fails_in,
            credentials: [0; 3],
            removed: [false; 3],
            open: JoinSet::new(),
            keys: Vec::new(),
            answers: Arc::default(),
            requests: 0,
            set_back: SignedDuration::ZERO,
        }
    }

    pub fn merchant(&self) -> Arc<Merchant> {
        self.gateway.directory().get("acme").unwrap().clone()
    }

    pub async fn step(&mut self, action: &Action) {
        match action {
            Action::Submit(submit) => self.submit(submit),
            Action::Together(submits) => submits.iter().for_each(|submit| self.submit(submit)),
            Action::Event { id, says } => self.event(*id, says),
            Action::Repeat { nth, same_body } => self.repeat(*nth, *same_body),
            Action::Next { vendor, act } => self.vendors[*vendor].next(*act),
            Action::Usually { vendor, act } => self.vendors[*vendor].usually(*act),
            Action::Wait { millis } => tokio::time::sleep(Duration::from_millis((*millis).into())).await,
            Action::Hours(hours) => {
                tokio::time::sleep(Duration::from_secs(50)).await;
                self.clock.jump(SignedDuration::from_hours((*hours).into()));
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
            Action::Jump { minutes } => self.jump(*minutes),
            Action::Crash => self.crash().await,
            Action::Restart => {
                let _most_end = tokio::time::timeout(Duration::from_secs(30), self.gateway.shut_down()).await;
                self.crash().await;
            }
            Action::Pause(vendor) => self.pause(*vendor).await,
            Action::Resume(vendor) => self.resume(*vendor).await,
            Action::NewCredentials(vendor) => {
                self.credentials[*vendor] += 1;
                self.reload();
            }
            Action::Toggle(vendor) => {
                self.removed[*vendor] ^= true;
                self.reload();
            }
            Action::Unlink { nth, vendor } => self.unlink(*nth, *vendor).await,
            Action::StoreFails { after } => self.fails_in.store((*after).into(), Ordering::SeqCst),
        }
        // Everything that can go on now does.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    /// A call that was on its way has outlived its lease, or never will: the wall clock is what leases go by.
    fn jump(&mut self, minutes: i8) {
        let by = SignedDuration::from_mins(minutes.into());
        self.clock.jump(by);
        self.set_back += (-by).max(SignedDuration::ZERO);
        self.books.lock().clock_jumped = true;
    }

    async fn crash(&mut self) {
        self.dead.store(true, Ordering::SeqCst);
        let _still_in_flight = tokio::time::timeout(Duration::from_millis(1), self.gateway.shut_down()).await;
        {
            let mut books = self.books.lock();
            books.calls.iter_mut().for_each(|call| call.is_open = false);
            books.last_probe.clear();
        }
        // Ids go by the wall clock: a process that starts at an earlier time than the one before makes ids that sort
        // before its own, which the engine does not bear yet. So the clock is set right while nothing runs.
        self.clock.jump(std::mem::take(&mut self.set_back));
        self.dead = Arc::default();
        self.fails_in = Arc::new(AtomicI64::new(-1));
        let watched = Watched {
            inner: self.store.clone(),
            books: self.books.clone(),
            clock: self.clock.clone(),
            dead: self.dead.clone(),
            fails_in: self.fails_in.clone(),
            has_threads: self.has_threads,
        };
        let directory = directory(&self.vendors, self.credentials, self.removed);
        self.gateway = start(watched, self.clock.clone(), directory).await;
    }

    fn reload(&self) {
        let directory = directory(&self.vendors, self.credentials, self.removed);
        self.gateway.operations.replace_directory(directory);
    }

    async fn pause(&self, vendor: usize) {
        let name = self.vendors[vendor].name;
        let _may_be_removed = self.gateway.operations.pause(&self.merchant(), name, "tests").await;
    }

    async fn resume(&self, vendor: usize) {
        let name = self.vendors[vendor].name;
        let _may_be_removed = self.gateway.operations.resume(&self.merchant(), name, "tests").await;
    }

    async fn unlink(&self, nth: usize, vendor: usize) {
        let ids: Vec<_> = self.books.lock().customers.keys().copied().collect();
        if ids.is_empty() {
            return;
        }
        let (id, name) = (ids[nth % ids.len()], self.vendors[vendor].name);
        if self
            .gateway
            .operations
            .unlink(&self.merchant(), id, name, "ops", Visibility::Whole)
            .await
            .is_ok()
        {
            self.books.lock().unlinked.insert((id, name.to_owned()));
        }
    }

    fn submit(&mut self, submit: &Submit) {
        let body = submit.body();
        let key = submit.has_key.then(|| format!("key-{}", self.requests));
        if let Some(key) = &key {
            self.keys.push((key.clone(), body.clone()));
        }
        self.request(body, key, submit.respond_async, submit.force, false);
    }

    /// On a task of its own, as its sender's request is.
    fn event(&mut self, id: u8, says: &Submit) {
        self.requests += 1;
        let trace = format!("trace-{}", self.requests);
        let body = says.body();
        let event = json!({ "id": format!("e{id}"), "says": body }).to_string();
        self.books.lock().requests.insert(trace.clone(), body);
        let (gateway, merchant, books) = (self.gateway.clone(), self.merchant(), self.books.clone());
        let (dead, now) = (self.dead.clone(), self.clock.now());
        let headers = BTreeMap::from([
            ("webhook-id", "msg".to_owned()),
            ("webhook-timestamp", now.as_second().to_string()),
            ("webhook-signature", sign(&[key()], "msg", now, event.as_bytes())),
        ]);
        let header = |name: &str| headers.get(name).cloned();
        let received = Received {
            header: &header,
            method: "POST",
            body: event.as_bytes(),
        };
        let source = merchant.source("crm").unwrap();
        let event = gateway
            .inbox
            .read_event(&merchant, source, &received, TraceContext::of(Some(&trace), None))
            .unwrap();
        self.open.spawn(async move {
            let taken = gateway.inbox.take_event(event).await;
            if dead.load(Ordering::SeqCst) {
                return;
            }
            let mut books = books.lock();
            match taken {
                Ok(intake) => {
                    use EventResult::{Accepted, Echo, Repeated};
                    let result = intake.data[0].result;
                    let id = intake.data[0].event_id.clone().unwrap_or_default();
                    let is_done = books.done.keys().any(|(done, _)| *done == id);
                    if matches!(result, Accepted | Repeated | Echo) && !is_done {
                        books.wrong(format!("{id} was answered {result}, and is not durable"));
                    }
                }
                Err(refusal) if matches!(refusal.code, ProblemCode::Internal | ProblemCode::Overloaded) => {}
                Err(refusal) => books.wrong(format!("an event was refused with {:?}", refusal.code)),
            }
        });
    }

    fn repeat(&mut self, nth: usize, same_body: bool) {
        if self.keys.is_empty() {
            return;
        }
        let (key, mut body) = self.keys[nth % self.keys.len()].clone();
        if !same_body {
            body["notes"] = json!("another request");
        }
        self.request(body, Some(key), false, false, !same_body);
    }

    /// On a task of its own: it may be answered much later, or never.
    fn request(&mut self, body: Json, key: Option<String>, respond_async: bool, force: bool, is_other: bool) {
        self.requests += 1;
        let trace = format!("trace-{}", self.requests);
        self.books.lock().requests.insert(trace.clone(), body.clone());
        let command = UpsertCommand {
            body,
            idempotency_key: key.clone(),
            route: "POST /v1/customers",
            through: Through::Request,
            respond_async,
            force,
            handling: Handling::Strict,
            traceparent: Some(trace),
            tracestate: None,
            priority: Priority::Interactive,
            request_id: "request".to_owned(),
            visibility: upsert_api::Visibility::Whole,
        };
        let (gateway, merchant, books) = (self.gateway.clone(), self.merchant(), self.books.clone());
        let (answers, dead, clock) = (self.answers.clone(), self.dead.clone(), self.clock.clone());
        self.open.spawn(async move {
            let caller = Caller {
                name: "tests".to_owned(),
            };
            let answer = gateway.upserts.upsert(&caller, &merchant, command).await;
            if dead.load(Ordering::SeqCst) {
                // A dead process answers nobody.
                return;
            }
            let mut books = books.lock();
            look_at_answer(&answer, respond_async, clock.now(), &mut books);
            if let Some(key) = key {
                let mut answers = answers.lock();
                look_at_key(
                    &key,
                    answers.entry(key.clone()).or_default(),
                    &answer,
                    is_other,
                    &mut books,
                );
            }
        });
    }

    /// Vendors are mended, connections resumed, and time passes.
    pub async fn drain(&mut self) {
        self.fails_in.store(-1, Ordering::SeqCst);
        self.removed = [false; 3];
        self.reload();
        for vendor in &self.vendors {
            vendor.mend();
        }
        self.clock.jump(std::mem::take(&mut self.set_back));
        for _round in 0..4 {
            for vendor in 0..3 {
                self.resume(vendor).await;
            }
            tokio::time::sleep(Duration::from_secs(65)).await;
        }
    }

    /// Says something of everybody, to see it arrive.
    pub async fn touch_everybody(&mut self) {
        let ids: Vec<_> = self.books.lock().customers.keys().copied().collect();
        for id in ids {
            self.request(json!({ "id": id, "given_name": "Last" }), None, false, true, false);
        }
        tokio::time::sleep(Duration::from_secs(70)).await;
    }

    pub async fn look(&self, id: UpsertId) -> Result<Answer, Refusal> {
        self.gateway.queries.get_upsert(&self.merchant(), id).await
    }

    /// Ends every task that was left, so that the next sequence starts alone.
    pub async fn end(mut self) {
        self.open.shutdown().await;
        let _left = tokio::time::timeout(Duration::from_secs(1), self.gateway.shut_down()).await;
    }
}

fn look_at_answer(answer: &Result<Answer, Refusal>, respond_async: bool, now: Timestamp, books: &mut Books) {
    let answer = match answer {
        Ok(answer) => answer,
        Err(refusal) if refusal.code == ProblemCode::NotFound => return,
        Err(refusal) => {
            let status = refusal.code.status();
            if !matches!(status, 409 | 422 | 503) && refusal.code != ProblemCode::Internal {
                books.wrong(format!("a request was refused with {:?}", refusal.code));
            }
            return;
        }
    };
    let Some(upsert) = books.upserts.get(&answer.upsert).cloned() else {
        books.wrong("an upsert was answered that is not durable".to_owned());
        return;
    };
    let own = books
        .deliveries
        .values()
        .filter(|delivery| delivery.upsert() == upsert.id && delivery.required);
    let (mut failed, mut open, mut just_failed) = (0, 0, false);
    for delivery in own {
        let mut last = delivery;
        while let Some(next) = last.superseded_by().and_then(|next| books.deliveries.get(&next)) {
            last = next;
        }
        failed += u32::from(last.state() == DeliveryState::Failed);
        // It may have ended between the answer and this look at it.
        just_failed |= last
            .ended_at()
            .is_some_and(|at| now.duration_since(at) < SignedDuration::from_millis(50));
        open += u32::from(!last.state().has_ended());
    }
    let fits = match answer.status {
        202 => answer.location.is_some() && (respond_async || open > 0 || failed == 0 || just_failed),
        201 => upsert.new_customer && (answer.replayed || (failed == 0 && open == 0)),
        200 => !upsert.new_customer && (answer.replayed || (failed == 0 && open == 0)),
        422 | 502 => answer.replayed || failed > 0,
        _ => false,
    };
    if !fits || (respond_async && !answer.replayed && answer.status != 202) {
        books.wrong(format!(
            "{} was answered {} with {failed} failed and {open} open",
            answer.upsert, answer.status
        ));
    }
}

/// The same upsert each time, and once it is final the same answer to the letter; no other request under its name.
fn look_at_key(key: &str, known: &mut KeyAnswers, answer: &Result<Answer, Refusal>, is_other: bool, books: &mut Books) {
    let Ok(answer) = answer else { return };
    // The first request of a key may have failed before its commit: then the key belongs to the next one.
    if *known.is_other.get_or_insert(is_other) != is_other {
        books.wrong(format!("{key} was taken with another request"));
    }
    if *known.upsert.get_or_insert(answer.upsert) != answer.upsert {
        books.wrong(format!("{key} made two upserts"));
    }
    if answer.is_final {
        let this = (answer.status, answer.body.clone());
        let first = known.last.get_or_insert_with(|| this.clone());
        if *first != this {
            books.wrong(format!("{key} was answered {first:?}, then {this:?}"));
        }
    }
}

fn directory(vendors: &[Arc<Vendor>; 3], credentials: [u32; 3], removed: [bool; 3]) -> Directory {
    let connections = vendors
        .iter()
        .zip(credentials)
        .zip(removed)
        .filter(|(_, removed)| !removed);
    let connections = connections.map(|((vendor, credentials), _)| {
        Arc::new(Connection {
            name: vendor.name.to_owned(),
            provider: vendor.name.to_owned(),
            required: vendor.matching == Matching::Reference,
            payload: upsert_core::UpsertProvider::info(vendor.as_ref())
                .capabilities
                .default_payload,
            on_collision: OnCollision::Refuse,
            on_key_change: OnKeyChange::Refuse,
            never_match: Arc::default(),
            timeout: TIME_OUT,
            max_age: MAX_AGE,
            counts_calls: false,
            adapter: vendor.clone(),
            reader: None,
            retry: Arc::new(Rule),
            status: Arc::new(Fine),
            fingerprint: credentials.to_string(),
        })
    });
    Directory::new([Merchant {
        id: "acme".to_owned(),
        default_region: Some("GB".to_owned()),
        match_on: vec![IdentifierKind::Email, IdentifierKind::Phone],
        never_match: Arc::default(),
        sync_deadline: Duration::from_secs(10),
        connections: connections.collect(),
        routes: Vec::new(),
        sources: vec![Arc::new(source())],
        endpoints: vec![Arc::new(Endpoint {
            name: "hooks".to_owned(),
            shown_url: String::new(),
            events: EventKind::all().collect(),
            payload: upsert_core::EventPayload::Full,
            keys: vec![key()],
            sender: Arc::new(Takes),
        })],
    }])
}

fn key() -> SigningKey {
    SigningKey::raw("the sender's")
}

/// Events say what a request says.
fn source() -> Source {
    let pointer = |text: &str| Pointer::parse(text).unwrap();
    let names = FIELDS.iter().map(|(name, _)| *name).chain(["tags_removed"]);
    Source {
        name: "crm".to_owned(),
        verifier: Verifier::Standard {
            keys: vec![key()],
            tolerance: Duration::from_secs(400 * 24 * 3_600),
        },
        mapping: Mapping {
            each: None,
            event_id: EventId::Pointers(vec![pointer("/id")]),
            order_by: None,
            provider_customer_id: None,
            only: Conditions(Vec::new()),
            rules: names
                .map(|name| {
                    let target = Target::new(vec![name.to_owned()]).unwrap();
                    (target, MapRule::plain(pointer(&format!("/says/{name}"))))
                })
                .collect(),
            is_lenient: false,
        },
        connection: None,
        handling: Handling::Strict,
        body_limit: 1024 * 1024,
        ping: None,
    }
}

/// An endpoint that takes everything.
#[derive(Debug)]
struct Takes;

#[async_trait]
impl EventSender for Takes {
    async fn send(&self, _: SignedEvent<'_>) -> Result<EndpointAnswer, String> {
        Ok(EndpointAnswer::bare(204))
    }
}

async fn start(store: Watched, clock: Arc<JumpingClock>, directory: Directory) -> Gateway {
    let gateway = Gateway::new(GatewayParts {
        store: Arc::new(store),
        clock,
        directory,
        // Longer than any sequence, so that a key means one thing all the way.
        idempotency_keep: Duration::from_secs(400 * 24 * 3_600),
        retention: Retention::default(),
        spans: None,
        look_every: LOOK_EVERY,
        audit_keys: Arc::new(NoAuditKeys),
        signing_key: None,
    });
    gateway.deliveries.recover().await.unwrap();
    gateway.run_background();
    gateway
}
