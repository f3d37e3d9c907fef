//! The dashboard in a real browser: what somebody does at three in the morning, and what a support person does by day.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value as Json, json};
use upsert_simulators::{Answer, Effect, Fault};
use upsert_tests::browser::PATIENCE;
use upsert_tests::{Browser, KEY, Plan, Scheme, World, api_key};

const READER: &str = "a-key-that-may-only-look";
/// A live part is read anew every two seconds, and a vendor's faults take their time.
const LIVE: Duration = Duration::from_secs(20);

async fn world() -> World {
    World::with(Plan {
        rotor: "required = false\nretry = { attempts = 2, base = \"20ms\", cap = \"50ms\" }\n".to_owned(),
        gateway: api_key("reader", READER, "acme", "ops:read"),
        reloads: true,
        ..Plan::default()
    })
    .await
}

fn ann() -> Json {
    json!({
        "reference": "CUST-77", "given_name": "Ann", "family_name": "Hathaway", "email": "ann.hathaway@example.com",
        "phone": "(202) 555-0177", "notes": "Prefers mornings",
    })
}

async fn signed_in(world: &World, key: &str) -> Browser {
    let browser = Browser::start(&world.url()).await;
    browser.open("/ops").await;
    browser.fill("key", key).await;
    browser.press("Enter").await;
    browser.wait_for_text("Needs attention", PATIENCE).await;
    browser
}

#[tokio::test]
async fn a_failing_vendor_appears_without_reload_and_its_dead_letter_is_found_replayed_and_seen_to_succeed() {
    let world = world().await;
    let browser = signed_in(&world, KEY).await;
    browser
        .wait_for_text("Nothing: every connection is well", PATIENCE)
        .await;

    let refuses = Answer::new(400).body(json!({ "status": "error", "message": "Hathaway is not a name" }).to_string());
    world.rotor.faults().add(Fault::always(Effect::Answer(refuses)));
    let refused = world.upsert(&ann()).await;
    assert_eq!(refused.delivery("rotor")["state"], "failed", "{}", refused.text);
    browser.wait_for_text("1 delivery failed for good", LIVE).await;

    browser.click(".attention a").await;
    browser.wait_for_text("Deliveries", PATIENCE).await;
    let id = refused.delivery("rotor")["id"].as_str().unwrap().to_owned();
    browser.click(&format!("a[href*='{id}']")).await;
    browser.wait_for_text("Hathaway is not a name", PATIENCE).await;

    world.rotor.faults().clear();
    browser.click_text("Replay").await;
    browser.wait_for_text("succeeded", LIVE).await;
    assert_eq!(world.rotor.records().len(), 1);
    browser.open("/ops").await;
    browser.wait_for_text("Nothing: every connection is well", LIVE).await;
    browser.assert_clean().await;
}

#[tokio::test]
async fn a_vendor_that_is_down_shows_while_the_page_lies_open_and_a_pause_is_one_click() {
    let world = world().await;
    let browser = signed_in(&world, KEY).await;
    world
        .rotor
        .faults()
        .add(Fault::always(Effect::Answer(Answer::new(503))));
    for number in 0..6 {
        let body = json!({ "reference": format!("R{number}"), "given_name": "Ann", "family_name": "Lee", "email": format!("r{number}@example.com"), "phone": format!("202555013{number}") });
        world.upsert_with(&body, &[("prefer", "respond-async")]).await;
    }
    browser.wait_for_text("acme / rotor", PATIENCE).await;
    browser.wait_for_count(".attention li", 1, LIVE).await;
    browser.click(".attention a").await;
    browser.wait_for_text("acme / rotor", LIVE).await;
    browser.click_text("Pause").await;
    browser.wait_for_text("acme / rotor is paused", PATIENCE).await;
    browser.click_text("Resume").await;
    browser.wait_for_text("acme / rotor goes on", PATIENCE).await;
    browser.assert_clean().await;
}

