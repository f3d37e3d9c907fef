//! The process is told to end under load, several times: it ends with 0, and cuts nobody off.

use std::time::Duration;

use anyhow::ensure;

use super::{Places, Report, Run, to_the_end};
use crate::load::{Load, Mix};
use crate::vendors::Weather;

/// The name of the run.
pub const NAME: &str = "termination";

const CLIENTS: u64 = 12;

/// Runs it, with so many restarts.
pub async fn run(places: &Places, rounds: u64, seed: u64) -> Report {
    to_the_end(places, NAME, seed, termination(places, rounds, seed)).await
}

async fn termination(places: &Places, rounds: u64, seed: u64) -> anyhow::Result<Report> {
    let mut run = Run::new(places, NAME, seed)?;
    run.world.set_weather(&Weather::slow());
    run.world.start().await?;
    for round in 0..rounds {
        let load = Load::start(&run.world, &Mix::plain(), CLIENTS, seed.wrapping_add(round));
        tokio::time::sleep(Duration::from_millis(900)).await;
        load.expect_the_end();
        let code = run.world.gateway().terminate().await?;
        ensure!(code == Some(0), "the gateway ended with {code:?}");
        let cut_off = load.cut_off();
        ensure!(cut_off == 0, "{cut_off} requests that were under way got no answer");
        run.exchanges.extend(load.stop().await?);
        run.world.start().await?;
    }
    run.finish().await
}
