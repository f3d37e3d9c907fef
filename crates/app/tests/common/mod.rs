//! A gateway over the in-memory store, with a vendor that does what a script says, under a clock that tests turn.
#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test file uses its own part, and a test may panic"
)]

pub mod events;
pub mod slow_store;
pub mod untouched;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::{Map, Value as Json, json};
use tokio::time::Instant;

use upsert_api::{ConnectionState, PageQuery};
use upsert_app::{
    Answer, Caller, Connection, ConnectionStatus, Directory, Gateway, GatewayParts, LOOK_EVERY, Merchant, NextStep,
    NoAuditKeys, OnCollision, OnKeyChange, Refusal, Retention, RetryRule, UpsertCommand,
};
use upsert_core::{
    CallContext, Capabilities, Clock, CustomerId, Differs, ErrorKind, Evidence, Field, FieldMap, FieldOutcomes, Form,
    Handling, Held, IdentifierKind, Intent, KeyKind, Kind, MatchKey, Outcome, Payload, PreparedUpsert, Priority,
    ProviderError, ProviderInfo, Repeat, RetryAdvice, Selection, Sent, StateAtVendor, UpsertId, UpsertProvider,
    UpsertReceipt, UpsertRequest, Violation, WaitingFor, WireRequest,
};
use upsert_store::{Store, Through};
use upsert_testkit::MemoryStore;

/// Wall-clock time that goes with tokio's, paused or not.
#[derive(Debug)]
pub struct TokioClock {
    start: Timestamp,
    since: Instant,
    ahead: Mutex<SignedDuration>,
}

impl TokioClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            start: "2026-11-21T09:00:00Z".parse().unwrap(),
            since: Instant::now(),
            ahead: Mutex::default(),
        })
    }

    /// One that is ahead of the others.
    pub fn ahead(by: SignedDuration) -> Arc<Self> {
        let clock = Self::new();
        clock.runs_ahead(by);
        clock
    }

    /// From now on it is so far ahead of the others.
    pub fn runs_ahead(&self, by: SignedDuration) {
        *self.ahead.lock() = by;
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        self.start + *self.ahead.lock() + SignedDuration::try_from(self.since.elapsed()).unwrap()
    }
}

/// What the vendor does next.
#[derive(Debug, Clone)]
pub enum Act {
    /// Writes and says so.
    Accept,
    /// Writes, and the answer is lost.
    AcceptUnseen,
    /// Refuses the data.
    Reject,
    /// Takes this long, then refuses the data.
    SlowlyReject(Duration),
    /// Cannot take it now; nothing is written.
    Down,
    /// Takes this long, then cannot take it; nothing is written.
    SlowlyDown(Duration),
    /// Takes this long, then accepts.
    Slow(Duration),
    /// Refuses the credentials.
    Unauthorised,
    /// Takes this long, then refuses the credentials.
    SlowlyUnauthorised(Duration),
    /// Writes to another record, and shows that one.
    Elsewhere,
}

/// A vendor that matches by reference, with a script and a memory.
#[derive(Debug)]
pub struct Vendor {
    info: ProviderInfo,
    repeat: Repeat,
    script: Mutex<VecDeque<Act>>,
    usually: Mutex<Act>,
    records: Mutex<BTreeMap<String, Json>>,
    calls: Mutex<Vec<(Instant, Json)>>,
    traceparents: Mutex<Vec<Option<String>>>,
    busy: Mutex<BTreeSet<String>>,
    failing: Mutex<BTreeSet<String>>,
    /// What it keeps in the place of what it was sent, by its field; none: its answers show nothing.
    keeps: Mutex<Option<BTreeMap<String, Json>>>,
    /// Whether it takes whoever comes for one and the same, and gives out the id itself.
    takes_all_for_one: Mutex<bool>,
}

const FIELDS: [(Field, &str); 4] = [
    (Field::Reference, "ref"),
    (Field::GivenName, "first"),
    (Field::Notes, "notes"),
    (Field::Email, "mail"),
];

