//! Strangers at the door: what many who have no key, and mean no good, cost everybody else.
//!
//! One gateway, a process of its own. Before each attack and during it, callers with a key send upserts; some keep their
//! connection, one makes a new one each time. Measured are their latencies, the memory of the gateway, and how long each
//! hostile connection is kept. Beside that, callers are measured while a listener that does nothing is attacked.

pub mod attack;
mod callers;
mod control;
pub mod gateway;
pub mod sheet;

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::{Instant, sleep};

use crate::hostile::attack::{Attack, Ended};
use crate::hostile::callers::Callers;
use crate::hostile::control::Control;
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
    /// The same while the attack was at a listener beside the gateway that does nothing, if that was measured.
    pub control: Option<Duration>,
    /// Requests of callers that were answered during it, and those that were not.
    pub calls: (usize, usize),
}

impl Outcome {
    /// Bytes more than before.
    pub fn grown(&self) -> u64 {
        self.resident.1.saturating_sub(self.resident.0)
    }
}

/// How to attack.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many files the gateway may have open; none: as many as this process.
    pub files: Option<u64>,
    /// Hostile connections an attack.
    pub connections: usize,
    /// How long callers are measured before each.
    pub calm: Duration,
    /// Whether each is tried at a listener that does nothing as well.
    pub is_controlled: bool,
}

/// Attacks a gateway of its own in each of these ways.
///
/// # Errors
/// The gateway does not start, or ends.
pub async fn run(program: &Path, plan: Plan, attacks: &[Attack]) -> anyhow::Result<Vec<Outcome>> {
    let gateway = Gateway::start(program, plan.files).await?;
    let callers = Callers::new(&gateway)?;
    // Whatever is made once is there.
    callers.call(Duration::from_secs(1)).await;
    let mut outcomes = Vec::new();
    for attack in attacks {
        outcomes.push(one(&gateway, &callers, *attack, plan).await?);
        sleep(REST).await;
    }
    Ok(outcomes)
}

async fn one(gateway: &Gateway, callers: &Callers, attack: Attack, plan: Plan) -> anyhow::Result<Outcome> {
    let before = callers.call(plan.calm).await;
    let control = if plan.is_controlled {
        let control = Control::start()?;
        let attacking = attack.by(plan.connections, control.address);
        let (ended, during) = callers.call_while(attacking).await;
        ended?;
        sleep(REST).await;
        Some(during.p99())
    } else {
        None
    };
    let at_rest = gateway.resident().context("the gateway is gone")?;
    let attacking = attack.by(plan.connections, gateway.address());
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
        connections: plan.connections,
        ended: ended?,
        resident: (at_rest, most),
        p99: (before.p99(), during.p99()),
        control,
        calls: (during.answered(), during.failed()),
    })
}
