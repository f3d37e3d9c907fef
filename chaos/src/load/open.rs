//! Open loop: requests leave at a given rate whatever becomes of those before, as from many people who do not know of
//! each other.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::exchange::{Exchange, Told};
use super::send::{Sender, Upsert};

/// One request of an open loop.
#[derive(Debug, Clone)]
pub struct Answered {
    /// What was sent and told.
    pub exchange: Exchange,
    /// From the moment at which it should have left to its answer: waiting to be sent counts.
    pub took: Duration,
}

impl Answered {
    /// Its HTTP status; none without an answer.
    pub fn status(&self) -> Option<u16> {
        match self.exchange.told {
            Told::Answer { status, .. } => Some(status),
            Told::Nothing | Told::NotSent => None,
        }
    }
}

/// Sends `make(0)`, `make(1)`, … at `per_second` for so long, and waits for all of them.
///
/// # Errors
/// A request's task panicked.
pub async fn open_loop(
    sender: &Sender,
    per_second: u32,
    length: Duration,
    mut make: impl FnMut(u64) -> Upsert,
) -> anyhow::Result<Vec<Answered>> {
    let mut ticks = interval(Duration::from_secs(1) / per_second.max(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (began, mut number) = (Instant::now(), 0);
    let mut tasks = JoinSet::new();
    while began.elapsed() < length {
        let due = ticks.tick().await.into_std();
        let (sender, upsert) = (sender.clone(), make(number));
        number += 1;
        tasks.spawn(async move {
            let told = sender.send(&upsert).await;
            Answered {
                exchange: upsert.told(told),
                took: due.elapsed(),
            }
        });
    }
    let mut all = Vec::new();
    while let Some(answered) = tasks.join_next().await {
        all.push(answered?);
    }
    Ok(all)
}