impl Vendor {
    pub fn new(repeat: Repeat) -> Arc<Self> {
        let fields = FIELDS
            .iter()
            .map(|(field, vendor_field)| FieldMap {
                field: *field,
                vendor_field,
                required: *field == Field::Reference,
                soft_limit: None,
                readable: true,
            })
            .collect();
        let capabilities = Capabilities {
            title: "Scripted",
            docs_url: "https://scripted.example",
            forms: vec![Form {
                kinds: vec![Kind::Person, Kind::Organisation],
                fields,
                match_keys: vec![KeyKind::Reference],
            }],
            tells_created_from_updated: true,
            can_clear: false,
            merges_tags: false,
            updates_by_id: false,
            default_payload: Payload::Changed,
            credentials: &[],
            protected: &[],
            can_read: false,
            known_daily_limit: None,
        };
        Arc::new(Self {
            info: ProviderInfo {
                kind: "scripted",
                capabilities,
            },
            repeat,
            script: Mutex::default(),
            usually: Mutex::new(Act::Accept),
            records: Mutex::default(),
            calls: Mutex::default(),
            traceparents: Mutex::default(),
            busy: Mutex::default(),
            failing: Mutex::default(),
            keeps: Mutex::default(),
            takes_all_for_one: Mutex::default(),
        })
    }

    /// From now on it takes whoever comes for one and the same, and gives out the id itself.
    pub fn take_all_for_one(&self) {
        *self.takes_all_for_one.lock() = true;
    }

    /// From now on its answers show the record, with these values in the place of what it was sent.
    pub fn shows(&self, keeps: &[(&str, Json)]) {
        let keeps = keeps.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        *self.keeps.lock() = Some(keeps.collect());
    }

    fn outcomes(&self, prepared: &PreparedUpsert) -> FieldOutcomes {
        let mut outcomes = FieldOutcomes::default();
        for (name, sent) in &prepared.sent {
            match self.keeps.lock().as_ref() {
                None => outcomes.unconfirmed.push(sent.pointer.clone()),
                Some(keeps) => match keeps.get(name) {
                    None => outcomes.confirmed.push(sent.pointer.clone()),
                    Some(kept) => outcomes.differs.push(Differs {
                        pointer: sent.pointer.clone(),
                        kept: kept.clone(),
                    }),
                },
            }
        }
        outcomes
    }

    pub fn then(&self, acts: impl IntoIterator<Item = Act>) {
        self.script.lock().extend(acts);
    }

    pub fn usually(&self, act: Act) {
        *self.usually.lock() = act;
    }

    /// From now on it cannot take this reference, whatever else it takes.
    pub fn fail_for(&self, reference: &str) {
        self.failing.lock().insert(reference.to_owned());
    }

    pub fn calls_for(&self, reference: &str) -> usize {
        let calls = self.calls.lock();
        calls.iter().filter(|(_, body)| body["ref"] == reference).count()
    }

    pub fn calls(&self) -> usize {
        self.calls.lock().len()
    }

    /// What each call may pass on to the vendor.
    pub fn traceparents(&self) -> Vec<Option<String>> {
        self.traceparents.lock().clone()
    }

    pub fn call_times(&self) -> Vec<Instant> {
        self.calls.lock().iter().map(|(at, _)| *at).collect()
    }

    pub fn last_body(&self) -> Json {
        self.calls.lock().last().unwrap().1.clone()
    }

    pub fn record(&self, reference: &str) -> Json {
        self.records.lock().get(reference).cloned().unwrap_or(Json::Null)
    }

    fn write(&self, prepared: &PreparedUpsert) -> bool {
        let mut records = self.records.lock();
        let record = records.entry(prepared.link_key.value.clone()).or_insert(Json::Null);
        let is_new = record.is_null();
        if is_new {
            *record = json!({});
        }
        for (name, sent) in &prepared.sent {
            record[name] = sent.value.clone();
        }
        is_new
    }
}

/// One call about a customer, until it is over or cut off.
struct Busy<'a>(&'a Vendor, String);

