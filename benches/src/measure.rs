//! The run: every case in turn, in alternating rounds, so that what else the machine does falls on all of them alike.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cases::{Case, PREPARATION};
use crate::children::Children;
use crate::client::head;
use crate::customers::{KNOWN, Numbers};
use crate::disk::syncs_per_second;
use crate::drive::{Driven, Heads, Job, Load, Pace, drive};
use crate::launch::Running;
use crate::process::{cpu_time, resident_bytes};
use crate::programs::Program;
use crate::samples::{Medians, Sample, number};

/// Time for what a program does after its last answer of a round; it counts as the round's.
const SETTLE: Duration = Duration::from_millis(100);
const DISK: Duration = Duration::from_millis(200);

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

/// What the rounds of one case gave, or why there are none.
#[derive(Debug)]
pub struct Measured {
    /// The case.
    pub case: Case,
    /// A sample each round, as far as all went well.
    pub samples: Vec<Sample>,
    /// What went wrong, or why it was not measured.
    pub missing: Option<String>,
}

/// All rounds of all cases under one load.
#[derive(Debug)]
pub struct Section {
    /// Connections.
    pub connections: usize,
    /// Closed or open loop.
    pub pace: Pace,
    /// The cases; the yardstick first.
    pub cases: Vec<Measured>,
    /// The disk's fdatasync a second, once a round.
    pub syncs: Vec<f64>,
}

impl Section {
    /// The medians of a case; none if it was not measured.
    pub fn medians(&self, case: &Case) -> Option<Medians> {
        let measured = self.cases.iter().find(|measured| measured.case == *case)?;
        Medians::of(&measured.samples)
    }
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
            most: 2 * KNOWN,
            tolerant: false,
        };
        let job = job(self.children.gateway()?, PREPARATION, &self.numbers);
        drive(&job, load).await.map(drop)
    }

    /// Measures the cases under this load. One that fails is left out from there on, and says so.
    ///
    /// # Errors
    /// The disk's. The yardstick failed.
    pub async fn section(&self, connections: usize, pace: Pace) -> anyhow::Result<Section> {
        let load = |time| Load {
            connections,
            pace,
            time,
            most: self.extent.most,
            tolerant: false,
        };
        let mut section = Section {
            connections,
            pace,
            cases: self.cases.iter().map(|case| self.beginning(*case)).collect(),
            syncs: Vec::new(),
        };
        for round in 0..=self.extent.rounds {
            // The first is for warming up.
            let is_warm = round > 0;
            if is_warm {
                section.syncs.push(syncs_per_second(self.folder, DISK)?);
            }
            let time = if is_warm {
                self.extent.time
            } else {
                self.extent.time / 4
            };
            for measured in section.cases.iter_mut().filter(|measured| measured.missing.is_none()) {
                match self.sample(measured.case, load(time)).await {
                    Ok(sample) if is_warm => measured.samples.push(sample),
                    Ok(_) => {}
                    Err(error) if measured.case.program == Program::Bare => return Err(error),
                    Err(error) => measured.missing = Some(format!("failed: {error:#}")),
                }
            }
        }
        Ok(section)
    }

    fn beginning(&self, case: Case) -> Measured {
        Measured {
            case,
            samples: Vec::new(),
            missing: self.children.get(case.program).err().map(str::to_owned),
        }
    }

    async fn sample(&self, case: Case, load: Load) -> anyhow::Result<Sample> {
        self.children.forget_vendors_records().await?;
        let program = self.children.running(case.program)?;
        let (sample, _) = sample(
            program,
            self.children.vendor.process,
            &job(program, case, &self.numbers),
            load,
        )
        .await?;
        Ok(sample)
    }
}

/// One round of one job, with what it cost.
///
/// # Errors
/// The program failed, or answered what the case does not expect.
pub async fn sample(program: &Running, vendor: u32, job: &Arc<Job>, load: Load) -> anyhow::Result<(Sample, Driven)> {
    let others = [std::process::id(), vendor];
    let (used, started) = (Used::so_far(program.process, others)?, Instant::now());
    let driven = drive(job, load).await?;
    let took = started.elapsed();
    tokio::time::sleep(SETTLE).await;
    let used = Used::so_far(program.process, others)?.since(used);
    let requests = number(driven.latencies.len());
    let microseconds = |nanoseconds: u64| number(nanoseconds) / 1_000.0;
    let sample = Sample {
        requests,
        rate: requests / driven.elapsed.as_secs_f64(),
        p50: microseconds(driven.latencies.value_at_quantile(0.5)),
        p99: microseconds(driven.latencies.value_at_quantile(0.99)),
        cpu: used.program.as_secs_f64() * 1e6,
        busy: used.program.as_secs_f64() / took.as_secs_f64(),
        load_busy: used.others.as_secs_f64() / took.as_secs_f64(),
        memory: number(resident_bytes(program.process)?),
    };
    Ok((sample, driven))
}

/// What is asked of a program in a case.
pub fn job(program: &Running, case: Case, numbers: &Numbers) -> Arc<Job> {
    job_of(program, case, [case.merchant], numbers)
}

/// The same on behalf of these merchants in turn.
pub fn job_of<'a>(
    program: &Running,
    case: Case,
    merchants: impl IntoIterator<Item = &'a str>,
    numbers: &Numbers,
) -> Arc<Job> {
    let key = format!("Bearer {}", program.key);
    let head = |merchant| match case.program {
        Program::Gateway => head("POST", case.path, &[("authorization", &key), ("merchant-id", merchant)]),
        _ => head("POST", case.path, &[]),
    };
    Arc::new(Job {
        addresses: vec![program.address],
        heads: Heads::new(merchants.into_iter().map(head).collect()),
        case,
        numbers: numbers.clone(),
    })
}

/// CPU time of the program under test, and of the generator and the vendor together.
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
