//! Everything that the dashboard has, gone through link by link, by somebody who may not see people and by somebody of
//! another merchant.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value as Json, json};
use standardwebhooks::Webhook;
use upsert_simulators::{Answer, Effect, Fault, Rewrite, Rewrites};
use upsert_tests::{HOOK_SECRET, KEY, Manner, Operator, Page, Plan, Receiver, World, api_key};

const PATIENCE: Duration = Duration::from_secs(20);

const READER: &str = "a-key-that-may-only-look";
const BLIND: &str = "a-key-that-does-everything-without-seeing-people";
const STRANGER: &str = "a-key-of-another-merchant";

const SOURCE: &str = r#"
[[webhooks.in]]
source = "shop"
verify = { scheme = "standard-webhooks", secret = { file = "hook.secret" } }
event_id = "/id"
map = { reference = "/who/ref", email = { from = "/who/contact", required = true }, given_name = "/who/first" }
"#;

fn keys() -> String {
    let all = "ops:read ops:write customers:read customers:write";
    [
        api_key("reader", READER, "acme", "ops:read"),
        api_key("blind", BLIND, "acme", "ops:read ops:write customers:write"),
        api_key("stranger", STRANGER, "other", all),
    ]
    .concat()
}

/// Every value and every name that somebody thought of holds `canary`.
fn canary(number: u32) -> Json {
    json!({
        "reference": format!("canaryref{number}"), "kind": "person", "given_name": "canarygiven",
        "middle_name": "canarymiddle", "family_name": "canaryfamily", "email": format!("canarymail{number}@canary.example"),
        "phone": format!("(202) 555-019{number}"), "notes": "canarynotes", "source": "canarysource", "tags": ["canarytag"],
        "addresses": { "billing": { "line1": "canarybline", "city": "canarybcity", "state": "canarystate", "country": "US" },
            "property": { "line1": "canarypline", "city": "canarypcity" } },
        "service": { "type": "canarytype", "frequency": "canaryfrequency" },
        "metadata": { "canarymetaname": "canarymetavalue" }, "provider_fields": { "rotor": { "notes": "canarypassed" } },
    })
}

fn holds_canary(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("canary") || text.contains("555019") || text.contains("555-019")
}

/// As the shop sends it: its status.
async fn sent(world: &World, id: &str, body: &str) -> u16 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the sender's clock is the machine's, and its client its own"
    )]
    let (at, client) = (Timestamp::now().as_second(), reqwest::Client::new());
    let signature = Webhook::new(HOOK_SECRET)
        .unwrap()
        .sign(id, at, body.as_bytes())
        .unwrap();
    let request = client
        .post(format!("{}/v1/webhooks/acme/shop", world.url()))
        .header("webhook-id", id)
        .header("webhook-timestamp", at)
        .header("webhook-signature", signature)
        .body(body.to_owned());
    request.send().await.unwrap().status().as_u16()
}

/// Customers that went well, that a vendor keeps otherwise, and that vendors refuse with words that repeat them; events that
/// could not be taken, and some that nobody takes.
async fn world(receiver: &Receiver) -> World {
    let out = format!(
        "\n[[webhooks.out]]\nname = \"hooks\"\nurl = \"{}\"\nevents = [\"customer.upserted\", \"customer.delivery_failed\"]\nsecret = {{ \
         file = \"hook.secret\" }}\n",
        receiver.url()
    );
    let plan = Plan {
        tables: format!("{SOURCE}{out}"),
        gateway: keys(),
        reloads: true,
        ..Plan::default()
    };
    let world = World::with_files(plan, &[("merchants/other.toml", "id = \"other\"\n")]).await;
    receiver.answers(Manner::Status(410));
    world.rotor.rewrites(Rewrites::of([("first_name", Rewrite::Upper)]));
    let id = world.upsert(&canary(1)).await.customer_id();
    world
        .upsert(&json!({ "id": id, "given_name": "canaryother", "metadata": { "canaryname2": "canaryvalue2" } }))
        .await;
    let words =
        r#"{"status":"error","message":"canary words","errors":[{"field":"canaryfield","message":"canarymail"}]}"#;
    world
        .rotor
        .faults()
        .add(Fault::always(Effect::Answer(Answer::new(422).body(words))));
    let words =
        r#"{"statusCode":400,"errorCode":"canary code, with words","message":"canary words","tracer":"canary call"}"#;
    world
        .april
        .faults()
        .add(Fault::always(Effect::Answer(Answer::new(400).body(words))));
    let words = r#"{"message":"canary words","errors":{"canary":["canary"]}}"#;
    world
        .wallet
        .faults()
        .add(Fault::always(Effect::Answer(Answer::new(400).body(words))));
    world
        .upsert(&json!({ "id": id, "family_name": "canaryhopper", "notes": "canarynew" }))
        .await;
    world.upsert(&canary(2)).await;
    let event = json!({ "id": "e-1", "who": { "ref": "canaryref9", "mail": "canary9@canary.example" },
        "metadata": { "canary key": "canary" }, "by_mail": { "ann.canary@canary.example": { "vip": true } } });
    assert_eq!(sent(&world, "e-1", &event.to_string()).await, 422);
    sent(&world, "e-2", "canary: no JSON at all").await;
    world
        .until("/v1/events/out?state=failed", PATIENCE, |all| {
            !all.body["data"][0].is_null()
        })
        .await;
    world
}

