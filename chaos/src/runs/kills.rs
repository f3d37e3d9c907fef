//! `kill -9` at random moments under load in rough weather, each time started again on the same store.

use std::time::{Duration, Instant};

use anyhow::ensure;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::{Places, Report, Run, to_the_end};
use crate::load::{Load, Mix};
use crate::vendors::Weather;

/// The name of the run.
pub const NAME: &str = "kills";

/// How much of it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// At least so many kills.
    pub kills: u32,
    /// At least so long.
    pub length: Duration,
    /// So many clients.
    pub clients: u64,
    /// From one start to the next kill, at the most.
    pub longest: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            kills: 60,
            length: Duration::ZERO,
            clients: 12,
            longest: Duration::from_millis(1500),
        }
    }
}

/// Runs it.
pub async fn run(places: &Places, plan: &Plan, seed: u64) -> Report {
    to_the_end(places, NAME, seed, kills(places, plan, seed)).await
}

async fn kills(places: &Places, plan: &Plan, seed: u64) -> anyhow::Result<Report> {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut run = Run::new(places, NAME, seed)?;
    run.world.set_weather(&Weather::rough());
    run.world.start().await?;
    let load = Load::start(&run.world, &Mix::default(), plan.clients, seed);
    beset(&mut run, plan, &mut dice).await?;
    ensure!(load.cut_off() > 0, "no request was under way at any of the kills");
    run.exchanges = load.stop().await?;
    run.finish().await
}

/// Kills it as often as planned, and leaves it running.
pub(super) async fn beset(run: &mut Run, plan: &Plan, dice: &mut StdRng) -> anyhow::Result<()> {
    let (began, mut kills) = (Instant::now(), 0);
    while kills < plan.kills || began.elapsed() < plan.length {
        let millis = u64::try_from(plan.longest.as_millis()).unwrap_or(1500);
        tokio::time::sleep(Duration::from_millis(dice.random_range(100..millis.max(101)))).await;
        run.world.gateway().kill()?;
        kills += 1;
        run.look_at_the_store()?;
        tokio::time::sleep(Duration::from_millis(dice.random_range(0..100))).await;
        if dice.random_bool(0.2) {
            let after = Duration::from_millis(dice.random_range(5..120));
            run.world.gateway().start_and_kill(after).await?;
            kills += 1;
            run.look_at_the_store()?;
        }
        run.world.start().await?;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(())
}
