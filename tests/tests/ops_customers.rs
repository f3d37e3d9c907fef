//! The dashboard's pages about customers, and the plan: what is found, shown, masked, refused and forgotten.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value as Json, json};
use standardwebhooks::Webhook;
use upsert_simulators::{Answer, Effect, Fault, Rewrite, Rewrites};
use upsert_tests::{HOOK_SECRET, KEY, Operator, Page, Plan, World, api_key};

const PATIENCE: Duration = Duration::from_secs(20);

const READER: &str = "a-key-that-may-only-look";
const SUPPORT: &str = "a-key-that-sees-people";
const WRITER: &str = "a-key-that-writes-without-reading";
const STRANGER: &str = "a-key-of-another-merchant";
const EVERYWHERE: &str = "a-key-of-both-merchants";

const OTHER: &str = "id = \"other\"\ndefault_region = \"GB\"\n";

fn keys() -> String {
    let people = "ops:read customers:read";
    [
        api_key("reader", READER, "acme", "ops:read"),
        api_key("support", SUPPORT, "acme", people),
        api_key("writer", WRITER, "acme", "ops:read customers:write"),
        api_key(
            "stranger",
            STRANGER,
            "other",
            "ops:read ops:write customers:read customers:write",
        ),
        api_key("everywhere", EVERYWHERE, "acme other", people),
    ]
    .concat()
}

async fn world() -> World {
    world_with(&[]).await
}

