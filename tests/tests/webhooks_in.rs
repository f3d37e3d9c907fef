//! Events that come in over HTTP: forged ones do nothing, true ones are done once whatever their order, and what cannot be
//! taken waits until it can.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on has to stop; what was counted is for whoever reads the output"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};
use reqwest::Method;
use serde_json::{Value as Json, json};
use standardwebhooks::Webhook;
use upsert_tests::{HOOK_SECRET, Plan, World};

const PATIENCE: Duration = Duration::from_secs(20);
/// A secret that no source has.
const OTHER_SECRET: &str = "whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldCwgbm90IG91cnM=";

const SOURCES: &str = r#"
[[webhooks.in]]
source = "shop"
verify = { scheme = "standard-webhooks", secret = { file = "hook.secret" } }
event_id = "/id"
order_by = "/version"
map = { reference = "/who/ref", email = "/who/mail", given_name = "/who/first", notes = "/who/notes" }

[[webhooks.in]]
source = "list"
verify = { scheme = "standard-webhooks", secret = { file = "hook.secret" } }
event_id = "$/id"
each = "/customers"
map = { reference = "/ref", email = { from = "/mail", required = true }, given_name = "/first" }
"#;

async fn world(reloads: bool) -> World {
    World::with(Plan {
        only: vec!["rotor", "wallet"],
        tables: SOURCES.to_owned(),
        reloads,
        ..Plan::default()
    })
    .await
}

/// One request of a sender's, as it goes over the wire. A header may be there twice.
#[derive(Clone, Debug)]
struct Request {
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn now() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "the sender's clock is the machine's")]
    let now = Timestamp::now();
    now.as_second()
}

/// By the reference implementation of Standard Webhooks.
fn signed_by(secret: &str, source: &str, event: &Json, at: i64) -> Request {
    let (id, body) = (event["id"].as_str().unwrap(), event.to_string().into_bytes());
    let signature = Webhook::new(secret).unwrap().sign(id, at, &body).unwrap();
    Request {
        path: format!("/v1/webhooks/acme/{source}"),
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", at.to_string()),
            ("webhook-signature", signature),
        ],
        body,
    }
}

fn signed(source: &str, event: &Json) -> Request {
    signed_by(HOOK_SECRET, source, event, now())
}

impl Request {
    fn header(&mut self, name: &str) -> &mut String {
        &mut self.headers.iter_mut().find(|(known, _)| *known == name).unwrap().1
    }

    fn without(&mut self, name: &str) {
        self.headers.retain(|(known, _)| *known != name);
    }

    fn twice(&mut self, name: &'static str) {
        let same = self.header(name).clone();
        self.headers.push((name, same));
    }
}

async fn send(world: &World, client: &reqwest::Client, request: &Request) -> (u16, Json) {
    let mut sending = client
        .post(format!("{}{}", world.url(), request.path))
        .body(request.body.clone());
    for (name, value) in &request.headers {
        sending = sending.header(*name, value);
    }
    let answer = sending.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn client() -> reqwest::Client {
    #[expect(
        clippy::disallowed_methods,
        reason = "a sender's own client, not the gateway's transport"
    )]
    reqwest::Client::new()
}

/// Swaps one ASCII letter or digit for another.
fn swap_one(text: &mut [u8], dice: &mut StdRng) {
    let places: Vec<usize> = (0..text.len()).filter(|at| text[*at].is_ascii_alphanumeric()).collect();
    let at = *places.choose(dice).unwrap();
    let old = text[at];
    while text[at] == old {
        text[at] = *b"0123456789abcdefABCDEF".choose(dice).unwrap();
    }
}

const WAYS: usize = 24;

