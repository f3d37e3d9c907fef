//! Configurations that somebody has mangled, read one after the other under load: each is taken over as a whole or not at all, no
//! request notices, and nobody is locked out. `RECONFIGURATIONS` says how many (`scripts/reconfigure`: a thousand).
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::panic,
    reason = "a test that cannot go on has to stop"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use upsert_settings::{Environment, Secrets, Settings};
use upsert_tests::{KEY, Plan, World, hash_of};

const SEED: u64 = 20_261_130;
const USUAL_COUNT: usize = 30;
const PATIENCE: Duration = Duration::from_secs(20);

/// What mangling leaves alone: without it the caller of this test would truly have no key, and no store.
const STAYS: &str = "# stays";

/// The tables of the caller and of the store, and others, with names that say which configuration it is.
fn gateway(before: &str, number: usize) -> String {
    let stays: Vec<String> = before.lines().map(|line| format!("{line} {STAYS}")).collect();
    format!(
        "{}\n\n[retention]\nhistory = \"forever\"\nupserts = \"90d\"\nattempts = \"30d\"\n\n[telemetry]\nlog = \"info\"\n\n[[api_keys]]\n\
         name = \"marker-{number}\"\nkey_sha256 = \"{}\"\nmerchants = [\"acme\"]\nscopes = [\"ops:read\", \"customers:read\"]\n\
         rate_limit = {{ per_second = 200, burst = 400 }}\nexpires_at = \"2999-01-01T00:00:00Z\"\n",
        stays.join("\n"),
        hash_of(&marker(number)),
    )
}

fn marker(number: usize) -> String {
    format!("the-key-of-configuration-{number}")
}

fn merchant(before: &str, number: usize) -> String {
    format!(
        "{before}\n[[routes]]\nwhen = {{ kind = \"organisation\" }}\nto = [\"rotor\"]\n\n[[routes]]\nto = [\"rotor\", \"wallet\"]\n\n\
         [[webhooks.in]]\nsource = \"shop\"\nverify = {{ scheme = \"standard-webhooks\", secret = {{ file = \"hook.secret\" }} }}\n\
         event_id = \"/id\"\nmap = {{ reference = \"/ref\", email = \"/mail\" }}\n\n[[webhooks.out]]\nname = \"hook-{number}\"\n\
         url = \"https://hooks.example/{number}\"\nevents = [\"customer.delivery_failed\"]\nsecret = {{ file = \"hook.secret\" }}\n"
    )
}

/// Mangles some lines that may be mangled.
fn mangled(text: &str, dice: &mut StdRng) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..dice.random_range(0..3) {
        let may_be: Vec<usize> = (0..lines.len())
            .filter(|index| !lines[*index].ends_with(STAYS))
            .collect();
        let Some(at) = may_be.choose(dice).copied() else { break };
        match dice.random_range(0..8) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => {
                let cut = lines[at].char_indices().map(|(index, _)| index).collect::<Vec<_>>();
                let cut = cut.choose(dice).copied().unwrap_or_default();
                lines[at].truncate(cut);
            }
            3 => lines[at] = lines[at].replace(['1', '3', '9'], "7"),
            4 => lines[at] = lines[at].replace('"', ""),
            5 => lines[at] = lines[at].replacen('e', "3", 1),
            6 => lines.insert(at, "\u{1f511} = [[".to_owned()),
            _ => lines[at].push_str(" nonsense"),
        }
    }
    lines.join("\n") + "\n"
}

/// What the caller can see of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    endpoints: BTreeSet<String>,
    /// Which of the markers of this configuration and of the one before open anything.
    markers: Vec<usize>,
}

impl Shown {
    /// If these files are in force.
    fn by(folder: &Path, numbers: [usize; 2]) -> Option<Self> {
        let settings = Settings::load(folder, &Environment::default(), Secrets::Resolve).ok()?;
        let has = |number: &usize| {
            let wanted = hash_of(&marker(*number));
            settings
                .api_keys
                .iter()
                .any(|key| data_encoding::HEXLOWER.encode(&key.key_sha256) == wanted)
        };
        let endpoints = &settings.merchants.get("acme")?.webhooks_out;
        Some(Self {
            endpoints: endpoints.iter().map(|endpoint| endpoint.name.clone()).collect(),
            markers: numbers.iter().filter(|number| has(number)).copied().collect(),
        })
    }
}

struct Caller {
    client: Client,
    url: String,
}

