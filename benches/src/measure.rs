//! The run: every case in turn, in alternating rounds, so that what else the machine does falls on all of them alike.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cases::{Case, KNOWN, Numbers, PREPARATION, Program};
use crate::children::{Children, Running};
use crate::client::head;
use crate::disk::syncs_per_second;
use crate::drive::{Job, Load, Pace, drive};
use crate::process::{cpu_time, resident_bytes};

/// Time for what a program does after its last answer of a round; it counts as the round's.
const SETTLE: Duration = Duration::from_millis(100);
const WARM_UP: Duration = Duration::from_millis(300);
const DISK: Duration = Duration::from_millis(300);

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Rounds of each case; the table shows medians.
    pub rounds: usize,
    /// Length of a round.
    pub time: Duration,
    /// Requests of a round at the most.
    pub most: u64,
}

/// What one round of one case gave.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Requests a second.
    pub rate: f64,
    /// Latencies in microseconds: the median, and what 99 in 100 keep.
    pub p50: f64,
    /// See `p50`.
    pub p99: f64,
    /// CPU time of the program per request, in microseconds.
    pub cpu: f64,
    /// Its share of one core.
    pub busy: f64,
    /// Share of one core that the generator and the simulators took.
    pub load_busy: f64,
    /// Memory of the program at the end of the round, in bytes.
    pub memory: f64,
}

/// All rounds of all cases under one load.
#[derive(Debug)]
pub struct Section {
    /// Connections.
    pub connections: usize,
    /// Closed or open loop.
    pub pace: Pace,
    /// Each case with what its rounds gave; the yardstick first.
    pub samples: Vec<(Case, Vec<Sample>)>,
    /// The disk's fdatasync a second, once a round.
    pub syncs: Vec<f64>,
}

/// One run over started programs.
#[derive(Debug)]
pub struct Run<'a> {
    /// What is running.
    pub children: &'a Children,
    /// What is measured, the yardstick first.
    pub cases: Vec<Case>,
    /// How long and how often.
    pub extent: Extent,
    /// A folder on the disk that the gateway's store is on.
    pub folder: &'a Path,
    /// Customers' numbers.
    pub numbers: Numbers,
}

impl Run<'_> {
    /// Makes the known customers known.
    ///
    /// # Errors
    /// One of them was refused.
    pub async fn prepare(&self) -> anyhow::Result<()> {
        let load = Load {
            connections: 16,
            pace: Pace::Closed,
            time: Duration::from_secs(60),
            most: KNOWN,
        };
        drive(&self.job(PREPARATION), load).await.map(drop)
    }

    /// Measures the cases under this load.
    ///
    /// # Errors
    /// A program failed, or answered what the case does not expect.
    pub async fn section(&self, connections: usize, pace: Pace) -> anyhow::Result<Section> {
        let load = |time| Load {
            connections,
            pace,
            time,
            most: self.extent.most,
        };
        for case in &self.cases {
            drive(&self.job(*case), load(WARM_UP)).await?;
        }
        let mut section = Section {
            connections,
            pace,
            samples: self.cases.iter().map(|case| (*case, Vec::new())).collect(),
            syncs: Vec::new(),
        };
        for _ in 0..self.extent.rounds {
            section.syncs.push(syncs_per_second(self.folder, DISK)?);
            for (case, samples) in &mut section.samples {
                samples.push(self.sample(*case, load(self.extent.time)).await?);
            }
        }
        Ok(section)
    }

    async fn sample(&self, case: Case, load: Load) -> anyhow::Result<Sample> {
        self.children.forget_vendors_records().await?;
        let process = self.program(case).process;
        let others = [std::process::id(), self.children.simulators.process];
        let (used, started) = (Used::so_far(process, others)?, Instant::now());
        let driven = drive(&self.job(case), load).await?;
        let took = started.elapsed();
        tokio::time::sleep(SETTLE).await;
        let used = Used::so_far(process, others)?.since(used);
        let requests = number(driven.latencies.len());
        let microseconds = |nanoseconds: u64| number(nanoseconds) / 1_000.0;
        Ok(Sample {
            rate: requests / driven.elapsed.as_secs_f64(),
            p50: microseconds(driven.latencies.value_at_quantile(0.5)),
            p99: microseconds(driven.latencies.value_at_quantile(0.99)),
            cpu: used.program.as_secs_f64() * 1e6 / requests,
            busy: used.program.as_secs_f64() / took.as_secs_f64(),
            load_busy: used.others.as_secs_f64() / took.as_secs_f64(),
            memory: number(resident_bytes(process)?),
        })
    }

    fn program(&self, case: Case) -> &Running {
        match case.program {
            Program::Bare => &self.children.bare,
            Program::Gateway => &self.children.gateway,
        }
    }

    fn job(&self, case: Case) -> Arc<Job> {
        let key = format!("Bearer {}", self.children.key);
        let headers: &[(&str, &str)] = match case.program {
            Program::Bare => &[],
            Program::Gateway => &[("authorization", &key), ("merchant-id", case.merchant)],
        };
        Arc::new(Job {
            address: self.program(case).address,
            head: head("POST", "/v1/customers", headers),
            case,
            numbers: self.numbers.clone(),
        })
    }
}

/// CPU time of the program under test, and of the generator and the simulators together.
#[derive(Clone, Copy)]
struct Used {
    program: Duration,
    others: Duration,
}

impl Used {
    fn so_far(program: u32, others: [u32; 2]) -> anyhow::Result<Self> {
        Ok(Self {
            program: cpu_time(program)?,
            others: cpu_time(others[0])? + cpu_time(others[1])?,
        })
    }

    fn since(self, before: Self) -> Self {
        Self {
            program: self.program.saturating_sub(before.program),
            others: self.others.saturating_sub(before.others),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts and nanoseconds far below 2^53")]
fn number(value: u64) -> f64 {
    value as f64
}
