//! The gateway's own `import` of a file of new customers, each once at the vendor: rows a second.

use std::fmt::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::process::Command;

use crate::backlog;
use crate::folder::ONE;
use crate::launch::{Running, program};
use crate::memory::Memory;
use crate::process::cpu_time;
use crate::sample;
use crate::samples::{median, number};
use crate::scenes::Stage;
use crate::sheet::Sheet;
use crate::vendor;

const PATIENCE: Duration = Duration::from_secs(120);

/// How much.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Files, each of new customers.
    pub rounds: usize,
    /// Rows of a file.
    pub rows: u64,
}

/// What the import of one file gave.
#[derive(Debug, Clone, Copy)]
pub struct Imported {
    /// Rows a second until the last one was answered: the gateway has them safe.
    pub accepted: f64,
    /// Rows a second until the vendor had the last one.
    pub delivered: f64,
    /// CPU time of the gateway a row, in microseconds.
    pub cpu: f64,
    /// The gateway's memory at the most, in bytes.
    pub memory: f64,
}

/// Imports one file after the other; medians.
///
/// # Errors
/// An import failed, or the vendor does not hold every row once.
pub async fn play(stage: &Stage<'_>, extent: Extent) -> anyhow::Result<Imported> {
    let gateway = stage.gateway("import", "").await?;
    let mut all = Vec::with_capacity(extent.rounds);
    for round in 0..extent.rounds {
        all.push(import(stage, &gateway, round, extent.rows).await?);
    }
    gateway.stop().await;
    let of = |value: fn(&Imported) -> f64| median(all.iter().map(value).collect());
    Ok(Imported {
        accepted: of(|one| one.accepted),
        delivered: of(|one| one.delivered),
        cpu: of(|one| one.cpu),
        memory: of(|one| one.memory),
    })
}

async fn import(stage: &Stage<'_>, gateway: &Running, round: usize, rows: u64) -> anyhow::Result<Imported> {
    let first = stage.numbers.take(rows);
    let mut text = String::new();
    for number in first..first + rows {
        writeln!(text, "{}", sample::body(number))?;
    }
    let file = stage.folder.join(format!("import-{round}.ndjson"));
    std::fs::write(&file, text)?;
    let vendors = &stage.children.launcher.vendors;
    vendor::control(vendors.add_update, "reset", "").await?;

    let (used, memory, began) = (
        cpu_time(gateway.process)?,
        Memory::watch(gateway.process),
        Instant::now(),
    );
    let mut command = Command::new(program(&stage.children.launcher.programs, "upsert-gateway")?);
    command.arg("import").arg(&file).args(["--merchant", ONE, "--json"]);
    command.env("UPSERT_GATEWAY_URL", format!("http://{}", gateway.address));
    command.env("UPSERT_GATEWAY_KEY", &gateway.key).kill_on_drop(true);
    let ended = command.stdin(Stdio::null()).output().await?;
    let told = String::from_utf8_lossy(&ended.stderr);
    anyhow::ensure!(ended.status.success(), "the import ended with {}: {told}", ended.status);
    let accepted = began.elapsed();
    let settled = backlog::settled(gateway.address, &gateway.key, PATIENCE).await?;
    settled.context("what was imported did not reach the vendor in time")?;
    let delivered = began.elapsed();

    let counts = vendor::control(vendors.add_update, "counts", "").await?;
    anyhow::ensure!(
        counts.records == rows && counts.duplicates == 0,
        "{rows} rows, but the vendor holds {counts:?}"
    );
    let cpu = cpu_time(gateway.process)?.saturating_sub(used);
    Ok(Imported {
        accepted: number(rows) / accepted.as_secs_f64(),
        delivered: number(rows) / delivered.as_secs_f64(),
        cpu: cpu.as_secs_f64() * 1e6 / number(rows),
        memory: number(memory.most()),
    })
}

/// The table.
pub fn sheet(imported: &Imported, extent: Extent) -> Sheet {
    let note = format!(
        "Medians of {} files of {} new customers each, by `upsert-gateway import` into a gateway with one connection. After each, \
         the vendor holds every row once.",
        extent.rounds, extent.rows
    );
    let header = [
        "",
        "rows/s accepted",
        "rows/s at the vendor",
        "CPU µs/row",
        "MB at the most",
    ];
    let mut sheet = Sheet::new("Import", note, &header);
    sheet.rows.push(vec![
        "gateway: import, 1 connection".to_owned(),
        format!("{:.0}", imported.accepted),
        format!("{:.0}", imported.delivered),
        format!("{:.1}", imported.cpu),
        format!("{:.0}", imported.memory / 1e6),
    ]);
    sheet
}
