//! Many clients who all write about the same few people, until so many upserts were accepted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use tokio::task::JoinSet;

use crate::load::{Exchange, Person, Sender, Told, Upsert};
use crate::vendors::ACME;
use crate::world::World;

const TRY_AGAIN: Duration = Duration::from_millis(20);

/// How long a client waits for an answer that need not wait for vendors, and for one that does: somewhat longer than a gateway
/// takes. Whoever waits for a gateway that is frozen comes again, to another one.
const ASYNC: Duration = Duration::from_millis(1_500);
const SYNC: Duration = Duration::from_secs(5);

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub struct Hot {
    /// So many upserts in all.
    pub upserts: u64,
    /// About so many people.
    pub customers: u64,
    /// By so many clients at once.
    pub clients: u64,
}

/// The clients at work.
pub struct HotLoad {
    tasks: JoinSet<Vec<Exchange>>,
    begun: Arc<AtomicU64>,
}

impl HotLoad {
    /// Sets the clients to work. Each upsert has a key, and is sent until it is answered.
    pub fn start(world: &World, hot: Hot, seed: u64) -> Self {
        let (mut tasks, begun) = (JoinSet::new(), Arc::<AtomicU64>::default());
        for number in 0..hot.clients {
            let client = Client {
                sender: Sender::new(world),
                hot,
                group: seed % 1_000 * 50,
                dice: StdRng::seed_from_u64(seed ^ ((number + 1) << 8)),
                begun: begun.clone(),
            };
            tasks.spawn(client.work());
        }
        Self { tasks, begun }
    }

    /// How many upserts were begun.
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Acquire)
    }

    /// Whether every client has done its part.
    pub fn is_done(&self) -> bool {
        self.tasks.is_empty()
    }

    /// What those have written down that are done; nothing where `within` that none is.
    ///
    /// # Errors
    /// A client's task panicked.
    pub async fn next(&mut self, within: Duration) -> anyhow::Result<Vec<Exchange>> {
        match tokio::time::timeout(within, self.tasks.join_next()).await {
            Ok(Some(exchanges)) => Ok(exchanges?),
            Ok(None) | Err(_) => Ok(Vec::new()),
        }
    }
}

struct Client {
    sender: Sender,
    hot: Hot,
    group: u64,
    dice: StdRng,
    begun: Arc<AtomicU64>,
}

impl Client {
    async fn work(mut self) -> Vec<Exchange> {
        let mut exchanges = Vec::new();
        loop {
            let number = self.begun.fetch_add(1, Ordering::AcqRel);
            if number >= self.hot.upserts {
                return exchanges;
            }
            let upsert = self.make(number);
            loop {
                let patience = if upsert.is_async { ASYNC } else { SYNC };
                let sent = tokio::time::timeout(patience, self.sender.send(&upsert)).await;
                let told = sent.unwrap_or(Told::Nothing);
                let is_over = !told.must_come_back();
                // How often it was turned away before says nothing more.
                if is_over || told == Told::Nothing {
                    exchanges.push(upsert.told(told));
                }
                if is_over {
                    break;
                }
                tokio::time::sleep(TRY_AGAIN).await;
            }
        }
    }

    fn make(&mut self, number: u64) -> Upsert {
        // Everybody once, so that all are there; then whoever the dice say.
        let whom = if number < self.hot.customers {
            number
        } else {
            self.dice.random_range(0..self.hot.customers)
        };
        let person = Person::new(self.group, whom, true);
        let mut body = person.whole(&format!("H{number}"));
        if self.dice.random_bool(0.5) {
            body["notes"] = json!(format!("note {number}"));
        }
        let trace = format!("4{:015x}{number:016x}", self.group);
        Upsert {
            merchant: ACME,
            person: person.email.clone(),
            body,
            key: Some(format!("hot-{trace}")),
            // Who waits for its vendors waits for those of everybody before it.
            is_async: self.dice.random_bool(0.85),
            trace,
        }
    }
}
