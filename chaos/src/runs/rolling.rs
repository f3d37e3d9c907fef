//! Several gateways over one database, behind the proxy of `docker-compose.replicas.yml`, are restarted one after the other
//! under a steady load, as an orchestrator does it: SIGTERM, the end, a start, and the next one once the proxy has it back.
//! Nobody who calls may notice.

use std::time::{Duration, Instant};

use anyhow::ensure;

use super::served::{badly, figures, is_well};
use super::{Places, Report, Run, replicas, to_the_end};
use crate::checker::{Finding, Promise};
use crate::front::FrontKind;
use crate::load::Steady;
use crate::vendors::Weather;

/// The name of the run.
pub const NAME: &str = "rolling";

/// How much of it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// So many gateways.
    pub gateways: usize,
    /// So many restarts.
    pub restarts: u32,
    /// So many requests a second.
    pub per_second: u32,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            gateways: 3,
            restarts: 20,
            per_second: 200,
        }
    }
}

/// As it is by default: longer than the proxy takes to find a gateway not ready, however busy that is.
const DRAIN_DELAY: Duration = Duration::from_secs(5);

/// How long a gateway may take to end.
const LONGEST_STOP: Duration = Duration::from_secs(30);

/// Before the first restart and after the last one.
const CALM: Duration = Duration::from_secs(2);

/// Runs it.
pub async fn run(places: &Places, plan: &Plan, seed: u64) -> Report {
    to_the_end(places, NAME, seed, rolling(places, plan, seed)).await
}

async fn rolling(places: &Places, plan: &Plan, seed: u64) -> anyhow::Result<Report> {
    let (_server, url) = replicas::database();
    let stores = vec![url.clone(); plan.gateways];
    let mut run = Run::with_replicas(places, (NAME, seed), &stores, &url, |options| {
        options.front = FrontKind::Haproxy;
        options.drain_delay = DRAIN_DELAY;
    })?;
    run.world.set_weather(&Weather::slow());
    run.world.start().await?;
    let load = Steady::start(&run.world, plan.per_second, seed);
    tokio::time::sleep(CALM).await;
    let (mut longest_stop, mut longest_start) = (Duration::ZERO, Duration::ZERO);
    for restart in 0..plan.restarts as usize {
        let gateway = &mut run.world.gateways()[restart % plan.gateways];
        let began = Instant::now();
        let code = gateway.terminate().await?;
        ensure!(code == Some(0), "a gateway ended with {code:?}");
        longest_stop = longest_stop.max(began.elapsed());
        let began = Instant::now();
        gateway.start().await?;
        run.world.until_all_get_requests().await?;
        longest_start = longest_start.max(began.elapsed());
    }
    tokio::time::sleep(CALM).await;
    let seen = load.stop().await?;
    run.found = badly(&seen, |_, status| {
        if is_well(status) {
            Ok(())
        } else {
            Err("restarts are nobody's business".to_owned())
        }
    });
    if longest_stop > LONGEST_STOP {
        run.found.push(Finding::new(
            Promise::Served,
            format!("a gateway took {longest_stop:?} to end"),
        ));
    }
    run.notes.push(figures(&seen));
    run.notes.push(format!(
        "{} restarts of {} gateways; the longest took {:.1} s to end ({} s of it open for requests) and {:.1} s to be back",
        plan.restarts,
        plan.gateways,
        longest_stop.as_secs_f64(),
        DRAIN_DELAY.as_secs(),
        longest_start.as_secs_f64()
    ));
    run.exchanges = seen.into_iter().filter_map(|one| one.exchange).collect();
    run.finish().await
}
