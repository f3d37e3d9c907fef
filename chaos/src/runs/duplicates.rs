//! Many parallel duplicates of the same request, with connections that are reset on the vendors' side: one effective
//! write a key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Places, Report, Run, to_the_end};
use crate::checker::{Finding, Promise};
use crate::load::{Exchange, Person, Sender, Told, Upsert};
use crate::vendors::{ACME, Weather};

/// The name of the run.
pub const NAME: &str = "duplicates";

const TRY_AGAIN: Duration = Duration::from_millis(50);

/// How much of it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// So many idempotency keys.
    pub keys: u64,
    /// So many requests at once with each of them.
    pub parallel: u64,
    /// So many keys at once.
    pub side_by_side: usize,
    /// Share of the vendors' calls whose connection is reset after the vendor's work.
    pub resets: f64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            keys: 200,
            parallel: 50,
            side_by_side: 4,
            resets: 0.05,
        }
    }
}

/// Runs it.
pub async fn run(places: &Places, plan: &Plan, seed: u64) -> Report {
    to_the_end(places, NAME, seed, duplicates(places, plan, seed)).await
}

async fn duplicates(places: &Places, plan: &Plan, seed: u64) -> anyhow::Result<Report> {
    let mut run = Run::new(places, NAME, seed)?;
    let mut weather = Weather::resets(plan.resets);
    weather.faults = Weather::slow().faults;
    run.world.set_weather(&weather);
    run.world.start().await?;
    let sender = Sender::new(&run.world);
    let places_at_once = Arc::new(Semaphore::new(plan.side_by_side.max(1)));
    let mut keys = JoinSet::new();
    for number in 0..plan.keys {
        let place = places_at_once.clone().acquire_owned().await?;
        let (sender, upsert, parallel) = (sender.clone(), upsert(seed, number), plan.parallel);
        keys.spawn(async move {
            let exchanges = at_once(&sender, &upsert, parallel).await;
            drop(place);
            exchanges
        });
    }
    while let Some(exchanges) = keys.join_next().await {
        run.exchanges.extend(exchanges?);
    }
    let mut findings = one_upsert_a_key(&run.exchanges, plan);
    findings.extend(one_creation_a_key(&run, plan));
    let mut report = run.finish().await?;
    report.findings.extend(findings);
    Ok(report)
}

fn upsert(seed: u64, number: u64) -> Upsert {
    let person = Person::new(seed % 1000 * 50, number, true);
    Upsert {
        merchant: ACME,
        body: person.whole("Twin"),
        person: person.email,
        key: Some(format!("duplicate-{number}")),
        is_async: false,
        trace: format!("{:016x}{:016x}", seed | 1, number + 1),
    }
}

/// All at once, each until it is answered for good.
async fn at_once(sender: &Sender, upsert: &Upsert, parallel: u64) -> Vec<Exchange> {
    let mut twins = JoinSet::new();
    for _ in 0..parallel {
        let (sender, upsert) = (sender.clone(), upsert.clone());
        twins.spawn(async move { until_final(&sender, &upsert).await });
    }
    let mut exchanges = Vec::new();
    while let Some(exchange) = twins.join_next().await {
        exchanges.extend(exchange);
    }
    exchanges
}

async fn until_final(sender: &Sender, upsert: &Upsert) -> Exchange {
    loop {
        let told = sender.send(upsert).await;
        if matches!(told, Told::Answer { status, .. } if status != 409 && status != 202 && status != 503) {
            return upsert.told(told);
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

fn one_upsert_a_key(exchanges: &[Exchange], plan: &Plan) -> Vec<Finding> {
    let mut upserts: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for exchange in exchanges {
        let id = match &exchange.told {
            Told::Answer { status: 201, body } => body["upsert_id"].as_str(),
            _ => None,
        };
        match id {
            Some(id) => drop(upserts.entry(&exchange.trace).or_default().insert(id)),
            None => wrong.push(Finding::new(
                Promise::WrittenOnce,
                format!("{} was not created: {:?}", exchange.trace, exchange.told),
            )),
        }
    }
    let several = upserts.iter().filter(|(_, ids)| ids.len() != 1);
    wrong.extend(several.map(|(trace, ids)| Finding::new(Promise::WrittenOnce, format!("{trace} made {ids:?}"))));
    let sent = u64::try_from(exchanges.len()).unwrap_or_default();
    if sent != plan.keys * plan.parallel {
        wrong.push(Finding::new(Promise::Acknowledged, format!("{sent} answers were had")));
    }
    wrong
}

/// What the vendors have is each person once, and made by one call.
fn one_creation_a_key(run: &Run, plan: &Plan) -> Vec<Finding> {
    let mut wrong = Vec::new();
    for vendor in run.world.vendors.iter().filter(|vendor| vendor.merchant == ACME) {
        let counts = vendor.simulator.journal().counts();
        if counts.created != plan.keys {
            let what = format!(
                "{} made {} records for {} keys",
                vendor.connection, counts.created, plan.keys
            );
            wrong.push(Finding::new(Promise::WrittenOnce, what));
        }
        let changed = vendor.simulator.records().into_iter().filter(|record| {
            let name = ["first_name", "firstName", "givenName"];
            let name = name
                .iter()
                .find_map(|name| record.fields.get(*name))
                .and_then(Json::as_str);
            name != Some("Twin")
        });
        for record in changed {
            wrong.push(Finding::new(
                Promise::Fields,
                format!("{} holds {record:?}", vendor.connection),
            ));
        }
    }
    wrong
}
