//! The process dies at one named point of an upsert's way, is started again, and everything converges.

use std::time::Duration;

use anyhow::{bail, ensure};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use upsert_core::crash_point as points;

use super::{Places, Report, Run, erasing, to_the_end};
use crate::load::{Load, Mix};
use crate::vendors::Weather;

/// The name of the run; the point's name follows.
pub const NAME: &str = "points";

const CLIENTS: u64 = 8;

/// How long a point may take to be reached: rounds of load and rest, or restarts for what happens at a start alone.
const ROUNDS: u32 = 8;
const BUSY: Duration = Duration::from_millis(2500);
/// Longer than the store's writer waits before it tidies up.
const RESTING: Duration = Duration::from_millis(1300);

/// Where a process passes only at its start.
const AT_A_START: &str = "recover.";

/// Points that a process passes seldom: there the first two times alone are aimed at.
const SELDOM: [&str; 14] = [
    points::AUDIT_BEFORE_RECORD,
    points::AUDIT_AFTER_RECORD,
    points::REPLAY_BEFORE_COMMIT,
    points::REPLAY_AFTER_COMMIT,
    points::DISCARD_BEFORE_COMMIT,
    points::DISCARD_AFTER_COMMIT,
    points::STORE_BEFORE_CHECKPOINT,
    points::STORE_AFTER_CHECKPOINT,
    points::ROLLBACK_BEFORE_COMMIT,
    points::ROLLBACK_AFTER_COMMIT,
    points::REPEAT_BEFORE_KEEPING,
    points::REPEAT_AFTER_KEEPING,
    points::SCHEDULER_BEFORE_WAKE,
    points::DELIVER_AFTER_HELD,
];

/// Runs one point with one seed.
pub async fn run(places: &Places, point: &str, seed: u64) -> Report {
    let name = format!("{NAME} {point}");
    to_the_end(places, &name, seed, one_point(places, &name, point, seed)).await
}

/// Which time the process passes the point it dies: the same for the same seed.
fn aim(point: &str, dice: &mut StdRng) -> String {
    let most = match point {
        point if point.starts_with(AT_A_START) => 1,
        point if SELDOM.contains(&point) => 2,
        _ => 12,
    };
    format!("{point}@{}", dice.random_range(1..=most))
}

async fn one_point(places: &Places, name: &str, point: &str, seed: u64) -> anyhow::Result<Report> {
    ensure!(points::ALL.contains(&point), "there is no crash point {point}");
    if point.starts_with(erasing::BEGINS) {
        return erasing::one_point(places, name, point, seed).await;
    }
    let mut dice = StdRng::seed_from_u64(seed);
    let mut run = Run::new(places, name, seed)?;
    let mut weather = Weather::rough();
    // What a vendor refuses is what a rollback needs; the network is kept quiet enough for short runs.
    weather.odds.stall_before_request = 0.0;
    weather.odds.stall_after_request = 0.0;
    run.world.set_weather(&weather);
    let mix = Mix {
        solo: 25,
        operator_every: Some(Duration::from_millis(120)),
        ..Mix::default()
    };
    run.world.start().await?;
    let load = Load::start(&run.world, &mix, CLIENTS, seed);
    // So that the process that is aimed at finds something to take back.
    tokio::time::sleep(Duration::from_millis(dice.random_range(250..450))).await;
    run.world.gateway().kill()?;
    let aim = aim(point, &mut dice);
    if point.starts_with(AT_A_START) {
        until_a_start_dies(&mut run, &aim).await?;
    } else {
        until_it_dies(&mut run, &load, &aim).await?;
    }
    run.look_at_the_store()?;
    run.world.start().await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    run.exchanges = load.stop().await?;
    run.finish().await
}

/// Starts it until a start meets what the point is about, with a kill under load between each two.
async fn until_a_start_dies(run: &mut Run, aim: &str) -> anyhow::Result<()> {
    for _ in 0..ROUNDS {
        if let Some(status) = run.world.gateway().start_aimed(Some(aim)).await? {
            run.world.gateway().expect_a_point(status)?;
            return Ok(());
        }
        if run.world.gateway().dies_within(Duration::from_millis(400)).await? {
            return Ok(());
        }
        run.world.gateway().kill()?;
    }
    bail!("{aim} was never reached by {ROUNDS} starts")
}

async fn until_it_dies(run: &mut Run, load: &Load, aim: &str) -> anyhow::Result<()> {
    if let Some(status) = run.world.gateway().start_aimed(Some(aim)).await? {
        run.world.gateway().expect_a_point(status)?;
        return Ok(());
    }
    for _ in 0..ROUNDS {
        load.rest(false);
        if run.world.gateway().dies_within(BUSY).await? {
            return Ok(());
        }
        load.rest(true);
        if run.world.gateway().dies_within(RESTING).await? {
            load.rest(false);
            return Ok(());
        }
    }
    bail!("{aim} was never reached: is the gateway built with crash-points, and does any upsert still pass there?")
}
