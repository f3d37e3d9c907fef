//! Revoked means now: keys, connections, credentials and endpoints are taken away at random moments under load, and whatever
//! still goes out by them more than two seconds after the reload is a finding.
//!
//! One gateway, a process of its own, with a merchant for each slot. A slot has a key with an open batch and an open page of
//! the dashboard, a connection to a vendor that is slow and fails now and then, so that there always is something that waits,
//! and an endpoint that is told of everything and takes nothing. Each of them is taken away again and again, and comes back
//! as another one. Vendor and endpoint are simulators: their journals say what came when, and by which credential.

mod batches;
mod configured;
mod judge;
mod pages;
mod what;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use tokio::task::JoinSet;
use tokio::time::sleep;
use upsert_core::{Clock as _, SystemClock};
use upsert_simulators::{Answer, Effect, Fault, Running, Simulator, SimulatorOptions, Vendor};

use crate::process::Process;
use crate::revocations::batches::Batch;
use crate::revocations::configured::{Configured, credentials_of};
use crate::revocations::judge::Evidence;
use crate::revocations::pages::Page;
pub use crate::revocations::what::{GRACE, Revocation};
use crate::world::PATIENCE;

/// So long is watched after a reload.
const WATCHED: Duration = Duration::from_millis(2_800);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// A key that expires does so this long after the reload that says so.
const EXPIRES_IN: Duration = Duration::from_millis(400);

/// What a run does.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// At least so many revocations.
    pub revocations: usize,
    /// Merchants, each with a key, a connection and an endpoint.
    pub slots: usize,
    /// Makes the same choices again.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// How often what was taken away.
    pub revocations: BTreeMap<Revocation, usize>,
    /// Lines that batches sent.
    pub lines: usize,
    /// Calls in the vendor's journal.
    pub calls: usize,
    /// Events in the endpoints' journal.
    pub events: usize,
    /// The latest end of what was revoked, after its reload.
    pub latest: Duration,
    /// What went out too late.
    pub findings: Vec<String>,
}

impl Outcome {
    /// For people.
    pub fn text(&self) -> String {
        let count: usize = self.revocations.values().sum();
        let kinds = self.revocations.iter().map(|(kind, count)| format!("{kind:?} {count}"));
        let mut lines = vec![format!(
            "{count} revocations ({}); {} lines, {} calls, {} events; the last of what was open ended {} ms after its reload; \
             {} findings",
            kinds.collect::<Vec<_>>().join(", "),
            self.lines,
            self.calls,
            self.events,
            self.latest.as_millis(),
            self.findings.len()
        )];
        lines.extend(self.findings.iter().take(20).cloned());
        lines.join("\n  ")
    }
}

/// Revokes until it was enough, in a folder of the run's own, which is made and removed.
///
/// # Errors
/// The gateway does not start, ends, or does not take a configuration over.
pub async fn run(program: &Path, folder: &Path, plan: Plan) -> anyhow::Result<Outcome> {
    let mut world = World::start(program, folder, plan).await?;
    let mut outcome = Outcome::default();
    while outcome.revocations.values().sum::<usize>() < plan.revocations {
        world.round(&mut outcome).await?;
    }
    let evidence = Evidence {
        calls: world.vendor.journal().entries(),
        events: world.endpoint.journal().entries(),
        revoked: std::mem::take(&mut world.revoked),
    };
    (outcome.calls, outcome.events) = (evidence.calls.len(), evidence.events.len());
    outcome.findings.extend(evidence.findings());
    drop(world);
    let _ = std::fs::remove_dir_all(folder);
    Ok(outcome)
}

struct World {
    gateway: Process,
    client: reqwest::Client,
    configured: Configured,
    vendor: Running,
    endpoint: Running,
    dice: StdRng,
    /// Credentials and endpoints that were taken away, and when that was in force.
    revoked: BTreeMap<String, Timestamp>,
}

impl World {
    async fn start(program: &Path, folder: &Path, plan: Plan) -> anyhow::Result<Self> {
        // Each slot has another credential after each of its revocations.
        let mut options = SimulatorOptions::default();
        options.rotor.daily_limit = None;
        options.rotor.keys = credentials_of(plan.slots, plan.revocations + 2);
        let vendor = Simulator::start(Vendor::Rotor, options)?;
        vendor.faults().set(vec![
            Fault::always(Effect::Delay { millis: 150 }),
            Fault::always(Effect::Answer(Answer::new(503))).probability(0.1),
        ]);
        let endpoint = Simulator::start(Vendor::Rotor, SimulatorOptions::default())?;
        std::fs::create_dir_all(folder)?;
        let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build()?;
        let mut gateway = Process::new(program, folder, client.clone(), PATIENCE)?;
        let configured = Configured::new(folder, gateway.address(), &vendor, &endpoint, plan.slots);
        configured.write()?;
        gateway.start().await?;
        Ok(Self {
            gateway,
            client,
            configured,
            vendor,
            endpoint,
            dice: StdRng::seed_from_u64(plan.seed),
            revoked: BTreeMap::new(),
        })
    }

