//! The shipped sources of Shopify, Stripe, HubSpot, Square and WooCommerce, each with a thousand events as such systems send
//! them: blanks, values that nobody can read, retries, ids used twice, two changes of one second, times in every spelling and
//! without a zone, out of order, and one clock in 2062. The newest state wins, and nothing is lost.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde_json::{Value as Json, json};
use upsert_settings::{Environment, Secrets, Settings};
use upsert_tests::{Plan, World};
use upsert_webhook::{Hmac, SignedTime, Verifier};

const SOURCES: [&str; 5] = ["shopify", "stripe", "hubspot", "square", "woocommerce"];
const PEOPLE: usize = 50;
/// Changes of each of them. The last two are of one second.
const CHANGES: usize = 20;
/// The change that has a phone that nobody can read.
const UNREADABLE: usize = 7;

/// What a system has to say.
#[derive(Debug, Clone)]
struct Change {
    source: &'static str,
    who: usize,
    number: usize,
    at: Timestamp,
    name: String,
    /// None: blank.
    phone: Option<String>,
    /// How often it was tried before.
    tries: usize,
}

fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the sender's clock is the machine's")]
    Timestamp::now()
}

impl Change {
    fn new(source: &'static str, who: usize, number: usize, start: Timestamp) -> Self {
        let second = number.min(CHANGES - 2);
        let mut at = start + SignedDuration::from_secs(i64::try_from(second).unwrap() * 60);
        if who == 0 && number == CHANGES - 1 {
            at = "2062-01-01T00:00:00Z".parse().unwrap();
        }
        let phone = match number {
            UNREADABLE => Some("555-0123".to_owned()),
            number if number % 5 == 1 => None,
            number => Some(phone_of(who, number)),
        };
        Self {
            source,
            who,
            number,
            at,
            name: name_of(who, number),
            phone,
            tries: 0,
        }
    }

    fn reference(&self) -> String {
        reference_of(self.source, self.who)
    }

    fn mail(&self) -> String {
        format!("p{}@{}.example", self.who, self.source)
    }

    /// The time in text: every third one without a zone, every fourth with a blank for `T`.
    fn time(&self) -> String {
        let text = self.at.to_string();
        let text = if self.number.is_multiple_of(3) {
            text.trim_end_matches('Z').to_owned()
        } else {
            text
        };
        if self.number.is_multiple_of(4) {
            text.replace('T', " ")
        } else {
            text
        }
    }

    fn event(&self) -> Json {
        let (mail, name) = (self.mail(), &self.name);
        let phone = self.phone.clone().unwrap_or_default();
        let id: u64 = self.reference().parse().unwrap();
        match self.source {
            "shopify" => json!({ "id": id, "updated_at": self.time(), "first_name": name, "last_name": "Smith",
                "email": mail, "phone": phone, "note": "", "tags": "", "default_address": { "company": " ", "address2": "" } }),
            "stripe" => {
                json!({ "id": format!("evt_{}_{}", self.who, self.number), "type": "customer.updated", "livemode": true,
                "pending_webhooks": self.tries, "created": self.epoch(), "data": { "object": {
                    "id": "cus_x", "metadata": { "customer_number": self.reference() }, "email": mail,
                    "name": format!("{name} Smith"), "phone": phone, "description": "", "address": null } } })
            }
            "square" => json!({ "event_id": format!("e-{}-{}", self.who, self.number), "type": "customer.updated",
                "data": { "object": { "customer": { "id": "SQ", "reference_id": self.reference(), "updated_at": self.time(),
                    "given_name": name, "family_name": "Smith", "email_address": mail, "phone_number": phone, "note": "" } } } }),
            "woocommerce" => json!({ "id": id, "date_modified_gmt": self.time().trim_end_matches('Z'), "email": mail,
                "first_name": name, "last_name": "", "role": "customer", "billing": {
                    "last_name": "Smith", "company": "", "address_1": "", "address_2": "", "phone": phone, "country": "" } }),
            _ => self.of_one_property(id),
        }
    }

