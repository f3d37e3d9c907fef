//! `kill -9` at random moments under load, while a merchant's own system is told of every upsert that ended well.

use anyhow::ensure;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::kills::{Plan, beset};
use super::{Places, Report, Run, to_the_end};
use crate::load::{Load, Mix};
use crate::vendors::Weather;

/// The name of the run.
pub const NAME: &str = "told";

/// Runs it.
pub async fn run(places: &Places, plan: &Plan, seed: u64) -> Report {
    to_the_end(places, NAME, seed, told(places, plan, seed)).await
}

async fn told(places: &Places, plan: &Plan, seed: u64) -> anyhow::Result<Report> {
    let mut run = Run::with_receiver(places, NAME, seed)?;
    run.world.set_weather(&Weather::rough());
    run.world.start().await?;
    let load = Load::start(&run.world, &Mix::default(), plan.clients, seed);
    beset(&mut run, plan, &mut StdRng::seed_from_u64(seed)).await?;
    run.exchanges = load.stop().await?;
    let report = run.finish().await?;
    ensure!(report.told > 0, "nothing was told");
    Ok(report)
}
