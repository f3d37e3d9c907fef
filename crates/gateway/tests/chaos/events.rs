//! Events that were taken are not lost: the vendor is down, the process is killed, and all of them arrive.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value as Json, json};
use upsert_chaos::vendors::SOLO;
use upsert_chaos::world::{PATIENCE, World, WorldOptions};
use upsert_simulators::{Answer, Effect, Fault, Running, When};
use upsert_webhook::{SigningKey, sign};

const SECRET: &str = "whsec_dGhlIHNlY3JldCBvZiBhIHNob3AgdGhhdCB0ZWxscw==";
const EVENTS: usize = 50;

const SOURCE: &str = r#"
[[webhooks.in]]
source = "shop"
verify = { scheme = "standard-webhooks", secret = { file = "hook.secret" } }
event_id = "/id"
order_by = "/version"
map = { reference = "/ref", given_name = "/first", email = "/mail" }
"#;

/// The merchant with one vendor, and a shop that sends events of its customers.
fn world(folder: &Path) -> World {
    let gateway = Path::new(env!("CARGO_BIN_EXE_upsert-gateway"));
    let world = World::new(WorldOptions::new(1, gateway, folder)).unwrap();
    fs::write(folder.join("hook.secret"), SECRET).unwrap();
    let file = folder.join(format!("merchants/{SOLO}.toml"));
    let text = fs::read_to_string(&file).unwrap();
    fs::write(file, text + SOURCE).unwrap();
    world
}

fn vendor(world: &World) -> &Running {
    let vendor = world.vendors.iter().find(|vendor| vendor.merchant == SOLO).unwrap();
    &vendor.simulator
}

async fn send(world: &World, number: usize) -> (u16, Json) {
    let id = format!("evt-{number}");
    let event = json!({
        "id": id, "version": 1, "ref": format!("shop-{number}"), "first": format!("N{number}"),
        "mail": format!("n{number}@events.example"),
    });
    #[expect(clippy::disallowed_methods, reason = "the sender's clock is the machine's")]
    let now = Timestamp::now();
    let (body, key) = (event.to_string(), SigningKey::standard(SECRET).unwrap());
    let request = world
        .client
        .post(world.url(&format!("/v1/webhooks/{SOLO}/shop")))
        .header("webhook-id", &id)
        .header("webhook-timestamp", now.as_second())
        .header("webhook-signature", sign(&[key], &id, now, body.as_bytes()))
        .body(body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn all_sent(world: &World, status: u16, result: &str) {
    let answers = futures_util::future::join_all((0..EVENTS).map(|number| send(world, number))).await;
    for answer in answers {
        assert_eq!(
            (answer.0, &answer.1["data"][0]["result"]),
            (status, &json!(result)),
            "{answer:?}"
        );
    }
}

/// Waits until every upsert has ended well.
async fn until_all_is_home(world: &World) {
    let began = Instant::now();
    loop {
        let request = world.client.get(world.url("/v1/upserts?state=succeeded&limit=200"));
        let (status, page) = world.ask(request.header("Merchant-Id", SOLO)).await.unwrap();
        assert_eq!(status, 200, "{page}");
        if page["data"].as_array().is_some_and(|all| all.len() == EVENTS) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{page}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_taken_while_the_vendor_is_down_all_arrive_once_though_the_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = world(folder.path());
    // Of every two calls one is refused and one is never answered.
    vendor(&world).faults().set(vec![
        Fault::always(Effect::Answer(Answer::new(503))).probability(0.5),
        Fault::always(Effect::Hang {
            when: When::BeforeWrite,
        }),
    ]);
    world.start().await.unwrap();
    let began = Instant::now();
    all_sent(&world, 202, "accepted").await;
    let taken = began.elapsed();
    // As soon as the last one is answered, with calls under way.
    world.gateway().kill().unwrap();
    world.start().await.unwrap();
    let counts = vendor(&world).journal().counts();
    assert!(counts.received > 0, "the vendor was called, and is down");
    assert_eq!(counts.writes, 0, "the vendor has done nothing yet");
    // Its sender never got to hear of some, for all that anybody knows.
    all_sent(&world, 200, "repeated").await;

    vendor(&world).faults().clear();
    let back = Instant::now();
    until_all_is_home(&world).await;
    println!(
        "{EVENTS} events taken in {} ms; all home {} ms after the vendor was back",
        taken.as_millis(),
        back.elapsed().as_millis()
    );
    let records = vendor(&world).records();
    let writes: BTreeMap<&str, u64> = records
        .iter()
        .map(|record| (record.fields["externalId"].as_str().unwrap(), record.writes))
        .collect();
    assert_eq!((records.len(), writes.len()), (EVENTS, EVENTS), "{writes:?}");
    assert!(writes.values().all(|writes| *writes == 1), "{writes:?}");
    assert_eq!(world.complaints().unwrap(), Vec::<String>::new());
}