/// One thing about a true request is not as it was signed. Gives the statuses that may answer it.
fn tampered(way: usize, event: &Json, dice: &mut StdRng) -> (Request, &'static [u16]) {
    let mut request = signed("shop", event);
    let at = now();
    match way {
        0 => swap_one(&mut request.body, dice),
        1 => drop(request.body.pop()),
        2 => request.body.push(*b" \n\t\0}".choose(dice).unwrap()),
        3 => request.body.insert(0, b' '),
        4 => request.body.clear(),
        5 => {
            // The same JSON with other blanks.
            let spaced = serde_json::to_string_pretty(event).unwrap();
            request.body = spaced.into_bytes();
        }
        6 => {
            let text = String::from_utf8(request.body).unwrap();
            request.body = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            "application/json; charset=utf-16le".clone_into(request.header("content-type"));
        }
        7 => {
            request.headers.push(("content-encoding", "gzip".to_owned()));
            return (request, &[401, 415]);
        }
        8 => request.header("webhook-id").push('x'),
        9 => request.without("webhook-id"),
        10 => request.twice("webhook-id"),
        11 => {
            let off = *[-1, 1, -60, 60].choose(dice).unwrap();
            *request.header("webhook-timestamp") = (at + off).to_string();
        }
        12 => request = signed_by(HOOK_SECRET, "shop", event, at - 301 - dice.random_range(0..100_000)),
        13 => request = signed_by(HOOK_SECRET, "shop", event, at + 330 + dice.random_range(0..100_000)),
        14 => {
            let text = request.header("webhook-timestamp");
            *text = match dice.random_range(0..5) {
                0 => format!("{text}.0"),
                1 => format!("0{text}"),
                2 => format!("+{text}"),
                3 => format!("{text}000"),
                _ => "soon".to_owned(),
            };
        }
        15 => request.without("webhook-timestamp"),
        16 => request.twice("webhook-timestamp"),
        17 => {
            let signature = request.header("webhook-signature");
            let mut text = signature.as_bytes()[3..signature.len() - 1].to_vec();
            // The last letter has two bits that say nothing: they are part of the signature all the same.
            let is_last = dice.random_bool(0.3);
            if is_last {
                let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
                let last = text.last_mut().unwrap();
                let value = alphabet.iter().position(|letter| letter == last).unwrap();
                *last = alphabet[value ^ dice.random_range(1..4)];
            } else {
                swap_one(&mut text, dice);
            }
            *signature = format!("v1,{}=", String::from_utf8(text).unwrap());
        }
        18 => request.without("webhook-signature"),
        19 => request.twice("webhook-signature"),
        20 => {
            let signature = request.header("webhook-signature");
            let mac = signature[3..].to_owned();
            let raw = data_encoding::BASE64.decode(mac.as_bytes()).unwrap();
            *signature = match dice.random_range(0..7) {
                0 => format!("v2,{mac}"),
                1 => format!("v1a,{mac}"),
                2 => format!("V1,{mac}"),
                3 => mac,
                4 => format!("v1,{}", data_encoding::HEXLOWER.encode(&raw)),
                5 => format!("v1,{}", data_encoding::BASE64_NOPAD.encode(&raw)),
                _ => format!("v1,{}", data_encoding::BASE64.encode(&raw[..31])),
            };
        }
        21 => request = signed_by(OTHER_SECRET, "shop", event, at),
        22 => {
            // Another event's signature.
            let other = json!({ "id": event["id"], "version": 99 });
            let theirs = std::mem::take(signed("shop", &other).header("webhook-signature"));
            *request.header("webhook-signature") = theirs;
        }
        _ => {
            request.path = (*[
                "/v1/webhooks/acme/shop2",
                "/v1/webhooks/other/shop",
                "/v1/webhooks/acme/SHOP",
            ]
            .choose(dice)
            .unwrap())
            .to_owned();
            return (request, &[404]);
        }
    }
    (request, &[401])
}

