//! Requests of several kinds at a steady rate, whatever becomes of those before, until it is told to stop: new people, changes of
//! people, plans of such changes, and looking people up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::body::Person;
use super::exchange::{Exchange, Told};
use super::send::{Heard, Sender, Upsert};
use crate::vendors::ACME;
use crate::world::World;

/// People of one group: their phone numbers are all different.
const GROUP: u64 = 10_000;

/// Away from the groups of other loads.
const FIRST_GROUP: u64 = 60_000;

/// A person is changed, planned for and looked up only so long after it was made: by then it is answered.
const SETTLED: Duration = Duration::from_secs(2);

/// What a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A new person.
    New,
    /// A change of one.
    Change,
    /// A plan of a change.
    Plan,
    /// Looking one up.
    Read,
}

/// One request, and what came of it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What for.
    pub kind: Kind,
    /// To whom it was sent.
    pub to: SocketAddr,
    /// When it should have left.
    pub due: Instant,
    /// From then to its answer.
    pub took: Duration,
    /// What came.
    pub heard: Heard,
    /// As a client writes it down; of upserts alone.
    pub exchange: Option<Exchange>,
}

impl Seen {
    /// Its HTTP status; none without an answer.
    pub fn status(&self) -> Option<u16> {
        match self.heard.told {
            Told::Answer { status, .. } => Some(status),
            Told::Nothing | Told::NotSent => None,
        }
    }

    /// The code of the problem that it was answered with.
    pub fn code(&self) -> Option<&str> {
        match &self.heard.told {
            Told::Answer { body, .. } => body["code"].as_str(),
            Told::Nothing | Told::NotSent => None,
        }
    }
}

/// Load that goes on until it is stopped.
pub struct Steady {
    task: JoinSet<anyhow::Result<Vec<Seen>>>,
    stopping: Arc<AtomicBool>,
}

impl Steady {
    /// So many requests a second, to all addresses in turn.
    pub fn start(world: &World, per_second: u32, seed: u64) -> Self {
        let stopping = Arc::<AtomicBool>::default();
        let senders = world.addresses().into_iter();
        let stream = Stream {
            senders: senders.map(|to| (to, Sender::to(to, world.client.clone()))).collect(),
            per_second: per_second.max(1),
            group: FIRST_GROUP + seed % 100 * 10,
            dice: StdRng::seed_from_u64(seed ^ 0x57EAD),
            stopping: stopping.clone(),
        };
        let mut task = JoinSet::new();
        task.spawn(stream.flow());
        Self { task, stopping }
    }

    /// Sends no more, and waits for what was sent.
    ///
    /// # Errors
    /// A request's task panicked.
    pub async fn stop(mut self) -> anyhow::Result<Vec<Seen>> {
        self.stopping.store(true, Ordering::Release);
        match self.task.join_next().await {
            Some(seen) => seen?,
            None => Ok(Vec::new()),
        }
    }
}

struct Stream {
    senders: Vec<(SocketAddr, Sender)>,
    per_second: u32,
    group: u64,
    dice: StdRng,
    stopping: Arc<AtomicBool>,
}

impl Stream {
    async fn flow(mut self) -> anyhow::Result<Vec<Seen>> {
        let mut ticks = interval(Duration::from_secs(1) / self.per_second);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (mut all, mut tasks) = (Vec::new(), JoinSet::new());
        for (number, turn) in (0_u64..).zip((0..self.senders.len()).cycle()) {
            let due = ticks.tick().await.into_std();
            if self.stopping.load(Ordering::Acquire) {
                break;
            }
            let (kind, upsert) = self.make(number);
            let (to, sender) = self.senders[turn].clone();
            tasks.spawn(async move {
                let heard = match kind {
                    Kind::New | Kind::Change => sender.upsert(&upsert).await,
                    Kind::Plan => sender.plan(&upsert).await,
                    Kind::Read => sender.read(&upsert).await,
                };
                let is_upsert = matches!(kind, Kind::New | Kind::Change) && heard.told != Told::NotSent;
                Seen {
                    kind,
                    to,
                    due,
                    took: due.elapsed(),
                    exchange: is_upsert.then(|| upsert.told(heard.told.clone())),
                    heard,
                }
            });
            while let Some(seen) = tasks.try_join_next() {
                all.push(seen?);
            }
        }
        while let Some(seen) = tasks.join_next().await {
            all.push(seen?);
        }
        Ok(all)
    }

    /// Every fourth request is a new person.
    fn make(&mut self, number: u64) -> (Kind, Upsert) {
        let made = number / 4;
        let settled = made.saturating_sub(u64::from(self.per_second) * SETTLED.as_secs() / 4);
        let kind = match number % 4 {
            0 => Kind::New,
            1 if settled > 0 => Kind::Change,
            2 if settled > 0 => Kind::Plan,
            // Until there is anybody to change, somebody is looked for who may not be there.
            _ => Kind::Read,
        };
        let whom = if kind == Kind::New {
            made
        } else {
            self.dice.random_range(0..settled.max(1))
        };
        let person = Person::new(self.group + whom / GROUP, whom, !whom.is_multiple_of(4));
        let name = format!("S{number}");
        let body = if kind == Kind::New {
            person.whole(&name)
        } else {
            person.change(&name, &mut self.dice)
        };
        let trace = format!("5{:015x}{number:016x}", self.group);
        let upsert = Upsert {
            merchant: ACME,
            person: person.email.clone(),
            body,
            key: self.dice.random_bool(0.5).then(|| format!("steady-{trace}")),
            is_async: self.dice.random_bool(0.15),
            trace,
        };
        (kind, upsert)
    }
}
