//! The scenarios. Each makes a world, does its harm, and ends with [`Run::finish`]: fair weather, the drain, the checker.

pub mod database;
pub mod duplicates;
mod erasing;
pub mod hot;
pub mod kills;
pub mod points;
pub mod replicas;
pub mod rolling;
mod served;
pub mod termination;
pub mod told;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::Value as Json;

use crate::checker::{Finding, check};
use crate::evidence::{Evidence, integrity_of_a_copy, read_database, read_store, read_vendors};
use crate::load::{Exchange, Told};
use crate::proxy::Strikes;
use crate::receiver::Receiver;
use crate::vendors::{ACME, SOLO, Weather};
use crate::world::{PATIENCE, World, WorldOptions};

const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// So many findings are printed; all of them lie in the run's folder.
const MOST_SHOWN: usize = 12;

/// Where programs and folders are.
#[derive(Debug, Clone)]
pub struct Places {
    /// The program `upsert-gateway`, built with `crash-points` where a run aims at one.
    pub gateway: PathBuf,
    /// Where the folders of runs are made; that of a good run is removed again.
    pub folder: PathBuf,
}

/// What came of a run.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Which run it was, as one would ask for it again.
    pub name: String,
    /// Its seed.
    pub seed: u64,
    /// What is not as it has to be.
    pub findings: Vec<Finding>,
    /// Requests that were answered with 2xx.
    pub acknowledged: usize,
    /// Requests that were sent and not answered.
    pub unanswered: usize,
    /// Customers in the store at the end.
    pub customers: usize,
    /// Calls that the vendors got.
    pub calls: usize,
    /// From fair weather to nothing open.
    pub drained_after: Duration,
    /// Events that the merchants' own system was told, those that came again included.
    pub told: usize,
    /// What the proxies did.
    pub strikes: Strikes,
    /// What the run measured, for people.
    pub notes: Vec<String>,
    /// Where everything of a failed run lies.
    pub kept: Option<PathBuf>,
}

/// A run under way.
pub struct Run {
    /// Its world.
    pub world: World,
    /// What clients have written down so far.
    pub exchanges: Vec<Exchange>,
    /// What it found by itself on the way, beside what the checker finds.
    pub found: Vec<Finding>,
    /// What it measured, for people.
    pub notes: Vec<String>,
    /// Whether no vendor takes as long as a lease: see [`Evidence::calls_are_short`].
    pub calls_are_short: bool,
    receiver: Option<Receiver>,
    name: String,
    seed: u64,
    /// Where the store is that several gateways share; none: in a file.
    database: Option<String>,
}

impl Run {
    /// A new world, its gateway not started. `name` and the seed name the folder.
    ///
    /// # Errors
    /// The world cannot be made.
    pub fn new(places: &Places, name: &str, seed: u64) -> anyhow::Result<Self> {
        Self::make(places, name, seed, None, |_| {})
    }

    /// A world of several gateways, which find their store here, with what else this run changes.
    ///
    /// # Errors
    /// The world cannot be made.
    pub fn with_replicas(
        places: &Places,
        (name, seed): (&str, u64),
        stores: &[String],
        database: &str,
        change: impl FnOnce(&mut WorldOptions),
    ) -> anyhow::Result<Self> {
        let mut run = Self::make(places, name, seed, None, |options| {
            options.stores = stores.to_vec();
            change(options);
        })?;
        run.database = Some(database.to_owned());
        Ok(run)
    }

    /// The same with a system that both merchants have told of their upserts.
    ///
    /// # Errors
    /// The world cannot be made.
    pub fn with_receiver(places: &Places, name: &str, seed: u64) -> anyhow::Result<Self> {
        Self::make(places, name, seed, Some(Receiver::start(seed)?), |_| {})
    }

    fn make(
        places: &Places,
        name: &str,
        seed: u64,
        receiver: Option<Receiver>,
        change: impl FnOnce(&mut WorldOptions),
    ) -> anyhow::Result<Self> {
        let folder = folder_of(places, name, seed);
        // What an earlier run of the same name left would be taken for this one's.
        let _ = fs::remove_dir_all(&folder);
        let mut options = WorldOptions::new(seed, &places.gateway, &folder);
        options.tables = receiver.as_ref().map(Receiver::table).unwrap_or_default();
        change(&mut options);
        Ok(Self {
            world: World::new(options)?,
            exchanges: Vec::new(),
            found: Vec::new(),
            notes: Vec::new(),
            calls_are_short: false,
            receiver,
            name: name.to_owned(),
            seed,
            database: None,
        })
    }