    /// Opens what each slot can have open, takes something away from each, and looks at what still comes and goes.
    async fn round(&mut self, outcome: &mut Outcome) -> anyhow::Result<()> {
        let opened = self.open().await?;
        sleep(Duration::from_millis(self.dice.random_range(200..1_200))).await;
        let chosen: Vec<Vec<Revocation>> = opened.iter().map(|_| self.choose()).collect();
        let expires_at = SystemClock.now() + EXPIRES_IN;
        let mut losing = Vec::new();
        for (slot, chosen) in chosen.iter().enumerate() {
            for revocation in chosen {
                losing.extend(self.configured.revoke(slot, *revocation, expires_at));
                *outcome.revocations.entry(*revocation).or_default() += 1;
            }
        }
        let in_force = self.take_over().await?;
        self.revoked.extend(losing.into_iter().map(|name| (name, in_force)));
        sleep(WATCHED).await;
        for ((batch, page), chosen) in opened.into_iter().zip(chosen) {
            let of_key = chosen
                .iter()
                .find(|revocation| Revocation::OF_KEYS.contains(revocation));
            let revoked_at = match of_key {
                Some(Revocation::KeyExpired) => Some(in_force.max(expires_at)),
                Some(_) => Some(in_force),
                None => None,
            };
            let (batch, page) = (batch.hang_up().await, page.close().await?);
            outcome.lines += batch.sent.len();
            if let Some(revoked_at) = revoked_at {
                let ends = batch.ended.into_iter().chain(page.ended);
                let late = ends.filter_map(|end| Duration::try_from(end.duration_since(revoked_at)).ok());
                outcome.latest = late.chain([outcome.latest]).max().unwrap_or_default();
                outcome.findings.extend(batch.findings(revoked_at));
                outcome.findings.extend(page.findings(revoked_at));
            }
        }
        self.configured.restore();
        self.take_over().await.map(drop)
    }

    async fn open(&self) -> anyhow::Result<Vec<(Batch, Page)>> {
        let address = self.gateway.address();
        let mut opening = JoinSet::new();
        for slot in 0..self.configured.slots() {
            let (key, merchant) = (self.configured.key(slot), configured::merchant(slot));
            let client = self.client.clone();
            opening.spawn(async move {
                let page = Page::open(&client, address, &key).await?;
                let batch = Batch::open(address, &key, &merchant).await?;
                anyhow::Ok((slot, batch, page))
            });
        }
        let mut opened = BTreeMap::new();
        while let Some(one) = opening.join_next().await {
            let (slot, batch, page) = one.context("opening broke off")??;
            opened.insert(slot, (batch, page));
        }
        Ok(opened.into_values().collect())
    }

    /// One of its key, of its connection, of its endpoint: at least one of them.
    fn choose(&mut self) -> Vec<Revocation> {
        let mut chosen = Vec::new();
        while chosen.is_empty() {
            if self.dice.random_bool(0.5) {
                chosen.extend(Revocation::OF_KEYS.choose(&mut self.dice));
            }
            if self.dice.random_bool(0.4) {
                chosen.extend(Revocation::OF_CONNECTIONS.choose(&mut self.dice));
            }
            if self.dice.random_bool(0.2) {
                chosen.push(Revocation::EndpointRemoved);
            }
        }
        chosen
    }

    /// Writes the configuration and has it taken over. When that is seen it is in force, for some milliseconds at least.
    async fn take_over(&mut self) -> anyhow::Result<Timestamp> {
        let before = self.generation().await?;
        self.configured.write()?;
        self.gateway.hang_up()?;
        let began = SystemClock.now();
        loop {
            let now = SystemClock.now();
            if self.generation().await? > before {
                return Ok(now);
            }
            if let Some(status) = self.gateway.ended()? {
                anyhow::bail!("the gateway ended with {status}");
            }
            let waited = Duration::try_from(now.duration_since(began)).unwrap_or_default();
            ensure!(waited < PATIENCE, "a configuration was not taken over");
            sleep(LOOK_AGAIN).await;
        }
    }

    async fn generation(&self) -> anyhow::Result<u64> {
        let url = format!("http://{}/readyz", self.gateway.address());
        let ready: serde_json::Value = self.client.get(url).send().await?.json().await?;
        ready["configuration"]["generation"]
            .as_u64()
            .context("no generation is shown")
    }
}
