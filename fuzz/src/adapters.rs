//! What vendors answer: every adapter, over a transport that says whatever it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, header};
use parking_lot::Mutex;
use secrecy::SecretString;
use serde_json::{Value as Json, json};
use tokio::time::Instant;
use upsert_core::{
    CallContext, Customer, CustomerId, Exchange, IdSource, InLine, ListQuery, PreparedUpsert, Priority, ProviderError,
    Selection, SystemClock, Terms, UpsertRequest, canonicalise,
};
use upsert_provider_kit::{Built, ConnectionSetup, Credentials, Incoming, Outgoing, Transport, TransportError};

const STATUSES: [u16; 16] = [
    200, 201, 202, 204, 207, 302, 400, 401, 403, 404, 409, 422, 423, 429, 500, 503,
];
const TYPES: [&str; 4] = [
    "application/json",
    "text/html; charset=iso-8859-1",
    "application/json; charset=utf-16",
    "",
];

/// Answers once with what it was told.
#[derive(Default)]
struct Says(Mutex<Option<Incoming>>);

impl fmt::Debug for Says {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Says(…)")
    }
}

#[async_trait]
impl Transport for Says {
    async fn send(&self, _: Outgoing) -> Result<Incoming, TransportError> {
        let nothing = || TransportError::Interrupted(String::new());
        self.0.lock().take().ok_or_else(nothing)
    }
}

/// An adapter, and what it would send for a customer that it has all of.
struct Adapter {
    kind: &'static str,
    says: Arc<Says>,
    built: Built,
    prepared: PreparedUpsert,
}

static ADAPTERS: LazyLock<Vec<Adapter>> = LazyLock::new(|| {
    let settings = [
        ("rotor", "api_key", json!({})),
        ("add-update", "api_key", json!({ "merchant_id": "m-1" })),
        ("april", "secret_key", json!({ "merchant_id": "mcht_acme" })),
    ];
    let adapters = settings.map(|(kind, credential, settings)| adapter(kind, credential, settings));
    adapters.into()
});

fn adapter(kind: &'static str, credential: &str, settings: Json) -> Adapter {
    let says = Arc::new(Says::default());
    let secret = SecretString::from("sandbox_api_fuzz");
    let setup = ConnectionSetup {
        base_url: None,
        credentials: Credentials::new(BTreeMap::from([(credential.to_owned(), secret)])),
        settings,
        transport: says.clone(),
        clock: Arc::new(SystemClock),
        send_traceparent: false,
    };
    let built = upsert_registry::registry().build(kind, setup).expect("an adapter");
    let (customer, nothing) = (customer(), BTreeSet::new());
    let request = UpsertRequest {
        customer: &customer,
        customer_id: customer_id(),
        link: None,
        selection: Selection::All,
        cleared: &nothing,
        tags_lost: false,
        provider_fields: None,
    };
    let prepared = built.provider.prepare(&request).expect("a request");
    Adapter {
        kind,
        says,
        built,
        prepared,
    }
}

fn customer_id() -> CustomerId {
    IdSource::new(Arc::new(SystemClock)).customer("acme")
}

fn customer() -> Customer {
    let body = json!({
        "reference": "CUST-1", "given_name": "Ann", "family_name": "Lee", "email": "ann@example.com",
        "phone": "+12025550123", "status": "active", "notes": "n", "tags": ["vip"],
        "addresses": { "billing": { "line1": "1 Main St", "city": "Springfield", "country": "US" } },
    });
    let canonical = canonicalise(&body, &Terms::strict(Some("US"))).expect("a customer");
    Customer::default().merged(&canonical.patch)
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

/// The first byte says the status, the second the type, and whether what stands up to the first line's end is `Retry-After`.
fn incoming(data: &[u8]) -> Option<Incoming> {
    let (status, rest) = data.split_first()?;
    let (kind, mut body) = rest.split_first()?;
    let mut headers = HeaderMap::new();
    let content_type = TYPES[usize::from(*kind) % TYPES.len()];
    if !content_type.is_empty() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    if kind & 4 != 0 {
        let end = body.iter().position(|byte| *byte == b'\n').unwrap_or(body.len());
        if let Ok(value) = HeaderValue::from_bytes(&body[..end]) {
            headers.insert(header::RETRY_AFTER, value);
        }
        body = body.get(end + 1..).unwrap_or_default();
    }
    Some(Incoming {
        status: STATUSES[usize::from(*status) % STATUSES.len()],
        headers,
        body: Bytes::copy_from_slice(body),
    })
}

fn again(incoming: &Incoming) -> Incoming {
    Incoming {
        status: incoming.status,
        headers: incoming.headers.clone(),
        body: incoming.body.clone(),
    }
}

/// The answer to an upsert.
pub(crate) fn answer(data: &[u8]) {
    let Some(said) = incoming(data) else { return };
    for adapter in ADAPTERS.iter() {
        *adapter.says.0.lock() = Some(again(&said));
        let (context, provider) = (context(), &adapter.built.provider);
        let answered = provider.upsert(&context, &adapter.prepared).now_or_never();
        match answered.expect("nothing is waited for") {
            Ok(receipt) => {
                assert!(
                    (200..300).contains(&said.status),
                    "{}: a receipt for {}",
                    adapter.kind,
                    said.status
                );
                is_an_id(&receipt.provider_customer_id);
            }
            Err(error) => is_told(&error),
        }
    }
}

/// The answer to a look at one record, and at a page of them.
pub(crate) fn read(data: &[u8]) {
    let Some(said) = incoming(data) else { return };
    for adapter in ADAPTERS.iter() {
        let Some(reader) = &adapter.built.reader else { continue };
        let context = context();
        *adapter.says.0.lock() = Some(again(&said));
        let one = reader
            .read(&context, "CUST-1")
            .now_or_never()
            .expect("nothing is waited for");
        *adapter.says.0.lock() = Some(again(&said));
        let query = ListQuery::default();
        let page = reader
            .list(&context, &query)
            .now_or_never()
            .expect("nothing is waited for");
        let records = match (one, page) {
            (one, Ok(page)) => page.data.into_iter().chain(one.ok().flatten()).collect(),
            (Ok(one), Err(error)) => {
                is_told(&error);
                Vec::from_iter(one)
            }
            (Err(one), Err(page)) => {
                is_told(&one);
                is_told(&page);
                Vec::new()
            }
        };
        for id in records.iter().filter_map(|record| record.provider_customer_id.as_ref()) {
            is_an_id(id);
        }
    }
}

/// An id that can be kept and shown.
fn is_an_id(id: &str) {
    assert!(!id.trim().is_empty() && id.chars().count() <= 255);
    assert!(upsert_core::text::is_plain_line(id), "{id:?}");
}

/// An error that can be kept and shown.
fn is_told(error: &ProviderError) {
    assert!(!error.detail.is_empty());
    assert!(error.errors.len() <= 50, "{} complaints", error.errors.len());
    for text in [&error.code, &error.vendor_request_id].into_iter().flatten() {
        is_an_id(text);
    }
    // Neither a log nor a label may have the vendor's words.
    assert!(error.context.len() <= 1_000, "{}", error.context);
}
