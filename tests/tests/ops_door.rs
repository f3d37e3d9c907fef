//! The dashboard's door: who comes in, how, and what every page carries. Without a browser; see `ops_browser.rs`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::time::Duration;

use reqwest::{Client, Method, header};
use upsert_simulators::{Answer, Effect, Fault};
use upsert_tests::{KEY, Operator, Plan, World, api_key, hash_of};

const READER: &str = "a-key-that-may-only-look";
const CLERK: &str = "a-key-for-customers-alone";
const STRANGER: &str = "a-key-of-another-merchant";

const OTHER: [(&str, &str); 1] = [("merchants/other.toml", "id = \"other\"\nname = \"Other\"\n")];

fn keys() -> String {
    [
        api_key("reader", READER, "acme", "ops:read"),
        api_key("clerk", CLERK, "acme", "customers:read"),
        api_key("stranger", STRANGER, "other", "ops:read ops:write"),
    ]
    .concat()
}

async fn world() -> World {
    World::with_files(plan(), &OTHER).await
}

fn plan() -> Plan {
    Plan {
        gateway: keys(),
        ..Plan::default()
    }
}

#[tokio::test]
async fn nobody_sees_a_page_who_has_not_signed_in_and_a_wrong_key_opens_nothing() {
    let world = world().await;
    let client = Client::builder().build().unwrap();
    for (path, status) in [
        ("/ops", 200),
        ("/ops/", 200),
        ("/ops/connections", 401),
        ("/ops/deliveries?state=failed", 401),
        ("/ops/nowhere", 401),
        ("/ops/live/overview", 401),
    ] {
        let answer = client.get(format!("{}{path}", world.url())).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        let html = answer.text().await.unwrap();
        assert!(!html.contains("rotor") && !html.contains("acme"), "{path}: {html}");
        assert!(
            path.contains("live") || html.contains("type=\"password\""),
            "{path}: {html}"
        );
    }
    let wrong = Operator::sign_in(&world, "nobody-knows-me").await.unwrap_err();
    assert_eq!(wrong.status, 401);
    wrong.shows("this key is not known");
    let clerk = Operator::sign_in(&world, CLERK).await.unwrap_err();
    assert_eq!(clerk.status, 403);
    clerk.shows("ops:read");
}

#[tokio::test]
async fn a_session_is_a_cookie_that_no_script_reads_and_no_other_site_sends_and_it_ends_with_its_key() {
    let plan = Plan {
        reloads: true,
        gateway: keys(),
        ..Plan::default()
    };
    let world = World::with_files(plan, &OTHER).await;
    let client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let form = [("key", KEY), ("next", "/ops/connections")];
    let answer = client
        .post(format!("{}/ops/session", world.url()))
        .form(&form)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()[header::LOCATION]),
        (303, &"/ops/connections".parse().unwrap())
    );
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Path=/ops"),
        "{cookie}"
    );
    assert!(!cookie.contains(KEY) && !cookie.contains("Secure"), "{cookie}");

    let operator = Operator::sign_in(&world, READER).await.unwrap();
    assert_eq!(operator.open("/ops").await.status, 200);
    let left = operator.post("/ops/session/end", &[]).await;
    assert_eq!((left.status, left.location.as_deref()), (303, Some("/ops")));
    assert_eq!(
        operator.open("/ops/connections").await.status,
        401,
        "the session is over, whoever has the cookie"
    );

    let operator = Operator::sign_in(&world, READER).await.unwrap();
    let file = world.folder().join("gateway.toml");
    let without = std::fs::read_to_string(&file)
        .unwrap()
        .replace(&hash_of(READER), &"0".repeat(64));
    std::fs::write(&file, without).unwrap();
    world.reconfigure(|acme| format!("{acme}\n# changed\n")).await;
    assert_eq!(
        operator.open("/ops/connections").await.status,
        401,
        "its key is configured no more"
    );
}