/// The values of an attribute wherever it stands.
fn attributes(html: &str, name: &str) -> Vec<String> {
    let start = format!(" {name}=\"");
    let parts = html.split(start.as_str()).skip(1);
    let values = parts.filter_map(|part| part.split_once('"'));
    values
        .map(|(value, _)| value.replace("&amp;", "&").replace("&#38;", "&"))
        .collect()
}

/// Forms that post: where, and what is in them already.
fn forms(html: &str) -> Vec<(String, Vec<(String, String)>)> {
    let forms = html
        .split("<form")
        .skip(1)
        .filter_map(|form| form.split_once("</form>"));
    let posting = forms.filter(|(form, _)| form.contains("method=\"post\""));
    posting
        .map(|(form, _)| {
            let action = attributes(form, "action").remove(0);
            let inputs = form.split("<input").skip(1);
            let members = inputs.filter_map(|input| {
                let input = format!(" {}", input.split('>').next()?.trim());
                let value = attributes(&input, "value").into_iter().next().unwrap_or_default();
                Some((attributes(&input, "name").into_iter().next()?, value))
            });
            (action, members.collect())
        })
        .collect()
}

/// From where every page can be reached; a customer's at the end.
async fn beginnings(world: &World) -> [String; 4] {
    let listed = world.get("/v1/customers").await;
    let customer = listed.body["data"][0]["id"].as_str().unwrap();
    [
        "/ops",
        "/ops/events/in",
        "/ops/events/out",
        &format!("/ops/customers/acme/{customer}"),
    ]
    .map(str::to_owned)
}

/// Every page that a link leads to, each with what it is; and, if it `listens`, what is sent to those that stay up to date.
async fn every_page(operator: &Operator, from: &[String], listens: bool) -> BTreeMap<String, Page> {
    let mut pages = BTreeMap::new();
    let mut next: VecDeque<String> = from.iter().cloned().collect();
    while let Some(path) = next.pop_front() {
        if pages.contains_key(&path) || path.starts_with("/ops/assets") || !path.starts_with("/ops") {
            continue;
        }
        // What is filtered by time is another page each time.
        if path.contains("since=") {
            continue;
        }
        let page = operator.open(&path).await;
        next.extend(attributes(&page.html, "href"));
        next.extend(attributes(&page.html, "hx-get"));
        for live in attributes(&page.html, "sse-connect").into_iter().filter(|_| listens) {
            let first = tokio::time::timeout(PATIENCE, operator.event(&live, "part"))
                .await
                .unwrap();
            let page = Page {
                status: 200,
                html: first,
                ..Page::default()
            };
            pages.insert(live, page);
        }
        pages.insert(path, page);
    }
    pages
}

#[tokio::test]
async fn no_page_that_a_link_leads_to_says_anything_of_a_person_to_who_may_not_see_people() {
    let receiver = Receiver::start(HOOK_SECRET);
    let world = world(&receiver).await;
    let from = beginnings(&world).await;
    let all = every_page(&Operator::sign_in(&world, KEY).await.unwrap(), &from, false).await;
    for (who, key) in [("reader", READER), ("blind", BLIND)] {
        let operator = Operator::sign_in(&world, key).await.unwrap();
        let mut pages = every_page(&operator, &from, who == "reader").await;
        // What others see links to is tried as well, whether or not there is a link for this key.
        for path in all
            .keys()
            .filter(|path| !path.contains("/ops/live/con") && !path.contains("/ops/live/over"))
        {
            if !pages.contains_key(path) {
                pages.insert(path.clone(), operator.open(path).await);
            }
        }
        for (path, page) in &pages {
            let is_there = page.status < 300
                || all.get(path).is_some_and(|seen| seen.status == page.status)
                || (page.status == 403 && who == "reader");
            let asked_for_a_sentence = holds_canary(path) || path.contains("canary");
            assert!(is_there || asked_for_a_sentence, "{who}: {path}: {}", page.text());
            assert!(
                asked_for_a_sentence || !holds_canary(&format!("{} {:?}", page.html, page.headers)),
                "{who}: {path}: {}",
                page.html
            );
        }
        for expected in [
            "/ops/deliveries/dlv_",
            "/ops/customers/acme/cus_",
            "/ops/events/in/",
            "/ops/events/out/",
            "/ops/connections/acme/april",
            "/ops/plan",
        ] {
            assert!(
                pages.keys().any(|path| path.starts_with(expected)),
                "{who}: {expected}: {:?}",
                pages.keys()
            );
        }
        if who == "reader" {
            let posting: Vec<_> = pages
                .values()
                .flat_map(|page| forms(&page.html))
                .map(|form| form.0)
                .collect();
            assert!(
                posting
                    .iter()
                    .all(|action| matches!(action.as_str(), "/ops/session/end" | "/ops/customers")),
                "{posting:?}"
            );
        }
    }
    assert!(
        all.values().any(|page| holds_canary(&page.html)),
        "there is something to hide"
    );
}