/// With these connections alone.
async fn world_with(only: &[&'static str]) -> World {
    let plan = Plan {
        gateway: keys(),
        only: only.to_vec(),
        ..Plan::default()
    };
    World::with_files(plan, &[("merchants/other.toml", OTHER)]).await
}

async fn operator(world: &World, key: &str) -> Operator {
    Operator::sign_in(world, key).await.unwrap()
}

/// Every value that is somebody's holds `canary`.
fn canary() -> Json {
    json!({
        "reference": "canaryref", "kind": "person", "given_name": "canarygiven", "middle_name": "canarymiddle",
        "family_name": "canaryfamily", "email": "canarymail@canary.example", "phone": "(202) 555-0199",
        "verified": true, "notes": "canarynotes", "source": "canarysource", "tags": ["canarytag"],
        "addresses": { "billing": { "line1": "canarybline", "city": "canarybcity", "state": "canarystate", "country": "US" },
            "property": { "line1": "canarypline", "city": "canarypcity" } },
        "service": { "type": "canarytype", "frequency": "canaryfrequency" },
        "metadata": { "canarymetaname": "canarymetavalue" }, "provider_fields": { "rotor": { "notes": "canarypassed" } },
    })
}

fn path_of(id: &str) -> String {
    format!("/ops/customers/acme/{id}")
}

async fn search(operator: &Operator, text: &str) -> Page {
    operator.post("/ops/customers", &[("q", text)]).await
}

#[tokio::test]
async fn a_customer_is_found_by_phone_e_mail_and_reference_in_any_notation() {
    let world = world().await;
    let id = world.upsert(&canary()).await.customer_id();
    let support = operator(&world, SUPPORT).await;
    for text in [
        "+1 (202) 555-0199",
        "202.555.0199",
        "CanaryMail@CANARY.example ",
        "canaryref",
        id.as_str(),
    ] {
        let found = search(&support, text).await;
        assert_eq!(
            (found.status, found.location.as_deref()),
            (303, Some(path_of(&id).as_str())),
            "{text}: {}",
            found.text()
        );
    }
    let as_email = [("q", "202 555 0199"), ("kind", "email")];
    let refused = support.post("/ops/customers", &as_email).await;
    refused.shows("Nobody was found").shows("as an e-mail address, it");
    let nobody = search(&support, "202 555 0100").await;
    assert_eq!(nobody.status, 200);
    nobody.shows("Nobody was found").shows("phone +12025550100");
    let nothing = search(&support, "  ").await;
    assert_eq!(nothing.status, 400, "{}", nothing.text());
    let unknown = [("q", "canaryref"), ("merchant", "other")];
    assert_eq!(support.post("/ops/customers", &unknown).await.status, 404);
}

#[tokio::test]
async fn several_are_listed_and_a_number_is_read_as_each_merchant_reads_it() {
    let world = world_with(&["wallet"]).await;
    for reference in ["one", "two"] {
        let body = json!({ "reference": reference, "given_name": reference, "email": "both@x.example",
            "family_name": "Both", "phone": "+442079460018" });
        world.upsert(&body).await;
    }
    let everywhere = operator(&world, EVERYWHERE).await;
    let form = everywhere.open("/ops/customers").await;
    assert!(form.html.contains("<option>other</option>"), "{}", form.html);
    let found = search(&everywhere, "both@x.example").await;
    assert_eq!(found.status, 200);
    found.shows("2 found").shows("one Both").shows("two Both");
    let looked_for = search(&everywhere, "020 7946 0018").await;
    looked_for.shows("phone +442079460018").shows("Nobody was found");
}

#[tokio::test]
async fn the_history_shows_each_change_with_who_made_it_and_its_receipts() {
    let world = world().await;
    let rewrites = Rewrites::of([("first_name", Rewrite::Upper)]);
    world.rotor.rewrites(rewrites);
    let id = world.upsert(&canary()).await.customer_id();
    world
        .upsert(&json!({ "id": id, "given_name": "Grace", "notes": null }))
        .await;
    world.upsert(&json!({ "id": id, "given_name": "Grace" })).await;
    let words = r#"{"status":"error","message":"canary words of the vendor"}"#;
    let fault = Fault::once(Effect::Answer(Answer::new(422).body(words)));
    world.rotor.faults().add(fault);
    let failed = world.upsert(&json!({ "id": id, "family_name": "Hopper" })).await;
    assert_eq!(failed.status, 422, "{}", failed.text);

    let page = operator(&world, SUPPORT).await.open(&path_of(&id)).await;
    assert_eq!(page.status, 200, "{}", page.text());
    let text = page.text();
    let place = |wanted: &str| text.find(wanted).unwrap_or_else(|| panic!("no `{wanted}` in {text}"));
    let newest_first = [
        "canary words of the vendor",
        "Nothing changed",
        "Version 2",
        "/given_name canarygiven Grace",
        "/notes canarynotes –",
        "Version 1",
        "/given_name – canarygiven",
    ];
    let places = newest_first.map(place);
    assert!(places.is_sorted(), "{places:?} in {text}");
    page.shows("by tests API key")
        .shows("Kept otherwise /given_name : GRACE")
        .shows("Evidence vendor said")
        .shows("rotor failed");
    let delivery = failed.delivery("rotor")["id"].as_str().unwrap();
    assert!(page.html.contains(&format!("href=\"/ops/deliveries/{delivery}\"")));
}

#[tokio::test]
async fn what_a_request_an_event_and_a_batch_changed_is_told_apart() {
    let source = "[[webhooks.in]]\nsource = \"shop\"\nverify = { scheme = \"standard-webhooks\", secret = { file = \"hook.secret\" } }\n\
        event_id = \"/id\"\nmap = { reference = \"/ref\", given_name = \"/first\" }\n";
    let plan = Plan {
        only: vec!["wallet"],
        tables: source.to_owned(),
        gateway: keys(),
        ..Plan::default()
    };
    let world = World::with_files(plan, &[("merchants/other.toml", OTHER)]).await;
    let body = json!({ "reference": "r-1", "given_name": "Ada", "family_name": "L", "email": "a@x.example", "phone": "2025550123" });
    let id = world.upsert(&body).await.customer_id();
    let event = json!({ "id": "e-1", "ref": "r-1", "first": "Shopped" });
    let body = event.to_string();
    #[expect(clippy::disallowed_methods, reason = "the sender's clock is the machine's")]
    let at = jiff::Timestamp::now().as_second();
    let signature = Webhook::new(HOOK_SECRET).unwrap().sign("e-1", at, body.as_bytes());
    let (at, signature) = (at.to_string(), signature.unwrap());
    let headers = [
        ("webhook-id", "e-1"),
        ("webhook-timestamp", at.as_str()),
        ("webhook-signature", signature.as_str()),
    ];
    let taken = world
        .send(Method::POST, "/v1/webhooks/acme/shop", Some(&event), &headers)
        .await;
    assert!((200..300).contains(&taken.status), "{}", taken.text);
    let path = format!("/v1/customers/{id}");
    world
        .until(&path, PATIENCE, |answered| answered.body["version"] == 2)
        .await;
    let line = json!({ "reference": "r-1", "family_name": "Lovelace" });
    let batch = reqwest::Client::builder()
        .build()
        .unwrap()
        .post(format!("{}/v1/customers/batch", world.url()))
        .bearer_auth(KEY)
        .header(reqwest::header::CONTENT_TYPE, "application/x-ndjson")
        .body(line.to_string());
    let done = batch.send().await.unwrap();
    assert_eq!(done.status(), 200);
    assert!(done.text().await.unwrap().contains("\"status\":200"));
    let page = operator(&world, SUPPORT).await.open(&path_of(&id)).await;
    page.shows("by shop webhook source")
        .shows("by tests API key, batch or import")
        .shows("by tests API key succeeded")
        .shows("/given_name Ada Shopped");
}

#[tokio::test]
async fn a_long_history_is_paged_without_a_gap() {
    let world = world().await;
    let id = world.upsert(&canary()).await.customer_id();
    for number in 2..=23 {
        let body = json!({ "id": id, "given_name": format!("name{number}") });
        let times = if number % 5 == 0 { 2 } else { 1 };
        for _again in 0..times {
            let done = world.upsert(&body).await;
            assert_eq!(done.status, 200, "{}", done.text);
        }
    }
    let support = operator(&world, SUPPORT).await;
    let (mut path, mut shown, mut entries) = (path_of(&id), Vec::new(), 0);
    for _page in 0..4 {
        let page = support.open(&path).await;
        assert_eq!(page.status, 200, "{}", page.text());
        entries += page.html.matches("<article").count();
        let versions = page.html.split("<span>Version ").skip(1);
        shown.extend(versions.map(|rest| rest.split('<').next().unwrap().parse::<u64>().unwrap()));
        let older = page.html.split("<a href=\"").find(|rest| rest.contains(">Older</a>"));
        match older.and_then(|rest| rest.split('#').next()) {
            Some(older) => older.clone_into(&mut path),
            None => break,
        }
    }
    assert_eq!(shown, (1..=23).rev().collect::<Vec<u64>>());
    assert_eq!(entries, 27, "four changed nothing");
}

#[tokio::test]
async fn without_the_scope_nothing_of_a_person_is_on_any_page_and_there_are_no_buttons() {
    let world = world().await;
    world.rotor.rewrites(Rewrites::of([("first_name", Rewrite::Upper)]));
    let id = world.upsert(&canary()).await.customer_id();
    let words = r#"{"status":"error","message":"canary words","errors":[{"field":"email","message":"canarymail"}]}"#;
    let fault = Fault::once(Effect::Answer(Answer::new(422).body(words)));
    world.rotor.faults().add(fault);
    world.upsert(&json!({ "id": id, "family_name": "canaryhopper" })).await;
    let reader = operator(&world, READER).await;

    let page = reader.open(&path_of(&id)).await;
    assert_eq!(page.status, 200, "{}", page.text());
    let html = page.html.to_lowercase();
    assert!(!html.contains("canary") && !html.contains("5550199"), "{html}");
    page.shows(&id)
        .shows("kind •••")
        .hides("person</")
        .hides("verified yes")
        .shows("/given_name – •••")
        .shows("rejected, HTTP 422")
        .hides("/unlink/")
        .hides("<button class=\"danger\"");
    let seen = operator(&world, SUPPORT).await.open(&path_of(&id)).await;
    for hidden in [
        "canarygiven",
        "canarymetaname",
        "canary words",
        "CANARYGIVEN",
        "+12025550199",
    ] {
        assert!(seen.html.contains(hidden), "`{hidden}` is there for others");
    }

    let form = reader.open("/ops/customers").await;
    form.shows("found by the gateway's id alone").hides("name=\"kind\"");
    let by_reference = search(&reader, "canaryref").await;
    assert_eq!(by_reference.status, 403, "{}", by_reference.text());
    by_reference.shows("customers:read");
    assert_eq!(search(&reader, &id).await.location, Some(path_of(&id)));
    let unlinked = format!("{}/unlink/rotor", path_of(&id));
    assert_eq!(reader.open(&unlinked).await.status, 403);
    reader
        .post_and_follow(&unlinked, &[])
        .await
        .shows("your key lacks the scope `ops:write`");
    let links = world.get(&format!("/v1/customers/{id}")).await.body["links"].clone();
    let is_linked = |link: &Json| link["provider_customer_id"].is_string();
    assert!(links.as_array().unwrap().iter().all(is_linked), "{links}");
}

#[tokio::test]
async fn another_merchants_customer_does_not_exist() {
    let world = world().await;
    let id = world.upsert(&canary()).await.customer_id();
    let stranger = operator(&world, STRANGER).await;
    for path in [
        path_of(&id),
        format!("/ops/customers/other/{id}"),
        format!("{}/unlink/rotor", path_of(&id)),
        "/ops/customers/other/cus_none".to_owned(),
    ] {
        let page = stranger.open(&path).await;
        assert_eq!(page.status, 404, "{path}");
        page.hides("canary");
    }
    search(&stranger, &id).await.shows("Nobody was found").hides("canary");
    let plan = [("merchant", "acme"), ("body", r#"{"reference":"canaryref"}"#)];
    let planned = stranger.post("/ops/plan", &plan).await;
    assert_eq!(planned.status, 404);
    planned.hides("canarygiven");
}

#[tokio::test]
async fn a_tag_in_a_name_is_text() {
    let world = world().await;
    let name = "<script>alert(1)</script>";
    let body = json!({ "reference": "\"><img src=x>", "given_name": name, "family_name": "'\"&", "email": "a@x.example",
        "phone": "+12025550123" });
    let id = world.upsert(&body).await.customer_id();
    let support = operator(&world, SUPPORT).await;
    let page = support.open(&path_of(&id)).await;
    page.hides("<script>alert").hides("<img src=x");
    assert!(
        page.html.contains("&#60;script&#62;alert(1)&#60;/script&#62;"),
        "{}",
        page.html
    );
    let searched = search(&support, "\"><script>alert(1)</script>").await;
    searched.hides("<script>alert").shows("Nobody was found");
    let all = operator(&world, KEY).await;
    let form = [("merchant", "acme"), ("body", "</textarea><script>alert(1)</script>")];
    all.post("/ops/plan", &form).await.hides("<script>alert");
}

#[tokio::test]
async fn a_link_is_forgotten_after_it_was_said_what_that_means() {
    let world = world().await;
    let id = world.upsert(&canary()).await.customer_id();
    let all = operator(&world, KEY).await;
    let unlink = format!("{}/unlink/rotor", path_of(&id));
    assert!(
        all.open(&path_of(&id))
            .await
            .html
            .contains(&format!("href=\"{unlink}\""))
    );
    all.open(&unlink).await.shows("The vendor's record stays as it is");
    let vendors_id = async || {
        let links = world.get(&format!("/v1/customers/{id}")).await.body["links"].clone();
        let is_rotors = |link: &&Json| link["connection"] == "rotor";
        let link = links.as_array().unwrap().iter().find(is_rotors).cloned();
        link.unwrap()["provider_customer_id"].clone()
    };
    assert!(vendors_id().await.is_string(), "asking does nothing");
    let page = all.post_and_follow(&unlink, &[]).await;
    page.shows("the link at rotor is forgotten")
        .hides(&format!("href=\"{unlink}\""));
    assert_eq!(vendors_id().await, Json::Null);
    all.post_and_follow(&unlink, &[]).await.shows("there is no such link");
}

#[tokio::test]
async fn a_plan_shows_for_each_vendor_what_would_be_sent_lost_and_refused() {
    let world = world().await;
    let all = operator(&world, KEY).await;
    let body = r#"{"reference":"r-1","given_name":"Ada","family_name":"L","phone":"2025550123","notes":"rings","notifications":{"email":true}}"#;
    let page = all.post("/ops/plan", &[("merchant", "acme"), ("body", body)]).await;
    assert_eq!(page.status, 200, "{}", page.text());
    page.shows("It would make a new customer")
        .shows("rotor rotor upsert")
        .shows("POST /customers { &#34;")
        .shows("&#34;first_name&#34;: &#34;Ada&#34;")
        .shows("unsupported field /notifications/email Rotor has no place for it")
        .shows("wallet add-update upsert")
        .shows("Matched by")
        .shows("april april refused /email");
    assert!(
        page.html.contains("&#34;notes&#34;:&#34;rings&#34;"),
        "the text stays as it was typed"
    );
    let nobody = world.get("/v1/customers?reference=r-1").await;
    assert_eq!(nobody.body["data"], json!([]));
    assert_eq!(world.rotor.journal().counts().received, 0);

    let unread = [
        ("merchant", "acme"),
        ("body", r#"{"reference":"r-1","given_name":"Ada","phone":"ring me"}"#),
        ("lenient", "1"),
    ];
    let left_out = all.post("/ops/plan", &unread).await;
    assert_eq!(left_out.status, 200, "{}", left_out.text());
    left_out
        .shows("Left out, since it could not be read /phone")
        .shows("invalid_phone");
    assert_eq!(all.post("/ops/plan", &unread[..2]).await.status, 422);

    let id = world.upsert(&canary()).await.customer_id();
    let again = [
        ("merchant", "acme"),
        ("body", r#"{"reference":"canaryref","verified":true}"#),
    ];
    let unchanged = all.post("/ops/plan", &again).await;
    unchanged
        .shows(&format!("It would change {id}"))
        .shows("Nothing would be sent");
    let forced = [again[0], again[1], ("fresh", "1")];
    all.post("/ops/plan", &forced).await.hides("Nothing would be sent");
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_said_by_line_or_by_pointer() {
    let world = world().await;
    let all = operator(&world, KEY).await;
    let plan = async |body: &str| all.post("/ops/plan", &[("merchant", "acme"), ("body", body)]).await;
    let broken = plan("{\r\n  \"reference\": \"r\",\r\n  oops\r\n}").await;
    assert_eq!(broken.status, 400);
    broken
        .shows("the body is not valid JSON: line 3, column 3")
        .shows("oops");
    let twice = plan(r#"{"reference":"r","reference":"s"}"#).await;
    assert_eq!(twice.status, 400);
    twice.shows("names a member twice in one object: line 1");
    let wrong = plan(r#"{"reference":"r","email":"none","colour":"red"}"#).await;
    assert_eq!(wrong.status, 422);
    wrong.shows("It would be refused").shows("/email").shows("/colour");
    let one = world.upsert(&canary()).await.customer_id();
    let other = json!({ "reference": "second", "given_name": "B", "family_name": "B", "email": "b@x.example", "phone": "2025550111" });
    let two = world.upsert(&other).await.customer_id();
    let both = plan(&json!({ "id": one, "reference": "second" }).to_string()).await;
    assert_eq!(both.status, 409, "{}", both.text());
    for id in [one, two] {
        assert!(
            both.html.contains(&format!("href=\"{}\"", path_of(&id))),
            "{}",
            both.html
        );
    }
}

#[tokio::test]
async fn planning_needs_the_right_to_write_and_shows_no_more_of_a_person_than_the_key_may_read() {
    let world = world().await;
    world.upsert(&canary()).await;
    let reader = operator(&world, READER).await;
    reader
        .open("/ops/plan")
        .await
        .shows("customers:write")
        .hides("<textarea");
    let form = [
        ("merchant", "acme"),
        ("body", r#"{"reference":"canaryref"}"#),
        ("fresh", "1"),
    ];
    assert_eq!(reader.post("/ops/plan", &form).await.status, 403);

    let writer = operator(&world, WRITER).await;
    let example = writer.open("/ops/plan?example=1").await;
    assert!(
        example.html.contains("\n{\n  &#34;reference&#34;: &#34;CUST-123&#34;"),
        "{}",
        example.html
    );
    let planned = writer.post("/ops/plan", &form).await;
    assert_eq!(planned.status, 200, "{}", planned.text());
    planned.shows("POST /••• •••").shows("Matched by id •••");
    let result = planned.html.split("id=\"planned\"").nth(1).unwrap();
    // What the form itself has is no secret from whoever filled it in.
    let others = result.replace("canaryref", "");
    assert!(!others.contains("canary") && !others.contains("5550199"), "{result}");
}

#[tokio::test]
async fn an_erased_customers_page_says_that_it_was_erased_and_nothing_of_the_person() {
    let world = world_with(&["rotor"]).await;
    let made = world.upsert(&canary()).await;
    let (id, record) = (made.customer_id(), world.rotor.records()[0].id.clone());
    let (path, erase) = (path_of(&id), format!("{}/erase", path_of(&id)));
    let (support, owner) = (operator(&world, SUPPORT).await, operator(&world, KEY).await);
    let page = support.open(&path).await;
    page.shows("canarygiven").hides(&erase);
    assert_eq!(support.open(&erase).await.status, 403);
    support
        .post_and_follow(&erase, &[])
        .await
        .shows("canarygiven")
        .shows("customers:write");
    let asked = owner.open(&erase).await;
    asked
        .shows("canarygiven")
        .shows(&record)
        .shows("A tombstone of keyed hashes stays");
    assert_eq!(
        world.get(&format!("/v1/customers/{id}")).await.status,
        200,
        "it was only asked"
    );

    let erased = owner.post_and_follow(&erase, &[]).await;
    assert_eq!(erased.status, 200);
    erased
        .shows("the customer is erased")
        .shows("An erased customer")
        .shows("by tests");
    let certificate = id.replace("cus_", "ers_");
    for page in [&erased, &support.open(&path).await] {
        page.shows(&certificate).shows("rotor record").hides(&record);
        assert!(
            !page.html.to_lowercase().contains("canary") && !page.html.contains("5550199"),
            "{}",
            page.html
        );
    }
    // Once more it is the same one, and what is no customer's is nobody's.
    assert_eq!(owner.post_and_follow(&erase, &[]).await.status, 200);
    assert_eq!(owner.open(&erase).await.status, 404);
    search(&support, "canaryref").await.shows("Nobody was found");
    let stranger = operator(&world, STRANGER).await;
    assert_eq!(stranger.open(&path).await.status, 404);
}
