//! The gateway on SQLite and on PostgreSQL, there with one process and with several, side by side.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use upsert_testkit::postgres::Server;

use crate::cases::{CHANGED, Case, NEW, PREPARATION, UNCHANGED};
use crate::client::head;
use crate::customers::{KNOWN, Numbers};
use crate::drive::{Heads, Job, Load, Pace, drive};
use crate::launch::{Launcher, Running};
use crate::measure::Extent;
use crate::process::{cpu_time, family_cpu_time, resident_bytes};
use crate::samples::{Medians, Sample, number};
use crate::scenes::Stage;
use crate::sheet::Sheet;

const HEADER: [&str; 9] = [
    "",
    "requests/s",
    "× SQLite",
    "p50 µs",
    "p99 µs",
    "CPU µs/request, gateways",
    "CPU µs/request, database",
    "both × SQLite",
    "MB, gateways",
];

/// How many processes over one database.
const PROCESSES: [usize; 3] = [1, 2, 4];

/// Time for what the programs do after the last answer of a round; it counts as the round's.
const SETTLE: Duration = Duration::from_millis(100);

/// One or several gateways over one store of their own.
struct Place {
    name: String,
    gateways: Vec<Running>,
    database: Option<Server>,
}

impl Place {
    async fn on_a_file(launcher: &Launcher, folder: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            name: "SQLite, 1 process".to_owned(),
            gateways: launcher.replicas(1, &folder.join("on-a-file"), None).await?,
            database: None,
        })
    }

    async fn on_postgres(launcher: &Launcher, folder: &Path, count: usize) -> anyhow::Result<Self> {
        let database = Server::new("max_connections=200", |_| {});
        let processes = if count == 1 { "process" } else { "processes" };
        let folder = folder.join(format!("on-postgres-{count}"));
        Ok(Self {
            name: format!("PostgreSQL, {count} {processes}"),
            gateways: launcher.replicas(count, &folder, Some(&database.url())).await?,
            database: Some(database),
        })
    }

    /// What the gateways and the database have used so far.
    fn used(&self) -> anyhow::Result<[Duration; 2]> {
        let mut gateways = Duration::ZERO;
        for gateway in &self.gateways {
            gateways += cpu_time(gateway.process)?;
        }
        let process = self.database.as_ref().and_then(Server::process);
        Ok([gateways, process.map_or(Ok(Duration::ZERO), family_cpu_time)?])
    }

    fn memory(&self) -> anyhow::Result<u64> {
        self.gateways
            .iter()
            .map(|gateway| resident_bytes(gateway.process))
            .sum()
    }

    fn job(&self, case: Case, numbers: &Numbers) -> Arc<Job> {
        let key = self.gateways.first().map(|gateway| format!("Bearer {}", gateway.key));
        let key = key.unwrap_or_default();
        let head = head(
            "POST",
            case.path,
            &[("authorization", &key), ("merchant-id", case.merchant)],
        );
        Arc::new(Job {
            addresses: self.gateways.iter().map(|gateway| gateway.address).collect(),
            heads: Heads::new(vec![head]),
            case,
            numbers: numbers.clone(),
        })
    }

    async fn round(&self, case: Case, load: Load, numbers: &Numbers) -> anyhow::Result<Round> {
        let (before, began) = (self.used()?, Instant::now());
        let driven = drive(&self.job(case, numbers), load).await?;
        let took = began.elapsed();
        tokio::time::sleep(SETTLE).await;
        let after = self.used()?;
        let [gateways, database] = [0, 1].map(|of: usize| {
            let used = after.get(of).zip(before.get(of));
            used.map_or(0.0, |(after, before)| after.saturating_sub(*before).as_secs_f64())
        });
        let microseconds = |quantile| number(driven.latencies.value_at_quantile(quantile)) / 1_000.0;
        let requests = number(driven.latencies.len());
        Ok(Round {
            sample: Sample {
                requests,
                rate: requests / driven.elapsed.as_secs_f64(),
                p50: microseconds(0.5),
                p99: microseconds(0.99),
                cpu: gateways * 1e6,
                busy: gateways / took.as_secs_f64(),
                load_busy: 0.0,
                memory: number(self.memory()?),
            },
            database: database * 1e6,
        })
    }
}

