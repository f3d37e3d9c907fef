//! Holding what the clients were told against what the gateway and the vendors have.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::RequestBuilder;
use serde_json::Value;
use upsert_simulators::Record;

use crate::clients::{Acknowledged, Told};
use crate::world::{KEY, World};

const PATIENCE: Duration = Duration::from_secs(25);

pub(crate) async fn judge(world: &mut World, told: Told) {
    assert!(told.unexpected.is_empty(), "{:#?}", told.unexpected);
    for vendor in &world.vendors {
        vendor.faults().clear();
    }
    let began = Instant::now();
    every_upsert_succeeded(world, &told.acknowledged, began).await;
    nothing_waits(world, began).await;
    let held = every_customer_is_what_was_acknowledged(world, &told).await;
    every_vendor_has_each_once(world, &told, &held);
    replays_answer_the_same(world, &told.acknowledged).await;
    world.check_store();
    assert!(world.complaints().is_empty(), "{:#?}", world.complaints());
    println!(
        "{} acknowledged, {} cut off, {} customers, settled after {} ms",
        told.acknowledged.len(),
        told.cut_off,
        held.len(),
        began.elapsed().as_millis()
    );
}

async fn answer(request: RequestBuilder) -> (u16, bool, Value) {
    let response = request.bearer_auth(KEY).send().await.unwrap();
    let is_replay = response.headers().get("idempotent-replayed").is_some();
    (response.status().as_u16(), is_replay, response.json().await.unwrap())
}

async fn every_upsert_succeeded(world: &World, acknowledged: &[Acknowledged], began: Instant) {
    for one in acknowledged {
        let url = world.url(&format!("/v1/upserts/{}", one.answer["upsert_id"].as_str().unwrap()));
        loop {
            let (status, _, upsert) = answer(world.client.get(&url)).await;
            assert_eq!(status, 200, "an acknowledged upsert is gone: {}", one.answer);
            if upsert["state"] != "pending" {
                assert_eq!(upsert["state"], "succeeded", "{upsert:#}");
                break;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end: {upsert:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// What was committed without its client's hearing of it ends too.
async fn nothing_waits(world: &World, began: Instant) {
    loop {
        let (_, _, connections) = answer(world.client.get(world.url("/v1/connections"))).await;
        let of = |member: &str| {
            let connections = connections["data"].as_array().unwrap().iter();
            connections.map(|one| one[member].as_u64().unwrap()).sum::<u64>()
        };
        if of("waiting") + of("in_flight") == 0 {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "something waits for ever: {connections:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Given names by e-mail, as the gateway has them.
async fn every_customer_is_what_was_acknowledged(world: &World, told: &Told) -> BTreeMap<String, String> {
    let mut held = BTreeMap::new();
    for (reference, names) in &told.names {
        let url = world.url(&format!("/v1/customers?reference={reference}"));
        let (_, _, found) = answer(world.client.get(url)).await;
        let found = found["data"].as_array().unwrap();
        assert!(found.len() <= 1, "{found:#?}");
        let name = found
            .first()
            .map(|customer| customer["given_name"].as_str().unwrap().to_owned());
        assert!(
            names.contains(&name),
            "{reference} is {name:?} and was last told to be one of {names:?}"
        );
        if let Some(name) = name {
            held.insert(found[0]["email"].as_str().unwrap().to_owned(), name);
        }
    }
    held
}

fn every_vendor_has_each_once(world: &World, told: &Told, held: &BTreeMap<String, String>) {
    let ours: Vec<String> = told
        .names
        .keys()
        .map(|reference| format!("{}@example.com", reference.to_lowercase()))
        .collect();
    for vendor in &world.vendors {
        let text = |record: &Record, names: [&str; 3]| {
            let value = names.iter().find_map(|name| record.fields.get(*name)?.as_str());
            value.unwrap().to_owned()
        };
        let mut there = BTreeMap::new();
        for record in vendor.records() {
            let email = text(&record, ["email", "emailAddress", "email"]);
            let name = text(&record, ["first_name", "givenName", "firstName"]);
            if ours.contains(&email) {
                assert_eq!(
                    there.insert(email, name),
                    None,
                    "{:?} has it twice: {record:?}",
                    vendor.vendor()
                );
            }
        }
        assert_eq!(&there, held, "{:?}", vendor.vendor());
    }
}

async fn replays_answer_the_same(world: &World, acknowledged: &[Acknowledged]) {
    let mut replays = 0;
    for one in acknowledged {
        let Some(key) = &one.key else { continue };
        let request = world.client.post(world.url("/v1/customers")).json(&one.body);
        let (status, is_replay, again) = answer(request.header("Idempotency-Key", key)).await;
        assert!(is_replay, "{status}: {again}");
        assert_eq!(again["upsert_id"], one.answer["upsert_id"]);
        if one.status == 202 {
            assert!(matches!(status, 200 | 201), "{status}: {again}");
        } else {
            assert_eq!((status, &again), (one.status, &one.answer), "not to the letter");
        }
        replays += 1;
    }
    assert!(replays > 0);
}