impl<'a> Busy<'a> {
    fn with(vendor: &'a Vendor, key: &str) -> Self {
        let is_alone = vendor.busy.lock().insert(key.to_owned());
        assert!(is_alone, "two calls for one customer at once");
        Self(vendor, key.to_owned())
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.lock().remove(&self.1);
    }
}

#[async_trait]
impl UpsertProvider for Vendor {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn prepare(&self, request: &UpsertRequest<'_>) -> Result<PreparedUpsert, Vec<Violation>> {
        let Some(reference) = request.customer.reference() else {
            return Err(vec![Violation {
                pointer: "/reference".into(),
                code: "required",
                detail: "is required".into(),
            }]);
        };
        let mut sent = BTreeMap::new();
        let mut body = Map::new();
        for (field, vendor_field) in FIELDS {
            let selected = match request.selection {
                Selection::All => true,
                Selection::Only(only) => field == Field::Reference || only.contains(vendor_field),
            };
            if let (true, Some(value)) = (selected, request.customer.get(field)) {
                let value = value.to_json();
                body.insert(vendor_field.to_owned(), value.clone());
                sent.insert(
                    vendor_field.to_owned(),
                    Sent {
                        pointer: field.pointer().into(),
                        value,
                        merged: false,
                    },
                );
            }
        }
        let key = MatchKey::new(KeyKind::Reference, reference);
        Ok(PreparedUpsert {
            request: WireRequest {
                method: "PUT".into(),
                path: "/".into(),
                body: Json::Object(body),
            },
            sent,
            match_key: Some(key.clone()),
            matches_by: vec![key.clone()],
            known_by: vec![key.clone()],
            expected_id: (!*self.takes_all_for_one.lock()).then(|| format!("rec-{}", key.value)),
            link_key: key,
            intent: Intent::Upsert,
            repeat: self.repeat,
            warnings: Vec::new(),
        })
    }

    async fn upsert(&self, context: &CallContext, prepared: &PreparedUpsert) -> Result<UpsertReceipt, ProviderError> {
        if context.deadline <= Instant::now() {
            // As the layers around a provider do.
            let wait = Duration::from_millis(100);
            return Err(ProviderError::held(WaitingFor::RateLimit, Some(wait), "too late"));
        }
        self.traceparents.lock().push(context.traceparent.clone());
        let key = prepared.link_key.value.clone();
        let busy = Busy::with(self, &key);
        self.calls.lock().push((Instant::now(), prepared.request.body.clone()));
        let act = self
            .script
            .lock()
            .pop_front()
            .unwrap_or_else(|| self.usually.lock().clone());
        let act = if self.failing.lock().contains(&key) {
            Act::Down
        } else {
            act
        };
        if let Act::Slow(wait) | Act::SlowlyReject(wait) | Act::SlowlyDown(wait) | Act::SlowlyUnauthorised(wait) = act {
            tokio::time::sleep(wait).await;
        }
        tokio::task::yield_now().await;
        drop(busy);
        let failed = |kind, state, advice| Err(ProviderError::new(kind, state, advice, "as the script says"));
        match act {
            Act::Accept | Act::Slow(_) | Act::Elsewhere => {
                let is_new = self.write(prepared);
                let is_elsewhere = matches!(act, Act::Elsewhere) || *self.takes_all_for_one.lock();
                let key = if is_elsewhere { "other" } else { &key };
                Ok(UpsertReceipt {
                    outcome: if is_new { Outcome::Created } else { Outcome::Updated },
                    evidence: Evidence::VendorSaid,
                    matched_by: (!is_new).then_some(KeyKind::Reference),
                    provider_customer_id: format!("rec-{key}"),
                    fields: self.outcomes(prepared),
                    vendor_request_id: None,
                    vendor_said: upsert_core::VendorSaid::default(),
                })
            }
            Act::AcceptUnseen => {
                self.write(prepared);
                failed(ErrorKind::Transient, StateAtVendor::Unknown, RetryAdvice::Backoff)
            }
            Act::Reject | Act::SlowlyReject(_) => {
                failed(ErrorKind::Rejected, StateAtVendor::Unchanged, RetryAdvice::Never)
            }
            Act::Down | Act::SlowlyDown(_) => {
                failed(ErrorKind::Transient, StateAtVendor::Unchanged, RetryAdvice::Backoff)
            }
            Act::Unauthorised | Act::SlowlyUnauthorised(_) => {
                failed(ErrorKind::Unauthorised, StateAtVendor::Unchanged, RetryAdvice::Never)
            }
        }
    }
}

