//! Erasing a customer: nothing of the person is left, nobody comes back unasked, and the living are not kept out. Each sentence
//! of the semantics is a test here.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has to stop; its client and clock are its own"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Map, Value as Json, json};
use standardwebhooks::Webhook;

use upsert_sealing::is_signed_by;
use upsert_simulators::{Answer, Effect, Fault};
use upsert_tests::search::{files_of, found_in_files};
use upsert_tests::{Answered, HOOK_SECRET, KEY, Manner, Operator, Plan, Receiver, World, api_key};

const PATIENCE: Duration = Duration::from_secs(20);
const PHONE: &str = "+12025550123";
/// Ed25519's seed, from RFC 8032.
const SIGNING_KEY: &str = "TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs=";
const TOLD: &str = "whsec_b2xkIG9sZCBvbGQgb2xkIG9sZCBvbGQgMTIz";

const SOURCES: &str = r#"
[[webhooks.in]]
source = "shop"
verify = { scheme = "standard-webhooks", secret = { file = "hook.secret" } }
event_id = "/id"
handling = "strict"
map = { reference = "/ref", email = "/email", phone = "/phone", given_name = "/given_name", notes = "/notes" }

[[webhooks.in]]
source = "vendor"
verify = { scheme = "standard-webhooks", secret = { file = "hook.secret" } }
event_id = "/id"
connection = "rotor"
provider_customer_id = "/record"
map = { given_name = "/given_name", email = "/email" }
"#;

