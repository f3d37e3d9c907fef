//! Several gateways over one PostgreSQL database, behind a proxy: killed, frozen and thawed, cut from the database, and the
//! database itself crashed, all under load in rough weather.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::ensure;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use upsert_testkit::postgres::Server;

use super::{Places, Report, Run, to_the_end};
use crate::load::{Load, Mix};
use crate::vendors::Weather;
use crate::wire::Wire;

/// The name of the run.
pub const NAME: &str = "replicas";

/// How much of it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// So many gateways.
    pub gateways: usize,
    /// So many blows.
    pub blows: u32,
    /// So many clients.
    pub clients: u64,
    /// Whether one gateway is frozen for longer than any lease.
    pub freezes_past_a_lease: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            gateways: 3,
            blows: 60,
            clients: 12,
            freezes_past_a_lease: true,
        }
    }
}

/// Longer than the lease of a call: its time-out of 2 s and 25 s.
const PAST_A_LEASE: Duration = Duration::from_secs(30);

/// Runs it.
pub async fn run(places: &Places, plan: &Plan, seed: u64) -> Report {
    to_the_end(places, NAME, seed, replicas(places, plan, seed)).await
}

/// The database, and a wire to it for each gateway.
struct Shared {
    server: Server,
    wires: Vec<Wire>,
}

impl Shared {
    async fn start(gateways: usize) -> anyhow::Result<Self> {
        let server = Server::new("listen_addresses=127.0.0.1", |_| {});
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
        let mut wires = Vec::new();
        for _ in 0..gateways {
            wires.push(Wire::to(address).await?);
        }
        Ok(Self { server, wires })
    }

    fn url(address: SocketAddr) -> String {
        format!("postgres://postgres@{address}/postgres")
    }
}

/// A database that is reached as by a network, and where.
pub(super) fn database() -> (Server, String) {
    let server = Server::new("listen_addresses=127.0.0.1", |_| {});
    let url = Shared::url(SocketAddr::from((Ipv4Addr::LOCALHOST, server.port())));
    (server, url)
}

async fn replicas(places: &Places, plan: &Plan, seed: u64) -> anyhow::Result<Report> {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut shared = Shared::start(plan.gateways).await?;
    let stores: Vec<String> = shared.wires.iter().map(|wire| Shared::url(wire.address())).collect();
    let database = Shared::url(SocketAddr::from((Ipv4Addr::LOCALHOST, shared.server.port())));
    let mut run = Run::with_replicas(places, (NAME, seed), &stores, &database, |_| {})?;
    run.world.set_weather(&Weather::rough());
    run.world.start().await?;
    let load = Load::start(&run.world, &Mix::default(), plan.clients, seed);
    let mut struck = [0; BLOWS];
    let planned = blows(plan.blows, &mut dice);
    for (count, blow) in planned.into_iter().chain([KILL; MOST_MORE]).enumerate() {
        // A short run may strike while nothing is under way: it goes on until something was.
        if count >= plan.blows as usize && load.cut_off() > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(dice.random_range(100..1_200))).await;
        struck[blow] += 1;
        strike(&mut run, &mut shared, blow, &mut dice).await?;
    }
    if plan.freezes_past_a_lease {
        let gateways = run.world.gateways();
        gateways[0].freeze()?;
        tokio::time::sleep(PAST_A_LEASE).await;
        gateways[0].thaw()?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    ensure!(
        load.cut_off() > 0,
        "no request was under way at any of the blows: {struck:?}"
    );
    run.exchanges = load.stop().await?;
    run.finish().await
}

const BLOWS: usize = 4;

/// The blow that kills a gateway, and how many of it more there may be.
const KILL: usize = 0;
const MOST_MORE: usize = 20;

/// So many blows, of each kind once before any comes again: a short run has all of them.
fn blows(count: u32, dice: &mut StdRng) -> Vec<usize> {
    let mut all = Vec::new();
    for _ in 0..count.div_ceil(4) {
        let mut kinds: Vec<usize> = (0..BLOWS).collect();
        kinds.shuffle(dice);
        all.extend(kinds);
    }
    all.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    all
}

/// One blow, and what mends it.
async fn strike(run: &mut Run, shared: &mut Shared, blow: usize, dice: &mut StdRng) -> anyhow::Result<()> {
    let hit = dice.random_range(0..shared.wires.len());
    let pause = Duration::from_millis(dice.random_range(50..2_500));
    let gateways = run.world.gateways();
    match blow {
        KILL => {
            gateways[hit].kill()?;
            tokio::time::sleep(pause / 2).await;
            gateways[hit].start().await?;
        }
        1 => {
            gateways[hit].freeze()?;
            tokio::time::sleep(pause).await;
            gateways[hit].thaw()?;
        }
        2 => {
            shared.wires[hit].cut();
            tokio::time::sleep(pause).await;
            shared.wires[hit].mend();
        }
        _ => {
            shared.server.crash();
            tokio::time::sleep(pause / 4).await;
            shared.server.start();
        }
    }
    Ok(())
}
