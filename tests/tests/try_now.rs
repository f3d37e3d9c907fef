//! One call now, at vendors that fail, ask us to wait or refuse the credentials: what is told, and that what waits goes out once
//! they are back. And that a vendor that is back is noticed though nobody calls.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value as Json, json};
use upsert_simulators::{Answer, Effect, Fault, When};
use upsert_tests::{Answered, KEY, Operator, Plan, World, api_key};

const PATIENCE: Duration = Duration::from_secs(30);
const TRY: &str = "/v1/connections/acme/rotor/try";

/// One gateway: each of several has a breaker and a day of its own, and a try is one's.
async fn rotor_alone(lines: &str) -> World {
    World::with(Plan {
        only: vec!["rotor"],
        rotor: lines.to_owned(),
        gateway: api_key("operator", "a-key-that-may-operate", "acme", "ops:read ops:write")
            + &api_key("reader", "a-key-that-may-look", "acme", "ops:read"),
        is_one_process: true,
        ..Plan::default()
    })
    .await
}

fn person(number: usize) -> Json {
    json!({ "reference": format!("r-{number}"), "given_name": "A", "phone": format!("20255501{number:02}") })
}

async fn accepted(world: &World, count: usize) -> Vec<String> {
    let mut waiting = Vec::new();
    for number in 0..count {
        let accepted = world.upsert_with(&person(number), &[("prefer", "respond-async")]).await;
        waiting.push(accepted.header("location").unwrap().to_owned());
    }
    waiting
}

async fn tried(world: &World) -> Answered {
    world.send(Method::POST, TRY, None, &[]).await
}

fn always(world: &World, answer: Answer) {
    world.rotor.faults().set(vec![Fault::always(Effect::Answer(answer))]);
}

async fn until_state(world: &World, states: &[&str]) {
    world
        .until("/v1/connections", PATIENCE, |shown| {
            let state = shown.body["data"][0]["state"].as_str();
            state.is_some_and(|state| states.contains(&state))
        })
        .await;
}

async fn all_succeed(world: &World, waiting: Vec<String>) {
    for location in waiting {
        world
            .until(&location, PATIENCE, |upsert| upsert.body["state"] == "succeeded")
            .await;
    }
}

fn received(world: &World) -> u64 {
    world.rotor.journal().counts().received
}

#[tokio::test]
async fn a_vendor_that_fails_or_asks_to_wait_is_called_once_and_what_waits_drains_when_it_is_back() {
    for status in [503, 429, 401] {
        let world = rotor_alone("breaker = { open_for = \"1h\" }").await;
        let words = Answer::new(status)
            .retry_after(3_600)
            .body("<html>maintenance until noon</html>".to_owned());
        always(&world, words);
        let waiting = accepted(&world, 14).await;
        until_state(&world, &["open", "throttled", "paused"]).await;
        world
            .until("/v1/connections", PATIENCE, |shown| {
                let one = &shown.body["data"][0];
                one["waiting"] == 14 && one["in_flight"] == 0
            })
            .await;
        let before = received(&world);

        let failed = tried(&world).await;
        assert_eq!(failed.status, 200, "{}", failed.text);
        let (error, follows) = (&failed.body["error"], &failed.body["follows"]);
        assert_eq!(
            (&error["vendor_status"], &failed.body["outcome"]),
            (&json!(status), &Json::Null)
        );
        assert!(error["vendor_body"].to_string().contains("maintenance"), "{error}");
        assert_eq!(*follows, json!(if status == 401 { "paused" } else { "waits" }));
        assert!(
            failed.body["detail"].as_str().unwrap().contains("14 waiting"),
            "{}",
            failed.text
        );
        assert_eq!(received(&world), before + 1, "{status}: one call");

        world.rotor.faults().clear();
        let taken = tried(&world).await;
        assert_eq!(
            (taken.status, &taken.body["outcome"], &taken.body["follows"]),
            (200, &json!("created"), &json!("drains")),
            "{status}: {}",
            taken.text
        );
        assert_eq!(taken.body["error"], Json::Null);
        all_succeed(&world, waiting).await;
        assert_eq!(world.rotor.records().len(), 14);
        until_state(&world, &["healthy"]).await;
    }
}

