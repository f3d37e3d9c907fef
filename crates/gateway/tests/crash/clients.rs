//! Clients who create and change customers of their own, one request at a time each, and remember what they were told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::world::{KEY, World};

/// One request that was answered with 2xx.
pub(crate) struct Acknowledged {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) key: Option<String>,
    pub(crate) answer: Value,
}

/// What clients were told, and what they were left in doubt about.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) acknowledged: Vec<Acknowledged>,
    /// By reference: given names that may be the last; none where even the customer is in doubt.
    pub(crate) names: BTreeMap<String, Vec<Option<String>>>,
    /// Requests that were not answered.
    pub(crate) cut_off: u32,
    /// Requests sent after the process was told to end, and not answered.
    pub(crate) turned_away: u32,
    /// Answers that nobody should have got.
    pub(crate) unexpected: Vec<String>,
}

pub(crate) struct Clients {
    tasks: JoinSet<Told>,
    ending: Arc<AtomicBool>,
    stopping: Arc<AtomicBool>,
}

impl Clients {
    pub(crate) fn start(world: &World, count: u32, seed: u64) -> Self {
        let (ending, stopping) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let mut client = Client {
                number: u64::from(number),
                // References, e-mails and phones of this run are no other run's.
                run: seed % 100_000,
                dice: StdRng::seed_from_u64(seed ^ u64::from(number)),
                http: world.client.clone(),
                url: world.url("/v1/customers"),
                ending: ending.clone(),
                stopping: stopping.clone(),
                told: Told::default(),
                customers: 0,
                writes: 0,
            };
            tasks.spawn(async move {
                client.work().await;
                client.told
            });
        }
        Self {
            tasks,
            ending,
            stopping,
        }
    }

    /// To be called before the process is told to end.
    pub(crate) fn expect_the_end(&self) {
        self.ending.store(true, Ordering::Release);
    }

    /// Lets each finish its request.
    pub(crate) async fn stop(mut self) -> Told {
        self.stopping.store(true, Ordering::Release);
        let mut all = Told::default();
        while let Some(told) = self.tasks.join_next().await {
            let told = told.unwrap();
            all.acknowledged.extend(told.acknowledged);
            all.names.extend(told.names);
            all.cut_off += told.cut_off;
            all.turned_away += told.turned_away;
            all.unexpected.extend(told.unexpected);
        }
        all
    }
}

struct Client {
    number: u64,
    run: u64,
    dice: StdRng,
    http: reqwest::Client,
    url: String,
    ending: Arc<AtomicBool>,
    stopping: Arc<AtomicBool>,
    told: Told,
    customers: u64,
    writes: u64,
}

impl Client {
    async fn work(&mut self) {
        while !self.is_stopping() {
            if self.customers == 0 || self.dice.random_bool(0.4) {
                self.customers += 1;
            }
            let customer = self.dice.random_range(0..self.customers);
            self.writes += 1;
            let reference = format!("C-{}-{}-{customer}", self.run, self.number);
            let name = format!("Name{}", self.writes);
            let body = json!({
                "reference": reference, "given_name": name, "family_name": "Load",
                "email": format!("{}@example.com", reference.to_lowercase()),
                // A number for each customer, and another ten thousand for each run.
                "phone": format!("+1202{:07}", 5_000_000 + (self.run % 40) * 10_000 + self.number * 500 + customer),
            });
            let key = self
                .dice
                .random_bool(0.5)
                .then(|| format!("{reference}-{}", self.writes));
            self.write(&reference, name, body, key).await;
        }
    }

    /// One write: with a key it is repeated until it is answered, without one it may stay in doubt.
    async fn write(&mut self, reference: &str, name: String, body: Value, key: Option<String>) {
        let is_async = self.dice.random_bool(0.2);
        loop {
            let mut request = self.http.post(&self.url).bearer_auth(KEY).json(&body);
            if let Some(key) = &key {
                request = request.header("Idempotency-Key", key);
            }
            if is_async {
                request = request.header("Prefer", "respond-async");
            }
            let was_ending = self.ending.load(Ordering::Acquire);
            let answer = match request.send().await {
                Ok(answer) => {
                    let status = answer.status().as_u16();
                    answer.json::<Value>().await.map(|answer| (status, answer))
                }
                Err(error) => Err(error),
            };
            match answer {
                Ok((status @ (200..=202), answer)) => {
                    self.told.names.insert(reference.to_owned(), vec![Some(name)]);
                    let body = body.clone();
                    self.told.acknowledged.push(Acknowledged {
                        status,
                        body,
                        key,
                        answer,
                    });
                    return;
                }
                // Not begun, or still under way: neither changes what is known.
                Ok((503, answer)) if answer["code"] == "shutting_down" => {}
                Ok((409, answer)) if answer["code"] == "idempotency_in_progress" => {}
                Ok((status, answer)) => {
                    self.told.unexpected.push(format!("{status} to {body}: {answer}"));
                    return;
                }
                Err(error) if error.is_connect() => {}
                Err(_) => {
                    // In the moment in which a process that ends gives up its address, a new connection may still be
                    // closed unanswered.
                    self.told.cut_off += u32::from(!was_ending);
                    self.told.turned_away += u32::from(was_ending);
                    let names = self
                        .told
                        .names
                        .entry(reference.to_owned())
                        .or_insert_with(|| vec![None]);
                    names.push(Some(name.clone()));
                    if key.is_none() {
                        return;
                    }
                }
            }
            if self.is_stopping() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}
