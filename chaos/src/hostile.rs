//! Strangers at the door: what many who have no key, and mean no good, cost everybody else.
//!
//! One gateway, a process of its own. Before each attack and during it, callers with a key send upserts; some keep their
//! connection, one makes a new one each time. Measured are their latencies, the memory of the gateway, and how long each
//! hostile connection is kept.

pub mod attack;
mod callers;
pub mod gateway;
pub mod sheet;

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::{Instant, sleep};

use crate::hostile::attack::{Attack, Ended};
use crate::hostile::callers::Callers;
use crate::hostile::gateway::Gateway;

/// After an attack, until the next.
const REST: Duration = Duration::from_secs(1);
/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What came of one attack.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Which.
    pub attack: Attack,
    /// Hostile connections that were begun.
    pub connections: usize,
    /// Of these, how many could be made, and how they ended.
    pub ended: Ended,
    /// Bytes that the gateway held before, and at the most.
    pub resident: (u64, u64),
    /// The 99th percentile of callers' requests before and during it.
    pub p99: (Duration, Duration),
    /// Requests of callers that were answered during it, and those that were not.
    pub calls: (usize, usize),
}

impl Outcome {
    /// Bytes more than before.
    pub fn grown(&self) -> u64 {
        self.resident.1.saturating_sub(self.resident.0)
    }
}

/// Attacks a gateway of its own, which may have so many files open (none: as many as this process), in each of these ways,
/// after callers were measured so long where nobody attacks.
///
/// # Errors
/// The gateway does not start, or ends.
pub async fn run(
    program: &Path,
    files: Option<u64>,
    connections: usize,
    attacks: &[Attack],
    calm: Duration,
) -> anyhow::Result<Vec<Outcome>> {
    let gateway = Gateway::start(program, files).await?;
    let callers = Callers::new(&gateway)?;
    // Whatever is made once is there.
    callers.call(Duration::from_secs(1)).await;
    let mut outcomes = Vec::new();
    for attack in attacks {
        outcomes.push(one(&gateway, &callers, *attack, connections, calm).await?);
        sleep(REST).await;
    }
    Ok(outcomes)
}

async fn one(
    gateway: &Gateway,
    callers: &Callers,
    attack: Attack,
    connections: usize,
    calm: Duration,
) -> anyhow::Result<Outcome> {
    let before = callers.call(calm).await;
    let at_rest = gateway.resident().context("the gateway is gone")?;
    let attacking = attack.by(connections, gateway.address());
    let mut most = at_rest;
    let watching = async {
        loop {
            most = most.max(gateway.resident().unwrap_or(most));
            sleep(LOOK_EVERY).await;
        }
    };
    let began = Instant::now();
    let calling = callers.call_while(attacking);
    let (ended, during) = tokio::select! {
        done = calling => done,
        () = watching => unreachable!("it watches on"),
    };
    eprintln!("{}: {:?}", attack.name(), began.elapsed());
    Ok(Outcome {
        attack,
        connections,
        ended,
        resident: (at_rest, most),
        p99: (before.p99(), during.p99()),
        calls: (during.answered(), during.failed()),
    })
}
