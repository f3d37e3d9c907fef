//! Who is told of changes: what is sent, when, how often, and signed how.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use upsert_simulators::{Cut, Effect, Fault, Hook, HookTime, SimulatorOptions, Told, Vendor, When};

use crate::control::control;
use crate::desk::{Desk, object};
use crate::receiver::{Receiver, SECRET};

fn ann() -> Value {
    json!({"externalId": "e-1", "firstName": "Ann"})
}

async fn rest(desk: &Desk) {
    tokio::time::timeout(Duration::from_secs(20), desk.simulator.hooks().idle())
        .await
        .unwrap_or_else(|_| panic!("never idle: {:?}", desk.simulator.hooks().journal()));
}

fn told(receiver: Receiver, hook: Hook) -> (Desk, Receiver) {
    let options = SimulatorOptions {
        hooks: vec![hook],
        ..SimulatorOptions::default()
    };
    (Desk::with(Vendor::AddUpdate, options), receiver)
}

fn all_told() -> (Desk, Receiver) {
    let receiver = Receiver::start();
    let hook = receiver.hook();
    told(receiver, hook)
}

#[tokio::test]
async fn a_creation_and_an_edit_are_told_with_the_whole_record_signed_for_the_reference() {
    let (desk, receiver) = all_told();
    desk.upsert(&ann()).await;
    rest(&desk).await;
    let id = desk.simulator.records()[0].id.clone();
    desk.simulator.edit(&id, &object(json!({"firstName": "Anna"}))).unwrap();
    rest(&desk).await;
    let got = receiver.got();
    assert!(got.iter().all(|it| it.verified && it.id == it.body["id"]), "{got:?}");
    assert_ne!(got[0].id, got[1].id);
    let kinds: Vec<_> = got
        .iter()
        .map(|it| (it.body["type"].as_str().unwrap(), it.body["version"].as_u64().unwrap()))
        .collect();
    assert_eq!(kinds, [("customer.created", 1), ("customer.updated", 2)]);
    let at = |place: usize| got[place].body["at"].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert!(at(0) < at(1));
    let mut shown = desk.get("/customers/e-1").await.1;
    shown["id"] = json!(id);
    assert_eq!(got[1].body["record"], shown);
}

#[tokio::test]
async fn an_event_signed_with_another_secret_is_not_verified() {
    let receiver = Receiver::start();
    let hook = Hook::new(&receiver.url, format!("whsec_{}", "AAAA".repeat(8)));
    let (desk, receiver) = told(receiver, hook);
    desk.upsert(&ann()).await;
    assert!(!receiver.until(1).await[0].verified);
}

#[tokio::test]
async fn every_vendor_tells_its_record_in_its_own_words_with_its_id() {
    let sent = [
        (
            Vendor::Rotor,
            json!({"phone": "+1", "first_name": "Ann"}),
            "id",
            "first_name",
        ),
        (Vendor::AddUpdate, ann(), "id", "firstName"),
        (
            Vendor::April,
            json!({"UpsertConsumerCustomer": {"emailAddress": "a@b.example", "givenName": "Ann", "familyName": "B",
                "phoneNumber": "+61401234567"}}),
            "customerId",
            "givenName",
        ),
    ];
    for (vendor, body, id, name) in sent {
        let (desk, receiver) = (Desk::start(vendor), Receiver::start());
        desk.simulator.hooks().set(vec![receiver.hook()]).unwrap();
        assert!(desk.upsert(&body).await.0 < 300);
        let record = receiver.until(1).await[0].body["record"].clone();
        assert_eq!(record[id], desk.simulator.records()[0].id, "{vendor:?}");
        assert_eq!(record[name], "Ann", "{vendor:?}");
    }
}

#[tokio::test]
async fn what_changes_nothing_is_not_told() {
    let (desk, receiver) = all_told();
    desk.upsert(&ann()).await;
    desk.upsert(&ann()).await;
    let id = desk.simulator.records()[0].id.clone();
    desk.simulator
        .edit(&id, &object(json!({"firstName": "Ann", "none": null})))
        .unwrap();
    desk.upsert(&json!({"externalId": "e-1"})).await;
    rest(&desk).await;
    assert_eq!(receiver.got().len(), 1);
    assert_eq!(desk.simulator.hooks().counts().events, 1);
}

