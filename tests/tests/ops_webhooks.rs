//! Webhooks on the dashboard, as a browser without scripts has them: dead letters found, counted, replayed and given up,
//! endpoints tested and enabled, and who may see what.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value as Json, json};
use standardwebhooks::Webhook;
use upsert_tests::{HOOK_SECRET, KEY, Manner, Operator, Plan, Receiver, World, api_key};

const PATIENCE: Duration = Duration::from_secs(20);
const READER: &str = "a-key-that-may-look";
const STRANGER: &str = "a-key-for-another-merchant";

/// The shop's address stands elsewhere than this says, until it is mended.
const SOURCE: &str = r#"
[[webhooks.in]]
source = "shop"
verify = { scheme = "standard-webhooks", secret = { file = "hook.secret" } }
event_id = "/id"
map = { reference = "/who/ref", email = { from = "/who/contact", required = true }, given_name = "/who/first" }
"#;

async fn world(tables: &str) -> World {
    let reader = api_key("reader", READER, "acme", "ops:read");
    let stranger = api_key("stranger", STRANGER, "globex", "ops:read ops:write");
    let plan = Plan {
        only: vec!["rotor"],
        tables: tables.to_owned(),
        gateway: format!("{reader}{stranger}"),
        reloads: true,
        ..Plan::default()
    };
    World::with_files(plan, &[("merchants/globex.toml", "id = \"globex\"\n")]).await
}

fn event(id: &str, reference: &str) -> Json {
    let mail = format!("{reference}@people.example");
    json!({ "id": id, "who": { "ref": reference, "mail": mail, "first": "Rosalind" } })
}

/// As the shop sends it.
async fn sent(world: &World, event: &Json) -> u16 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the sender's clock is the machine's, and its client its own"
    )]
    let (at, client) = (Timestamp::now().as_second(), reqwest::Client::new());
    let (id, body) = (event["id"].as_str().unwrap(), event.to_string());
    let signature = Webhook::new(HOOK_SECRET)
        .unwrap()
        .sign(id, at, body.as_bytes())
        .unwrap();
    let request = client
        .post(format!("{}/v1/webhooks/acme/shop", world.url()))
        .header("webhook-id", id)
        .header("webhook-timestamp", at)
        .header("webhook-signature", signature)
        .body(body);
    request.send().await.unwrap().status().as_u16()
}

async fn mend(world: &World) {
    world
        .reconfigure(|text| text.replace("/who/contact", "/who/mail"))
        .await;
}

