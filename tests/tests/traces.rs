//! Traces, as a collector sees them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value as Json, json};
use upsert_core::{Clock, SystemClock, Word as _, traceparent_of_attempt};
use upsert_simulators::{Answer, Effect, Fault};
use upsert_tests::{Answered, CollectedSpan, Collector, Manner, Plan, Receiver, World};

const PATIENCE: Duration = Duration::from_secs(20);
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const STATE: &str = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE";
const SERVER: i32 = 2;
const CLIENT: i32 = 3;

fn traced_to(endpoint: &str) -> Plan {
    Plan {
        every_connection: "retry = { attempts = 3, base = \"5ms\", cap = \"10ms\" }".to_owned(),
        wallet: "send_traceparent = true".to_owned(),
        gateway: format!(
            "[telemetry]\notlp_endpoint = \"{endpoint}\"\notlp_headers = {{ authorization = {{ file = \"hook.secret\" }} }}\n"
        ),
        ..Plan::default()
    }
}

fn ann() -> Json {
    json!({ "reference": "canaryref", "given_name": "canarygiven", "family_name": "canaryfamily",
        "email": "canarymail@x.example", "phone": "2025550123", "notes": "canarynotes" })
}

fn named<'a>(spans: &'a [CollectedSpan], name: &str) -> Vec<&'a CollectedSpan> {
    spans.iter().filter(|span| span.name == name).collect()
}

/// The `traceparent` of each write that the vendor got.
fn all_sent_to_wallet(world: &World) -> Vec<String> {
    let entries = world.wallet.journal().entries();
    let sent = entries.iter().filter_map(|entry| entry.header("traceparent"));
    sent.map(str::to_owned).collect()
}

/// The `tracestate` of each write that the vendor got.
fn states_sent_to_wallet(world: &World) -> Vec<Option<String>> {
    let entries = world.wallet.journal().entries();
    let writes = entries.iter().filter(|entry| entry.method == "POST");
    writes
        .map(|entry| entry.header("tracestate").map(str::to_owned))
        .collect()
}

/// That of the last one.
fn sent_to_wallet(world: &World) -> String {
    all_sent_to_wallet(world).pop().unwrap()
}

/// A span of a call to a vendor, by the conventions that its scope names.
fn says_where_it_went(span: &CollectedSpan, connection: &str) {
    assert_eq!(span.kind, CLIENT);
    assert_eq!(span.scope[0], "upsert-gateway");
    assert_eq!(span.scope[1], env!("CARGO_PKG_VERSION"));
    assert_eq!(span.scope[2], "https://opentelemetry.io/schemas/1.30.0");
    assert_eq!(span.attributes["http.request.method"], "POST");
    assert_eq!(span.attributes["server.address"], "127.0.0.1");
    assert!(span.attributes["server.port"].as_u64().unwrap() > 0);
    let template = if connection == "wallet" {
        "/customers/add-update"
    } else {
        "/customers"
    };
    assert_eq!(span.attributes["url.template"], template);
}

