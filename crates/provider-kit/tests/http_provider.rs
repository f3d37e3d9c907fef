//! What a provider over HTTP adds to its adapter: times, ids in one form, and that reads leave nothing in doubt.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Map, Value as Json, json};
use tokio::time::Instant;

use upsert_core::{
    CallContext, Capabilities, Clock, Customer, ErrorKind, Evidence, Exchange, FieldOutcomes, InLine, Intent, KeyKind,
    ListQuery, MatchKey, Outcome, Payload, PreparedUpsert, Priority, Problem, ProviderError, ReadCustomer, ReadPage,
    Repeat, StateAtVendor, Unreadable, UpsertReceipt, UpsertRequest, Violation, WireRequest,
};
use upsert_provider_kit::{
    Built, ConnectionSetup, Credentials, HttpReads, HttpVendor, Incoming, Outgoing, Registry, SettingProblem,
    Transport, TransportError, VendorSetup, WireReply, classify, unknown_filters, unreadable,
};

const BEGAN: &str = "2026-01-02T03:04:05Z";
const LATER: &str = "2026-01-02T03:04:09Z";

/// A status and a body, or what became of the call.
type Answered = Result<(u16, &'static str), TransportError>;

/// Its ids are the same in capitals.
#[derive(Debug)]
struct Shouting;

impl HttpVendor for Shouting {
    const KIND: &'static str = "shouting";
    const DEFAULT_BASE_URL: &'static str = "http://vendor.example/api";
    type Settings = Map<String, Json>;

    fn capabilities(_: &Self::Settings) -> Capabilities {
        Capabilities {
            title: "Shouting",
            docs_url: "",
            forms: Vec::new(),
            tells_created_from_updated: false,
            can_clear: false,
            merges_tags: false,
            updates_by_id: false,
            default_payload: Payload::Full,
            credentials: &["key"],
            protected: &[],
            can_read: true,
            known_daily_limit: None,
        }
    }

    fn new(_: VendorSetup<Self::Settings>) -> Result<Self, Vec<SettingProblem>> {
        Ok(Self)
    }

    fn authorise(&self, _: &mut HeaderMap) {}

    fn encode(&self, _: &UpsertRequest<'_>) -> Result<PreparedUpsert, Vec<Violation>> {
        Err(Vec::new())
    }

    /// Says of when the call was, and what it was told of waiting.
    fn decode(&self, _: &PreparedUpsert, reply: &WireReply) -> Result<UpsertReceipt, ProviderError> {
        if !reply.is_success() {
            return Err(classify(reply));
        }
        assert_eq!(reply.began_at, BEGAN.parse::<Timestamp>().unwrap());
        let body = reply.json().unwrap();
        Ok(UpsertReceipt {
            outcome: Outcome::Upserted,
            evidence: Evidence::None,
            matched_by: None,
            provider_customer_id: body["id"].as_str().unwrap().to_owned(),
            fields: FieldOutcomes::default(),
            vendor_request_id: None,
            vendor_said: reply.said(&body, &[]),
        })
    }

    fn canonical_id(&self, id: &str) -> String {
        id.to_lowercase()
    }

    fn reads(&self) -> Option<&dyn HttpReads> {
        Some(self)
    }
}

/// The same, but that it says nothing of its ids and cannot read.
#[derive(Debug)]
struct Quiet;

impl HttpVendor for Quiet {
    const KIND: &'static str = "quiet";
    const DEFAULT_BASE_URL: &'static str = Shouting::DEFAULT_BASE_URL;
    type Settings = Map<String, Json>;

    fn capabilities(settings: &Self::Settings) -> Capabilities {
        Shouting::capabilities(settings)
    }

    fn new(_: VendorSetup<Self::Settings>) -> Result<Self, Vec<SettingProblem>> {
        Ok(Self)
    }

    fn authorise(&self, headers: &mut HeaderMap) {
        Shouting.authorise(headers);
    }

    fn encode(&self, request: &UpsertRequest<'_>) -> Result<PreparedUpsert, Vec<Violation>> {
        Shouting.encode(request)
    }

    fn decode(&self, prepared: &PreparedUpsert, reply: &WireReply) -> Result<UpsertReceipt, ProviderError> {
        Shouting.decode(prepared, reply)
    }
}

impl HttpReads for Shouting {
    fn check(&self, query: &ListQuery) -> Result<(), Vec<Problem>> {
        let unknown = unknown_filters(query, &["tag"]);
        if unknown.is_empty() { Ok(()) } else { Err(unknown) }
    }

    fn list_request(&self, _: &ListQuery) -> WireRequest {
        asked("/all")
    }

    fn decode_list(&self, _: &ListQuery, reply: &WireReply) -> Result<ReadPage, ProviderError> {
        let body = reply.json().ok_or_else(|| unreadable(reply, "no JSON"))?;
        let data = body.as_array().unwrap().iter().map(read).collect();
        Ok(ReadPage {
            data,
            ..ReadPage::default()
        })
    }

    fn read_request(&self, id: &str) -> WireRequest {
        asked(&format!("/{id}"))
    }

    fn decode_read(&self, reply: &WireReply) -> Result<Option<ReadCustomer>, ProviderError> {
        if reply.is_success() {
            Ok(reply.json().as_ref().map(read))
        } else {
            Err(classify(reply))
        }
    }
}

fn read(record: &Json) -> ReadCustomer {
    ReadCustomer {
        // As it stands there, be it blank: what ids are fit is the provider's to say.
        provider_customer_id: record["id"].as_str().map(str::to_owned),
        customer: Customer::default(),
        unreadable: Vec::new(),
        vendor_fields: Map::new(),
    }
}

fn asked(path: &str) -> WireRequest {
    WireRequest {
        method: "GET".to_owned(),
        path: path.to_owned(),
        body: Json::Null,
    }
}

/// Answers once, at a later time than it was asked.
#[derive(Debug)]
struct Line(Mutex<Option<Answered>>, Arc<Moving>);

#[async_trait::async_trait]
impl Transport for Line {
    async fn send(&self, outgoing: Outgoing) -> Result<Incoming, TransportError> {
        assert_eq!(outgoing.url.host_str(), Some("vendor.example"));
        *self.1.0.lock() = LATER.parse().unwrap();
        let (status, body) = self.0.lock().take().unwrap()?;
        let mut headers = HeaderMap::new();
        let date = HeaderValue::from_static("Fri, 02 Jan 2026 03:04:19 GMT");
        headers.insert(HeaderName::from_static("retry-after"), date);
        Ok(Incoming {
            status,
            headers,
            body: Bytes::from_static(body.as_bytes()),
        })
    }
}

#[derive(Debug)]
struct Moving(Mutex<Timestamp>);

impl Clock for Moving {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}

fn registry() -> Registry {
    Registry::new().with::<Shouting>().with::<Quiet>()
}

fn setup(answer: Answered, credentials: &[&str]) -> ConnectionSetup {
    let credentials = credentials.iter().map(|name| ((*name).to_owned(), "secret".into()));
    let clock = Arc::new(Moving(Mutex::new(BEGAN.parse().unwrap())));
    ConnectionSetup {
        base_url: None,
        credentials: Credentials::new(credentials.collect()),
        settings: json!({}),
        transport: Arc::new(Line(Mutex::new(Some(answer)), clock.clone())),
        clock,
        send_traceparent: false,
    }
}

/// As much of a success as had arrived.
fn begun() -> Box<Incoming> {
    Box::new(Incoming {
        status: 200,
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"{\"id\":"),
    })
}