/// One round, with what the database used in it, in microseconds.
struct Round {
    sample: Sample,
    database: f64,
}

/// Plays it: a table for each case and number of connections.
///
/// # Errors
/// A gateway or a database does not start, or an answer is not what the case expects.
pub async fn play(stage: &Stage<'_>, connections: &[usize], extent: Extent) -> anyhow::Result<Vec<Sheet>> {
    let launcher = &stage.children.launcher;
    let mut places = vec![Place::on_a_file(launcher, stage.folder).await?];
    for count in PROCESSES {
        places.push(Place::on_postgres(launcher, stage.folder, count).await?);
    }
    for place in &places {
        let load = load(16, Duration::from_secs(60), 2 * KNOWN);
        let known = drive(&place.job(PREPARATION, &stage.numbers), load).await;
        known.with_context(|| format!("{}: customers could not be made", place.name))?;
    }
    let mut sheets = Vec::new();
    for case in [NEW, CHANGED, UNCHANGED] {
        for connections in connections {
            sheets.push(section(stage, &places, case, *connections, extent).await?);
        }
    }
    for place in places {
        for gateway in place.gateways {
            gateway.stop().await;
        }
    }
    Ok(sheets)
}

const fn load(connections: usize, time: Duration, most: u64) -> Load {
    Load {
        connections,
        pace: Pace::Closed,
        time,
        most,
        tolerant: false,
    }
}

async fn section(
    stage: &Stage<'_>,
    places: &[Place],
    case: Case,
    connections: usize,
    extent: Extent,
) -> anyhow::Result<Sheet> {
    let mut rounds: Vec<Vec<Round>> = places.iter().map(|_| Vec::new()).collect();
    for turn in 0..=extent.rounds {
        // The first is for warming up.
        let time = if turn == 0 { extent.time / 4 } else { extent.time };
        for (place, rounds) in places.iter().zip(&mut rounds) {
            stage.children.forget_vendors_records().await?;
            let round = place
                .round(case, load(connections, time, extent.most), &stage.numbers)
                .await;
            let round = round.with_context(|| format!("{}, {}", case.name, place.name))?;
            if turn > 0 {
                rounds.push(round);
            }
        }
    }
    let title = format!("{}, {connections} in flight, as fast as answers come", case.name);
    let mut sheet = Sheet::new(title, "", &HEADER);
    let figures: Vec<(Medians, f64)> = rounds.iter().filter_map(|rounds| figures(rounds)).collect();
    let first = figures.first().copied().context("no round")?;
    for (place, figures) in places.iter().zip(figures) {
        sheet.rows.push(row(&place.name, figures, first));
    }
    Ok(sheet)
}

/// Medians, and the database's CPU a request in microseconds.
fn figures(rounds: &[Round]) -> Option<(Medians, f64)> {
    let samples: Vec<Sample> = rounds.iter().map(|round| round.sample).collect();
    let requests: f64 = samples.iter().map(|sample| sample.requests).sum();
    let database: f64 = rounds.iter().map(|round| round.database).sum();
    Some((Medians::of(&samples)?, database / requests))
}

fn row(name: &str, (medians, database): (Medians, f64), (first, firsts_database): (Medians, f64)) -> Vec<String> {
    vec![
        name.to_owned(),
        format!("{:.0}", medians.rate),
        format!("{:.2}", medians.rate / first.rate),
        format!("{:.0}", medians.p50),
        format!("{:.0}", medians.p99),
        format!("{:.1}", medians.cpu),
        format!("{database:.1}"),
        format!("{:.2}", (medians.cpu + database) / (first.cpu + firsts_database)),
        format!("{:.0}", medians.memory / 1e6),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::sample;

    #[test]
    fn a_row_holds_gateways_and_database_together_against_sqlite() {
        let round = |cpu, database| Round {
            sample: sample(100.0, cpu),
            database,
        };
        let sqlite = figures(&[round(50.0, 0.0), round(150.0, 0.0)]).unwrap();
        let postgres = figures(&[round(150.0, 50.0)]).unwrap();
        let row = row("PostgreSQL", postgres, sqlite);
        assert_eq!(row[5..8], ["150.0", "50.0", "2.00"]);
        assert!(figures(&[]).is_none());
    }
}
