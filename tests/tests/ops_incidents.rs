//! An outage as somebody sees it who was not there: the page of its incident, in a real browser.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::time::Duration;

use serde_json::{Value as Json, json};
use upsert_simulators::{Answer, Effect, Fault};
use upsert_tests::browser::PATIENCE;
use upsert_tests::{Browser, KEY, Plan, Scheme, World};

/// A vendor's faults and the background take their time.
const LIVE: Duration = Duration::from_secs(40);

/// Latin and Arabic, longer than a phone is wide.
const WORDS: &str = "Wartungsarbeiten bis auf Weiteres، الخدمة غير متاحة الآن، يرجى المحاولة مرة أخرى لاحقا";

fn person(number: usize) -> Json {
    json!({ "reference": format!("c-{number}"), "given_name": "A", "email": format!("c{number}@example.com") })
}

async fn world() -> World {
    World::with(Plan {
        only: vec!["wallet"],
        wallet: "breaker = { open_for = \"1s\" }\nretry = { attempts = 2, base = \"20ms\", cap = \"50ms\" }".to_owned(),
        ..Plan::default()
    })
    .await
}

async fn signed_in(world: &World) -> Browser {
    let browser = Browser::start(&world.url()).await;
    browser.open("/ops").await;
    browser.fill("key", KEY).await;
    browser.press("Enter").await;
    browser.wait_for_text("Needs attention", PATIENCE).await;
    browser
}

/// No page is wider than a phone, in light and dark.
async fn fits(browser: &Browser, path: &str) {
    for (width, scheme) in [(390, Scheme::Light), (390, Scheme::Dark), (1280, Scheme::Dark)] {
        browser.view(width, 844, scheme).await;
        browser.open(path).await;
        assert!(
            !browser.is_wider_than_its_window().await,
            "{path} is wider than {width} pixels"
        );
    }
}

#[tokio::test]
async fn an_outage_is_told_from_the_first_failure_until_all_is_sent_over_a_restart_too() {
    let mut world = world().await;
    let down = Answer::new(503).body(json!({ "message": WORDS }).to_string());
    world.wallet.faults().set(vec![Fault::always(Effect::Answer(down))]);
    for number in 0..12 {
        world.upsert_with(&person(number), &[("prefer", "respond-async")]).await;
    }
    let open = world
        .until("/v1/incidents?state=open", LIVE, |answered| {
            answered.body["data"].as_array().is_some_and(|data| !data.is_empty())
        })
        .await;
    let id = open.body["data"][0]["incident_id"].as_str().unwrap().to_owned();

    let browser = signed_in(&world).await;
    browser.wait_for_text("acme / wallet", LIVE).await;
    browser.click_text("Incident").await;
    browser.click(&format!("a[href$='{id}']")).await;
    browser.wait_for_text("Down: calls are held back", PATIENCE).await;
    browser.wait_for_text(WORDS, PATIENCE).await;
    assert!(browser.html().await.contains("Calls of ours to"), "in a field");
    browser.click_text("Copy").await;
    // Without a page's right to the clipboard the text is selected, for whoever copies by hand.
    browser.wait_for_count("button[data-copy]", 1, PATIENCE).await;
    browser.assert_clean().await;
    drop(browser);

    world.restart().await;
    world.wallet.faults().clear();
    let path = format!("/v1/incidents/{id}");
    let over = world
        .until(&path, LIVE, |answered| answered.body["state"] == "ended")
        .await;
    assert_eq!(over.body["touched"]["customers"], 12, "{}", over.text);

    let browser = signed_in(&world).await;
    let page = format!("/ops/incidents/{id}");
    browser.open(&page).await;
    for told in [
        "The first call failed",
        "The vendor takes calls again",
        "Over: what waited is sent",
    ] {
        browser.wait_for_text(told, PATIENCE).await;
    }
    for path in ["/ops/incidents", "/ops/connections/acme/wallet", &page] {
        fits(&browser, path).await;
    }
    browser.open("/ops/connections/acme/wallet").await;
    let newest = "[data-chart='waiting'] .u-legend tr:nth-child(2) .u-value";
    browser.wait_for_count(newest, 1, LIVE).await;
    let number = browser.text(newest).await;
    assert!(number.parse::<f64>().is_ok(), "the legend says {number:?}");
    browser.open("/ops/incidents?state=open").await;
    browser.wait_for_text("No incident matches", PATIENCE).await;
    browser.assert_clean().await;
}