#[tokio::test]
async fn an_upsert_over_three_vendors_with_a_retry_is_one_tree_without_personal_data() {
    let collector = Collector::start();
    let mut world = World::with(traced_to(&collector.url())).await;
    let complaint = r#"{"status":"error","message":"canaryerror canarymail@x.example"}"#;
    let fault = Fault::once(Effect::Answer(Answer::new(503).body(complaint)));
    world.rotor.faults().add(fault);
    let caller = format!("00-{TRACE}-{CALLER}-01");
    let headers = [
        ("traceparent", caller.as_str()),
        ("tracestate", STATE),
        ("idempotency-key", "canarykey"),
    ];
    let made = world.upsert_with(&ann(), &headers).await;
    assert_eq!(made.status, 201, "{}", made.text);
    world.get("/v1/customers?email=canarymail@x.example").await;
    world.get("/livez").await;
    world.stop().await;

    let spans = collector.of_trace(TRACE);
    let request = named(&spans, "POST /v1/customers")[0].clone();
    assert_eq!((request.parent.as_str(), request.kind), (CALLER, SERVER));
    let attributes = &request.attributes;
    assert_eq!(attributes["http.request.method"], "POST");
    assert_eq!(attributes["http.route"], "/v1/customers");
    assert_eq!(attributes["http.response.status_code"], 201);
    assert_eq!(attributes["url.scheme"], "http");
    assert_eq!(attributes["server.address"], "127.0.0.1");
    assert_eq!(attributes["upsert_gateway.upsert_id"], made.body["upsert_id"]);

    let below = |name: &str| {
        let found = named(&spans, name);
        assert!(found.iter().all(|span| span.parent == request.id), "{spans:#?}");
        found.into_iter().cloned().collect::<Vec<_>>()
    };
    assert_eq!(below("commit").len(), 1);
    let rotor = below("deliver rotor");
    let (wallet, april) = (below("deliver add-update"), below("deliver april"));
    assert_eq!((rotor.len(), wallet.len(), april.len()), (2, 1, 1), "{spans:#?}");
    assert_eq!(spans.len(), 6, "and nothing else: {spans:#?}");
    for (span, connection) in [
        (&rotor[0], "rotor"),
        (&rotor[1], "rotor"),
        (&wallet[0], "wallet"),
        (&april[0], "april"),
    ] {
        says_where_it_went(span, connection);
        let said = &span.attributes;
        assert_eq!(said["upsert_gateway.merchant"], "acme");
        assert_eq!(said["upsert_gateway.connection"], connection);
        assert_eq!(said["upsert_gateway.delivery_id"], made.delivery(connection)["id"]);
        assert_eq!(said["upsert_gateway.upsert_id"], made.body["upsert_id"]);
    }
    let failed = rotor
        .iter()
        .find(|span| span.attributes["upsert_gateway.attempt"] == 1)
        .unwrap();
    assert_eq!(failed.status, 2);
    assert_eq!(
        failed.attributes["error.type"],
        upsert_core::ErrorKind::Transient.as_str()
    );
    assert_eq!(failed.attributes["http.response.status_code"], 503);
    assert_eq!(failed.attributes["upsert_gateway.next"], "retry");
    let again = rotor
        .iter()
        .find(|span| span.attributes["upsert_gateway.attempt"] == 2)
        .unwrap();
    assert_eq!(again.attributes["upsert_gateway.retry"], true);
    assert_eq!(
        again.attributes["upsert_gateway.outcome"],
        made.delivery("rotor")["outcome"]
    );
    assert_eq!(again.status, 0);
    let status = again.attributes["http.response.status_code"].as_u64().unwrap();
    assert!((200..300).contains(&status), "{status}");

    assert_eq!(sent_to_wallet(&world), format!("00-{TRACE}-{}-01", wallet[0].id));
    assert_eq!(states_sent_to_wallet(&world), [Some(STATE.to_owned())]);
    assert!(spans.iter().all(|span| span.trace_state == STATE), "{spans:#?}");
    for vendor in [&world.rotor, &world.april] {
        let entries = vendor.journal().entries();
        assert!(
            entries
                .iter()
                .all(|entry| entry.header("traceparent").is_none() && entry.header("tracestate").is_none()),
            "nobody allowed it"
        );
    }

    let process = &request.resource;
    assert_eq!(process["service.name"], "upsert-gateway");
    assert_eq!(process["service.version"], env!("CARGO_PKG_VERSION"));
    assert!(process["service.instance.id"].as_str().unwrap().len() == 36);
    assert!(
        collector
            .authorizations()
            .iter()
            .all(|sent| sent == upsert_tests::HOOK_SECRET)
    );
    for word in ["canary", "2025550123", "livez"] {
        assert!(!collector.holds(word), "{word}: {:#?}", collector.spans());
    }
}

#[tokio::test]
async fn what_a_caller_does_not_keep_is_not_sent_and_what_is_no_context_is_passed_over() {
    let collector = Collector::start();
    let mut world = World::with(traced_to(&collector.url())).await;
    let left = format!("00-{TRACE}-{CALLER}-00");
    let made = world.upsert_with(&ann(), &[("traceparent", left.as_str())]).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let sent = sent_to_wallet(&world);
    assert!(
        sent.starts_with(&format!("00-{TRACE}-")) && sent.ends_with("-00"),
        "{sent}"
    );
    let invalid = format!("00-{TRACE}-0000000000000000-01");
    let changed = json!({ "reference": "canaryref", "given_name": "Anna" });
    world.upsert_with(&changed, &[("traceparent", invalid.as_str())]).await;
    world.stop().await;
    assert!(collector.of_trace(TRACE).is_empty());
    let spans = collector.spans();
    let requests = named(&spans, "POST /v1/customers");
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].parent, "", "a trace begins");
    let whole = collector.of_trace(&requests[0].trace);
    assert!(sent_to_wallet(&world).contains(&requests[0].trace));
    assert_eq!(whole.len(), 5, "request, commit, three deliveries: {whole:#?}");
}