#[tokio::test]
async fn what_became_of_an_action_says_nothing_of_a_person_to_who_may_not_see_people() {
    let receiver = Receiver::start(HOOK_SECRET);
    let world = world(&receiver).await;
    let from = beginnings(&world).await;
    let operator = Operator::sign_in(&world, BLIND).await.unwrap();
    let pages = every_page(&operator, &from, false).await;
    let mut done: BTreeMap<String, Vec<(String, String)>> = pages.values().flat_map(|page| forms(&page.html)).collect();
    done.remove("/ops/session/end");
    assert!(done.len() > 10, "{done:?}");
    for (action, members) in &done {
        let mut members: Vec<(&str, &str)> = members.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let customer = from[3].rsplit('/').next();
        let plan = json!({ "id": customer, "notes": "other" }).to_string();
        if action == "/ops/plan" {
            members = vec![("merchant", "acme"), ("body", &plan)];
        }
        let answer = operator.post(action, &members).await;
        assert!(
            !holds_canary(answer.location.as_deref().unwrap_or_default()),
            "{action}: {answer:?}"
        );
        let page = match &answer.location {
            Some(path) => operator.open(path).await,
            None => answer,
        };
        assert!(
            page.status < 500 && !holds_canary(&page.html),
            "{action}: {}",
            page.text()
        );
    }
}

