//! A gateway over a store of one size: its folder, what is copied into its store, its rounds.

use std::fs;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::client::{Connection, head};
use crate::copies::{self, copy, merchant};
use crate::disk::free_bytes;
use crate::drive::Job;
use crate::folder::{self, write_secrets};
use crate::launch::Running;
use crate::measure::sample;
use crate::process::{cpu_time, resident_bytes};
use crate::samples::{Medians, Sample, median, number};
use crate::scenes::Stage;

use super::{Extent, Grown};

/// What a copy takes of the disk at the most, and what is left besides.
const BYTES_A_COPY: u64 = 2_800;
const LEFT_FREE: u64 = 2_000_000_000;

/// Whoever uses less of a core for so long is quiet; nobody is waited for any longer than the last.
const QUIET: f64 = 0.05;
const QUIET_FOR: Duration = Duration::from_millis(500);
const QUIET_WITHIN: Duration = Duration::from_secs(30);

/// What comes again and again comes within that time.
const AT_REST: Duration = Duration::from_secs(5);

/// Where one gateway lives.
pub(super) struct Ground {
    pub(super) folder: PathBuf,
    address: SocketAddr,
    key: String,
}

impl Ground {
    /// An empty one, without a merchant.
    pub(super) fn lay(stage: &Stage<'_>, name: &str) -> anyhow::Result<Self> {
        let folder = stage.folder.join(name);
        fs::create_dir_all(&folder)?;
        let (address, key) = stage.children.launcher.configure(&folder, "")?;
        write_secrets(stage.folder)?;
        let ground = Self { folder, address, key };
        fs::remove_dir_all(ground.merchants())?;
        fs::create_dir(ground.merchants())?;
        Ok(ground)
    }

    /// The folder of the merchants' files.
    pub(super) fn merchants(&self) -> PathBuf {
        self.folder.join("merchants")
    }

    /// Adds merchant `number` with these connections.
    pub(super) fn add(&self, stage: &Stage<'_>, number: u64, connections: &[&str], rest: &str) -> anyhow::Result<()> {
        let id = merchant(number);
        let vendors = &stage.children.launcher.vendors;
        let text = folder::merchant(stage.folder, vendors, &id, connections, rest)?;
        fs::write(self.merchants().join(format!("{id}.toml")), text)?;
        Ok(())
    }

    pub(super) async fn serve(&self, stage: &Stage<'_>) -> anyhow::Result<Running> {
        let launcher = &stage.children.launcher;
        launcher.serve(&self.folder, self.address, self.key.clone()).await
    }

    /// One request; the status of its answer.
    pub(super) async fn post(&self, path: &str, body: &str) -> anyhow::Result<u16> {
        let (key, merchant) = (format!("Bearer {}", self.key), merchant(0));
        let head = head("POST", path, &[("authorization", &key), ("merchant-id", &merchant)]);
        Ok(Connection::open(self.address).await?.call(&head, body).await?.status)
    }

    /// Has the gateway write the customer that is copied; `source` picks its route, and a connection is paused before it.
    pub(super) async fn write_original(
        &self,
        stage: &Stage<'_>,
        source: Option<&str>,
        paused: Option<&str>,
    ) -> anyhow::Result<()> {
        let running = self.serve(stage).await?;
        if let Some(connection) = paused {
            let status = self.connection(connection, "pause").await?;
            ensure!(status == 200, "the connection could not be paused: {status}");
        }
        let status = self.post("/v1/customers", &copies::body(source)).await?;
        running.stop().await;
        let expected = if paused.is_some() { 202 } else { 201 };
        ensure!(status == expected, "the original was answered {status}");
        Ok(())
    }

    pub(super) async fn connection(&self, name: &str, verb: &str) -> anyhow::Result<u16> {
        let path = format!("/v1/connections/{}/{name}/{verb}", merchant(0));
        self.post(&path, "").await
    }

    /// Copies the original to these customers of these merchants.
    pub(super) async fn copy(&self, customers: Range<u64>, merchants: Range<u64>) -> anyhow::Result<()> {
        let needed = (customers.end - customers.start) * BYTES_A_COPY + LEFT_FREE;
        let free = free_bytes(&self.folder).unwrap_or(u64::MAX);
        ensure!(
            free > needed,
            "{customers:?} need {needed} bytes on the disk, and {free} are free"
        );
        let database = self.database();
        tokio::task::spawn_blocking(move || copy(&database, customers, merchants)).await?
    }

