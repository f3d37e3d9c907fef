//! Events that go out: to whom, when, how often and signed by what, over real HTTP. What they say is in events_told.rs.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has to stop; figures are for whoever reads the output"
)]

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::sync::watch;

use upsert_tests::{Came, Manner, Plan, Receiver, World};

const PATIENCE: Duration = Duration::from_secs(20);

const OLD: &str = "whsec_b2xkIG9sZCBvbGQgb2xkIG9sZCBvbGQgMTIz";
const NEW: &str = "whsec_bmV3IG5ldyBuZXcgbmV3IG5ldyBuZXcgMTIz";

const WITH_OLD: &str = "secret = { file = \"old.secret\" }";
const WITH_BOTH: &str = "secrets = [{ file = \"new.secret\" }, { file = \"old.secret\" }]";
const WITH_NEW: &str = "secret = { file = \"new.secret\" }";

/// Told of these events, signed with the old secret.
fn endpoint(name: &str, url: &str, events: &[&str]) -> String {
    format!("\n[[webhooks.out]]\nname = \"{name}\"\nurl = \"{url}\"\nevents = {events:?}\n{WITH_OLD}\n")
}

/// Where customers go to Rotor, and these are told.
async fn world(endpoints: &str) -> World {
    let plan = Plan {
        only: vec!["rotor"],
        tables: endpoints.to_owned(),
        reloads: true,
        ..Plan::default()
    };
    World::with_files(plan, &[("old.secret", OLD), ("new.secret", NEW)]).await
}

fn customer(number: usize) -> Json {
    json!({ "reference": format!("c-{number}"), "given_name": "A", "email": format!("c{number}@example.com") })
}

/// The endpoint as operators see it.
async fn shown(world: &World, name: &str) -> Json {
    let answered = world.get("/v1/webhooks").await;
    let endpoints = answered.body["endpoints"].as_array().unwrap();
    endpoints.iter().find(|one| one["name"] == name).unwrap().clone()
}

/// Waits until the endpoint is seen so.
async fn until_shown(world: &World, name: &str, member: &str, wanted: &Json) -> Json {
    let is_it = |one: &&Json| one["name"] == name && one[member] == *wanted;
    let answered = world
        .until("/v1/webhooks", PATIENCE, |answered| {
            answered.body["endpoints"]
                .as_array()
                .unwrap()
                .iter()
                .any(|one| is_it(&one))
        })
        .await;
    answered.body["endpoints"]
        .as_array()
        .unwrap()
        .iter()
        .find(is_it)
        .unwrap()
        .clone()
}

fn ids<'a>(came: impl IntoIterator<Item = &'a Came>) -> HashSet<String> {
    came.into_iter().map(|one| one.id.clone()).collect()
}

fn doubted(came: &[Came]) -> Vec<&Came> {
    came.iter().filter(|one| one.doubt.is_some()).collect()
}

/// Clients that write as long as they may.
struct Load<'a> {
    world: &'a World,
    next: AtomicUsize,
    may: watch::Sender<usize>,
    /// By number: upsert and customer, as the answers had it.
    answers: Mutex<HashMap<usize, (String, String)>>,
}

