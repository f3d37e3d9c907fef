//! Very many upserts of very few customers, over several gateways of which one is killed or frozen every few seconds: calls about
//! one customer never overlap at a vendor, nothing is lost or doubled, and in the end every vendor holds what was accepted last.

use std::time::{Duration, Instant};

use anyhow::ensure;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::{Places, Report, Run, replicas, to_the_end};
use crate::hot::{Hot, HotLoad};
use crate::vendors::Weather;

/// The name of the run.
pub const NAME: &str = "hot";

/// How much of it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// So many gateways.
    pub gateways: usize,
    /// What clients do.
    pub hot: Hot,
    /// From one blow to the next, at the most.
    pub longest: Duration,
    /// Whether one gateway is frozen for longer than any lease, half-way.
    pub freezes_past_a_lease: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            gateways: 3,
            hot: Hot {
                upserts: 50_000,
                customers: 100,
                clients: 48,
            },
            longest: Duration::from_secs(5),
            freezes_past_a_lease: true,
        }
    }
}

/// Longer than the lease of a call: its time-out of 2 s and 25 s.
const PAST_A_LEASE: Duration = Duration::from_secs(30);

/// The longest without a client that is done, once the first is: an upsert may have to wait for a lease.
const STUCK: Duration = Duration::from_secs(120);

/// Runs it.
pub async fn run(places: &Places, plan: &Plan, seed: u64) -> Report {
    to_the_end(places, NAME, seed, hot(places, plan, seed)).await
}

async fn hot(places: &Places, plan: &Plan, seed: u64) -> anyhow::Result<Report> {
    let mut dice = StdRng::seed_from_u64(seed);
    let (_server, url) = replicas::database();
    let stores = vec![url.clone(); plan.gateways];
    let mut run = Run::with_replicas(places, (NAME, seed), &stores, &url, |_| {})?;
    // Vendors are slow and answer always: whoever finds two calls at once has found a mistake of the gateway's.
    run.world.set_weather(&Weather::slow());
    run.calls_are_short = true;
    run.world.start().await?;
    let (began, mut load) = (Instant::now(), HotLoad::start(&run.world, plan.hot, seed));
    let (mut kills, mut freezes, mut froze_for_long) = (0, 0, !plan.freezes_past_a_lease);
    while load.begun() < plan.hot.upserts {
        let pause = plan.longest.mul_f64(dice.random_range(0.4..1.0));
        tokio::time::sleep(pause).await;
        let gateway = dice.random_range(0..plan.gateways);
        let gateway = &mut run.world.gateways()[gateway];
        if !froze_for_long && load.begun() > plan.hot.upserts / 2 {
            (froze_for_long, freezes) = (true, freezes + 1);
            gateway.freeze()?;
            tokio::time::sleep(PAST_A_LEASE).await;
            gateway.thaw()?;
        } else if dice.random_bool(0.5) {
            kills += 1;
            gateway.kill()?;
            tokio::time::sleep(pause / 4).await;
            gateway.start().await?;
        } else {
            freezes += 1;
            gateway.freeze()?;
            tokio::time::sleep(pause).await;
            gateway.thaw()?;
        }
    }
    let mut last = Instant::now();
    while !load.is_done() {
        let exchanges = load.next(Duration::from_secs(1)).await?;
        if !exchanges.is_empty() {
            last = Instant::now();
        }
        run.exchanges.extend(exchanges);
        ensure!(last.elapsed() < STUCK, "some upserts are not answered for {STUCK:?}");
    }
    ensure!(froze_for_long && kills + freezes > 0, "all was done before a blow fell");
    let took = began.elapsed().as_secs_f64();
    run.notes.push(format!(
        "{} upserts of {} customers in {took:.0} s; gateways were killed {kills} times and frozen {freezes} times",
        plan.hot.upserts, plan.hot.customers
    ));
    run.finish().await
}