fn built(answer: Answered) -> Built {
    registry().build("shouting", setup(answer, &["key"])).unwrap()
}

fn context() -> CallContext {
    CallContext {
        deadline: Instant::now() + Duration::from_secs(1),
        attempt: 1,
        delivery_id: None,
        traceparent: None,
        tracestate: None,
        priority: Priority::Interactive,
        is_counted: false,
        is_trial: false,
        in_line: InLine::default(),
        exchange: Exchange::default(),
    }
}

fn prepared() -> PreparedUpsert {
    PreparedUpsert {
        request: asked("/one"),
        sent: BTreeMap::new(),
        match_key: None,
        matches_by: Vec::new(),
        known_by: Vec::new(),
        link_key: MatchKey::new(KeyKind::Id, "x"),
        expected_id: None,
        intent: Intent::Upsert,
        repeat: Repeat::Safe,
        warnings: Vec::new(),
    }
}

#[tokio::test]
async fn ids_are_handed_on_in_the_form_that_they_are_compared_in() {
    let receipt = built(Ok((200, r#"{"id":"ABC"}"#)))
        .provider
        .upsert(&context(), &prepared())
        .await;
    let receipt = receipt.unwrap();
    assert_eq!(
        (&*receipt.provider_customer_id, receipt.vendor_said.status),
        ("abc", Some(200))
    );
    let page = built(Ok((200, r#"[{"id":"ABC"},{}]"#))).reader.unwrap();
    let page = page.list(&context(), &ListQuery::default()).await.unwrap();
    let ids: Vec<_> = page.data.iter().map(|it| it.provider_customer_id.as_deref()).collect();
    assert_eq!(ids, [Some("abc"), None]);
    let one = built(Ok((200, r#"{"id":"ABC"}"#))).reader.unwrap();
    let one = one.read(&context(), "abc").await.unwrap().unwrap();
    assert_eq!(one.provider_customer_id.as_deref(), Some("abc"));
    assert_eq!(built(Ok((200, ""))).provider.canonical_id("ABC"), "abc");
}

/// Ids that nobody could keep or read, as JSON writes them.
fn unfit_ids() -> [String; 5] {
    let long = "x".repeat(256);
    [long.as_str(), r"a\u0000b", r"a\u202eb", r"a\nb", " "].map(str::to_owned)
}

#[tokio::test]
async fn a_receipt_with_an_id_that_nobody_could_keep_or_read_is_a_broken_contract() {
    for id in unfit_ids() {
        let answer: &'static str = format!(r#"{{"id":"{id}"}}"#).leak();
        let written = built(Ok((200, answer))).provider.upsert(&context(), &prepared()).await;
        let written = written.unwrap_err();
        assert_eq!(
            (written.kind, written.state),
            (ErrorKind::BrokenContract, StateAtVendor::Unknown)
        );
        let said = "an id of a record is blank, longer than 255 characters or holds control characters";
        assert!(written.detail.contains(said), "{}", written.detail);
    }
}

#[tokio::test]
async fn an_id_that_nobody_could_keep_or_read_costs_its_record_the_id_and_not_the_page() {
    for id in unfit_ids() {
        let page: &'static str = format!(r#"[{{"id":"{id}"}},{{"id":"ABC"}}]"#).leak();
        let reader = built(Ok((200, page))).reader.unwrap();
        let page = reader.list(&context(), &ListQuery::default()).await.unwrap();
        let ids: Vec<_> = page.data.iter().map(|it| it.provider_customer_id.as_deref()).collect();
        assert_eq!(ids, [None, Some("abc")]);
        let shown: Json = serde_json::from_str(&format!("\"{id}\"")).unwrap();
        let unreadable = vec![Unreadable::new("/provider_customer_id", shown)];
        assert_eq!(page.data[0].unreadable, unreadable);
        assert_eq!(page.data[1].unreadable, []);
        let one: &'static str = format!(r#"{{"id":"{id}"}}"#).leak();
        let reader = built(Ok((200, one))).reader.unwrap();
        let one = reader.read(&context(), "abc").await.unwrap().unwrap();
        assert_eq!((one.provider_customer_id, one.unreadable), (None, unreadable));
    }
}

#[tokio::test]
async fn a_date_to_wait_for_counts_from_when_the_answer_came() {
    let error = built(Ok((429, "")))
        .provider
        .upsert(&context(), &prepared())
        .await
        .unwrap_err();
    assert_eq!(error.held.unwrap().for_at_least, Some(Duration::from_secs(10)));
}

#[tokio::test]
async fn a_read_that_fails_leaves_nothing_in_doubt_and_a_write_does() {
    #[expect(clippy::type_complexity, reason = "it stands here alone")]
    let table: [(fn() -> Answered, &str); 4] = [
        (|| Ok((500, "")), "the vendor failed"),
        (
            || Err(TransportError::Interrupted("the connection broke".to_owned())),
            "no answer came after the request went out (the connection broke)",
        ),
        (
            || Err(TransportError::BrokeOff(begun())),
            "the answer broke off after it had begun",
        ),
        (
            || Err(TransportError::TooLarge(begun())),
            "the vendor's answer is longer than any it should give",
        ),
    ];
    for (answer, said) in table {
        let reader = built(answer()).reader.unwrap();
        let read = reader.read(&context(), "abc").await.unwrap_err();
        assert_eq!((read.state, &*read.detail), (StateAtVendor::Unchanged, said));
        let reader = built(answer()).reader.unwrap();
        let listed = reader.list(&context(), &ListQuery::default()).await.unwrap_err();
        assert_eq!(listed.state, StateAtVendor::Unchanged);
        assert!(!listed.detail.contains("wrote"), "{}", listed.detail);
        let written = built(answer())
            .provider
            .upsert(&context(), &prepared())
            .await
            .unwrap_err();
        assert_eq!(written.state, StateAtVendor::Unknown);
        assert!(
            written.detail.starts_with(said) && written.detail.contains("wrote"),
            "{}",
            written.detail
        );
    }
}

#[tokio::test]
async fn an_id_is_its_very_text_where_the_vendor_says_nothing_of_it() {
    let answer = Ok((200, r#"{"id":"ABC"}"#));
    let quiet = registry().build("quiet", setup(answer, &[])).unwrap();
    assert!(quiet.reader.is_none());
    let receipt = quiet.provider.upsert(&context(), &prepared()).await.unwrap();
    assert_eq!(receipt.provider_customer_id, "ABC");
}

#[test]
fn a_filter_that_the_vendor_does_not_know_is_refused_before_anything_is_sent() {
    let reader = built(Ok((200, ""))).reader.unwrap();
    let query = |search: Option<&str>| ListQuery {
        search: search.map(str::to_owned),
        tags: vec!["vip".to_owned()],
        ..ListQuery::default()
    };
    assert_eq!(reader.check(&query(None)), Ok(()));
    let problems = reader.check(&query(Some("ann"))).unwrap_err();
    let pointers: Vec<_> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
    assert_eq!(pointers, ["search"]);
}

#[test]
fn providers_are_described_by_name_and_an_unknown_credential_is_named() {
    let registry = registry();
    let kinds: Vec<_> = registry.describe().map(|it| it.kind).collect();
    assert_eq!(kinds, ["quiet", "shouting"]);
    let shouting = registry.description("shouting").unwrap();
    assert_eq!(
        (shouting.default_base_url, shouting.capabilities.title),
        ("http://vendor.example/api", "Shouting")
    );
    assert!(registry.description("whispering").is_none());
    let refused =
        |kind: &str, credentials: &[&str]| registry.build(kind, setup(Ok((200, "")), credentials)).unwrap_err();
    let problem = |path: &str, message: &str| {
        vec![SettingProblem {
            path: path.to_owned(),
            message: message.to_owned(),
        }]
    };
    assert_eq!(
        refused("shouting", &["key", "token"]),
        problem(
            "credentials.token",
            "is not a credential of this provider; known are: key"
        )
    );
    assert_eq!(
        refused("whispering", &[]),
        problem("provider", "is not a provider; known are: quiet, shouting")
    );
}