    /// HubSpot sends one property at a time, and uses its numbers again.
    fn of_one_property(&self, id: u64) -> Json {
        let (name, value) = match &self.phone {
            Some(phone) if self.number == UNREADABLE => ("phone", phone.clone()),
            None => ("mobilephone", String::new()),
            Some(_) if self.number.is_multiple_of(2) => ("firstname", self.name.clone()),
            Some(phone) => ("phone", phone.clone()),
        };
        let at = if self.number.is_multiple_of(3) {
            json!(self.time())
        } else {
            json!(self.at.as_millisecond())
        };
        json!([{ "eventId": self.number % 7, "subscriptionId": 1, "objectId": id, "occurredAt": at,
            "subscriptionType": "contact.propertyChange", "attemptNumber": self.tries, "propertyName": name,
            "propertyValue": value }])
    }

    fn epoch(&self) -> Json {
        match self.number % 4 {
            0 => json!(self.at.as_millisecond()),
            1 => json!(self.at.as_second().to_string()),
            2 => json!(self.at.as_microsecond()),
            _ => json!(self.at.as_second()),
        }
    }
}

fn reference_of(source: &str, who: usize) -> String {
    let of = SOURCES.iter().position(|name| *name == source).unwrap();
    (1_000 * (of + 1) + who).to_string()
}

/// In letters alone: a word with digits is nobody's given name for sure.
fn name_of(who: usize, number: usize) -> String {
    let letters = |number: usize| -> String {
        let digits = number.to_string().into_bytes();
        digits
            .into_iter()
            .map(|digit| char::from(b'a' + digit - b'0'))
            .collect()
    };
    format!("N{}x{}", letters(who), letters(number))
}

fn phone_of(who: usize, number: usize) -> String {
    format!("+1 (202) 555-{:04}", who * CHANGES + number)
}

/// As the shipped file has it, with a secret of this test's.
fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../config/webhooks/{name}.toml"));
    let text = std::fs::read_to_string(path).unwrap();
    let secret = format!("env = \"ACME_{}_SECRET\"", name.to_uppercase());
    assert!(text.contains(&secret), "{name}");
    text.replace(&secret, "file = \"hook.secret\"")
}

async fn world() -> World {
    World::with(Plan {
        only: vec!["wallet"],
        tables: SOURCES.map(shipped).join("\n"),
        ..Plan::default()
    })
    .await
}

fn signers(world: &World) -> BTreeMap<String, Hmac> {
    let settings = Settings::load(world.folder(), &Environment::default(), Secrets::Resolve).unwrap();
    let sources = &settings.merchant("acme").unwrap().webhooks_in;
    let signer = |source: &upsert_settings::WebhookIn| match source.verify.verifier() {
        Verifier::Hmac(hmac) => (source.source.clone(), hmac),
        other @ Verifier::Standard { .. } => panic!("{other:?}"),
    };
    sources.iter().map(signer).collect()
}