    /// Whether what lies on the disk right after a kill is a sound database.
    ///
    /// # Errors
    /// It is not.
    pub fn look_at_the_store(&self) -> anyhow::Result<()> {
        let verdict = integrity_of_a_copy(&self.world.store())?;
        ensure!(verdict == "ok", "the store's file is broken after a kill: {verdict}");
        Ok(())
    }

    /// Fair weather, every pause lifted, nothing open any more; then the gateway is told to end and the checker looks.
    ///
    /// # Errors
    /// Something open is left after [`PATIENCE`], or the gateway does not end as it should.
    pub async fn finish(mut self) -> anyhow::Result<Report> {
        self.world.set_weather(&Weather::default());
        let began = Instant::now();
        self.resume_all().await?;
        let stuck = self.drain(began).await;
        let drained_after = began.elapsed();
        for gateway in self.world.gateways() {
            gateway.tell_to_end()?;
        }
        let mut codes = Vec::new();
        for gateway in self.world.gateways() {
            codes.push(gateway.until_ended().await?);
        }
        let mut evidence = Evidence {
            exchanges: std::mem::take(&mut self.exchanges),
            told: self.receiver.as_ref().map(Receiver::told),
            calls_are_short: self.calls_are_short,
            ..Evidence::default()
        };
        match &self.database {
            Some(url) => read_database(url, &mut evidence).await?,
            None => read_store(&self.world.store(), &mut evidence)?,
        }
        read_vendors(&self.world.vendors, &mut evidence);
        let mut findings = std::mem::take(&mut self.found);
        findings.extend(check(&evidence));
        if !findings.is_empty() || stuck.is_err() {
            evidence.keep(self.world.folder())?;
        }
        if findings.is_empty() {
            // A finding says more than that something is open, where there is one.
            stuck?;
        }
        let ended_well = codes.iter().all(|code| *code == Some(0));
        ensure!(ended_well, "the gateway ended with {codes:?} when it was told to");
        // A database that goes away is worth an error.
        if self.database.is_none() {
            let complaints = self.world.complaints()?;
            ensure!(complaints.is_empty(), "the gateway logged errors: {complaints:#?}");
        }
        Ok(self.report(&evidence, findings, drained_after))
    }

    fn report(&self, evidence: &Evidence, findings: Vec<Finding>, drained_after: Duration) -> Report {
        let told = |wanted: fn(&Told) -> bool| evidence.exchanges.iter().filter(|one| wanted(&one.told)).count();
        let mut strikes = BTreeMap::new();
        for vendor in &self.world.vendors {
            for (strike, count) in vendor.proxy.strikes() {
                *strikes.entry(strike).or_default() += count;
            }
        }
        Report {
            name: self.name.clone(),
            seed: self.seed,
            findings,
            acknowledged: told(|told| matches!(told, Told::Answer { status: 200..=202, .. })),
            unanswered: told(|told| *told == Told::Nothing),
            customers: evidence.customers.len(),
            calls: evidence.vendors.values().map(|side| side.calls.len()).sum(),
            told: evidence.told.as_ref().map_or(0, Vec::len),
            drained_after,
            strikes,
            notes: self.notes.clone(),
            kept: None,
        }
    }

    async fn resume_all(&self) -> anyhow::Result<()> {
        for vendor in &self.world.vendors {
            let path = format!("/v1/connections/{}/{}/resume", vendor.merchant, vendor.connection);
            let (status, answer) = self.world.ask(self.world.client.post(self.world.url(&path))).await?;
            ensure!(status == 200, "{path}: {status} {answer}");
        }
        Ok(())
    }

