//! Clients who create and change customers over HTTP, alone and together, and write down what they sent and what they
//! were told.

mod body;
mod client;
mod exchange;
mod open;
mod operator;
mod send;
mod steady;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::task::JoinSet;

use crate::world::World;
use exchange::Shared;

pub use body::Person;
pub use client::Mix;
pub use exchange::{Exchange, Told};
pub use open::{Answered, open_loop};
pub use send::{Heard, Sender, Upsert};
pub use steady::{Kind, Seen, Steady};

/// Load that runs until it is stopped.
pub struct Load {
    tasks: JoinSet<Vec<Exchange>>,
    shared: Arc<Shared>,
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