fn event(id: &str, version: u32, who: usize) -> Json {
    json!({ "id": id, "version": version, "who": {
        "ref": format!("r-{who}"), "mail": format!("who{who}@tampered.example"),
        "first": format!("Name{version}"), "notes": format!("version {version}"),
    } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_tampered_events_none_is_taken_and_nothing_is_stored_or_sent() {
    let (world, client) = (world(false).await, client());
    let mut dice = StdRng::seed_from_u64(11);
    let requests: Vec<(usize, Request, &[u16])> = (0..1_000)
        .map(|number| {
            let (request, statuses) = tampered(number % WAYS, &event(&format!("e{number}"), 1, number), &mut dice);
            (number % WAYS, request, statuses)
        })
        .collect();
    let answers = stream::iter(&requests).map(|(way, request, statuses)| {
        let (world, client) = (&world, &client);
        async move {
            let (status, problem) = send(world, client, request).await;
            assert!(statuses.contains(&status), "way {way}: {status} {problem}\n{request:?}");
            status
        }
    });
    let mut statuses: BTreeMap<u16, u32> = BTreeMap::new();
    for status in answers.buffer_unordered(16).collect::<Vec<u16>>().await {
        *statuses.entry(status).or_default() += 1;
    }
    let forged = format!(
        "upsert_gateway_events_in_total{{merchant=\"acme\",source=\"shop\",result=\"forged\"}} {}",
        statuses[&401]
    );
    let metrics = world.get("/metrics").await.text;
    assert!(metrics.contains(&forged), "{statuses:?}");
    // What was forged is counted from zero on, of every source.
    let counted = metrics
        .lines()
        .filter(|line| line.starts_with("upsert_gateway_events_in_total{") && !line.ends_with(" 0"));
    assert_eq!(counted.count(), 1, "no other result: {metrics}");
    for path in ["/v1/events/in", "/v1/customers", "/v1/upserts"] {
        assert_eq!(world.get(path).await.body["data"], json!([]), "{path}");
    }
    for vendor in [&world.rotor, &world.wallet] {
        assert_eq!(vendor.journal().counts().received, 0);
    }
    // The same sender is believed when it says the truth.
    let (status, answer) = send(&world, &client, &signed("shop", &event("true", 1, 1))).await;
    assert_eq!((status, &answer["data"][0]["result"]), (202, &json!("accepted")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_replayed_ten_times_and_shuffled_are_done_once_and_the_newest_state_wins() {
    let (world, client) = (world(false).await, client());
    let mut dice = StdRng::seed_from_u64(12);
    let events: Vec<Json> = (0..10)
        .flat_map(|who| (1..=5).map(move |version| event(&format!("e{who}-{version}"), version, who)))
        .collect();
    let mut requests: Vec<Request> = (0..10)
        .flat_map(|_| events.iter().map(|event| signed("shop", event)))
        .collect();
    requests.shuffle(&mut dice);
    let answers = stream::iter(&requests).map(|request| send(&world, &client, request));
    let mut results: BTreeMap<(u16, String), u32> = BTreeMap::new();
    for (status, answer) in answers.buffer_unordered(16).collect::<Vec<_>>().await {
        let result = answer["data"][0]["result"]
            .as_str()
            .unwrap_or_else(|| panic!("{status} {answer}"));
        *results.entry((status, result.to_owned())).or_default() += 1;
    }
    println!("{results:?}");
    assert_eq!(results[&(200, "repeated".to_owned())], 450, "{results:?}");
    let done: u32 = results
        .iter()
        .filter(|((status, _), _)| *status == 202)
        .map(|(_, count)| count)
        .sum();
    assert_eq!(done, 50, "{results:?}");

    let is_done = |answer: &upsert_tests::Answered| {
        let all = answer.body["data"].as_array().unwrap();
        all.iter().all(|one| one["state"] == "succeeded")
    };
    world.until("/v1/upserts?limit=200", PATIENCE, is_done).await;
    assert_eq!(world.rotor.records().len(), 10);
    for record in world.rotor.records() {
        assert_eq!(
            (&record.fields["first_name"], &record.fields["notes"]),
            (&json!("Name5"), &json!("version 5"))
        );
    }
    let wallet = world.wallet.records();
    assert!(
        wallet.len() == 10 && wallet.iter().all(|record| record.fields["firstName"] == "Name5"),
        "{wallet:?}"
    );
    let calls = world.rotor.journal().counts().received;
    assert!(calls <= u64::from(done), "{calls} calls of {done} events");
}

async fn failed(world: &World) -> Vec<Json> {
    let page = world.get("/v1/events/in?state=failed").await;
    page.body["data"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_cannot_be_mapped_waits_as_it_came_until_its_mapping_is_mended_and_it_is_replayed() {
    let (world, client) = (world(true).await, client());
    // What this sender calls an e-mail is a list.
    let event = json!({ "id": "e1", "version": 1, "who": { "ref": "ann", "mail": ["ann@x.example"], "first": "Ann" } });
    let request = signed("shop", &event);
    let (status, problem) = send(&world, &client, &request).await;
    assert_eq!(
        (status, &problem["code"]),
        (422, &json!("validation_failed")),
        "{problem}"
    );
    // It is left out, and then Rotor lacks it: both are said.
    let left_out = |event: &Json| event["ignored"][0]["pointer"].clone();
    assert!(
        problem["detail"].as_str().unwrap().contains("1 field") && problem["errors"][0]["connection"] == "rotor",
        "{problem}"
    );
    assert_eq!(left_out(&problem["events"][0]), "/who/mail", "{problem}");

    let letters = failed(&world).await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(left_out(&letters[0]), "/who/mail", "{letters:?}");
    assert_eq!(
        (&letters[0]["event_id"], &letters[0]["tries"]),
        (&json!("e1"), &json!(1))
    );
    let id = letters[0]["id"].as_str().unwrap();
    assert_eq!(problem["events"][0]["id"], id);
    let whole = world.get(&format!("/v1/events/in/{id}")).await;
    assert_eq!(whole.body["raw"], event.to_string());
    let replay = format!("/v1/events/in/{id}/replay");
    let again = world.send(Method::POST, &replay, None, &[]).await;
    assert_eq!(
        (again.status, &again.body["errors"][0]["connection"]),
        (422, &json!("rotor")),
        "{}",
        again.text
    );
    assert_eq!(world.rotor.journal().counts().received, 0);

    world
        .reconfigure(|text| text.replace("email = \"/who/mail\"", "email = \"/who/mail/0\""))
        .await;
    let replayed = world.send(Method::POST, &replay, None, &[]).await;
    assert_eq!(replayed.status, 202, "{}", replayed.text);
    world
        .until("/v1/upserts", PATIENCE, |all| {
            all.body["data"][0]["state"] == "succeeded"
        })
        .await;
    assert_eq!(world.rotor.records()[0].fields["email"], "ann@x.example");
    assert_eq!(world.wallet.records()[0].fields["externalId"], "ann");
    assert_eq!(failed(&world).await, Vec::<Json>::new());
    // Now it has been seen: its sender may send it as often as it likes, and nobody can replay it.
    let (status, answer) = send(&world, &client, &request).await;
    assert_eq!((status, &answer["data"][0]["result"]), (200, &json!("repeated")));
    assert_eq!(world.send(Method::POST, &replay, None, &[]).await.status, 422);
    assert_eq!(world.rotor.journal().counts().received, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_three_customers_in_one_event_a_bad_one_is_tried_again_alone() {
    let (world, client) = (world(false).await, client());
    let who = |name: &str, mail: Json| json!({ "ref": name, "first": name, "mail": mail });
    let event = json!({ "id": "batch", "customers": [
        who("ann", json!("ann@x.example")), who("bob", json!("nonsense")), who("cy", json!("cy@x.example")),
    ] });
    let results = |body: &Json| -> Vec<String> {
        let all = body["events"].as_array().unwrap();
        all.iter()
            .map(|part| part["result"].as_str().unwrap().to_owned())
            .collect()
    };
    let (status, problem) = send(&world, &client, &signed("list", &event)).await;
    assert_eq!(status, 422, "{problem}");
    assert_eq!(results(&problem), ["accepted", "refused", "accepted"]);
    let both = |all: &upsert_tests::Answered| {
        let data = all.body["data"].as_array().unwrap();
        data.len() == 2 && data.iter().all(|one| one["state"] == "succeeded")
    };
    world.until("/v1/upserts", PATIENCE, both).await;
    assert_eq!((world.rotor.records().len(), world.wallet.records().len()), (2, 2));

    let (status, problem) = send(&world, &client, &signed("list", &event)).await;
    assert_eq!(status, 422);
    assert_eq!(results(&problem), ["repeated", "refused", "repeated"]);
    let letters = failed(&world).await;
    assert_eq!((letters.len(), &letters[0]["tries"]), (1, &json!(2)), "{letters:?}");
    assert_eq!(world.rotor.journal().counts().received, 2, "nobody was sent again");
}