#[tokio::test]
async fn a_page_that_lies_open_becomes_the_sign_in_form_when_its_key_is_taken_away() {
    let world = world().await;
    let pause = world
        .send(Method::POST, "/v1/connections/acme/rotor/pause", None, &[])
        .await;
    assert_eq!(pause.status, 200, "{}", pause.text);
    let taken = world.upsert(&ann()).await;
    let id = taken.delivery("rotor")["id"].as_str().unwrap().to_owned();
    let browser = signed_in(&world, READER).await;
    browser.open(&format!("/ops/deliveries/{id}")).await;
    browser.wait_for_text("waiting", PATIENCE).await;

    let file = world.folder().join("gateway.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let without = text.replace("scopes = [\"ops:read\"]", "scopes = [\"customers:read\"]");
    assert_ne!(text, without);
    std::fs::write(&file, without).unwrap();
    browser.wait_for_text("Sign in", LIVE).await;
    assert_eq!(browser.count("input[type=password]").await, 1);
}

#[tokio::test]
async fn a_customer_is_found_by_phone_in_another_notation_and_its_history_is_read() {
    let world = world().await;
    world.upsert(&ann()).await;
    let changed = world
        .upsert(&json!({ "reference": "CUST-77", "given_name": "Annabel" }))
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let browser = signed_in(&world, KEY).await;
    browser.click_text("Customers").await;
    browser.fill("q", "+1 202.555.0177").await;
    browser.click_text("Find").await;
    browser.wait_for_text("ann.hathaway@example.com", PATIENCE).await;
    browser.wait_for_text("Annabel", PATIENCE).await;
    let page = browser.text("main").await;
    for told in [
        "/given_name",
        "Ann",
        "Annabel",
        "rotor",
        "april",
        "wallet",
        "created",
        "updated",
        "in sync",
    ] {
        assert!(page.contains(told), "`{told}` is not on the page:\n{page}");
    }
    browser.assert_clean().await;
}

#[tokio::test]
async fn a_key_that_may_only_look_sees_masks_and_no_buttons() {
    let world = world().await;
    let refuses = Answer::new(400).body(json!({ "status": "error", "message": "Hathaway is not a name" }).to_string());
    world.rotor.faults().add(Fault::always(Effect::Answer(refuses)));
    let answer = world.upsert(&ann()).await;
    let browser = signed_in(&world, READER).await;
    let delivery = answer.delivery("rotor")["id"].as_str().unwrap();
    let customer = answer.customer_id();
    for path in [
        "/ops".to_owned(),
        "/ops/connections/acme/rotor".to_owned(),
        "/ops/deliveries?state=failed".to_owned(),
        format!("/ops/deliveries/{delivery}"),
        format!("/ops/customers/acme/{customer}"),
        "/ops/plan".to_owned(),
        "/ops/webhooks".to_owned(),
        "/ops/audit".to_owned(),
        "/ops/configuration".to_owned(),
    ] {
        browser.open(&path).await;
        browser.wait_for_text("Personal data is masked", PATIENCE).await;
        let html = browser.html().await;
        for personal in ["Hathaway", "hathaway", "5550177", "CUST-77", "mornings"] {
            assert!(!html.contains(personal), "{path} shows `{personal}`:\n{html}");
        }
        // What looks is left: filters and signing out.
        assert_eq!(browser.count("main form[method=post]").await, 0, "{path} has a button");
    }
    browser.open(&format!("/ops/customers/acme/{customer}")).await;
    assert!(browser.text("main").await.contains("•••"));
    browser.assert_clean().await;
}

#[tokio::test]
async fn everything_is_reached_by_keyboard_alone() {
    let world = world().await;
    let browser = signed_in(&world, KEY).await;
    browser.open("/ops").await;
    browser.press("Tab").await;
    assert!(
        browser.focused().await.contains("To the content"),
        "{}",
        browser.focused().await
    );
    for _link in 0..3 {
        browser.press("Tab").await;
    }
    assert!(
        browser.focused().await.contains("Connections"),
        "{}",
        browser.focused().await
    );
    browser.press("Enter").await;
    browser.wait_for_text("acme / rotor", PATIENCE).await;
    browser.press("/").await;
    assert!(
        browser.focused().await.contains("erchant"),
        "{}",
        browser.focused().await
    );
    browser.assert_clean().await;
}

#[tokio::test]
async fn no_page_is_wider_than_a_phone_and_none_complains_in_dark_or_light() {
    let world = world().await;
    let answer = world.upsert(&ann()).await;
    let browser = signed_in(&world, KEY).await;
    let delivery = answer.delivery("rotor")["id"].as_str().unwrap();
    for path in [
        "/ops".to_owned(),
        "/ops/connections".to_owned(),
        "/ops/connections/acme/rotor".to_owned(),
        "/ops/deliveries".to_owned(),
        format!("/ops/deliveries/{delivery}"),
        "/ops/customers".to_owned(),
        format!("/ops/customers/acme/{}", answer.customer_id()),
        "/ops/plan".to_owned(),
        "/ops/webhooks".to_owned(),
        "/ops/events/in".to_owned(),
        "/ops/events/out".to_owned(),
        "/ops/audit".to_owned(),
        "/ops/incidents".to_owned(),
        "/ops/configuration".to_owned(),
    ] {
        for (width, scheme) in [(390, Scheme::Light), (1280, Scheme::Dark)] {
            browser.view(width, 844, scheme).await;
            browser.open(&path).await;
            assert!(
                !browser.is_wider_than_its_window().await,
                "{path} is wider than {width} pixels"
            );
        }
    }
    browser.assert_clean().await;
}

#[tokio::test]
async fn a_try_shows_the_vendors_next_real_answer_and_when_it_is_back_what_waits_drains_before_ones_eyes() {
    const WAITING: usize = 400;
    let world = World::with(Plan {
        only: vec!["rotor"],
        rotor: "breaker = { open_for = \"1h\" }\nrate_limit = { per_second = 60, burst = 60 }".to_owned(),
        is_one_process: true,
        ..Plan::default()
    })
    .await;
    let browser = signed_in(&world, KEY).await.patient_for(LIVE);
    let down = Answer::new(503).body("<html>down for maintenance</html>".to_owned());
    world.rotor.faults().set(vec![Fault::always(Effect::Answer(down))]);
    for number in 0..WAITING {
        let body =
            json!({ "reference": format!("W{number}"), "given_name": "Ann", "phone": format!("2025550{number:03}") });
        world.upsert_with(&body, &[("prefer", "respond-async")]).await;
    }
    browser.wait_for_text("400 waiting, 503", LIVE).await;
    browser.click_text("Try now").await;
    browser.wait_for_text("the vendor fails (503", PATIENCE).await;
    browser.wait_for_text("down for maintenance", PATIENCE).await;
    assert_eq!(browser.path().await, "/ops/connections/acme/rotor");
    browser.wait_for_text("400 waiting", PATIENCE).await;

    world.rotor.faults().clear();
    browser.click_text("Try now").await;
    browser
        .wait_for_text("the vendor took the delivery that waited longest", PATIENCE)
        .await;
    browser.wait_for_text("What waits is going out", LIVE).await;
    let first: usize = left(&browser).await;
    assert!(first < WAITING, "{first}");
    browser.wait_gone("What waits is going out").await;
    world
        .until_all("/v1/connections", PATIENCE, |answered| {
            let connections = answered.body["data"].as_array().unwrap();
            connections
                .iter()
                .all(|one| one["waiting"] == 0 && one["in_flight"] == 0)
        })
        .await;
    assert_eq!(world.rotor.records().len(), WAITING);
    browser.assert_clean().await;
}

/// The count that stands in the live part.
async fn left(browser: &Browser) -> usize {
    let text = browser.text("#draining").await;
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}