impl Load<'_> {
    /// So many clients write so many customers.
    async fn run(&self, clients: usize, most: usize) {
        join_all((0..clients).map(|_| self.client(most))).await;
    }

    async fn client(&self, most: usize) {
        let mut may = self.may.subscribe();
        loop {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            if number >= most {
                return;
            }
            may.wait_for(|may| number < *may).await.unwrap();
            let answer = self.world.upsert(&customer(number)).await;
            assert_eq!(answer.status, 201, "{}", answer.text);
            let upsert = answer.body["upsert_id"].as_str().unwrap().to_owned();
            let said = (upsert, answer.customer_id());
            self.answers.lock().insert(number, said);
        }
    }

    /// The upserts that were sent by now, once all of them are answered.
    async fn sent_by_now(&self) -> HashSet<String> {
        let sent = self.next.load(Ordering::SeqCst).min(*self.may.borrow());
        loop {
            let of = |number| Some(self.answers.lock().get(&number)?.0.clone());
            if let Some(upserts) = (0..sent).map(of).collect() {
                return upserts;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn upsert_of(one: &Came) -> String {
    one.body["data"]["upsert_id"].as_str().unwrap_or_default().to_owned()
}

/// Waits until the endpoint was told of all of these.
async fn told_of(receiver: &Receiver, upserts: &HashSet<String>) {
    let is_told = |came: &[Came]| upserts.is_subset(&came.iter().map(upsert_of).collect());
    receiver.until("all of these", PATIENCE, is_told).await;
}

/// Waits until this endpoint has taken so many.
async fn taken(receiver: &Receiver, wanted: usize, patience: Duration) -> Vec<Came> {
    let taken = |came: &[Came]| ids(came.iter().filter(|one| one.is_taken())).len();
    receiver
        .until(&format!("{wanted} taken"), patience, |came| taken(came) >= wanted)
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_events_reach_every_living_endpoint_while_a_fifth_is_dead_and_secrets_are_rotated() {
    const UPSERTS: usize = 1_000;
    let receivers: Vec<Receiver> = (0..10).map(|_| Receiver::start(OLD)).collect();
    let (living, dead) = receivers.split_at(8);
    dead[0].answers(Manner::Status(503));
    dead[1].answers(Manner::Hang);
    let tables = receivers
        .iter()
        .enumerate()
        .map(|(number, receiver)| endpoint(&format!("e{number}"), &receiver.url(), &["customer.upserted"]));
    let world = world(&tables.collect::<String>()).await;
    let load = Load {
        world: &world,
        next: AtomicUsize::new(0),
        may: watch::channel(UPSERTS / 2).0,
        answers: Mutex::default(),
    };
    let began = Instant::now();
    let rotation = async {
        world.reconfigure(|text| text.replace(WITH_OLD, WITH_BOTH)).await;
        load.may.send_replace(UPSERTS * 3 / 4);
        // What was signed before the change is there; then the receivers know the new secret alone.
        let before = load.sent_by_now().await;
        join_all(living.iter().map(|receiver| told_of(receiver, &before))).await;
        for receiver in &receivers {
            receiver.believes(NEW);
        }
        load.may.send_replace(UPSERTS * 7 / 8);
        world.reconfigure(|text| text.replace(WITH_BOTH, WITH_NEW)).await;
        load.may.send_replace(UPSERTS);
    };
    tokio::join!(load.run(16, UPSERTS), rotation);
    let answered = began.elapsed();
    let came = join_all(living.iter().map(|receiver| taken(receiver, UPSERTS, PATIENCE))).await;
    let took = began.elapsed();
    println!(
        "1000 upserts answered after {} ms, 8 × 1000 events taken after {} ms",
        answered.as_millis(),
        took.as_millis()
    );
    assert!(took < Duration::from_secs(60), "{took:?}");

    let answers: HashMap<String, String> = load.answers.lock().values().cloned().collect();
    let mut all = HashSet::new();
    for came in &came {
        assert!(doubted(came).is_empty(), "{:?}", doubted(came).first());
        assert_eq!(ids(came).len(), UPSERTS);
        all.extend(ids(came));
        are_right(came, &answers);
    }
    assert_eq!(all.len(), 8 * UPSERTS, "no two events have one id");
    let rotated = came.iter().flatten().filter(|one| one.signatures == 2).count();
    assert!(rotated > 0, "some came while both secrets signed");

    // The dead ones: what they were told is waiting, and few tries were made.
    for (receiver, name) in dead.iter().zip(["e8", "e9"]) {
        let endpoint = until_shown(&world, name, "state", &json!("failing")).await;
        assert_eq!(endpoint["waiting"], UPSERTS, "{endpoint}");
        let tries = receiver.came();
        assert!(tries.len() < 64, "{} tries", tries.len());
        assert!(!tries.is_empty() && doubted(&tries).is_empty());
    }
    let tried = ids(&dead[0].came());
    dead[0].answers(Manner::Status(200));
    let back = Instant::now();
    let came = taken(&dead[0], UPSERTS, Duration::from_secs(70)).await;
    println!("back after {} ms: 1000 events taken", back.elapsed().as_millis());
    let taken: Vec<Came> = came.into_iter().filter(Came::is_taken).collect();
    assert!(doubted(&taken).is_empty());
    assert!(ids(&taken).is_superset(&tried), "the same ids as before");
    assert_eq!((ids(&taken).len(), taken.len()), (UPSERTS, UPSERTS));
    are_right(&taken, &answers);
    until_shown(&world, "e8", "state", &json!("healthy")).await;
    assert_eq!(shown(&world, "e9").await["waiting"], UPSERTS);
}

/// One for each upsert, of its customer.
fn are_right(came: &[Came], answers: &HashMap<String, String>) {
    let mut told = HashSet::new();
    for one in came {
        let data = &one.body["data"];
        let upsert = upsert_of(one);
        assert_eq!(one.kind(), "customer.upserted");
        assert_eq!(data["customer"]["id"], answers[&upsert].as_str(), "{}", one.text);
        assert_eq!(data["deliveries"][0]["state"], "succeeded");
        told.insert(upsert);
    }
    assert_eq!(told.len(), answers.len());
}

#[tokio::test]
async fn a_changed_secret_signs_the_very_next_event_though_the_pump_never_rests() {
    let receiver = Receiver::start(OLD);
    receiver.answers(Manner::Slow(Duration::from_secs(1)));
    let world = world(&endpoint("slow", &receiver.url(), &["customer.upserted"])).await;
    let bodies: Vec<Json> = (0..120).map(customer).collect();
    join_all(bodies.iter().map(|body| world.upsert(body))).await;
    receiver.until_count(1, PATIENCE).await;
    world.reconfigure(|text| text.replace(WITH_OLD, WITH_BOTH)).await;
    let changed = Instant::now();
    assert!(
        receiver.came().len() < 104,
        "the worker is still at it: {}",
        receiver.came().len()
    );
    receiver.answers(Manner::Status(204));
    let came = taken(&receiver, 120, PATIENCE).await;
    let late: Vec<&Came> = came.iter().filter(|one| one.at > changed).collect();
    assert!(!late.is_empty() && late.iter().all(|one| one.signatures == 2));
    assert!(doubted(&came).is_empty());
}

#[tokio::test]
async fn an_event_that_failed_is_tried_again_in_its_time_though_the_pump_never_rests() {
    let receiver = Receiver::start(OLD);
    let slow = Manner::Slow(Duration::from_millis(300));
    receiver.answers(slow.clone());
    let world = world(&endpoint("busy", &receiver.url(), &["customer.upserted"])).await;
    let is_failed = |one: &&Came| one.answered == Some(500);
    for number in 0.. {
        world.upsert(&customer(number)).await;
        if number == 20 {
            receiver.answers(Manner::Status(500));
        }
        let came = receiver.came();
        let Some(failed) = came.iter().find(is_failed) else {
            continue;
        };
        receiver.answers(slow.clone());
        if came.iter().any(|one| one.id == failed.id && one.is_taken()) {
            break;
        }
        let after = failed.at.elapsed();
        assert!(after < Duration::from_secs(20), "not tried again after {after:?}");
    }
}

#[tokio::test]
async fn an_event_whose_answer_does_not_come_holds_up_no_other_of_the_same_endpoint() {
    let receiver = Receiver::start(OLD);
    receiver.answers(Manner::Hang);
    let world = world(&endpoint("hangs-once", &receiver.url(), &["customer.upserted"])).await;
    world.upsert(&customer(0)).await;
    receiver.until_count(1, PATIENCE).await;
    receiver.answers(Manner::Status(204));
    for number in 1..=20 {
        world.upsert(&customer(number)).await;
    }
    taken(&receiver, 20, Duration::from_secs(6)).await;
}