    fn database(&self) -> PathBuf {
        self.folder.join("data/gateway.db")
    }

    /// Starts the gateway so often, and lets the last one run.
    pub(super) async fn start(&self, stage: &Stage<'_>, times: usize) -> anyhow::Result<(Running, f64)> {
        let mut took = Vec::with_capacity(times);
        loop {
            let running = self.serve(stage).await?;
            took.push(running.ready_after.as_secs_f64() * 1e3);
            if took.len() >= times {
                return Ok((running, median(took)));
            }
            running.stop().await;
        }
    }
}

/// A gateway over one size, and what its rounds gave.
pub(super) struct Subject {
    pub(super) ground: Ground,
    pub(super) running: Running,
    size: u64,
    started: f64,
    quiet: Option<f64>,
    busy_at_rest: f64,
    at_rest: f64,
    file: u64,
    rounds: Vec<(Arc<Job>, Vec<Sample>)>,
}

impl Subject {
    pub(super) async fn begin(stage: &Stage<'_>, size: u64, ground: Ground, times: usize) -> anyhow::Result<Self> {
        let (running, started) = ground.start(stage, times).await?;
        let quiet = quiet(running.process).await?;
        let busy_at_rest = busy(running.process, AT_REST).await?;
        Ok(Self {
            size,
            started,
            quiet,
            busy_at_rest,
            at_rest: number(resident_bytes(running.process)?),
            file: fs::metadata(ground.database())?.len(),
            rounds: Vec::new(),
            ground,
            running,
        })
    }

    pub(super) fn add(&mut self, job: Arc<Job>) {
        self.rounds.push((job, Vec::new()));
    }

    pub(super) fn grown(&self) -> anyhow::Result<Grown> {
        let mut medians = self.rounds.iter().rev().map(|(_, samples)| Medians::of(samples));
        Ok(Grown {
            size: self.size,
            started: self.started,
            quiet: self.quiet,
            busy_at_rest: self.busy_at_rest,
            at_rest: self.at_rest,
            file: self.file,
            new: medians.next().flatten().context("no round of new customers")?,
            changed: medians.next().flatten(),
            released: None,
        })
    }

    /// Ends it, and leaves nothing of it on the disk.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        self.running.stop().await;
        fs::remove_dir_all(&self.ground.folder)?;
        Ok(())
    }
}

/// A process's share of one core.
async fn busy(process: u32, time: Duration) -> anyhow::Result<f64> {
    let (used, began) = (cpu_time(process)?, Instant::now());
    tokio::time::sleep(time).await;
    let used = cpu_time(process)?.saturating_sub(used);
    Ok(used.as_secs_f64() / began.elapsed().as_secs_f64())
}

/// Seconds until it is quiet: what a gateway goes through after its start is not what its rounds cost.
async fn quiet(process: u32) -> anyhow::Result<Option<f64>> {
    let began = Instant::now();
    while began.elapsed() < QUIET_WITHIN {
        let before = began.elapsed();
        if busy(process, QUIET_FOR).await? < QUIET {
            return Ok(Some(before.as_secs_f64()));
        }
    }
    Ok(None)
}

/// One job after the other, each in rounds that the sizes take in turn. Last comes the one with new customers: it makes the
/// stores greater.
pub(super) async fn in_turn(stage: &Stage<'_>, subjects: &mut [Subject], extent: &Extent) -> anyhow::Result<()> {
    let jobs = subjects.first().map_or(0, |subject| subject.rounds.len());
    for job in 0..jobs {
        // The first round is for warming up.
        for round in 0..=extent.rounds {
            for subject in subjects.iter_mut() {
                stage.children.forget_vendors_records().await?;
                let (job, samples) = &mut subject.rounds[job];
                let vendor = stage.children.vendor.process;
                let (sample, _) = sample(&subject.running, vendor, job, extent.load()).await?;
                if round > 0 {
                    samples.push(sample);
                }
            }
        }
    }
    Ok(())
}
