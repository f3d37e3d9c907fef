//! What the pictures show: a merchant on an ordinary bad day. One vendor fails, one connection is paused, a quota runs low,
//! and events wait in the dead letters of both directions.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value as Json, json};
use standardwebhooks::Webhook;
use upsert_simulators::{Answer, Effect, Fault, SimulatorOptions, Vendor};
use upsert_tests::{HOOK_SECRET, Manner, Plan, Receiver, Vendored, World, simulate};

use crate::people;

const PATIENCE: Duration = Duration::from_secs(30);
const ASYNC: [(&str, &str); 1] = [("Prefer", "respond-async")];

pub(crate) struct Scene {
    pub(crate) world: World,
    _loyalty: Vendored,
    _receivers: [Receiver; 2],
}

impl Scene {
    /// Sets it up, with some twenty seconds of traffic.
    pub(crate) async fn set() -> Self {
        let loyalty = simulate(Vendor::AddUpdate, SimulatorOptions::default());
        let receivers = [Receiver::start(HOOK_SECRET), Receiver::start(HOOK_SECRET)];
        // One has told us to stop: what was on its way to it is given up.
        receivers[1].answers(Manner::Status(410));
        let world = World::with(plan(&loyalty, &receivers)).await;
        refuse_some(&world);
        post(&world, "/v1/connections/acme/loyalty/pause").await;
        let slow = |millis| vec![Fault::always(Effect::Delay { millis }).probability(0.5)];
        world.wallet.faults().set(slow(60));
        world.rotor.faults().set(slow(120));
        for numbers in (0..people::COUNT).collect::<Vec<_>>().chunks(4) {
            arrive(&world, numbers).await;
            if numbers.contains(&24) {
                let down = Answer::new(503).body(r#"{"error":"upstream unavailable"}"#);
                world.april.faults().set(vec![Fault::always(Effect::Answer(down))]);
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        for change in people::changes() {
            upsert(&world, &change).await;
            tokio::time::sleep(Duration::from_millis(1200)).await;
        }
        tell_events(&world).await;
        for list in ["/v1/deliveries?state=failed", "/v1/events/out?state=failed"] {
            let is_there = |answered: &upsert_tests::Answered| answered.body["data"][0].is_object();
            world.until(list, PATIENCE, is_there).await;
        }
        Self {
            world,
            _loyalty: loyalty,
            _receivers: receivers,
        }
    }

    pub(crate) async fn end(mut self) {
        self.world.stop().await;
    }
}

fn plan(loyalty: &Vendored, receivers: &[Receiver; 2]) -> Plan {
    let [crm, billing] = [&receivers[0], &receivers[1]].map(Receiver::url);
    let loyalty = loyalty.base_url();
    let tables = format!(
        r#"
[[connections]]
name = "loyalty"
provider = "add-update"
base_url = "{loyalty}"
credentials = {{ api_key = {{ file = "wallet.secret" }} }}
settings = {{ merchant_id = "m-2" }}
required = false

[[webhooks.in]]
source = "shop"
verify = {{ scheme = "standard-webhooks", secret = {{ file = "hook.secret" }} }}
event_id = "/id"
order_by = "/version"
map = {{ reference = "/customer/ref", email = "/customer/mail", given_name = "/customer/first", family_name = "/customer/last", phone = "/customer/phone" }}

[[webhooks.out]]
name = "crm"
url = "{crm}"
events = ["customer.upserted", "customer.delivery_failed", "connection.paused"]
secret = {{ file = "hook.secret" }}

[[webhooks.out]]
name = "billing"
url = "{billing}"
events = ["customer.upserted"]
payload = "ids"
secret = {{ file = "hook.secret" }}
"#
    );
    Plan {
        merchant: "name = \"Acme Home Services\"".to_owned(),
        rotor: "rate_limit = { per_day = 50, reserve = 0.1 }".to_owned(),
        tables,
        ..Plan::default()
    }
}

/// April takes some customers, refuses others for good, and is down later.
fn refuse_some(world: &World) {
    let words = r#"{"statusCode":400,"errorCode":"invalid_request","message":"The request is not valid","tracer":"7f0c3a52-0d0b-4c53-9c1f-2b6a1de0c9a4","detail":"emailAddress is on the suppression list"}"#;
    let refuses = Fault::times(4, Effect::Answer(Answer::new(400).body(words))).probability(0.4);
    world.april.faults().set(vec![refuses]);
}

async fn arrive(world: &World, numbers: &[usize]) {
    let bodies: Vec<Json> = numbers.iter().map(|number| people::customer(*number)).collect();
    join_all(bodies.iter().map(|body| upsert(world, body))).await;
}

async fn upsert(world: &World, body: &Json) {
    let answered = world.upsert_with(body, &ASYNC).await;
    assert_eq!(answered.status, 202, "{}", answered.text);
}

async fn post(world: &World, path: &str) {
    let answered = world.send(Method::POST, path, None, &[]).await;
    assert!(answered.status < 300, "{path}: {}", answered.text);
}

/// Some events that the shop's own system tells, the last of them without a usable address.
async fn tell_events(world: &World) {
    let secret = Webhook::new(HOOK_SECRET).expect("it is a secret");
    let told = [
        ("June", "Ames", "june.ames@example.com"),
        ("Tom", "Reyes", "tom.reyes@example.com"),
        ("Ana", "Silva", "ana.silva at example.com"),
    ];
    for (number, (first, last, mail)) in told.into_iter().enumerate() {
        let id = format!("evt_{}", 9001 + number);
        let customer = json!({
            "ref": format!("SHOP-{}", 301 + number), "mail": mail, "first": first, "last": last,
            "phone": format!("(202) 555-019{number}"),
        });
        let body = json!({ "id": id, "version": number, "customer": customer });
        let now = jiff::Timestamp::now().as_second();
        let text = body.to_string();
        let signature = secret.sign(&id, now, text.as_bytes()).expect("it can be signed");
        let at = now.to_string();
        let headers = [
            ("webhook-id", id.as_str()),
            ("webhook-timestamp", &at),
            ("webhook-signature", &signature),
        ];
        let answered = world
            .send(Method::POST, "/v1/webhooks/acme/shop", Some(&body), &headers)
            .await;
        let expected = if mail.contains('@') { 202 } else { 422 };
        assert_eq!(answered.status, expected, "{}", answered.text);
    }
}