async fn send(world: &World, client: &reqwest::Client, signer: &Hmac, change: &Change) -> (u16, Json) {
    let body = change.event().to_string();
    let timestamp = match signer.header.as_str() {
        "x-hubspot-signature-v3" => now().as_millisecond().to_string(),
        _ => now().as_second().to_string(),
    };
    let signature = signer.signature(&signer.keys[0], &timestamp, "POST", body.as_bytes());
    let mut request = client
        .post(format!("{}/v1/webhooks/acme/{}", world.url(), change.source))
        .header("content-type", "application/json")
        .header(&signer.header, signature);
    if let Some(SignedTime { header, prefix, .. }) = &signer.timestamp
        && prefix.is_empty()
    {
        request = request.header(header, timestamp);
    }
    let answer = request.body(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// What one person's system sends, in the order in which it comes: out of order, but for the two changes of one second.
fn of_one_person(source: &'static str, who: usize, start: Timestamp) -> Vec<Change> {
    let mut dice = StdRng::seed_from_u64(u64::try_from(who).unwrap());
    let mut all: Vec<usize> = (0..CHANGES).collect();
    all.shuffle(&mut dice);
    all.retain(|number| *number != CHANGES - 1);
    let before_the_last = all.iter().position(|number| *number == CHANGES - 2).unwrap();
    all.insert(before_the_last + 1, CHANGES - 1);
    let mut changes: Vec<Change> = all
        .iter()
        .map(|number| Change::new(source, who, *number, start))
        .collect();
    let retries: Vec<Change> = changes
        .iter()
        .filter(|change| change.number.is_multiple_of(4))
        .map(|change| Change {
            tries: 1,
            ..change.clone()
        })
        .collect();
    changes.extend(retries);
    if who == 0 {
        // After the clock that stands in 2062.
        let mut last = Change::new(source, who, 4, now() + SignedDuration::from_hours(2));
        last.number = CHANGES + 2;
        "Last".clone_into(&mut last.name);
        last.phone = Some(phone_of(0, CHANGES - 1));
        changes.push(last);
    }
    changes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_events_of_each_system_the_newest_state_wins_and_nothing_is_lost() {
    let world = world().await;
    let signers = signers(&world);
    #[expect(
        clippy::disallowed_methods,
        reason = "a sender's own client, not the gateway's transport"
    )]
    let client = reqwest::Client::new();
    // In whole seconds: some systems tell no more, and two changes of one second are to be of one moment for all of them.
    let start = Timestamp::from_second(now().as_second()).unwrap() - SignedDuration::from_hours(20);
    for source in SOURCES {
        for who in (0..PEOPLE).filter(|_| source == "hubspot") {
            let mail = format!("p{who}@{source}.example");
            let known = json!({ "reference": reference_of(source, who), "email": mail, "given_name": "New",
                "family_name": "Smith", "phone": phone_of(who, 0) });
            assert_eq!(world.upsert(&known).await.status, 201);
        }
        let people = (0..PEOPLE)
            .map(|who| of_one_person(source, who, start))
            .map(async |changes| {
                let mut told = Vec::new();
                for change in &changes {
                    told.push((change.tries, send(&world, &client, &signers[source], change).await));
                }
                told
            });
        let told: Vec<_> = stream::iter(people).buffer_unordered(16).concat().await;
        let (mut ignored, mut unbelieved) = (0, 0);
        for (tries, (status, answer)) in &told {
            let event = &answer["data"][0];
            let result = event["result"]
                .as_str()
                .unwrap_or_else(|| panic!("{source} {status} {answer}"));
            let expected: &[&str] = if *tries == 0 {
                &["accepted", "outdated", "echo"]
            } else {
                &["repeated"]
            };
            assert!(expected.contains(&result), "{source} {status} {answer}");
            ignored += event["ignored"].as_array().unwrap().len();
            unbelieved += usize::from(!event["unbelieved_time"].is_null() && result != "repeated");
        }
        assert_eq!(told.len(), PEOPLE * (CHANGES + CHANGES / 4) + 1, "{source}");
        assert_eq!((ignored, unbelieved), (PEOPLE, 1), "{source}");
        for who in 0..PEOPLE {
            let found = world
                .get(&format!("/v1/customers?reference={}", reference_of(source, who)))
                .await;
            let [person] = found.body["data"].as_array().unwrap().as_slice() else {
                panic!("{source} {who}: {}", found.text);
            };
            let newest = if source == "hubspot" { CHANGES - 2 } else { CHANGES - 1 };
            let name = if who == 0 {
                "Last".to_owned()
            } else {
                name_of(who, newest)
            };
            let phone: String = phone_of(who, CHANGES - 1)
                .chars()
                .filter(|c| !" ()-".contains(*c))
                .collect();
            assert_eq!(
                (&person["given_name"], &person["phone"]),
                (&json!(name), &json!(phone)),
                "{source} {person}"
            );
            assert_eq!(person["family_name"], "Smith", "{source} {person}");
        }
        let dead = world.get("/v1/events/in?state=failed").await;
        assert_eq!(dead.body["data"], json!([]), "{source}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_test_call_of_a_shop_that_saves_its_webhook_is_answered_and_nothing_else_that_is_unsigned() {
    let world = world().await;
    #[expect(
        clippy::disallowed_methods,
        reason = "a sender's own client, not the gateway's transport"
    )]
    let client = reqwest::Client::new();
    for (source, kind, status) in [
        ("woocommerce", "application/x-www-form-urlencoded", 200),
        ("woocommerce", "application/json", 401),
        ("shopify", "application/x-www-form-urlencoded", 401),
    ] {
        let request = client
            .post(format!("{}/v1/webhooks/acme/{source}", world.url()))
            .header("content-type", kind)
            .body("webhook_id=2");
        assert_eq!(
            request.send().await.unwrap().status().as_u16(),
            status,
            "{source} {kind}"
        );
    }
    assert_eq!(world.get("/v1/events/in").await.body["data"], json!([]));
}
