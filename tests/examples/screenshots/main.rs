//! Takes pictures of every page of the dashboard, light, dark and as wide as a phone: `scripts/screenshots` runs it. It
//! fails if a page is not there, complains on the console or asks another origin for anything.
#![expect(clippy::print_stdout, reason = "a tool that says what it does")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a tool on the tests' own world: what it cannot do ends it"
)]

mod people;
mod scene;

use std::path::Path;

use scene::Scene;
use serde_json::json;
use upsert_tests::browser::PATIENCE;
use upsert_tests::{Browser, KEY, Scheme, World};

/// What a picture is named for, how wide and high the window is, and the colours.
const VIEWS: [(&str, u32, u32, Scheme); 3] = [
    ("light", 1280, 800, Scheme::Light),
    ("dark", 1280, 800, Scheme::Dark),
    ("phone", 390, 844, Scheme::Light),
];

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(folder) = arguments.next() else {
        panic!("usage: screenshots FOLDER [PAGE …]");
    };
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).expect("the folder can be made");
    let only: Vec<String> = arguments.collect();
    let is_wanted = |name: &str| only.is_empty() || only.iter().any(|one| one == name);

    println!("filling a gateway");
    let scene = Scene::set().await;
    let pages = pages(&scene.world).await;
    if let Some(unknown) = only.iter().find(|one| !pages.iter().any(|(name, _)| name == one)) {
        panic!("there is no page {unknown}: {:?}", pages.map(|(name, _)| name));
    }

    let browser = Browser::start(&scene.world.url()).await;
    for (name, path) in pages.iter().filter(|(name, _)| is_wanted(name)) {
        let is_door = *name == "sign-in";
        if !is_door && browser.count("form[action='/ops/session/end']").await == 0 {
            sign_in(&browser).await;
        }
        browser.open(path).await;
        if *name == "plan" {
            plan(&browser).await;
        }
        for (view, width, height, scheme) in VIEWS {
            let file = folder.join(format!("{name}-{view}.png"));
            browser.screenshot(&file, width, height, scheme).await;
        }
        browser.assert_clean().await;
        println!("{name}: {path}");
    }
    drop(browser);
    scene.end().await;
}

/// Name and path of every page, the door first.
async fn pages(world: &World) -> [(&'static str, String); 12] {
    let first = async |path: &str| {
        let answered = world.get(path).await;
        let id = answered.body["data"][0]["id"].as_str().map(str::to_owned);
        id.unwrap_or_else(|| panic!("{path} lists nothing: {}", answered.text))
    };
    let delivery = first("/v1/deliveries?state=failed&limit=1").await;
    let customer = first(&format!("/v1/customers?reference={}", people::MOVED)).await;
    let event = first("/v1/events/in?state=failed&limit=1").await;
    [
        ("sign-in", "/ops".to_owned()),
        ("overview", "/ops".to_owned()),
        ("connections", "/ops/connections".to_owned()),
        ("connection", "/ops/connections/acme/april".to_owned()),
        ("deliveries", "/ops/deliveries".to_owned()),
        ("delivery", format!("/ops/deliveries/{delivery}")),
        ("customers", "/ops/customers".to_owned()),
        ("customer", format!("/ops/customers/acme/{customer}")),
        ("plan", "/ops/plan".to_owned()),
        ("webhooks", "/ops/webhooks".to_owned()),
        ("event", format!("/ops/events/in/{event}")),
        ("configuration", "/ops/configuration".to_owned()),
    ]
}

async fn sign_in(browser: &Browser) {
    browser.open("/ops").await;
    browser.fill("key", KEY).await;
    browser.click("form[action='/ops/session'] button").await;
    browser
        .wait_for_count("form[action='/ops/session/end']", 1, PATIENCE)
        .await;
}

/// Pastes a customer who is known and has moved.
async fn plan(browser: &Browser) {
    let body = json!({
        "reference": people::MOVED, "phone": "(202) 555-0188",
        "addresses": { "billing": { "line1": "7 Harbour Rd", "city": "Portland", "state": "OR", "postal_code": "97209", "country": "US" } },
    });
    let body = serde_json::to_string_pretty(&body).expect("JSON can be written");
    browser.fill("body", &body).await;
    browser.click("form[action='/ops/plan'] button").await;
    browser.wait_for_text("It would change", PATIENCE).await;
}