#[tokio::test]
async fn a_vendor_that_hangs_holds_a_try_no_longer_than_one_call_and_a_second_one_not_at_all() {
    let world = rotor_alone("timeout = \"2s\"\nbreaker = { open_for = \"1h\" }").await;
    always(&world, Answer::new(503));
    accepted(&world, 12).await;
    until_state(&world, &["open"]).await;
    let hang = Effect::Hang {
        when: When::BeforeWrite,
    };
    world.rotor.faults().set(vec![Fault::always(hang)]);
    let began = Instant::now();
    let (one, other) = tokio::join!(tried(&world), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        tried(&world).await
    });
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    assert_eq!(
        (&one.body["error"]["kind"], &one.body["vendor_status"]),
        (&json!("transient"), &Json::Null),
        "{}",
        one.text
    );
    assert_eq!((other.status, other.code()), (503, "overloaded"), "{}", other.text);
    assert!(other.header("retry-after").is_some());
}

#[tokio::test]
async fn tries_are_counted_and_our_own_day_is_not_overdrawn_by_them() {
    let world = rotor_alone("rate_limit = { per_day = 3, reserve = 0.0 }").await;
    for used in 1..=3 {
        let tried = tried(&world).await;
        assert_eq!(
            (tried.status, &tried.body["tried"]),
            (200, &json!("read")),
            "{}",
            tried.text
        );
        assert_eq!(tried.body["connection"]["rate_limit"]["used_today"], used);
    }
    let spent = tried(&world).await;
    assert_eq!((spent.status, spent.code()), (503, "overloaded"), "{}", spent.text);
    let wait: u64 = spent.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=86_400).contains(&wait), "{wait}");
    assert_eq!(received(&world), 3);
}

#[tokio::test]
async fn who_may_not_operate_it_tries_nothing_and_who_may_not_read_customers_is_told_no_vendors_words() {
    let world = rotor_alone("breaker = { open_for = \"1h\" }").await;
    always(
        &world,
        Answer::new(503).body("<p>Ann Hathaway is not ours</p>".to_owned()),
    );
    accepted(&world, 12).await;
    until_state(&world, &["open"]).await;
    let before = received(&world);
    let client = |secret: &'static str| {
        let url = format!("{}{TRY}", world.url());
        async move {
            #[expect(clippy::disallowed_methods, reason = "a test's own client")]
            let answer = reqwest::Client::new()
                .post(url)
                .bearer_auth(secret)
                .send()
                .await
                .unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        }
    };
    let nobodys = world
        .send(Method::POST, "/v1/connections/nobody/rotor/try", None, &[])
        .await;
    assert_eq!((nobodys.status, nobodys.code()), (404, "not_found"));
    assert_eq!(client("a-key-that-may-look").await.0, 403);
    assert_eq!(received(&world), before);
    let (status, told) = client("a-key-that-may-operate").await;
    assert!(status == 200 && told.contains("\"vendor_status\":503"), "{told}");
    assert!(!told.contains("Hathaway"), "{told}");
    let operator = Operator::sign_in(&world, "a-key-that-may-operate").await.unwrap();
    let page = operator.post_and_follow("/ops/connections/acme/rotor/try", &[]).await;
    page.shows("acme / rotor: the vendor fails (503").hides("Hathaway");
    let operator = Operator::sign_in(&world, KEY).await.unwrap();
    let page = operator.post_and_follow("/ops/connections/acme/rotor/try", &[]).await;
    page.shows("acme / rotor: the vendor fails (503")
        .shows("Ann Hathaway is not ours");
}

#[tokio::test]
async fn a_vendor_that_is_back_is_noticed_within_the_open_time_though_nothing_is_due_and_nobody_calls() {
    // What failed waits for 20 s and more by its own delays.
    let lines =
        "retry = { attempts = 1, base = \"20s\", cap = \"60s\" }\nbreaker = { open_for = \"1s\", min_calls = 2 }";
    let world = rotor_alone(lines).await;
    always(&world, Answer::new(503));
    let waiting = accepted(&world, 2).await;
    until_state(&world, &["open"]).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let probes = received(&world) - 2;
    // It opens for 1 s, then 2 s, then 4 s, and is looked at once a second.
    assert!((1..=3).contains(&probes), "{probes} probes");
    world.rotor.faults().clear();
    all_succeed(&world, waiting).await;
    until_state(&world, &["healthy"]).await;

    // Nothing waits: a read finds out.
    always(&world, Answer::new(503));
    for _ in 0..3 {
        world.get("/v1/connections/acme/rotor/customers").await;
    }
    until_state(&world, &["open"]).await;
    world.rotor.faults().clear();
    until_state(&world, &["healthy"]).await;
    assert_eq!(world.rotor.records().len(), 2);
}