    /// Until no delivery is open and no upsert is pending.
    async fn drain(&self, began: Instant) -> anyhow::Result<()> {
        loop {
            let open = match self.open_deliveries().await? {
                None => self.pending_upsert().await?,
                open => open,
            };
            let open = match open {
                None => self.waiting_events().await?,
                open => open,
            };
            let Some(open) = open else { return Ok(()) };
            // What a gateway had in flight that was killed is its own until the lease ends.
            let patience = self.database.as_ref().map_or(PATIENCE, |_| PATIENCE * 3);
            ensure!(
                began.elapsed() < patience,
                "something is open {patience:?} after the weather turned fair: {open:#}"
            );
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn open_deliveries(&self) -> anyhow::Result<Option<Json>> {
        let request = self.world.client.get(self.world.url("/v1/connections"));
        let (_, answer) = self.world.ask(request).await?;
        let connections = answer["data"].as_array().context("no connections are shown")?;
        let count = |member: &str| connections.iter().filter_map(|one| one[member].as_u64()).sum::<u64>();
        let is_open = count("waiting") + count("in_flight") > 0;
        Ok(is_open.then(|| Json::from(connections.clone())))
    }

    async fn waiting_events(&self) -> anyhow::Result<Option<Json>> {
        let request = self.world.client.get(self.world.url("/v1/webhooks"));
        let (_, answer) = self.world.ask(request).await?;
        let endpoints = answer["endpoints"].as_array().context("no endpoints are shown")?;
        let is_waiting = endpoints.iter().any(|one| one["waiting"] != 0);
        Ok(is_waiting.then(|| Json::from(endpoints.clone())))
    }

    async fn pending_upsert(&self) -> anyhow::Result<Option<Json>> {
        for merchant in [ACME, SOLO] {
            let url = self.world.url("/v1/upserts?state=pending&limit=1");
            let request = self.world.client.get(url).header("Merchant-Id", merchant);
            let (status, answer) = self.world.ask(request).await?;
            ensure!(status == 200, "{status}: {answer}");
            let pending = answer["data"].as_array().context("no upserts are listed")?;
            if let Some(pending) = pending.first() {
                return Ok(Some(pending.clone()));
            }
        }
        Ok(None)
    }
}

impl Report {
    /// Whether everything is as it has to be.
    pub fn is_good(&self) -> bool {
        self.findings.is_empty()
    }

    /// For people: figures, and what was found.
    pub fn text(&self) -> String {
        let mut lines = vec![format!(
            "{} seed {}: {} acknowledged, {} unanswered, {} customers, {} calls, drained after {} ms",
            self.name,
            self.seed,
            self.acknowledged,
            self.unanswered,
            self.customers,
            self.calls,
            self.drained_after.as_millis()
        )];
        lines.extend(self.notes.iter().cloned());
        if self.told > 0 {
            lines.push(format!("told {} times", self.told));
        }
        if !self.strikes.is_empty() {
            let strikes = self.strikes.iter().map(|(strike, count)| format!("{strike:?} {count}"));
            lines.push(format!("proxies: {}", strikes.collect::<Vec<_>>().join(", ")));
        }
        let mut broken: BTreeMap<String, usize> = BTreeMap::new();
        for finding in &self.findings {
            *broken.entry(format!("{:?}", finding.promise)).or_default() += 1;
        }
        lines.extend(
            broken
                .iter()
                .map(|(promise, count)| format!("{promise} broken {count} times")),
        );
        lines.extend(self.findings.iter().take(MOST_SHOWN).map(ToString::to_string));
        if let Some(kept) = &self.kept {
            lines.push(format!("kept in {}", kept.display()));
        }
        lines.join("\n  ")
    }
}

/// Runs it to its end. What goes wrong on the way is a finding; the folder stays where there is one.
pub async fn to_the_end(
    places: &Places,
    name: &str,
    seed: u64,
    run: impl Future<Output = anyhow::Result<Report>>,
) -> Report {
    let folder = folder_of(places, name, seed);
    let mut report = match Box::pin(run).await {
        Ok(report) => report,
        Err(error) => Report {
            name: name.to_owned(),
            seed,
            findings: vec![Finding::new(crate::checker::Promise::Drained, format!("{error:#}"))],
            ..Report::default()
        },
    };
    if report.is_good() {
        // Left over, it is in nobody's way.
        let _ = fs::remove_dir_all(&folder);
    } else {
        let all: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        let _ = fs::write(folder.join("findings.txt"), all.join("\n"));
        report.kept = Some(folder);
    }
    report
}

fn folder_of(places: &Places, name: &str, seed: u64) -> PathBuf {
    let name: &Path = Path::new(name);
    places
        .folder
        .join(format!("{}-{seed}", name.display()).replace(' ', "-"))
}