#[tokio::test]
async fn a_hook_for_edits_hears_nothing_of_the_api() {
    let receiver = Receiver::start();
    let hook = Hook {
        only_edits: true,
        ..receiver.hook()
    };
    let (desk, receiver) = told(receiver, hook);
    desk.upsert(&ann()).await;
    let id = desk.simulator.records()[0].id.clone();
    desk.simulator.edit(&id, &object(json!({"firstName": "Anna"}))).unwrap();
    desk.simulator
        .seed("shop-1", object(json!({"externalId": "e-2", "firstName": "Bea"})));
    rest(&desk).await;
    let names: BTreeSet<String> = receiver
        .got()
        .iter()
        .map(|it| it.body["record"]["firstName"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["Anna", "Bea"].map(str::to_owned).into());
}

#[tokio::test]
async fn an_event_is_tried_again_under_its_id_until_it_is_taken() {
    let receiver = Receiver::scripted(&[503, 500, 429, 302]);
    let hook = receiver.hook();
    let (desk, receiver) = told(receiver, hook);
    desk.upsert(&ann()).await;
    rest(&desk).await;
    let got = receiver.got();
    assert_eq!(got.len(), 5);
    assert!(
        got.iter()
            .all(|it| it.verified && it.id == got[0].id && it.body == got[0].body)
    );
    let journal = desk.simulator.hooks().journal();
    let statuses = [503, 500, 429, 302, 204].map(Some).to_vec();
    assert_eq!((&journal[0].statuses, journal[0].told), (&statuses, Told::Taken));
}

#[tokio::test]
async fn an_event_that_is_refused_is_not_tried_again() {
    let receiver = Receiver::scripted(&[401]);
    let hook = receiver.hook();
    let (desk, receiver) = told(receiver, hook);
    desk.upsert(&ann()).await;
    rest(&desk).await;
    assert_eq!(receiver.got().len(), 1);
    let journal = &desk.simulator.hooks().journal()[0];
    assert_eq!((&journal.statuses, journal.told), (&vec![Some(401)], Told::Refused));
}

#[tokio::test]
async fn a_hook_where_nobody_listens_is_tried_until_the_hooks_are_cleared() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let desk = Desk::start(Vendor::AddUpdate);
    let hooks = json!([{"url": format!("http://{gone}/"), "secret": SECRET, "when": "before_answer"}]);
    assert_eq!(control(&desk, Method::PUT, "/hooks", Some(hooks)).await.0, 204);
    desk.upsert(&ann()).await;
    let tried_twice = async {
        while desk.simulator.hooks().counts().attempts < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), tried_twice)
        .await
        .unwrap();
    let (status, body) = control(&desk, Method::GET, "/hooks/idle", None).await;
    assert_eq!((status, body), (202, json!({"under_way": 1})));
    assert_eq!(control(&desk, Method::DELETE, "/hooks", None).await.0, 204);
    rest(&desk).await;
    assert_eq!(control(&desk, Method::GET, "/hooks/idle", None).await.0, 204);
    let entry = &desk.simulator.hooks().journal()[0];
    assert_eq!((entry.told, entry.statuses[0]), (Told::Abandoned, None));
}

#[tokio::test]
async fn copies_and_their_shuffle_reach_every_hook_with_one_id() {
    let (first, second) = (Receiver::start(), Receiver::start());
    let desk = Desk::start(Vendor::AddUpdate);
    let many = Hook {
        copies: 3,
        shuffle_ms: 40,
        ..first.hook()
    };
    desk.simulator.hooks().set(vec![many, second.hook()]).unwrap();
    for number in 0..20 {
        desk.upsert(&json!({"externalId": "e-1", "firstName": format!("Ann {number}")}))
            .await;
    }
    rest(&desk).await;
    let ids = |receiver: &Receiver| receiver.got().into_iter().map(|it| it.id).collect::<BTreeSet<_>>();
    assert_eq!((first.got().len(), second.got().len()), (60, 20));
    assert_eq!(ids(&first), ids(&second));
    let versions: Vec<u64> = first
        .got()
        .iter()
        .map(|it| it.body["version"].as_u64().unwrap())
        .collect();
    assert!(!versions.is_sorted(), "nothing overtook anything: {versions:?}");
    let (_, journal) = control(&desk, Method::GET, "/hooks/journal", None).await;
    assert_eq!(
        journal["counts"],
        json!({"events": 20, "attempts": 80, "taken": 80, "refused": 0})
    );
    assert_eq!(journal["entries"][0]["statuses"], json!([204]));
    assert_eq!(journal["entries"][0]["record"], json!(desk.simulator.records()[0].id));
}