impl Caller {
    async fn ask(&self, request: RequestBuilder) -> (u16, Json) {
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    fn get(&self, path: &str, key: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url)).bearer_auth(key)
    }

    async fn shown(&self, numbers: [usize; 2]) -> Shown {
        let (status, webhooks) = self.ask(self.get("/v1/webhooks", KEY)).await;
        assert_eq!(status, 200, "locked out: {webhooks}");
        let endpoints = webhooks["endpoints"].as_array().unwrap().iter();
        let endpoints = endpoints.map(|endpoint| endpoint["name"].as_str().unwrap().to_owned());
        let mut markers = Vec::new();
        for number in numbers {
            if self.ask(self.get("/v1/providers", &marker(number))).await.0 == 200 {
                markers.push(number);
            }
        }
        Shown {
            endpoints: endpoints.collect(),
            markers,
        }
    }

    /// How often the configuration was read, and refused.
    async fn readings(&self) -> [u64; 2] {
        let page = self.client.get(format!("{}/metrics", self.url)).send().await.unwrap();
        let page = page.text().await.unwrap();
        ["ok", "refused"].map(|result| {
            let line = format!("upsert_gateway_config_reloads_total{{result=\"{result}\"}} ");
            let value = page.lines().find_map(|known| known.strip_prefix(&line));
            value.and_then(|value| value.parse().ok()).unwrap_or_default()
        })
    }
}

/// Upserts, plans and look-ups, until it is over. Answers what went wrong.
async fn load(caller: Arc<Caller>, worker: usize, over: Arc<AtomicBool>, done: Arc<AtomicUsize>) -> Vec<String> {
    let mut failed = Vec::new();
    let mut number = 0;
    while !over.load(Ordering::Relaxed) {
        number += 1;
        let reference = format!("w{worker}-{}", number % 50);
        let email = format!("{reference}@example.com");
        let person = json!({ "reference": reference, "given_name": format!("A{number}"), "email": email });
        let requests = [
            caller
                .client
                .post(format!("{}/v1/customers", caller.url))
                .bearer_auth(KEY)
                .header("prefer", "respond-async")
                .json(&person),
            caller
                .client
                .post(format!("{}/v1/customers/plan", caller.url))
                .bearer_auth(KEY)
                .json(&person),
            caller.get("/v1/customers?limit=5", KEY),
        ];
        for request in requests {
            let (status, body) = caller.ask(request).await;
            done.fetch_add(1, Ordering::Relaxed);
            if !(200..300).contains(&status) {
                failed.push(format!("{status}: {body}"));
            }
        }
        sleep(Duration::from_millis(10)).await;
    }
    failed
}

fn hang_up() {
    let process = std::process::id().to_string();
    assert!(
        Command::new("kill")
            .args(["-HUP", &process])
            .status()
            .unwrap()
            .success()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mangled_configurations_are_taken_over_whole_or_not_at_all_and_no_request_notices() {
    let count = std::env::var("RECONFIGURATIONS").map_or(USUAL_COUNT, |count| count.parse().unwrap());
    let world = World::with(Plan {
        only: vec!["rotor", "wallet"],
        reloads: true,
        is_one_process: true,
        ..Plan::default()
    })
    .await;
    let folder = world.folder().to_owned();
    let file = |name: &str| folder.join(name);
    let texts = ["gateway.toml", "merchants/acme.toml"].map(|name| std::fs::read_to_string(file(name)).unwrap());
    let caller = Arc::new(Caller {
        client: Client::builder().no_proxy().timeout(PATIENCE).build().unwrap(),
        url: world.url(),
    });
    let (over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut workers = JoinSet::new();
    for worker in 0..4 {
        workers.spawn(load(caller.clone(), worker, over.clone(), done.clone()));
    }
    let mut dice = StdRng::seed_from_u64(SEED);
    let (mut taken, mut refused, mut before) = (0, 0, 0);
    for number in 1..=count {
        let numbers = [before, number];
        let in_force = caller.shown(numbers).await;
        let [_, refused_before] = caller.readings().await;
        std::fs::write(file("gateway.toml"), mangled(&gateway(&texts[0], number), &mut dice)).unwrap();
        std::fs::write(
            file("merchants/acme.toml"),
            mangled(&merchant(&texts[1], number), &mut dice),
        )
        .unwrap();
        let wanted = Shown::by(&folder, numbers);
        hang_up();
        let began = Instant::now();
        loop {
            let shown = caller.shown(numbers).await;
            let [_, refused_now] = caller.readings().await;
            if wanted.as_ref() == Some(&shown) {
                (taken, before) = (taken + 1, number);
                break;
            }
            if shown != in_force {
                // It came into force between one question and the next.
                let again = caller.shown(numbers).await;
                assert_eq!(
                    Some(&again),
                    wanted.as_ref(),
                    "{number} is in force in part: {in_force:?}"
                );
                continue;
            }
            // Whatever is wrong with it, it is as if it had never been written.
            if refused_now > refused_before {
                refused += 1;
                break;
            }
            assert!(began.elapsed() < PATIENCE, "{number} was not read: {wanted:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }
    over.store(true, Ordering::Relaxed);
    let failed: Vec<String> = workers.join_all().await.concat();
    assert!(
        failed.is_empty(),
        "{} failed: {:?}",
        failed.len(),
        &failed[..failed.len().min(5)]
    );
    assert!(done.load(Ordering::Relaxed) > count, "there was load");
    assert!(
        taken > count / 10 && refused > count / 10,
        "{taken} taken over, {refused} refused"
    );
    println!(
        "{taken} taken over, {refused} refused, {} requests",
        done.load(Ordering::Relaxed)
    );
}
