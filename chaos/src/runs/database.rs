//! PostgreSQL crashes and comes back, again and again, under load on gateways without a proxy. Meanwhile they say 503, and
//! when to come back; nothing is told that is not stored; and they serve again by themselves.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use tokio::task::block_in_place;

use super::served::{badly, figures, is_well};
use super::{Places, Report, Run, replicas, to_the_end};
use crate::checker::{Finding, Promise};
use crate::front::FrontKind;
use crate::load::{Load, Mix, Seen, Steady};
use crate::vendors::{ACME, Weather};
use crate::world::{PATIENCE, World};

/// The name of the run.
pub const NAME: &str = "database";

/// How much of it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// So many gateways.
    pub gateways: usize,
    /// So many crashes.
    pub restarts: u32,
    /// So many requests a second.
    pub per_second: u32,
    /// So many clients beside them, who repeat what was not answered.
    pub clients: u64,
    /// The longest that it is away; once it is away for longer than a gateway waits for it.
    pub longest: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            gateways: 2,
            restarts: 20,
            per_second: 100,
            clients: 4,
            longest: Duration::from_secs(5),
        }
    }
}

/// How soon a gateway serves again after its database does.
const SOON: Duration = Duration::from_secs(10);

/// Longer than a gateway waits for an answer of its database.
const AWAY_FOR_LONG: Duration = Duration::from_secs(12);

const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// From the crash to the moment at which the database answers again.
#[derive(Debug, Clone, Copy)]
struct Outage {
    gone: Instant,
    back: Instant,
}

/// Runs it.
pub async fn run(places: &Places, plan: &Plan, seed: u64) -> Report {
    to_the_end(places, NAME, seed, database(places, plan, seed)).await
}

async fn database(places: &Places, plan: &Plan, seed: u64) -> anyhow::Result<Report> {
    let mut dice = StdRng::seed_from_u64(seed);
    let (mut server, url) = replicas::database();
    let stores = vec![url.clone(); plan.gateways];
    let mut run = Run::with_replicas(places, (NAME, seed), &stores, &url, |options| {
        options.front = FrontKind::Nothing;
    })?;
    run.world.set_weather(&Weather::slow());
    run.world.start().await?;
    let mix = Mix {
        operator_every: None,
        ..Mix::default()
    };
    let (steady, load) = (
        Steady::start(&run.world, plan.per_second, seed),
        Load::start(&run.world, &mix, plan.clients, seed),
    );
    let mut outages = Vec::new();
    for number in 0..plan.restarts {
        tokio::time::sleep(Duration::from_millis(dice.random_range(1_500..3_000))).await;
        let is_long = number == plan.restarts / 2 && plan.longest >= Plan::default().longest;
        let away = if is_long {
            AWAY_FOR_LONG
        } else {
            plan.longest.mul_f64(dice.random())
        };
        let gone = Instant::now();
        block_in_place(|| server.crash());
        tokio::time::sleep(away).await;
        block_in_place(|| server.start());
        outages.push(Outage {
            gone,
            back: Instant::now(),
        });
        until_all_serve(&run.world).await?;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let seen = steady.stop().await?;
    run.exchanges = load.stop().await?;
    judge(&mut run, &seen, &outages);
    run.exchanges.extend(seen.into_iter().filter_map(|one| one.exchange));
    run.finish().await
}

/// Until each gateway has planned an upsert: the next crash is a new one.
async fn until_all_serve(world: &World) -> anyhow::Result<()> {
    let began = Instant::now();
    for address in world.addresses() {
        let body =
            json!({"email": "nobody@example.com", "given_name": "A", "family_name": "B", "phone": "+12025550199"});
        loop {
            let request = world.client.post(format!("http://{address}/v1/customers/plan"));
            let request = request.header("Merchant-Id", ACME).json(&body);
            let answer = world.ask(request).await;
            if answer.as_ref().is_ok_and(|(status, _)| *status == 200) {
                break;
            }
            anyhow::ensure!(began.elapsed() < PATIENCE, "{address} does not serve again: {answer:?}");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
    Ok(())
}

fn judge(run: &mut Run, seen: &[Seen], outages: &[Outage]) {
    let in_trouble = |one: &Seen| {
        let ended = one.due + one.took;
        outages
            .iter()
            .any(|outage| ended >= outage.gone && one.due <= outage.back + SOON)
    };
    run.found = badly(seen, |one, status| match (status, one.code()) {
        _ if is_well(status) => Ok(()),
        (503, Some("overloaded")) if !one.heard.says_when => Err("without a word when to come back".to_owned()),
        (503, Some("overloaded")) if !in_trouble(one) => Err("though the database was there".to_owned()),
        (503, Some("overloaded")) => Ok(()),
        _ => Err("none of the gateway's words for that".to_owned()),
    });
    let (mut first, mut last) = (Duration::ZERO, Duration::ZERO);
    for (number, outage) in outages.iter().enumerate() {
        let until = outages.get(number + 1).map(|next| next.gone);
        for address in run.world.addresses() {
            let back = after(outage, until, address, seen);
            (first, last) = (first.max(back.first_good), last.max(back.last_bad));
        }
    }
    if last > SOON || first > SOON {
        let what = format!("a gateway did not serve again within {SOON:?} of its database: {first:?}, {last:?}");
        run.found.push(Finding::new(Promise::Served, what));
    }
    let away = outages
        .iter()
        .map(|outage| outage.back - outage.gone)
        .max()
        .unwrap_or_default();
    run.notes.push(figures(seen));
    run.notes.push(format!(
        "{} crashes of the database, away for up to {:.1} s; after its return a gateway answered a request well after {} ms at \
         the most, and none that was sent more than {} ms after it was refused",
        outages.len(),
        away.as_secs_f64(),
        first.as_millis(),
        last.as_millis()
    ));
}

/// How one gateway came back, from the database's return on.
struct Back {
    /// When the first good answer came to a request that was sent since.
    first_good: Duration,
    /// When the last request was sent that was refused.
    last_bad: Duration,
}

fn after(outage: &Outage, until: Option<Instant>, gateway: SocketAddr, seen: &[Seen]) -> Back {
    let since = seen.iter().filter(|one| {
        // What was still under way when the next crash came says nothing.
        one.to == gateway && one.due >= outage.back && until.is_none_or(|until| one.due + one.took < until)
    });
    let (good, bad): (Vec<&Seen>, Vec<&Seen>) = since.partition(|one| one.status().is_some_and(is_well));
    Back {
        first_good: good
            .iter()
            .map(|one| one.due + one.took - outage.back)
            .min()
            .unwrap_or(PATIENCE),
        last_bad: bad.iter().map(|one| one.due - outage.back).max().unwrap_or_default(),
    }
}
