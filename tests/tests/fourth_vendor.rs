//! A fourth vendor is one type and one line in the registry; a provider that speaks no HTTP is one too. Nothing else of
//! the gateway is touched: this file is all there is of both.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use upsert_core::{
    CallContext, Capabilities, Evidence, Field, FieldMap, FieldOutcomes, Form, Intent, KeyKind, Kind, MatchKey,
    Outcome, Payload, PreparedUpsert, ProviderError, ProviderInfo, Repeat, UpsertProvider, UpsertReceipt,
    UpsertRequest, Violation, WireRequest,
};
use upsert_provider_kit::{
    Built, EncodeRules, HttpVendor, ProviderDescription, SettingProblem, VendorSetup, WireReply, at_path, classify,
    encode, field_outcomes, unreadable,
};
use upsert_tests::{Plan, World};

/// An HTTP vendor that keeps contacts by the id that we give them.
#[derive(Debug)]
struct Ledger;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

fn field(field: Field, vendor_field: &'static str, required: bool) -> FieldMap {
    FieldMap {
        field,
        vendor_field,
        required,
        soft_limit: None,
        readable: true,
    }
}

fn capabilities() -> Capabilities {
    Capabilities {
        title: "Ledger",
        docs_url: "https://ledger.example/docs",
        forms: vec![Form {
            kinds: vec![Kind::Person, Kind::Organisation],
            fields: vec![
                field(Field::Reference, "key", true),
                field(Field::GivenName, "name/first", false),
                field(Field::Email, "mail", false),
            ],
            match_keys: vec![KeyKind::Reference],
        }],
        tells_created_from_updated: true,
        can_clear: false,
        merges_tags: false,
        updates_by_id: false,
        default_payload: Payload::Full,
        credentials: &[],
        protected: &["key"],
        can_read: false,
        known_daily_limit: None,
    }
}

fn prepare(request: &UpsertRequest<'_>) -> Result<PreparedUpsert, Vec<Violation>> {
    let capabilities = capabilities();
    let translate = |_, value: &upsert_core::Value| value.to_json();
    let rules = EncodeRules {
        title: "Ledger",
        form: &capabilities.forms[0],
        clear_with: None,
        silent: &[Field::Kind],
        always: &[],
        merges_tags: false,
        translate: &translate,
    };
    let encoded = encode(&rules, request);
    if !encoded.violations.is_empty() {
        return Err(encoded.violations);
    }
    let key = MatchKey::new(KeyKind::Reference, request.customer.reference().unwrap_or_default());
    Ok(PreparedUpsert {
        request: WireRequest {
            method: "PUT".into(),
            path: "/contacts".into(),
            body: Json::Object(encoded.body),
        },
        sent: encoded.sent,
        match_key: Some(key.clone()),
        matches_by: vec![key.clone()],
        known_by: vec![key.clone()],
        link_key: key,
        expected_id: None,
        intent: if request.link.is_some() {
            Intent::Update
        } else {
            Intent::Upsert
        },
        repeat: Repeat::Safe,
        warnings: encoded.warnings,
    })
}

impl HttpVendor for Ledger {
    const KIND: &'static str = "ledger";
    const DEFAULT_BASE_URL: &'static str = "https://ledger.example";
    type Settings = NoSettings;

    fn capabilities(_: &NoSettings) -> Capabilities {
        capabilities()
    }

    fn new(_: VendorSetup<NoSettings>) -> Result<Self, Vec<SettingProblem>> {
        Ok(Self)
    }

    fn authorise(&self, _: &mut reqwest::header::HeaderMap) {}

    fn encode(&self, request: &UpsertRequest<'_>) -> Result<PreparedUpsert, Vec<Violation>> {
        prepare(request)
    }

    fn decode(&self, prepared: &PreparedUpsert, reply: &WireReply) -> Result<UpsertReceipt, ProviderError> {
        if !reply.is_success() {
            return Err(classify(reply));
        }
        let body: Json = serde_json::from_slice(&reply.body).map_err(|_| unreadable(reply, "not JSON"))?;
        let id = at_path(&body, "number")
            .and_then(Json::as_str)
            .ok_or_else(|| unreadable(reply, "no number"))?;
        let created = reply.status == 201;
        Ok(UpsertReceipt {
            outcome: if created { Outcome::Created } else { Outcome::Updated },
            evidence: Evidence::VendorSaid,
            matched_by: (!created).then_some(KeyKind::Reference),
            provider_customer_id: id.to_owned(),
            fields: field_outcomes(&prepared.sent, &body),
            vendor_request_id: None,
            vendor_said: upsert_core::VendorSaid::default(),
        })
    }
}

/// A provider that speaks no HTTP: a card index in memory.
#[derive(Debug)]
struct CardIndex {
    info: ProviderInfo,
    cards: Arc<Mutex<BTreeMap<String, Json>>>,
}