/// The API's answer to a key: status and text.
async fn asked(world: &World, key: &str, method: Method, path: &str, body: Option<&Json>) -> (u16, String) {
    let client = reqwest::Client::builder().build().unwrap();
    let mut request = client
        .request(method, format!("{}{path}", world.url()))
        .bearer_auth(key)
        .header("Merchant-Id", "acme");
    if let Some(body) = body {
        request = request.json(body);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn the_api_says_nothing_of_a_person_either_to_a_key_that_may_operate_and_not_see_people() {
    let receiver = Receiver::start(HOOK_SECRET);
    let world = world(&receiver).await;
    let ids = async |path: &str| -> Vec<String> {
        let listed = world.get(path).await;
        let data = listed.body["data"].as_array().unwrap();
        data.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    let deliveries = ids("/v1/deliveries?limit=200").await;
    let failed = ids("/v1/deliveries?state=failed&limit=200").await;
    let (incoming, outgoing) = (ids("/v1/events/in").await, ids("/v1/events/out").await);
    assert!(failed.len() > 3 && !incoming.is_empty() && !outgoing.is_empty());

    let mut reads: Vec<String> = [
        "/v1/deliveries?limit=200",
        "/v1/events/in",
        "/v1/events/out",
        "/v1/webhooks",
        "/v1/connections",
        "/v1/configuration",
    ]
    .map(str::to_owned)
    .into();
    reads.extend(["rotor", "wallet", "april"].map(|name| format!("/v1/connections/acme/{name}/failures")));
    reads.extend(deliveries.iter().map(|id| format!("/v1/deliveries/{id}")));
    reads.extend(incoming.iter().map(|id| format!("/v1/events/in/{id}")));
    reads.extend(outgoing.iter().map(|id| format!("/v1/events/out/{id}")));
    let mut hidden = 0;
    for path in &reads {
        let whole = asked(&world, KEY, Method::GET, path, None).await;
        let masked = asked(&world, BLIND, Method::GET, path, None).await;
        assert_eq!((whole.0, masked.0), (200, 200), "{path}: {}", masked.1);
        assert!(!holds_canary(&masked.1), "{path}: {}", masked.1);
        hidden += usize::from(holds_canary(&whole.1));
    }
    assert!(hidden > deliveries.len(), "there is something to hide: {hidden}");
    // Nor can it be guessed: what is covered cannot be looked for.
    let guess = "/v1/deliveries?error_code=canary+code,+with+words";
    assert_eq!(asked(&world, KEY, Method::GET, guess, None).await.0, 200);
    let (status, said) = asked(&world, BLIND, Method::GET, guess, None).await;
    assert!(status == 400 && said.contains("customers:read"), "{status} {said}");
    let guess = json!({ "error_code": "canary code, with words", "dry_run": true });
    let (status, said) = asked(&world, BLIND, Method::POST, "/v1/deliveries/discard", Some(&guess)).await;
    assert!(status == 422 && said.contains("customers:read"), "{status} {said}");

    let mut deeds: Vec<(String, Option<Json>)> = Vec::new();
    for (place, verb) in failed.iter().zip(["replay", "discard"].iter().cycle()) {
        deeds.push((format!("/v1/deliveries/{place}/{verb}"), None));
    }
    deeds.push((
        "/v1/deliveries/replay".to_owned(),
        Some(json!({ "connection": "rotor" })),
    ));
    deeds.push((
        "/v1/deliveries/discard".to_owned(),
        Some(json!({ "connection": "april" })),
    ));
    deeds.push(("/v1/events/in/replay".to_owned(), Some(json!({ "source": "shop" }))));
    deeds.extend(incoming.iter().map(|id| (format!("/v1/events/in/{id}/replay"), None)));
    deeds.extend(incoming.iter().map(|id| (format!("/v1/events/in/{id}/discard"), None)));
    deeds.push((format!("/v1/events/out/{}/replay", outgoing[0]), None));
    let customers = ids("/v1/customers").await;
    deeds.extend(
        customers
            .iter()
            .map(|id| (format!("/v1/customers/{id}/links/wallet/unlink"), None)),
    );
    let mut done = 0;
    for (path, body) in &deeds {
        let (status, text) = asked(&world, BLIND, Method::POST, path, body.as_ref()).await;
        assert!(status < 500 || status == 503, "{path}: {status} {text}");
        assert!(!holds_canary(&text), "{path}: {text}");
        done += usize::from(status < 300);
    }
    assert!(done > 5, "most of it can be done: {done}");
}

#[tokio::test]
async fn nothing_of_another_merchant_is_on_any_page_and_nothing_of_it_can_be_done() {
    let receiver = Receiver::start(HOOK_SECRET);
    let world = world(&receiver).await;
    let from = beginnings(&world).await;
    let own = every_page(&Operator::sign_in(&world, KEY).await.unwrap(), &from, false).await;
    let mut addresses: Vec<&str> = own.keys().map(String::as_str).collect();
    addresses.extend([
        "/ops/live/connections/acme/rotor",
        "/ops/configuration?merchant=acme",
        "/ops/webhooks?merchant=acme",
    ]);
    let stranger = Operator::sign_in(&world, STRANGER).await.unwrap();
    let hides = |html: &str| {
        let html = html.to_lowercase();
        !(holds_canary(&html)
            || ["acme", "rotor", "april", "wallet"]
                .iter()
                .any(|name| html.contains(name)))
    };
    for path in addresses {
        let is_part = path.starts_with("/ops/live/") && !path.contains("deliveries") && !path.contains("acme");
        let page = if is_part {
            let html = tokio::time::timeout(PATIENCE, stranger.event(path, "part"))
                .await
                .unwrap();
            Page {
                status: 200,
                html,
                ..Page::default()
            }
        } else {
            stranger.open(path).await
        };
        // What was asked for may stand in the field that it was typed into, and in addresses.
        let asked = path.contains("acme") || path.contains('?');
        let is_one =
            path.contains("acme/") || path.contains("dlv_") || path.contains("/in/evt_") || path.contains("/out/evt_");
        assert!(
            !is_one || page.status == 404 || path.contains('?'),
            "{path}: {}",
            page.text()
        );
        let shown = page.text();
        assert!(asked || hides(&page.html), "{path}: {}", page.html);
        assert!(!holds_canary(&page.html), "{path}: {shown}");
    }
    let before = world.get("/v1/deliveries").await.text;
    let actions: BTreeMap<String, Vec<(String, String)>> = own.values().flat_map(|page| forms(&page.html)).collect();
    for (action, members) in actions.iter().filter(|(action, _)| *action != "/ops/session/end") {
        let members: Vec<(&str, &str)> = members.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let answer = stranger.post(action, &members).await;
        let page = match &answer.location {
            Some(path) => stranger.open(path).await,
            None => answer,
        };
        assert!(page.status < 500, "{action}: {}", page.text());
        assert!(!holds_canary(&page.html), "{action}: {}", page.html);
    }
    assert_eq!(world.get("/v1/deliveries").await.text, before, "nothing has changed");
    let failed = world.get("/v1/events/in?state=failed").await;
    assert!(!failed.body["data"][0].is_null(), "{}", failed.text);
}