/// Doubles from 200 ms to an hour, without jitter, and never repeats what is not safe.
#[derive(Debug)]
struct Doubling;

impl RetryRule for Doubling {
    fn next(&self, error: &ProviderError, attempts: u32, repeat: Repeat, time_left: Duration) -> NextStep {
        let unsafe_now = error.state == StateAtVendor::Unknown && repeat == Repeat::Unsafe;
        if error.advice == RetryAdvice::Never || unsafe_now || time_left.is_zero() {
            return NextStep::Fail;
        }
        let wait = Duration::from_millis(200) * 2_u32.saturating_pow(attempts.saturating_sub(1).min(20));
        NextStep::Again(wait.min(Duration::from_secs(3_600)))
    }
}

#[derive(Debug)]
struct Fine;

impl ConnectionStatus for Fine {
    fn snapshot(&self) -> upsert_api::ConnectionStatus {
        untouched::untouched()
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

/// A page of all there is, as far as tests go.
pub fn all_of_it() -> PageQuery {
    PageQuery {
        limit: 10_000,
        cursor: None,
    }
}

/// A gateway and what it is made of.
pub struct House {
    pub gateway: Gateway,
    pub store: Arc<MemoryStore>,
    pub clock: Arc<TokioClock>,
    pub merchant: Arc<Merchant>,
}

pub fn connection(name: &str, vendor: &Arc<Vendor>) -> Connection {
    Connection {
        name: name.to_owned(),
        provider: "scripted".to_owned(),
        required: true,
        payload: Payload::Changed,
        on_collision: OnCollision::Refuse,
        on_key_change: OnKeyChange::Refuse,
        never_match: Arc::default(),
        timeout: Duration::from_secs(10),
        max_age: Duration::from_secs(72 * 3_600),
        counts_calls: false,
        adapter: vendor.clone(),
        reader: None,
        retry: Arc::new(Doubling),
        status: Arc::new(Fine),
        fingerprint: "one".to_owned(),
    }
}

pub fn merchant(connections: Vec<Connection>) -> Merchant {
    Merchant {
        id: "acme".to_owned(),
        default_region: Some("US".to_owned()),
        match_on: vec![IdentifierKind::Email, IdentifierKind::Phone],
        never_match: Arc::default(),
        sync_deadline: Duration::from_secs(10),
        connections: connections.into_iter().map(Arc::new).collect(),
        routes: Vec::new(),
        sources: Vec::new(),
        endpoints: Vec::new(),
    }
}

fn parts(store: Arc<dyn Store>, clock: Arc<TokioClock>, merchant: Merchant) -> GatewayParts {
    GatewayParts {
        store,
        clock,
        directory: Directory::new([merchant]),
        idempotency_keep: Duration::from_secs(24 * 3_600),
        retention: Retention::default(),
        spans: None,
        look_every: LOOK_EVERY,
        audit_keys: Arc::new(NoAuditKeys),
        signing_key: None,
    }
}

impl House {
    pub async fn new(connections: Vec<Connection>) -> Self {
        Self::on(Arc::new(MemoryStore::new()), TokioClock::new(), connections).await
    }

    /// A process that starts on what another one left.
    pub async fn on(store: Arc<MemoryStore>, clock: Arc<TokioClock>, connections: Vec<Connection>) -> Self {
        let house = Self::quiet(store, clock, connections).await;
        house.gateway.run_background();
        house
    }

    /// Ends the background pass and leaves what is in flight as it is: as far as the store sees, the process is dead.
    pub async fn kill(&self) {
        let _still_in_flight = tokio::time::timeout(Duration::from_millis(1), self.gateway.shut_down()).await;
    }

    /// Without a background pass.
    pub async fn quiet(store: Arc<MemoryStore>, clock: Arc<TokioClock>, connections: Vec<Connection>) -> Self {
        Self::of(store, clock, merchant(connections)).await
    }

    /// Of this merchant, without a background pass.
    pub async fn of(store: Arc<MemoryStore>, clock: Arc<TokioClock>, merchant: Merchant) -> Self {
        let seen = store.clone();
        Self::through(seen, store, clock, merchant).await
    }

    /// Whose gateway sees the store through another one.
    pub async fn through(
        seen: Arc<dyn Store>,
        store: Arc<MemoryStore>,
        clock: Arc<TokioClock>,
        merchant: Merchant,
    ) -> Self {
        Self::keeping(seen, store, clock, merchant, Retention::default()).await
    }

    /// That forgets what is older.
    pub async fn keeping(
        seen: Arc<dyn Store>,
        store: Arc<MemoryStore>,
        clock: Arc<TokioClock>,
        merchant: Merchant,
        retention: Retention,
    ) -> Self {
        let parts = parts(seen, clock.clone(), merchant);
        Self::made(GatewayParts { retention, ..parts }, store, clock).await
    }

    /// That looks so seldom by itself.
    pub async fn looking_every(
        look_every: Duration,
        seen: Arc<dyn Store>,
        clock: Arc<TokioClock>,
        merchant: Merchant,
    ) -> Self {
        let parts = parts(seen, clock.clone(), merchant);
        let nobodys = Arc::new(MemoryStore::new());
        Self::made(GatewayParts { look_every, ..parts }, nobodys, clock).await
    }

    async fn made(parts: GatewayParts, store: Arc<MemoryStore>, clock: Arc<TokioClock>) -> Self {
        let gateway = Gateway::new(parts);
        gateway.deliveries.recover().await.unwrap();
        let merchant = gateway.directory().get("acme").unwrap().clone();
        Self {
            gateway,
            store,
            clock,
            merchant,
        }
    }

    pub async fn upsert(&self, body: Json) -> Result<Answer, Refusal> {
        self.command(body, |_| {}).await
    }

    pub async fn command(&self, body: Json, change: impl FnOnce(&mut UpsertCommand)) -> Result<Answer, Refusal> {
        let mut command = UpsertCommand {
            body,
            idempotency_key: None,
            route: "POST /v1/customers",
            through: Through::Request,
            respond_async: false,
            force: false,
            handling: Handling::Strict,
            traceparent: None,
            tracestate: None,
            priority: Priority::Interactive,
            request_id: "request".to_owned(),
            visibility: upsert_api::Visibility::Whole,
        };
        change(&mut command);
        self.gateway
            .upserts
            .upsert(
                &Caller {
                    name: "tests".to_owned(),
                },
                &self.merchant,
                command,
            )
            .await
    }

    /// How an upsert stands.
    pub async fn look(&self, answer: &Answer) -> Json {
        let id = body(answer)["upsert_id"].as_str().unwrap().parse().unwrap();
        body(&self.gateway.queries.get_upsert(&self.merchant, id).await.unwrap())
    }
}

pub fn body(answer: &Answer) -> Json {
    serde_json::from_str(&answer.body).unwrap()
}

/// An upsert of this name.
pub async fn named(house: &House, reference: &str, name: &str) -> Answer {
    let body = json!({ "reference": reference, "given_name": name });
    house.upsert(body).await.unwrap()
}

pub fn upsert_of(answer: &Answer) -> UpsertId {
    body(answer)["upsert_id"].as_str().unwrap().parse().unwrap()
}

pub fn customer_of(answer: &Answer) -> CustomerId {
    body(answer)["customer"]["id"].as_str().unwrap().parse().unwrap()
}