/// An answer that drips for seconds, read as far as so many bytes.
async fn dripping(when: HookTime, bytes: usize) -> (Desk, Receiver, reqwest::Response) {
    let receiver = Receiver::start();
    let hook = Hook {
        when,
        ..receiver.hook()
    };
    let (desk, receiver) = told(receiver, hook);
    desk.simulator
        .faults()
        .add(Fault::once(Effect::Drip { every_millis: 15 }));
    let mut answer = desk
        .request(Method::POST, desk.upsert_path())
        .json(&ann())
        .send()
        .await
        .unwrap();
    let mut read = 0;
    while read < bytes {
        read += answer.chunk().await.unwrap().unwrap().len();
    }
    (desk, receiver, answer)
}

#[tokio::test]
async fn an_event_before_the_answer_arrives_while_the_answer_is_not_all_there() {
    let (_desk, receiver, mut answer) = dripping(HookTime::BeforeAnswer, 1).await;
    receiver.until(1).await;
    assert!(answer.chunk().await.unwrap().is_some(), "the answer was over");
}

#[tokio::test]
async fn an_event_after_the_answer_waits_for_its_last_byte() {
    let (desk, receiver, answer) = dripping(HookTime::AfterAnswer, 20).await;
    assert!(receiver.got().is_empty());
    assert_eq!(desk.simulator.hooks().under_way(), 1, "it is counted while it waits");
    assert_eq!(answer.bytes().await.unwrap().last(), Some(&b'}'));
    assert_eq!(receiver.until(1).await.len(), 1);
}

#[tokio::test]
async fn a_change_whose_answer_never_comes_is_told_all_the_same() {
    let hang = Effect::Hang { when: When::AfterWrite };
    for effect in [
        hang,
        Effect::Cut { at: Cut::AfterWrite },
        Effect::Cut { at: Cut::MidAnswer },
    ] {
        let (desk, receiver) = all_told();
        desk.simulator.faults().add(Fault::once(effect));
        let call = desk.request(Method::POST, desk.upsert_path()).json(&ann()).send();
        let answer = async {
            match call.await {
                Ok(answer) => answer.bytes().await.is_err(),
                Err(_) => true,
            }
        };
        tokio::select! {
            _ = receiver.until(1) => {}
            broken = answer => assert!(broken),
        }
        receiver.until(1).await;
    }
}

#[tokio::test]
async fn a_hook_without_a_url_or_a_secret_is_400_and_the_answer_does_not_repeat_the_secret() {
    let desk = Desk::start(Vendor::Rotor);
    let good = json!({"url": "http://127.0.0.1:1/", "secret": SECRET});
    let wrong = [
        ("url", "nowhere"),
        ("secret", "whsec_dG9vIHNob3J0"),
        ("secret", &SECRET[6..]),
        ("when", "later"),
    ];
    for (member, value) in wrong {
        let mut hook = good.clone();
        hook[member] = json!(value);
        let (status, body) = control(&desk, Method::PUT, "/hooks", Some(json!([hook]))).await;
        assert_eq!(status, 400, "{member}");
        assert!(!body.to_string().contains("c2Vjcm"), "{body}");
    }
    assert!(!format!("{:?}", Hook::new("http://a.example/", SECRET)).contains("c2Vjcm"));
}

#[tokio::test]
async fn a_reset_gives_up_what_is_on_its_way_and_hooks_of_the_start_stay() {
    let (desk, receiver) = all_told();
    desk.simulator
        .hooks()
        .set(vec![Hook::new("http://127.0.0.1:1/", SECRET)])
        .unwrap();
    desk.upsert(&ann()).await;
    assert_eq!(desk.simulator.hooks().under_way(), 1);
    desk.simulator.reset();
    rest(&desk).await;
    assert!(desk.simulator.hooks().journal().is_empty());
    desk.upsert(&ann()).await;
    receiver.until(1).await;
}