#[tokio::test]
async fn each_try_to_send_an_event_is_a_span_that_says_to_whom_and_how_it_was_answered() {
    const SIGNS: &str = "whsec_b2xkIG9sZCBvbGQgb2xkIG9sZCBvbGQgMTIz";
    let (collector, receiver) = (Collector::start(), Receiver::start(SIGNS));
    let mut plan = traced_to(&collector.url());
    plan.only = vec!["wallet"];
    plan.tables = format!(
        "\n[[webhooks.out]]\nname = \"hooks\"\nurl = \"{}\"\nevents = [\"customer.upserted\"]\n\
         secret = {{ file = \"told.secret\" }}\n",
        receiver.url()
    );
    let mut world = World::with_files(plan, &[("told.secret", SIGNS)]).await;
    let caller = format!("00-{TRACE}-{CALLER}-01");
    let headers = [("traceparent", caller.as_str()), ("tracestate", STATE)];
    let made = world.upsert_with(&ann(), &headers).await;
    assert_eq!(made.status, 201, "{}", made.text);
    receiver.until_count(1, PATIENCE).await;
    receiver.answers(Manner::Status(503));
    let tested = world
        .send(Method::POST, "/v1/endpoints/acme/hooks/test", None, &[])
        .await;
    assert_eq!(tested.body["status"], 503, "{}", tested.text);
    world.stop().await;

    let spans = collector.spans();
    let sent = named(&spans, "send event");
    assert_eq!(sent.len(), 2, "{spans:#?}");
    let port = u64::from(receiver.url().parse::<reqwest::Url>().unwrap().port().unwrap());
    for span in &sent {
        let said = &span.attributes;
        assert_eq!(span.kind, CLIENT);
        assert_eq!(said["http.request.method"], "POST");
        assert_eq!(said["server.address"], "127.0.0.1");
        assert_eq!(said["server.port"], port);
        assert_eq!(said["upsert_gateway.merchant"], "acme");
        assert_eq!(said["upsert_gateway.endpoint"], "hooks");
    }
    let refused = sent.iter().find(|span| span.status == 2).unwrap();
    assert_eq!(refused.attributes["http.response.status_code"], 503);
    assert_eq!(refused.attributes["error.type"], "503");
    assert_eq!(refused.attributes["upsert_gateway.event_id"], tested.body["id"]);
    assert_eq!(refused.parent, "", "nobody's change is told of");
    let taken = sent.iter().find(|span| span.status == 0).unwrap();
    let request = named(&spans, "POST /v1/customers")[0];
    assert_eq!((&*taken.trace, &taken.parent), (TRACE, &request.id));
    assert_eq!(taken.trace_state, STATE);
    let status = taken.attributes["http.response.status_code"].as_u64().unwrap();
    assert!((200..300).contains(&status), "{status}");
    assert!(!collector.holds("canary"), "{spans:#?}");
}

/// The machine's clock, hours later.
#[derive(Debug)]
struct Later(SignedDuration);

impl Clock for Later {
    fn now(&self) -> Timestamp {
        SystemClock.now() + self.0
    }
}

#[tokio::test]
async fn a_delivery_hours_later_is_a_trace_of_its_own_with_a_link_to_its_request() {
    let collector = Collector::start();
    let mut plan = traced_to(&collector.url());
    plan.only = vec!["wallet"];
    let mut world = World::with(plan).await;
    let path = |what: &str| format!("/v1/connections/acme/wallet/{what}");
    world.send(Method::POST, &path("pause"), None, &[]).await;
    let caller = format!("00-{TRACE}-{CALLER}-01");
    let headers = [("traceparent", caller.as_str()), ("tracestate", STATE)];
    let waiting = world.upsert_with(&ann(), &headers).await;
    assert_eq!(waiting.status, 202, "{}", waiting.text);

    world.restart_at(Arc::new(Later(SignedDuration::from_hours(6)))).await;
    world.send(Method::POST, &path("resume"), None, &[]).await;
    let location = waiting.header("location").unwrap().to_owned();
    world
        .until(&location, PATIENCE, |upsert| upsert.body["state"] == "succeeded")
        .await;
    world.stop().await;

    let of_request = collector.of_trace(TRACE);
    let request = named(&of_request, "POST /v1/customers")[0];
    assert!(named(&of_request, "deliver add-update").is_empty());
    let spans = collector.spans();
    let attempts = named(&spans, "deliver add-update");
    assert_eq!(attempts.len(), 1, "{spans:#?}");
    let attempt = attempts[0];
    assert_ne!(attempt.trace, TRACE);
    assert_eq!(attempt.parent, "");
    assert_eq!(attempt.links, [(TRACE.to_owned(), request.id.clone())]);
    assert_eq!(attempt.attributes["upsert_gateway.request_trace_id"], TRACE);
    assert_eq!(
        sent_to_wallet(&world),
        format!("00-{}-{}-01", attempt.trace, attempt.id)
    );
    assert_eq!(states_sent_to_wallet(&world), [None], "it is said of another trace");
}

