//! The pure part of an upsert, step by step and in one go, in one process without a network.
//!
//! `cargo bench --profile dist -p upsert-benches`; a filter behind it names what to run: `cargo bench --profile dist -p upsert-benches -- phone`.
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark: what it is made of is right, or it stops"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use secrecy::SecretString;
use serde_json::Value as Json;

use upsert_benches::sample;
use upsert_core::{
    CallContext, Customer, CustomerId, Exchange, IdSource, InLine, PreparedUpsert, Priority, Selection, SystemClock,
    Terms, UpsertProvider, UpsertRequest, canonicalise, phone,
};
use upsert_provider_kit::{ConnectionSetup, Credentials, Incoming, Outgoing, Transport, TransportError};

const REGION: Option<&str> = Some("US");

/// A transport without a network: whatever is sent, this is the answer.
#[derive(Debug)]
struct Answers(&'static str);

#[async_trait]
impl Transport for Answers {
    async fn send(&self, outgoing: Outgoing) -> Result<Incoming, TransportError> {
        black_box(outgoing.body);
        Ok(Incoming {
            status: 200,
            headers: http::HeaderMap::new(),
            body: self.0.as_bytes().into(),
        })
    }
}

/// A provider with what its connection needs, and what its vendor typically answers to the typical body.
struct Vendor {
    kind: &'static str,
    credential: &'static str,
    settings: &'static str,
    answer: &'static str,
}

const VENDORS: [Vendor; 3] = [
    Vendor {
        kind: "rotor",
        credential: "api_key",
        settings: "{}",
        answer: r#"{"id":"182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e","first_name":"John","last_name":"Doe","company_name":null,"email":"john.doe.0@example.com","phone":"+12022000000","status":"active","property_street1":null,"property_street2":null,"property_city":null,"property_state":null,"property_zip":null,"property_country":null,"billing_street1":"1 Main St","billing_street2":null,"billing_city":"Springfield","billing_state":"IL","billing_zip":"62701","billing_country":"US","billing_same_as_property":null,"service_type":null,"service_frequency":null,"notes":null,"source":"website","tags":["vip"],"created_at":"2026-11-21T00:00:00.000Z","message":"Customer created successfully"}"#,
    },
    Vendor {
        kind: "add-update",
        credential: "api_key",
        settings: r#"{"merchant_id":"m-1"}"#,
        answer: r#"{"externalId":"CUST-0","firstName":"John","lastName":"Doe","email":"john.doe.0@example.com","phoneNumber":"+12022000000","active":true,"createdAt":"2026-11-21T00:00:00.000Z","updatedAt":"2026-11-21T00:00:00.000Z"}"#,
    },
    Vendor {
        kind: "april",
        credential: "secret_key",
        settings: r#"{"merchant_id":"mcht_acme"}"#,
        answer: r#"{"customerId":"cust_01","merchantId":"mcht_acme","emailAddress":"john.doe.0@example.com","givenName":"John","familyName":"Doe","phoneNumber":"+12022000000","referenceCustomerId":"CUST-0","metadata":{"plan":"gold"},"createdAt":"2026-11-21T00:00:00.000Z","updatedAt":"2026-11-21T00:00:00.000Z"}"#,
    },
];

fn build(vendor: &Vendor) -> Arc<dyn UpsertProvider> {
    let secret = SecretString::from("sandbox_sk_bench");
    let setup = ConnectionSetup {
        base_url: None,
        credentials: Credentials::new(BTreeMap::from([(vendor.credential.to_owned(), secret)])),
        settings: serde_json::from_str(vendor.settings).unwrap(),
        transport: Arc::new(Answers(vendor.answer)),
        clock: Arc::new(SystemClock),
        send_traceparent: false,
    };
    upsert_registry::registry().build(vendor.kind, setup).unwrap().provider
}

/// Everything that the pure part takes.
struct Pipeline {
    body: Json,
    customer_id: CustomerId,
    nothing: BTreeSet<upsert_core::Field>,
    providers: Vec<(&'static str, Arc<dyn UpsertProvider>)>,
}

impl Pipeline {
    fn new() -> Self {
        phone::warm_up();
        Self {
            body: serde_json::from_str(&sample::body(0)).unwrap(),
            customer_id: IdSource::new(Arc::new(SystemClock)).customer("acme"),
            nothing: BTreeSet::new(),
            providers: VENDORS.iter().map(|vendor| (vendor.kind, build(vendor))).collect(),
        }
    }

    fn customer(&self) -> Customer {
        Customer::default().merged(&canonicalise(&self.body, &Terms::strict(REGION)).unwrap().patch)
    }

    fn prepare(&self, provider: &dyn UpsertProvider, customer: &Customer) -> PreparedUpsert {
        let request = UpsertRequest {
            customer,
            customer_id: self.customer_id,
            link: None,
            selection: Selection::All,
            cleared: &self.nothing,
            tags_lost: false,
            provider_fields: None,
        };
        provider.prepare(&request).unwrap()
    }
}

fn customer(criterion: &mut Criterion) {
    let pipeline = Pipeline::new();
    let bytes = sample::body(0);
    criterion.bench_function("parse the body's JSON", |bencher| {
        bencher.iter(|| serde_json::from_str::<Json>(black_box(&bytes)).unwrap());
    });
    criterion.bench_function("canonicalise", |bencher| {
        bencher.iter(|| canonicalise(black_box(&pipeline.body), &Terms::strict(REGION)).unwrap());
    });
    criterion.bench_function("canonicalise + merge", |bencher| {
        bencher.iter(|| black_box(&pipeline).customer());
    });
}

fn vendors(criterion: &mut Criterion) {
    let pipeline = Pipeline::new();
    let customer = pipeline.customer();
    for (kind, provider) in &pipeline.providers {
        criterion.bench_function(&format!("prepare/{kind}"), |bencher| {
            bencher.iter(|| pipeline.prepare(provider.as_ref(), black_box(&customer)));
        });
    }
    criterion.bench_function("canonicalise + merge + prepare for three", |bencher| {
        bencher.iter(|| {
            let customer = black_box(&pipeline).customer();
            let prepare = |(_, provider): &(_, Arc<dyn UpsertProvider>)| pipeline.prepare(provider.as_ref(), &customer);
            pipeline.providers.iter().map(prepare).collect::<Vec<_>>()
        });
    });
}

/// One attempt without a network: the request's bytes and headers are made, the answer is read into a receipt.
fn answers(criterion: &mut Criterion) {
    let pipeline = Pipeline::new();
    let customer = pipeline.customer();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let context = CallContext {
        deadline: tokio::time::Instant::now() + Duration::from_secs(3_600),
        attempt: 1,
        delivery_id: None,
        traceparent: None,
        tracestate: None,
        priority: Priority::Interactive,
        is_counted: false,
        is_trial: false,
        in_line: InLine::default(),
        exchange: Exchange::default(),
    };
    for (kind, provider) in &pipeline.providers {
        let prepared = pipeline.prepare(provider.as_ref(), &customer);
        criterion.bench_function(&format!("word the request + decode the answer/{kind}"), |bencher| {
            bencher.iter(|| {
                runtime
                    .block_on(provider.upsert(&context, black_box(&prepared)))
                    .unwrap()
            });
        });
    }
}

/// National and international, with and without separators: each is parsed by its own country's rules.
const PHONES: [(&str, &str); 8] = [
    ("(202) 555-0123", "US"),
    ("+61 412 345 678", "US"),
    ("0412 345 678", "AU"),
    ("030 123456", "DE"),
    ("+44 20 7946 0958", "DE"),
    ("06 12 34 56 78", "FR"),
    ("098765 43210", "IN"),
    ("(11) 91234-5678", "BR"),
];

fn phones(criterion: &mut Criterion) {
    phone::warm_up();
    let mut next = PHONES.iter().cycle();
    criterion.bench_function("phone, mixed countries", |bencher| {
        bencher.iter_batched(
            || next.next().unwrap(),
            |(raw, region)| phone::phone(black_box(raw), Some(region)).unwrap(),
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(pipeline, customer, vendors, answers, phones);
criterion_main!(pipeline);