/// The id of the one dead letter.
async fn letter(world: &World) -> String {
    let listed = world.get("/v1/events/in?state=failed").await;
    assert_eq!(listed.body["data"].as_array().unwrap().len(), 1, "{}", listed.text);
    listed.body["data"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_dead_letter_is_found_understood_and_replayed_when_the_mapping_is_mended() {
    let mut world = world(SOURCE).await;
    let ops = Operator::sign_in(&world, KEY).await.unwrap();
    assert_eq!(sent(&world, &event("e-1", "R-1")).await, 422);
    let health = ops.until("/ops/webhooks", PATIENCE, "state=failed").await;
    assert!(
        health.contains("href=\"/ops/events/in?merchant=acme&#38;source=shop&#38;state=failed\">1</a>"),
        "{health}"
    );

    let id = letter(&world).await;
    let list = ops.page("/ops/events/in?merchant=acme&source=shop&state=failed").await;
    assert!(
        list.contains(&format!("<a href=\"/ops/events/in/{id}\">e-1</a>")),
        "{list}"
    );
    let path = format!("/ops/events/in/{id}");
    let one = ops.page(&path).await;
    for part in [
        "R-1@people.example",
        "<code>/who/contact</code>",
        "Rosalind",
        "class=\"state failed\"",
    ] {
        assert!(one.contains(part), "{part} in {one}");
    }
    let still = ops.post_and_follow(&format!("{path}/replay"), &[]).await.html;
    assert!(still.contains("notice bad\" role=\"status\""), "{still}");

    mend(&world).await;
    let done = ops.post_and_follow(&format!("{path}/replay"), &[]).await.html;
    assert!(done.contains("the event was taken this time"), "{done}");
    let event = world.get(&format!("/v1/events/in/{id}")).await;
    assert_eq!(event.body["state"], "accepted");
    let customer = event.body["customer_id"].as_str().unwrap();
    assert!(
        done.contains(&format!("href=\"/ops/customers/acme/{customer}\"")),
        "{done}"
    );
    assert!(
        !done.contains("/replay\"") && !done.contains("R-1@people.example"),
        "{done}"
    );
    let all = ops.page("/ops/events/in?state=failed&source=shop").await;
    assert!(all.contains("No event matches."), "{all}");
    world.stop().await;
}

/// The value of a hidden field.
fn hidden(html: &str, name: &str) -> String {
    let (_, rest) = html.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

#[tokio::test]
async fn all_that_match_are_counted_before_they_are_replayed_and_what_came_after_the_count_is_left_alone() {
    let mut world = world(SOURCE).await;
    let ops = Operator::sign_in(&world, KEY).await.unwrap();
    for number in 1..=3 {
        assert_eq!(
            sent(&world, &event(&format!("e-{number}"), &format!("R-{number}"))).await,
            422
        );
    }
    let confirm = ops.page("/ops/events/in/letters/replay?source=shop&state=failed").await;
    assert!(confirm.contains("<strong>3</strong> dead letters match"), "{confirm}");
    let listed = world.get("/v1/events/in?state=failed").await;
    assert_eq!(
        listed.body["data"].as_array().unwrap().len(),
        3,
        "counting does nothing"
    );
    let counted_at = hidden(&confirm, "counted_at");
    assert_eq!(sent(&world, &event("e-4", "R-4")).await, 422);
    mend(&world).await;
    let form = [("source", "shop"), ("counted_at", counted_at.as_str())];
    let done = ops.post_and_follow("/ops/events/in/letters/replay", &form).await.html;
    assert!(done.contains("3 of 3 dead letters replayed"), "{done}");
    let left = letter(&world).await;
    assert!(done.contains(&left), "the list shows what is left: {done}");

    let refused = ops.open("/ops/events/in/letters/discard").await;
    assert_eq!(refused.status, 422);
    refused.shows("at least one filter");
    let refused = ops.open("/ops/events/in/letters/discard?endpoint=hooks").await;
    assert_eq!(refused.status, 400, "a filter of the other direction");
    let confirm = ops.page("/ops/events/in/letters/discard?event_id=e-4").await;
    let form = [("event_id", "e-4"), ("counted_at", &hidden(&confirm, "counted_at"))];
    let done = ops.post_and_follow("/ops/events/in/letters/discard", &form).await.html;
    assert!(done.contains("1 of 1 dead letters discarded"), "{done}");
    let event = world.get(&format!("/v1/events/in/{left}")).await;
    assert_eq!(
        (&event.body["state"], &event.body["raw"]),
        (&json!("discarded"), &Json::Null)
    );
    world.stop().await;
}

#[tokio::test]
async fn without_the_scope_people_are_masked_and_nothing_can_be_done_and_strangers_see_nothing() {
    let mut world = world(SOURCE).await;
    assert_eq!(sent(&world, &event("e-1", "R-1")).await, 422);
    let path = format!("/ops/events/in/{}", letter(&world).await);
    let reader = Operator::sign_in(&world, READER).await.unwrap();
    let one = reader.page(&path).await;
    assert!(one.contains("•••") && one.contains("/who/contact"), "{one}");
    for hidden in ["people.example", "Rosalind", "R-1", "/replay", "/discard"] {
        assert!(!one.contains(hidden), "{hidden} in {one}");
    }
    let list = reader.page("/ops/events/in").await;
    assert!(!list.contains("/letters/"), "{list}");
    let refused = reader.post_and_follow(&format!("{path}/discard"), &[]).await.html;
    assert!(refused.contains("your key lacks the scope `ops:write`"), "{refused}");
    let refused = reader
        .post_and_follow("/ops/events/in/letters/discard", &[("event_id", "e-1")])
        .await
        .html;
    assert!(refused.contains("your key lacks the scope `ops:write`"), "{refused}");
    let refused = reader.open("/ops/events/in/letters/discard?event_id=e-1").await;
    assert_eq!(refused.status, 403);

    let stranger = Operator::sign_in(&world, STRANGER).await.unwrap();
    assert_eq!(stranger.open(&path).await.status, 404);
    assert_eq!(stranger.open("/ops/events/in?merchant=acme").await.status, 404);
    assert!(stranger.page("/ops/events/in").await.contains("No event matches."));
    let refused = stranger
        .post_and_follow("/ops/events/in/letters/discard", &[("event_id", "e-1")])
        .await
        .html;
    assert!(refused.contains("0 of 0 dead letters discarded"), "{refused}");
    let refused = stranger.open("/ops/events/sideways").await;
    assert_eq!(refused.status, 404);
    assert_eq!(world.get(&path.replace("/ops", "/v1")).await.body["state"], "failed");
    world.stop().await;
}

#[tokio::test]
async fn an_endpoint_is_tested_and_a_disabled_one_is_enabled_and_its_letters_are_replayed() {
    let receiver = Receiver::start(HOOK_SECRET);
    let tables = format!(
        "\n[[webhooks.out]]\nname = \"hooks\"\nurl = \"{}?token=canary\"\nevents = [\"customer.upserted\"]\n\
         secret = {{ file = \"hook.secret\" }}\n",
        receiver.url()
    );
    let mut world = world(&tables).await;
    let ops = Operator::sign_in(&world, KEY).await.unwrap();
    let tested = ops.post_and_follow("/ops/webhooks/acme/hooks/test", &[]).await.html;
    assert!(tested.contains("acme / hooks took the test event"), "{tested}");
    assert_eq!(receiver.came()[0].kind(), "gateway.test");

    receiver.answers(Manner::Status(410));
    let tested = ops.post_and_follow("/ops/webhooks/acme/hooks/test", &[]).await.html;
    assert!(tested.contains("acme / hooks did not take the test event"), "{tested}");
    let body = json!({ "reference": "c-1", "given_name": "Ann", "email": "ann@people.example" });
    assert_eq!(world.upsert(&body).await.status, 201);
    let disabled = ops
        .until("/ops/webhooks", PATIENCE, "/ops/webhooks/acme/hooks/enable")
        .await;
    assert!(
        disabled.contains("state disabled") && !disabled.contains("canary"),
        "{disabled}"
    );
    let failed = world
        .until("/v1/events/out?state=failed", PATIENCE, |all| {
            !all.body["data"][0].is_null()
        })
        .await;
    let id = failed.body["data"][0]["id"].as_str().unwrap();
    let path = format!("/ops/events/out/{id}");
    let one = ops.page(&path).await;
    assert!(one.contains("ann@people.example") && one.contains("410"), "{one}");
    let masked = Operator::sign_in(&world, READER).await.unwrap().page(&path).await;
    assert!(masked.contains("•••") && !masked.contains("people.example"), "{masked}");

    receiver.answers(Manner::Status(204));
    let enabled = ops.post_and_follow("/ops/webhooks/acme/hooks/enable", &[]).await.html;
    assert!(
        enabled.contains("acme / hooks is enabled") && !enabled.contains("state disabled"),
        "{enabled}"
    );
    let again = ops.post_and_follow(&format!("{path}/replay"), &[]).await.html;
    assert!(again.contains("the event is being sent again"), "{again}");
    ops.until(&path, PATIENCE, "class=\"state succeeded\"").await;
    world.stop().await;
}
