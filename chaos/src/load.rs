//! Clients who create and change customers over HTTP, alone and together, and write down what they sent and what they
//! were told.

mod body;
mod client;
mod open;
mod operator;
mod send;
mod steady;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde::Serialize;
use serde_json::Value as Json;
use tokio::task::JoinSet;

use crate::world::World;

pub use body::Person;
pub use client::Mix;
pub use open::{Answered, open_loop};
pub use send::{Heard, Sender, Upsert};
pub use steady::{Kind, Seen, Steady};

/// One request and what came of it, as its client knows it.
#[derive(Debug, Clone, Serialize)]
pub struct Exchange {
    /// The W3C trace id that it carried: vendors see it too.
    pub trace: String,
    /// For which merchant.
    pub merchant: String,
    /// Its `Idempotency-Key`.
    pub key: Option<String>,
    /// The person's e-mail address.
    pub person: String,
    /// What was sent.
    pub body: Json,
    /// What was told.
    pub told: Told,
}

/// What a client was told.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// A whole answer.
    Answer {
        /// HTTP status.
        status: u16,
        /// The body.
        body: Json,
    },
    /// No answer, or not all of it, or the client did not wait: it may have been accepted or not.
    Nothing,
    /// No connection was had: it cannot have been accepted.
    NotSent,
}

impl Told {
    /// Whether a request with a key has no answer yet.
    pub fn must_come_back(&self) -> bool {
        let later = ["idempotency_in_progress", "shutting_down", "overloaded"];
        match self {
            Self::Answer { body, .. } => later.iter().any(|code| body["code"] == *code),
            Self::Nothing | Self::NotSent => true,
        }
    }
}

/// Load that runs until it is stopped.
pub struct Load {
    tasks: JoinSet<Vec<Exchange>>,
    shared: Arc<Shared>,
}

/// What all clients of a load share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    stopping: AtomicBool,
    resting: AtomicBool,
    /// The process was told to end: what is sent from now on may be turned away.
    pub(crate) ending: AtomicBool,
    /// Requests that were sent before that and got no answer.
    pub(crate) cut_off: AtomicU64,
}

impl Shared {
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(crate) fn is_resting(&self) -> bool {
        self.resting.load(Ordering::Acquire)
    }
}

impl Load {
    /// Starts so many clients, with dice of their own each. With an operator, connections are paused and resumed too.
    pub fn start(world: &World, mix: &Mix, clients: u64, seed: u64) -> Self {
        let shared = Arc::<Shared>::default();
        let mut tasks = JoinSet::new();
        for number in 0..clients {
            let client = client::Client::new(world, mix, number, seed, shared.clone());
            tasks.spawn(client.work());
        }
        if let Some(every) = mix.operator_every {
            let dice = StdRng::seed_from_u64(seed ^ 0x0B5);
            let hand = operator::Operator::new(world, every, dice, shared.clone());
            tasks.spawn(hand.work());
        }
        Self { tasks, shared }
    }

    /// Lets the clients rest, or go on.
    pub fn rest(&self, resting: bool) {
        self.shared.resting.store(resting, Ordering::Release);
    }

    /// To be called before the gateway is told to end: whoever comes later may be turned away.
    pub fn expect_the_end(&self) {
        self.shared.ending.store(true, Ordering::Release);
    }

    /// Requests that were sent before [`Self::expect_the_end`] and got no answer, where nobody hung up.
    pub fn cut_off(&self) -> u64 {
        self.shared.cut_off.load(Ordering::Acquire)
    }

    /// Lets each finish its request; all that they wrote down.
    ///
    /// # Errors
    /// A client's task panicked.
    pub async fn stop(mut self) -> anyhow::Result<Vec<Exchange>> {
        self.shared.stopping.store(true, Ordering::Release);
        let mut all = Vec::new();
        while let Some(exchanges) = self.tasks.join_next().await {
            all.extend(exchanges?);
        }
        Ok(all)
    }
}