#[tokio::test]
async fn every_page_forbids_what_is_not_its_own_and_no_cache_keeps_it() {
    let world = world().await;
    let operator = Operator::sign_in(&world, KEY).await.unwrap();
    let client = Client::builder().build().unwrap();
    for path in [
        "/ops",
        "/ops/connections",
        "/ops/connections/acme/rotor",
        "/ops/nowhere",
    ] {
        let answer = client.get(format!("{}{path}", world.url())).send().await.unwrap();
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{path}: {policy}"
        );
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
        let page = operator.open(path).await;
        for foreign in ["http://", "https://", "<style", " style=", "<script>", "onclick"] {
            page.hides(foreign);
        }
    }
    assert_eq!(operator.open("/ops/nowhere").await.status, 404);
    let slash = operator.open("/ops/").await;
    assert_eq!((slash.status, slash.location.as_deref()), (303, Some("/ops")));
    operator.open("/ops/nowhere").await.shows("To the overview");
}

#[tokio::test]
async fn a_form_of_another_site_changes_nothing() {
    let world = world().await;
    let operator = Operator::sign_in(&world, KEY).await.unwrap();
    let client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
    ] {
        let url = format!("{}/ops/connections/acme/rotor/pause", world.url());
        let refused = operator
            .send(client.request(Method::POST, url).header(name, value))
            .await;
        assert_eq!(refused.status, 403, "{name}: {value}");
    }
    assert_eq!(world.get("/v1/connections").await.body["data"][0]["state"], "healthy");
}

#[tokio::test]
async fn a_connection_is_paused_and_resumed_with_a_button_that_who_may_only_look_does_not_have() {
    let world = world().await;
    let (operator, reader) = (
        Operator::sign_in(&world, KEY).await.unwrap(),
        Operator::sign_in(&world, READER).await.unwrap(),
    );
    let page = "/ops/connections/acme/rotor";
    operator.open(page).await.shows("healthy").shows("Pause");
    let paused = operator.post_and_follow(&format!("{page}/pause"), &[]).await;
    paused
        .shows("acme / rotor is paused")
        .shows("paused by the operator")
        .shows("Resume");
    operator.open(page).await.hides("acme / rotor is paused:");
    reader
        .until(page, Duration::from_secs(20), "paused by the operator")
        .await;
    reader.open(page).await.hides("<button>Resume").hides("/resume");
    let refused = reader.post_and_follow(&format!("{page}/resume"), &[]).await;
    refused
        .shows("your key lacks the scope `ops:write`")
        .shows("paused by the operator");
    operator.open("/ops").await.shows("acme / rotor paused by hand");
    operator
        .post_and_follow(&format!("{page}/resume"), &[])
        .await
        .shows("healthy");
}

#[tokio::test]
async fn another_merchants_things_do_not_exist() {
    let world = world().await;
    let stranger = Operator::sign_in(&world, STRANGER).await.unwrap();
    for path in ["/ops", "/ops/connections", "/ops/connections?merchant=acme"] {
        stranger.open(path).await.hides("rotor");
    }
    assert_eq!(stranger.open("/ops/connections/acme/rotor").await.status, 404);
    stranger.post_and_follow("/ops/connections/acme/rotor/pause", &[]).await;
    assert_eq!(world.get("/v1/connections").await.body["data"][0]["state"], "healthy");
}

#[tokio::test]
async fn the_overview_is_sent_anew_when_a_vendor_fails() {
    let plan = Plan {
        // How well a vendor does lately is what a process has seen itself.
        is_one_process: true,
        ..plan()
    };
    let world = World::with_files(plan, &OTHER).await;
    let operator = Operator::sign_in(&world, READER).await.unwrap();
    operator.open("/ops").await.shows("Nothing: every connection is well");
    world
        .rotor
        .faults()
        .add(Fault::always(Effect::Answer(Answer::new(503))));
    let ann = serde_json::json!({
        "reference": "ann", "given_name": "Ann", "family_name": "Lee", "phone": "2025550123", "email": "ann@example.com",
    });
    let live = operator.event("/ops/live/overview", "degraded");
    let live = tokio::time::timeout(std::time::Duration::from_secs(20), live);
    let (accepted, event) = tokio::join!(world.upsert_with(&ann, &[("prefer", "respond-async")]), live);
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let event = event.unwrap();
    assert!(
        event.contains("event: part") && event.contains("acme / rotor"),
        "{event}"
    );
}
