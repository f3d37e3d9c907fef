//! Systems that send events and systems that are told of them.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test file uses its own part, and a test may panic"
)]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use upsert_api::{
    Direction, Event, EventReplayed, IncomingEvent, IncomingFilter, IncomingState, TakenEvent, Visibility,
};
use upsert_app::{
    Caller, DeadLetterAction, Endpoint, EndpointAnswer, EventKind, EventSender, Intake, Refusal, SignedEvent, Source,
};
use upsert_core::{Clock, Handling, Word as _};
use upsert_webhook::mapping::{Conditions, EventId, Pointer, Rule, Target};
use upsert_webhook::{
    Hmac, HmacHash, Mapping, OrderKind, Received, SignatureEncoding, Signed, SigningKey, Verifier, sign,
};

use super::{House, all_of_it};

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub fn key() -> SigningKey {
    SigningKey::standard(SECRET).unwrap()
}

/// What a sender signs with that signs no time.
pub fn unsigned_time(keys: Vec<SigningKey>) -> Hmac {
    Hmac {
        keys,
        header: "x-signature".to_owned(),
        hash: HmacHash::Sha256,
        encoding: SignatureEncoding::Hex,
        prefix: String::new(),
        timestamp: None,
        signed: vec![Signed::Body],
    }
}

/// A source of events that say nothing of when they were, and whose signatures do not either.
pub fn ageless(name: &str) -> Source {
    let mut source = source(name, None);
    source.mapping.order_by = None;
    source.verifier = Verifier::Hmac(unsigned_time(vec![key()]));
    source
}

/// Events such as `{ "id": …, "at": …, "who": { "ref": …, "first": …, "notes": …, "mail": … } }`.
pub fn source(name: &str, connection: Option<&str>) -> Source {
    let pointer = |text: &str| Pointer::parse(text).unwrap();
    let rules = [
        ("reference", "/who/ref"),
        ("given_name", "/who/first"),
        ("notes", "/who/notes"),
        ("email", "/who/mail"),
    ];
    Source {
        name: name.to_owned(),
        verifier: Verifier::Standard {
            keys: vec![key()],
            tolerance: Duration::from_secs(300),
        },
        mapping: Mapping {
            each: None,
            event_id: EventId::Pointers(vec![pointer("/id")]),
            order_by: Some((pointer("/at"), OrderKind::Number)),
            provider_customer_id: connection.map(|_| pointer("/record")),
            only: Conditions(Vec::new()),
            rules: rules
                .into_iter()
                .map(|(target, from)| {
                    (
                        Target::new(vec![target.to_owned()]).unwrap(),
                        Rule::plain(pointer(from)),
                    )
                })
                .collect(),
            is_lenient: false,
        },
        handling: Handling::Strict,
        body_limit: 1024 * 1024,
        ping: None,
        connection: connection.map(str::to_owned),
    }
}

impl House {
    /// Sends an event as its source would.
    pub async fn event(&self, source: &str, event: &Json) -> Result<Intake, Refusal> {
        let body = event.to_string();
        let now = self.clock.now();
        let headers = BTreeMap::from([
            ("webhook-id", "msg_1".to_owned()),
            ("webhook-timestamp", now.as_second().to_string()),
            ("webhook-signature", sign(&[key()], "msg_1", now, body.as_bytes())),
            (
                "x-signature",
                unsigned_time(vec![]).signature(&key(), "", "POST", body.as_bytes()),
            ),
        ]);
        let header = |name: &str| headers.get(name).cloned();
        let received = Received {
            header: &header,
            method: "POST",
            body: body.as_bytes(),
        };
        let merchant = self.gateway.directory().get("acme").unwrap().clone();
        let source = merchant.source(source).unwrap().clone();
        let event = self.gateway.inbox.read_event(&merchant, &source, &received, None)?;
        self.gateway.inbox.take_event(event).await
    }