fn plan(only: &[&'static str]) -> Plan {
    Plan {
        only: only.to_vec(),
        tables: SOURCES.to_owned(),
        ..Plan::default()
    }
}

async fn world() -> World {
    World::with(plan(&["rotor"])).await
}

async fn erase(world: &World, id: &str) -> Answered {
    let erased = world
        .send(Method::DELETE, &format!("/v1/customers/{id}"), None, &[])
        .await;
    assert_eq!(erased.status, 200, "{}", erased.text);
    erased
}

/// One line of a batch: its status, and the code of its problem.
async fn line(world: &World, body: &Json) -> (u64, String) {
    let request = reqwest::Client::new()
        .post(format!("{}/v1/customers/batch", world.url()))
        .bearer_auth(KEY)
        .header("content-type", "application/x-ndjson")
        .body(body.to_string());
    let text = request.send().await.unwrap().text().await.unwrap();
    let answered: Json = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let problem = &answered["problem"];
    match problem["status"].as_u64() {
        Some(status) => (status, problem["code"].as_str().unwrap().to_owned()),
        None => (answered["status"].as_u64().unwrap(), String::new()),
    }
}

/// The status of an event, and why it was refused.
async fn event(world: &World, source: &str, event: &Json) -> (u16, String) {
    let (id, body) = (event["id"].as_str().unwrap(), event.to_string());
    let at = Timestamp::now().as_second();
    let signature = Webhook::new(HOOK_SECRET)
        .unwrap()
        .sign(id, at, body.as_bytes())
        .unwrap();
    let request = reqwest::Client::new()
        .post(format!("{}/v1/webhooks/acme/{source}", world.url()))
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", at.to_string())
        .header("webhook-signature", signature)
        .body(body);
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let body: Json = answer.json().await.unwrap();
    (status, body["reason"].as_str().unwrap_or_default().to_owned())
}

fn refused() -> (u64, String) {
    (409, "erased".to_owned())
}

fn refused_event() -> (u16, String) {
    (422, "erased".to_owned())
}

fn ann() -> Json {
    json!({ "reference": "A-1", "email": "ann@x.example", "phone": PHONE, "given_name": "Ann" })
}

async fn customers(world: &World) -> Vec<Json> {
    let listed = world.get("/v1/customers").await;
    listed.body["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_erased_customer_is_gone_with_its_history_upserts_deliveries_and_events() {
    let world = world().await;
    let made = world.upsert(&ann()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.customer_id();
    world.upsert(&json!({ "reference": "A-1", "notes": "two" })).await;
    let event_of_hers = json!({ "id": "evt-1", "ref": "A-1", "notes": "three" });
    assert_eq!(event(&world, "shop", &event_of_hers).await.0, 202);
    let other = world
        .upsert(&json!({ "reference": "B-1", "email": "bob@x.example" }))
        .await;
    let upsert = made.body["upsert_id"].as_str().unwrap();
    let delivery = made.body["deliveries"][0]["id"].as_str().unwrap();

    let erased = erase(&world, &id).await;
    for path in [
        format!("/v1/customers/{id}"),
        format!("/v1/upserts/{upsert}"),
        format!("/v1/deliveries/{delivery}"),
    ] {
        assert_eq!(world.get(&path).await.status, 404, "{path}");
    }
    // That it happened, and not what it was.
    let history = world.get(&format!("/v1/customers/{id}/history")).await;
    let entries = history.body["data"].as_array().unwrap();
    assert_eq!(entries.len(), 1, "{}", history.text);
    assert_eq!(
        (&entries[0]["version"], &entries[0]["by"]),
        (&json!(4), &json!("tests"))
    );
    assert_eq!(
        (&entries[0]["upsert_id"], &entries[0]["changes"]),
        (&Json::Null, &json!([]))
    );
    assert_eq!(entries[0]["erasure_id"], erased.body["erasure_id"]);
    for path in [
        format!("/v1/upserts?customer_id={id}"),
        format!("/v1/deliveries?customer_id={id}"),
        format!("/v1/events/in?customer_id={id}"),
    ] {
        let listed = world.get(&path).await;
        assert_eq!(listed.body["data"], json!([]), "{path}: {}", listed.text);
    }
    let left = customers(&world).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["id"], other.customer_id());
}

#[tokio::test]
async fn the_certificate_says_what_is_left_at_each_vendor_and_is_kept_without_the_vendors_id() {
    let folder_file = ("signing.key", SIGNING_KEY);
    let plan = Plan {
        server: "signing_key = { file = \"signing.key\" }".to_owned(),
        rotor: "required = false".to_owned(),
        ..plan(&["rotor", "wallet"])
    };
    let world = World::with_files(plan, &[folder_file]).await;
    world
        .send(Method::POST, "/v1/connections/acme/wallet/pause", None, &[])
        .await;
    let made = world.upsert_with(&ann(), &[("prefer", "respond-async")]).await;
    let id = made.customer_id();
    let is_linked = |now: &Answered| now.body["links"][0]["provider_customer_id"].is_string();
    let linked = world.until(&format!("/v1/customers/{id}"), PATIENCE, is_linked).await;
    let record = linked.body["links"][0]["provider_customer_id"]
        .as_str()
        .unwrap()
        .to_owned();

    let erased = erase(&world, &id).await;
    let erasure = erased.body["erasure_id"].as_str().unwrap();
    assert!(erasure.starts_with("ers_"));
    assert_eq!(erased.body["customer_id"], id);
    assert_eq!(erased.body["by"], "tests");
    let vendors = erased.body["vendors"].as_array().unwrap();
    assert_eq!(vendors.len(), 2, "{}", erased.text);
    assert_eq!(
        (&vendors[0]["connection"], &vendors[0]["left"]),
        (&json!("rotor"), &json!("record"))
    );
    assert_eq!(vendors[0]["provider_customer_id"], record);
    assert_eq!(
        (&vendors[1]["connection"], &vendors[1]["left"]),
        (&json!("wallet"), &json!("nothing"))
    );
    let kept = world.get(&format!("/v1/erasures/{erasure}")).await;
    assert_eq!(kept.status, 200, "{}", kept.text);
    assert!(!kept.text.contains(&record) && !kept.text.contains("ann@") && !kept.text.contains("A-1"));
    let hash = &kept.body["vendors"][0]["provider_customer_id_hash"];
    assert_eq!(hash.as_str().unwrap().len(), 32);
    let mut without = erased.body.clone();
    without["vendors"][0]["provider_customer_id"] = Json::Null;
    without["signature"] = kept.body["signature"].clone();
    assert_eq!(kept.body, without);
    for certificate in [&erased.body, &kept.body] {
        assert!(is_signed(certificate), "{certificate}");
        let mut changed = certificate.clone();
        changed["by"] = json!("somebody");
        assert!(!is_signed(&changed));
    }
    // Once more it is the same one: who lost the answer may ask again.
    assert_eq!(erase(&world, &id).await.body, kept.body);
}

/// Members in the order of their names.
fn sorted(value: &Json) -> Json {
    match value {
        Json::Object(members) => {
            let sorted: BTreeMap<&String, Json> = members.iter().map(|(name, value)| (name, sorted(value))).collect();
            let members = sorted.into_iter().map(|(name, value)| (name.clone(), value));
            Json::Object(members.collect::<Map<_, _>>())
        }
        Json::Array(items) => items.iter().map(sorted).collect(),
        leaf => leaf.clone(),
    }
}

/// As anybody can find out who has the certificate.
fn is_signed(certificate: &Json) -> bool {
    let mut said = certificate.clone();
    let signature = said.as_object_mut().unwrap().remove("signature").unwrap();
    let text = sorted(&said).to_string();
    let key = certificate["public_key"].as_str().unwrap();
    is_signed_by(key, text.as_bytes(), signature.as_str().unwrap())
}

/// Notices that are kept for the next page of a session.
fn notices(world: &World) -> i64 {
    let file = rusqlite::Connection::open(&files(world)[0]).unwrap();
    let count = "SELECT count(*) FROM sessions WHERE notice IS NOT NULL";
    file.query_row(count, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn what_the_dashboard_was_to_tell_next_is_gone_too() {
    let world = World::with(Plan {
        is_one_process: true,
        ..plan(&["rotor"])
    })
    .await;
    let id = world.upsert(&ann()).await.customer_id();
    let operator = Operator::sign_in(&world, KEY).await.unwrap();
    operator.post("/ops/connections/acme/rotor/pause", &[]).await;
    assert_eq!(notices(&world), 1, "nobody has looked at the next page");
    erase(&world, &id).await;
    assert_eq!(notices(&world), 0);
    assert_eq!(operator.open("/ops").await.status, 200, "who has signed in stays so");
}

#[tokio::test]
async fn without_a_signing_key_a_certificate_is_unsigned() {
    let world = world().await;
    let made = world.upsert(&ann()).await;
    let erased = erase(&world, &made.customer_id()).await;
    assert_eq!(
        (&erased.body["signature"], &erased.body["public_key"]),
        (&Json::Null, &Json::Null)
    );
}

#[tokio::test]
async fn events_and_batch_lines_do_not_bring_the_person_back() {
    let world = world().await;
    let made = world.upsert(&ann()).await;
    let record = made.body["deliveries"][0]["provider_customer_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let id = made.customer_id();
    erase(&world, &id).await;
    for body in [
        ann(),
        json!({ "reference": "A-1", "given_name": "A" }),
        json!({ "email": "Ann@X.example", "given_name": "A" }),
        json!({ "phone": "(202) 555-0123", "given_name": "A" }),
        json!({ "reference": "A-1", "email": "new@x.example" }),
        json!({ "id": id, "given_name": "A" }),
        json!({ "links": { "rotor": record }, "email": "ann@x.example" }),
    ] {
        assert_eq!(line(&world, &body).await, refused(), "{body}");
    }
    let by_mail = json!({ "id": "evt-1", "email": "ann@x.example", "given_name": "A" });
    assert_eq!(event(&world, "shop", &by_mail).await, refused_event());
    let by_record = json!({ "id": "evt-2", "record": record, "given_name": "A", "email": "new@x.example" });
    assert_eq!(event(&world, "vendor", &by_record).await, refused_event());
    assert_eq!(customers(&world).await, Vec::<Json>::new());
    let events = world.get("/v1/events/in").await;
    assert_eq!(
        events.body["data"],
        json!([]),
        "nothing of them is kept: {}",
        events.text
    );
    assert_eq!(world.rotor.records().len(), 1, "the vendor keeps its own");
}

#[tokio::test]
async fn a_single_upsert_brings_the_person_back_on_purpose_as_somebody_new() {
    let world = world().await;
    let first = world.upsert(&ann()).await.customer_id();
    erase(&world, &first).await;
    assert_eq!(line(&world, &ann()).await, refused());
    let again = world.upsert(&ann()).await;
    assert!(matches!(again.status, 201), "{}", again.text);
    let second = again.customer_id();
    assert_ne!(second, first);
    assert_eq!(world.get(&format!("/v1/customers/{first}")).await.status, 404);
    let history = world.get(&format!("/v1/customers/{second}/history")).await;
    assert_eq!(history.body["data"].as_array().unwrap().len(), 1, "{}", history.text);
    // From now on she is one of the living.
    assert_eq!(
        line(&world, &json!({ "email": "ann@x.example", "notes": "n" })).await.0,
        200
    );
    // Should she go again, nobody else than herself is meant.
    let erased = erase(&world, &second).await;
    assert_eq!(erased.body["customer_id"], second);
    assert_eq!(line(&world, &ann()).await, refused());
    // The certificate of before still is what it was.
    let before = world
        .get(&format!("/v1/erasures/{}", first.replace("cus_", "ers_")))
        .await;
    assert_eq!(before.body["customer_id"], first);
}

#[tokio::test]
async fn a_retry_under_an_idempotency_key_from_before_is_refused_and_one_under_a_new_key_is_not() {
    let world = world().await;
    let before = [("idempotency-key", "before")];
    let made = world.upsert_with(&ann(), &before).await;
    assert_eq!(made.status, 201);
    let other = [("idempotency-key", "others")];
    let bob = json!({ "reference": "B-1", "email": "bob@x.example" });
    assert_eq!(world.upsert_with(&bob, &other).await.status, 201);
    erase(&world, &made.customer_id()).await;
    for _ in 0..2 {
        let retried = world.upsert_with(&ann(), &before).await;
        assert_eq!((retried.status, retried.code()), (409, "erased"), "{}", retried.text);
        assert!(!retried.text.contains("ann@"));
    }
    assert_eq!(
        world.upsert_with(&bob, &other).await.status,
        201,
        "others keep their answers"
    );
    assert_eq!(
        world.upsert_with(&ann(), &[("idempotency-key", "after")]).await.status,
        201
    );
    let retried = world.upsert_with(&ann(), &before).await;
    assert_eq!((retried.status, retried.code()), (409, "erased"), "still");
    let mut keyed = ann();
    keyed["idempotency_key"] = json!("of-a-line");
    assert_eq!(line(&world, &keyed).await.0, 200);
    let back = customers(&world).await;
    let back = back.iter().find(|customer| customer["reference"] == "A-1").unwrap();
    erase(&world, back["id"].as_str().unwrap()).await;
    assert_eq!(line(&world, &keyed).await, refused());
}

#[tokio::test]
async fn tombstones_are_looked_at_only_where_nobody_living_is_found() {
    let plan = Plan {
        every_connection: "on_collision = \"proceed\"".to_owned(),
        ..plan(&["rotor"])
    };
    let world = World::with(plan).await;
    let ann = world.upsert(&ann()).await.customer_id();
    // The same phone, and no e-mail that would tell them apart.
    let bob = world
        .upsert(&json!({ "reference": "B-1", "phone": PHONE }))
        .await
        .customer_id();
    erase(&world, &ann).await;
    assert_eq!(
        line(&world, &json!({ "phone": PHONE, "notes": "of the living" }))
            .await
            .0,
        200
    );
    assert_eq!(
        line(&world, &json!({ "reference": "B-1", "phone": PHONE })).await.0,
        200
    );
    let living = customers(&world).await;
    assert_eq!((living.len(), &living[0]["id"]), (1, &json!(bob)));
}

#[tokio::test]
async fn a_relative_with_the_same_phone_and_another_email_is_not_the_erased_one() {
    let world = world().await;
    let id = world
        .upsert(&json!({ "email": "ann@x.example", "phone": PHONE, "given_name": "Ann" }))
        .await
        .customer_id();
    erase(&world, &id).await;
    let bob = json!({ "email": "bob@x.example", "phone": PHONE, "given_name": "Bob" });
    assert_eq!(line(&world, &bob).await.0, 201);
    let eve = json!({ "id": "evt-1", "email": "eve@x.example", "phone": "+12025550124", "given_name": "Eve" });
    assert_eq!(event(&world, "shop", &eve).await.0, 202);
    // Another reference is another customer, whoever had the e-mail.
    assert_eq!(
        line(&world, &json!({ "reference": "R-1", "email": "ann@x.example" })).await,
        refused()
    );
    let names: Vec<Json> = customers(&world)
        .await
        .iter()
        .map(|one| one["given_name"].clone())
        .collect();
    assert_eq!(names, ["Bob", "Eve"]);
}

#[tokio::test]
async fn who_had_a_reference_is_not_taken_for_whom_another_reference_names() {
    let world = world().await;
    erase(&world, &world.upsert(&ann()).await.customer_id()).await;
    let other = json!({ "reference": "R-2", "email": "ann@x.example", "given_name": "Anna" });
    assert_eq!(line(&world, &other).await.0, 201);
}

#[tokio::test]
async fn placeholders_never_enter_a_tombstone() {
    let plan = Plan {
        merchant: "never_match = { phone = [\"repeated-digit\"], email = [\"none@x.example\"] }".to_owned(),
        rotor: "required = false".to_owned(),
        ..plan(&["rotor", "wallet"])
    };
    let world = World::with(plan).await;
    let form = json!({ "reference": "A-1", "email": "none@x.example", "phone": "+19999999999", "given_name": "Ann" });
    let made = world.upsert(&form).await;
    assert_eq!(made.status, 201, "{}", made.text);
    erase(&world, &made.customer_id()).await;
    let other = json!({ "reference": "B-1", "email": "none@x.example", "phone": "+19999999999", "given_name": "Bob" });
    assert_eq!(line(&world, &other).await.0, 201);
    // Nor does one contradict: she had no e-mail that would tell her from this one.
    assert_eq!(line(&world, &form).await, refused());
}

#[tokio::test]
async fn what_she_was_known_by_before_is_known_too() {
    let world = world().await;
    let made = world
        .upsert(&json!({ "reference": "A-1", "email": "old@x.example", "given_name": "Ann" }))
        .await;
    // A key that was changed is hers until the vendor has taken another one.
    world
        .send(Method::POST, "/v1/connections/acme/rotor/pause", None, &[])
        .await;
    let changed = json!({ "reference": "A-1", "email": "new@x.example" });
    world.upsert_with(&changed, &[("prefer", "respond-async")]).await;
    erase(&world, &made.customer_id()).await;
    assert_eq!(
        line(&world, &json!({ "email": "new@x.example", "given_name": "A" })).await,
        refused()
    );
    assert_eq!(
        line(&world, &json!({ "email": "old@x.example", "given_name": "A" })).await,
        refused()
    );
}

#[tokio::test]
async fn what_still_waits_is_not_sent_any_more() {
    let world = world().await;
    world
        .send(Method::POST, "/v1/connections/acme/rotor/pause", None, &[])
        .await;
    let made = world.upsert_with(&ann(), &[("prefer", "respond-async")]).await;
    assert_eq!(made.status, 202, "{}", made.text);
    let erased = erase(&world, &made.customer_id()).await;
    assert_eq!(erased.body["vendors"][0]["left"], "nothing", "{}", erased.text);
    world
        .send(Method::POST, "/v1/connections/acme/rotor/resume", None, &[])
        .await;
    // Whoever comes after her goes through.
    let bob = world
        .upsert(&json!({ "email": "bob@x.example", "given_name": "Bob" }))
        .await;
    assert_eq!(bob.status, 201);
    assert_eq!(world.rotor.records().len(), 1);
    assert!(
        !world
            .rotor
            .journal()
            .entries()
            .iter()
            .any(|entry| entry.body.contains("ann@x.example"))
    );
    let open = world.get("/v1/connections").await;
    assert_eq!(open.body["data"][0]["waiting"], 0, "{}", open.text);
}

#[tokio::test]
async fn a_call_on_its_way_is_noted_without_a_trace_when_it_comes_back() {
    let world = world().await;
    let slow = Effect::Delay { millis: 1_500 };
    world.rotor.faults().set(vec![Fault::once(slow)]);
    let made = world.upsert_with(&ann(), &[("prefer", "respond-async")]).await;
    let is_out = |now: &Answered| now.body["data"].as_array().is_some_and(|all| !all.is_empty());
    world.until("/v1/deliveries?state=in_flight", PATIENCE, is_out).await;
    let erased = erase(&world, &made.customer_id()).await;
    let vendor = &erased.body["vendors"][0];
    assert_eq!(
        (&vendor["left"], &vendor["provider_customer_id"]),
        (&json!("record"), &Json::Null),
        "{}",
        erased.text
    );
    let path = format!("/v1/erasures/{}", erased.body["erasure_id"].as_str().unwrap());
    let has_hash = |now: &Answered| now.body["vendors"][0]["provider_customer_id_hash"].is_string();
    let noted = world.until(&path, PATIENCE, has_hash).await;
    assert_eq!(noted.body["vendors"].as_array().unwrap().len(), 1);
    let record = world.rotor.records()[0].id.clone();
    assert!(!noted.text.contains(&record));
    assert_eq!(world.get("/v1/deliveries").await.body["data"], json!([]));
    // Its event of the vendor's does not bring her back either.
    let told = json!({ "id": "evt-9", "record": record, "email": "ann@x.example", "given_name": "Ann" });
    assert_eq!(event(&world, "vendor", &told).await, refused_event());
}

#[tokio::test]
async fn a_dead_letter_about_the_person_goes_and_others_stay() {
    let world = world().await;
    let id = world.upsert(&ann()).await.customer_id();
    let letters = [
        json!({ "id": "evt-1", "email": "ann@x.example", "phone": "none" }),
        json!({ "id": "evt-2", "email": "no mail", "contact": { "mail": "ANN@x.example" } }),
        json!({ "id": "evt-3", "email": "no mail", "note": "of somebody else" }),
    ];
    for letter in &letters {
        assert_eq!(event(&world, "shop", letter).await.0, 422, "{letter}");
    }
    erase(&world, &id).await;
    let left = world.get("/v1/events/in?state=failed").await;
    let left: Vec<&Json> = left.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["event_id"])
        .collect();
    assert_eq!(left, ["evt-3"]);
    // One that comes later and cannot be mapped is not kept either.
    let late = json!({ "id": "evt-4", "email": "no mail", "contact": "ann@x.example" });
    assert_eq!(event(&world, "shop", &late).await, refused_event());
    let left = world.get("/v1/events/in?state=failed").await;
    assert_eq!(left.body["data"].as_array().unwrap().len(), 1, "{}", left.text);
}

#[tokio::test]
async fn the_merchants_systems_are_told_without_a_trace_of_the_person() {
    let receiver = Receiver::start(TOLD);
    let tables = format!(
        "{SOURCES}\n[[webhooks.out]]\nname = \"hook\"\nurl = \"{}\"\nevents = [\"customer.erased\"]\nsecret = {{ file = \
         \"told.secret\" }}\n",
        receiver.url()
    );
    let plan = Plan {
        tables,
        ..plan(&["rotor"])
    };
    let world = World::with_files(plan, &[("told.secret", TOLD)]).await;
    let made = world.upsert(&ann()).await;
    let record = made.body["deliveries"][0]["provider_customer_id"].as_str().unwrap();
    let erased = erase(&world, &made.customer_id()).await;
    let came = receiver.until_count(1, PATIENCE).await;
    assert_eq!(came[0].kind(), "customer.erased");
    assert_eq!(came[0].body["data"]["erasure_id"], erased.body["erasure_id"]);
    for trace in ["ann@", PHONE, "A-1", "Ann", record] {
        assert!(!came[0].text.contains(trace), "{}", came[0].text);
    }
    receiver.stop().await;
}

#[tokio::test]
async fn erasing_needs_its_scope_and_another_merchants_customer_is_not_there() {
    let tables = [
        api_key("reader", "reader-key", "acme", "customers:read ops:read ops:write"),
        api_key("writer", "writer-key", "acme", "customers:write"),
        api_key("other", "other-key", "*", "customers:read customers:write"),
    ];
    let plan = Plan {
        gateway: tables.concat(),
        ..plan(&["rotor"])
    };
    let world = World::with(plan).await;
    let id = world.upsert(&ann()).await.customer_id();
    let send = async |key: &str, method: Method, path: &str, merchant: &str| {
        let request = reqwest::Client::new().request(method, format!("{}{path}", world.url()));
        let answer = request
            .bearer_auth(key)
            .header("merchant-id", merchant)
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        (status, answer.json::<Json>().await.unwrap())
    };
    let path = format!("/v1/customers/{id}");
    let (status, refused) = send("reader-key", Method::DELETE, &path, "acme").await;
    assert_eq!((status, &refused["code"]), (403, &json!("scope_missing")));
    let (status, _) = send("other-key", Method::DELETE, &path, "globex").await;
    assert_eq!(status, 403, "no such merchant");
    let erased = erase(&world, &id).await;
    let path = format!("/v1/erasures/{}", erased.body["erasure_id"].as_str().unwrap());
    assert_eq!(send("writer-key", Method::GET, &path, "acme").await.0, 403);
    assert_eq!(send("reader-key", Method::GET, &path, "acme").await.0, 200);
    // What is not there is answered as what is another's: the same, but for its own path.
    let nobody = "cus_01JD0000000000000000000000";
    let (status, missing) = send("writer-key", Method::DELETE, &format!("/v1/customers/{nobody}"), "acme").await;
    assert_eq!((status, &missing["code"]), (404, &json!("not_found")));
    for path in ["/v1/erasures/ers_01JD0000000000000000000000", "/v1/erasures/nothing"] {
        let (status, missing) = send("reader-key", Method::GET, path, "acme").await;
        assert_eq!((status, &missing["code"]), (404, &json!("not_found")));
    }
}

const CANARY_PHONE: &str = "+12025550199";
/// What no encoding leaves as it is.
const ODD: &str = "ünï/&çøde";
/// What stands in everything of theirs.
const THEIRS: [&str; 3] = ["canary", "2025550199", ODD];

/// A canary in every field.
fn canary(name: &str) -> Json {
    json!({ "reference": format!("canaryref{name}"), "given_name": format!("canarygiven{name}"),
        "middle_name": format!("canarymiddle{name}"), "family_name": format!("canaryfamily{name}"),
        "organisation_name": format!("canaryorg{name}"), "tax_id": format!("canarytax{name}"),
        "email": format!("canarymail{name}@canary.example"), "phone": CANARY_PHONE, "status": "active",
        "provider_fields": { "rotor": { "notes": format!("canarypassed{name}") } },
        "addresses": { "billing": { "line1": format!("canarybline{name}"), "city": format!("canarybcity{name}"), "country": "US" },
            "property": { "line1": format!("canarypline{name}"), "city": format!("canarypcity{name}") } },
        "service": { "type": format!("canarytype{name}"), "frequency": format!("canaryfreq{name}") },
        "notes": format!("canarynotes{name} {ODD} {}", "n".repeat(3_000)), "source": format!("canarysource{name}"),
        "tags": [format!("canarytag{name}")], "metadata": { "plan": format!("canarymeta{name}") } })
}

fn files(world: &World) -> Vec<PathBuf> {
    files_of(&world.folder().join("data").join("gateway.db"))
}

#[tokio::test]
async fn no_byte_of_the_person_is_left_in_the_file_its_log_its_free_pages_or_a_backup() {
    // It takes nothing, and its answers repeat what it was sent.
    let receiver = Receiver::start(HOOK_SECRET);
    receiver.answers(Manner::Says(503, "not now".to_owned()));
    let plan = Plan {
        is_one_process: true,
        tables: format!(
            "{SOURCES}\n[[webhooks.out]]\nname = \"hook\"\nurl = \"{}\"\nevents = [\"customer.upserted\", \
             \"customer.erased\"]\nsecret = {{ file = \"hook.secret\" }}\nallow_plain_http = true\n",
            receiver.url()
        ),
        every_connection: "on_collision = \"proceed\"".to_owned(),
        rotor: "retry = { attempts = 2, base = \"1ms\", cap = \"2ms\" }".to_owned(),
        ..plan(&["rotor", "wallet"])
    };
    let world = World::with(plan).await;
    let neighbour = |number: usize| {
        json!({ "reference": format!("n-{number}"), "given_name": "N", "email": format!("n{number}@x.example"),
            "notes": "o".repeat(number * 37 % 4_000) })
    };
    let mut ids = Vec::new();
    for number in 0..60 {
        world.upsert(&neighbour(number)).await;
        if number % 6 == 0 {
            let name = format!("{number}x");
            let key = format!("key-{number}");
            let made = world.upsert_with(&canary(&name), &[("idempotency-key", &key)]).await;
            ids.push((name.clone(), made.customer_id()));
            let mut changed = canary(&name);
            changed["notes"] = json!(format!("canarychanged{name} {}", "m".repeat(500)));
            // Rotor has other notes, which were passed on as they are: it is called for this.
            changed["family_name"] = json!(format!("canarymarried{name}"));
            if number % 12 == 0 {
                let complaint = json!({ "message": format!("canarywords{name}") }).to_string();
                let refusal = Answer::new(500)
                    .body(&complaint)
                    .header("via", format!("canaryvia{name}"));
                world.rotor.faults().set(vec![Fault::once(Effect::Answer(refusal))]);
            }
            world.upsert(&changed).await;
            let letter = json!({ "id": format!("evt-{number}"), "email": format!("canarymail{name}@canary.example"),
                "phone": format!("canaryphone{name}") });
            event(&world, "shop", &letter).await;
        }
    }
    let database = files(&world)[0].clone();
    let said = |events: &Answered| events.text.contains("\"last_answer\":\"not now\"");
    world.until("/v1/events/out?limit=200", PATIENCE, said).await;
    if std::env::var_os("UPSERT_TEST_SEALED").is_none() {
        let notes: Vec<String> = ids.iter().map(|(name, _)| format!("canarynotes{name}")).collect();
        let texts: Vec<&str> = notes
            .iter()
            .map(String::as_str)
            .chain(THEIRS)
            .chain(["canaryvia0x"])
            .collect();
        let found = found_in_files(&files(&world), &texts);
        for text in texts {
            let is_found = found.iter().any(|(_, found, _)| *found == text);
            assert!(is_found, "{text} is looked for where it is");
        }
    }
    for (name, id) in &ids {
        erase(&world, id).await;
        let _one_more = world.upsert(&neighbour(name.len() + 100)).await;
    }
    let backup = world.folder().join("backup.db");
    let source = rusqlite::Connection::open(&database).unwrap();
    source.execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    drop(source);
    let copied = world.folder().join("copied.db");
    std::fs::copy(&database, &copied).unwrap();
    let all: Vec<PathBuf> = files(&world).into_iter().chain([backup.clone(), copied]).collect();
    let found = found_in_files(&all, &THEIRS);
    assert!(found.is_empty(), "{found:?}");
    if std::env::var_os("UPSERT_TEST_SEALED").is_none() {
        assert!(
            !found_in_files(&[backup], &["n1@x.example"]).is_empty(),
            "others are there"
        );
    }
}