#[tokio::test]
async fn a_delivery_made_good_within_minutes_stays_in_its_requests_trace_over_a_restart() {
    let collector = Collector::start();
    let mut plan = traced_to(&collector.url());
    plan.only = vec!["wallet"];
    let mut world = World::with(plan).await;
    let path = |what: &str| format!("/v1/connections/acme/wallet/{what}");
    world.send(Method::POST, &path("pause"), None, &[]).await;
    let caller = format!("00-{TRACE}-{CALLER}-01");
    let headers = [("traceparent", caller.as_str()), ("tracestate", STATE)];
    let waiting = world.upsert_with(&ann(), &headers).await;
    world.restart_at(Arc::new(Later(SignedDuration::from_mins(4)))).await;
    world.send(Method::POST, &path("resume"), None, &[]).await;
    let location = waiting.header("location").unwrap().to_owned();
    world
        .until(&location, PATIENCE, |upsert| upsert.body["state"] == "succeeded")
        .await;
    world.stop().await;
    let spans = collector.of_trace(TRACE);
    let request = named(&spans, "POST /v1/customers")[0];
    let attempts = named(&spans, "deliver add-update");
    assert_eq!(attempts.len(), 1);
    assert_eq!((&attempts[0].parent, attempts[0].links.len()), (&request.id, 0));
    assert_eq!(
        states_sent_to_wallet(&world),
        [Some(STATE.to_owned())],
        "the store kept it"
    );
}

#[tokio::test]
async fn where_nothing_is_exported_each_attempt_is_a_span_of_the_callers_trace_or_of_one_with_the_deliverys_id() {
    let mut plan = traced_to("");
    plan.only = vec!["wallet"];
    let world = World::with(plan).await;
    let of_attempt = |made: &Answered, request: Option<&str>, attempt: u32| {
        let delivery = made.delivery("wallet")["id"].as_str().unwrap().parse().unwrap();
        traceparent_of_attempt(request, delivery, attempt)
    };
    world.wallet.faults().add(Fault::once(Effect::Answer(Answer::new(503))));
    let caller = format!("00-{TRACE}-{CALLER}-01");
    let made = world.upsert_with(&ann(), &[("traceparent", caller.as_str())]).await;
    let first = [1, 2].map(|attempt| of_attempt(&made, Some(caller.as_str()), attempt));
    assert_eq!(all_sent_to_wallet(&world), first);
    let changed = world
        .upsert(&json!({ "reference": "canaryref", "given_name": "Anna" }))
        .await;
    assert_eq!(sent_to_wallet(&world), of_attempt(&changed, None, 1));
    // Beside a context of the caller's what others say of it goes along, if it is valid; alone it is none.
    let invalid = "00-0-0-01";
    for (number, (traceparent, tracestate, sent)) in [
        (&*caller, STATE, Some(STATE.to_owned())),
        (&*caller, "Not,Valid", None),
        (invalid, STATE, None),
    ]
    .into_iter()
    .enumerate()
    {
        let changed = json!({ "reference": "canaryref", "given_name": format!("Ann{number}") });
        let headers = [("traceparent", traceparent), ("tracestate", tracestate)];
        assert_eq!(world.upsert_with(&changed, &headers).await.status, 200);
        assert_eq!(
            states_sent_to_wallet(&world).pop(),
            Some(sent),
            "{traceparent} {tracestate}"
        );
        let is_continued = sent_to_wallet(&world).contains(TRACE);
        assert_eq!(is_continued, traceparent != invalid, "{tracestate}");
    }
}

#[tokio::test]
async fn a_collector_that_is_away_holds_up_neither_a_request_nor_the_end_and_what_is_lost_is_counted() {
    let collector = Collector::start();
    collector.stop().await;
    let mut world = World::with(traced_to(&collector.url())).await;
    let made = world.upsert(&ann()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    world
        .until("/metrics", PATIENCE, |metrics| {
            metrics.text.contains("upsert_gateway_spans_total{result=\"failed\"}")
        })
        .await;
    let bob = json!({ "reference": "bob", "given_name": "Bob", "family_name": "Lee", "phone": "2025550124",
        "email": "bob@x.example" });
    let made = world.upsert(&bob).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let stopping = Instant::now();
    world.stop().await;
    assert!(stopping.elapsed() < Duration::from_secs(15), "{:?}", stopping.elapsed());
}