#[async_trait]
impl UpsertProvider for CardIndex {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn prepare(&self, request: &UpsertRequest<'_>) -> Result<PreparedUpsert, Vec<Violation>> {
        prepare(request)
    }

    async fn upsert(&self, _: &CallContext, prepared: &PreparedUpsert) -> Result<UpsertReceipt, ProviderError> {
        let before = self
            .cards
            .lock()
            .insert(prepared.link_key.value.clone(), prepared.request.body.clone());
        Ok(UpsertReceipt {
            outcome: if before.is_none() {
                Outcome::Created
            } else {
                Outcome::Updated
            },
            evidence: Evidence::VendorSaid,
            matched_by: before.is_some().then_some(KeyKind::Reference),
            provider_customer_id: format!("card-{}", prepared.link_key.value),
            fields: FieldOutcomes::default(),
            vendor_request_id: None,
            vendor_said: upsert_core::VendorSaid::default(),
        })
    }
}

#[tokio::test]
async fn a_fourth_vendor_is_one_type_and_one_line_in_the_registry() {
    let registry = || upsert_registry::registry().with::<Ledger>();
    let kinds: Vec<&str> = registry().describe().map(|provider| provider.kind).collect();
    assert_eq!(kinds, ["add-update", "april", "ledger", "rotor"]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = std::thread::spawn(move || answer_once(&listener));
    let tables =
        format!("\n[[connections]]\nname = \"books\"\nprovider = \"ledger\"\nbase_url = \"http://{address}/v2\"\n");
    let world = World::with_registry(
        Plan {
            only: vec!["wallet"],
            tables,
            ..Plan::default()
        },
        registry,
    )
    .await;
    let made = world
        .upsert(&json!({ "reference": "r", "given_name": "A", "notes": "lost" }))
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let books = made.delivery("books");
    assert_eq!(
        (&books["outcome"], &books["provider_customer_id"]),
        (&json!("created"), &json!("L-1"))
    );
    assert_eq!(books["fields"]["confirmed"], json!(["/given_name", "/reference"]));
    assert_eq!(books["warnings"][0]["pointer"], "/notes");
    let request = served.join().unwrap();
    assert!(request.starts_with("PUT /v2/contacts HTTP/1.1"), "{request}");
    assert!(request.contains(r#"{"key":"r","name":{"first":"A"}}"#), "{request}");
    let shown = world.get("/v1/providers").await;
    let ledger = shown.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|p| p["name"] == "ledger")
        .unwrap();
    assert_eq!(ledger["forms"][0]["match_keys"], json!(["reference"]), "{shown:?}");
}

/// One request in, one fixed answer out.
fn answer_once(listener: &std::net::TcpListener) -> String {
    use std::io::{Read as _, Write as _};
    let (mut stream, _) = listener.accept().unwrap();
    let (mut request, mut chunk) = (String::new(), [0; 4096]);
    while !request.contains("\"key\"") {
        let read = stream.read(&mut chunk).unwrap();
        request.push_str(&String::from_utf8_lossy(&chunk[..read]));
    }
    let body = r#"{"number":"L-1","key":"r","name":{"first":"A"}}"#;
    write!(
        stream,
        "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    request
}

#[tokio::test]
async fn a_provider_that_speaks_no_http_implements_the_seam_itself() {
    let cards = Arc::new(Mutex::new(BTreeMap::new()));
    let kept = cards.clone();
    let registry = || {
        let description = ProviderDescription {
            kind: "cards",
            default_base_url: "https://cards.example",
            capabilities: capabilities(),
        };
        let cards = kept.clone();
        upsert_registry::registry().with_provider(description, move |_setup| {
            let info = ProviderInfo {
                kind: "cards",
                capabilities: capabilities(),
            };
            Ok(Built {
                provider: Arc::new(CardIndex {
                    info,
                    cards: cards.clone(),
                }),
                reader: None,
            })
        })
    };
    let tables = "\n[[connections]]\nname = \"cards\"\nprovider = \"cards\"\n".to_owned();
    let world = World::with_registry(
        Plan {
            only: vec!["wallet"],
            tables,
            ..Plan::default()
        },
        registry,
    )
    .await;
    let made = world.upsert(&json!({ "reference": "r", "given_name": "A" })).await;
    assert_eq!(
        (made.status, &made.delivery("cards")["outcome"]),
        (201, &json!("created")),
        "{}",
        made.text
    );
    assert_eq!(cards.lock()["r"], json!({ "key": "r", "name": { "first": "A" } }));
    let again = world.upsert(&json!({ "reference": "r", "given_name": "B" })).await;
    assert_eq!(
        (again.status, &again.delivery("cards")["outcome"]),
        (200, &json!("updated"))
    );
    let read = world.get("/v1/connections/acme/cards/customers").await;
    assert_eq!(
        (read.status, read.code()),
        (501, "unsupported_by_provider"),
        "{}",
        read.text
    );
}