    /// Sends one and tells what became of it.
    pub async fn told(&self, source: &str, event: &Json) -> String {
        let intake = self.event(source, event).await.unwrap();
        intake.data[0].result.to_string()
    }
}

impl House {
    /// Events that came in and could not be taken.
    pub async fn refused_events(&self) -> Vec<IncomingEvent> {
        let failed = IncomingFilter {
            state: [IncomingState::Failed].into(),
            ..IncomingFilter::default()
        };
        let queries = &self.gateway.queries;
        let page = queries.list_incoming(&failed, &all_of_it(), Visibility::Whole).await;
        let incoming = |event| match event {
            Event::Incoming(event) => event,
            Event::Outgoing(_) => panic!("it came in"),
        };
        page.unwrap().data.into_iter().map(incoming).collect()
    }

    /// Handles one of them by hand.
    pub async fn by_hand(&self, id: upsert_core::EventId, action: DeadLetterAction) -> Result<EventReplayed, Refusal> {
        let ops = Caller { name: "ops".to_owned() };
        let (operations, letter) = (&self.gateway.operations, (Direction::In, id));
        operations
            .event_dead_letter(&ops, None, letter, action, Visibility::Whole)
            .await
    }

    /// Replays one of them that can be taken now.
    pub async fn replayed(&self, id: upsert_core::EventId) -> TakenEvent {
        taken(self.by_hand(id, DeadLetterAction::Replay).await.unwrap())
    }
}

/// Of an event that came in and was not given up.
pub fn taken(replayed: EventReplayed) -> TakenEvent {
    match replayed {
        EventReplayed::Taken(taken) => taken,
        EventReplayed::Event(_) => panic!("it was given up"),
    }
}

/// What an endpoint got.
#[derive(Debug, Clone)]
pub struct Got {
    pub at: Instant,
    pub id: String,
    pub timestamp: i64,
    pub signature: String,
    /// The body as it came: that is what is signed.
    pub text: String,
    pub body: Json,
}

/// An endpoint that answers as a script says.
#[derive(Debug, Default)]
pub struct Listener {
    script: Mutex<VecDeque<Result<u16, String>>>,
    usually: Mutex<Option<u16>>,
    slow: Mutex<Duration>,
    got: Mutex<Vec<Got>>,
}

impl Listener {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn then(&self, answers: impl IntoIterator<Item = Result<u16, String>>) {
        self.script.lock().extend(answers);
    }

    pub fn usually(&self, status: u16) {
        *self.usually.lock() = Some(status);
    }

    pub fn takes(&self, time: Duration) {
        *self.slow.lock() = time;
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().clone()
    }

    pub fn kinds(&self) -> Vec<String> {
        let kind = |got: &Got| got.body["type"].as_str().unwrap().to_owned();
        self.got().iter().map(kind).collect()
    }

    pub fn endpoint(self: &Arc<Self>, name: &str) -> Endpoint {
        Endpoint {
            name: name.to_owned(),
            shown_url: format!("https://{name}.example/hooks"),
            events: EventKind::all().collect(),
            payload: upsert_core::EventPayload::Full,
            keys: vec![key()],
            sender: self.clone(),
        }
    }
}

#[async_trait]
impl EventSender for Listener {
    async fn send(&self, event: SignedEvent<'_>) -> Result<EndpointAnswer, String> {
        let got = Got {
            at: Instant::now(),
            id: event.id.to_owned(),
            timestamp: event.timestamp,
            signature: event.signature.to_owned(),
            text: event.body.to_owned(),
            body: serde_json::from_str(event.body).unwrap(),
        };
        self.got.lock().push(got);
        let wait = *self.slow.lock();
        tokio::time::sleep(wait).await;
        let next = self.script.lock().pop_front();
        let usually = self.usually.lock().unwrap_or(204);
        next.unwrap_or(Ok(usually)).map(EndpointAnswer::bare)
    }
}

pub fn event(id: &str, at: u32, who: &Json) -> Json {
    json!({ "id": id, "at": at, "who": who })
}
