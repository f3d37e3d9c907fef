//! `upsert-bench-merchants`: what the number of merchants in the store costs a start and an upsert. Prints one table.
#![expect(clippy::print_stdout, reason = "a tool that prints")]

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser;
use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use hdrhistogram::Histogram;

use upsert_benches::launch::Running;
use upsert_benches::memory::Memory;
use upsert_benches::process::cpu_time;
use upsert_benches::samples::number;
use upsert_benches::stored::{IN_A_FILE, Stage, id};

/// Puts merchants over the API, and measures starts and upserts without and with them, on 127.0.0.1
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Merchants in the store
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    merchants: u64,
    /// Upserts that are timed, each for another merchant where it is for those in the store
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    upserts: u64,
    /// Where the gateway's store goes [default: beside the programs]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let programs = std::env::current_exe()?;
    let programs = programs.parent().context("this program lies in no folder")?;
    let folder = arguments.folder.as_deref().unwrap_or(programs);
    let folder = tempfile::Builder::new().prefix("bench-merchants-").tempdir_in(folder)?;
    let stage = Arc::new(Stage::set(programs, folder.path()).await?);
    let mut table = Table::new();
    let header = [
        "merchants in the store",
        "ready after ms",
        "MB",
        "upserts",
        "CPU µs",
        "p50 µs",
        "p99 µs",
    ];
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(header);

    let gateway = stage.serve().await?;
    in_a_file(&stage, &gateway, 0, arguments.upserts, &mut table).await?;
    let took = stage.put(arguments.merchants).await?;
    println!(
        "{} merchants were put in {:.1} s",
        arguments.merchants,
        took.as_secs_f64()
    );
    gateway.stop().await;

    let gateway = stage.serve().await?;
    in_a_file(&stage, &gateway, arguments.merchants, arguments.upserts, &mut table).await?;
    let spread = (arguments.merchants / arguments.upserts).max(1);
    for what in ["in the store, the first of each", "in the store, the second of each"] {
        let ids = (0..arguments.upserts.min(arguments.merchants)).map(|number| id(number * spread));
        let memory = Memory::watch(gateway.process);
        let (took, cpu) = timed(&stage, &gateway, ids).await?;
        table.add_row([
            arguments.merchants.to_string(),
            "-".to_owned(),
            (memory.most() / 1_000_000).to_string(),
            what.to_owned(),
            format!("{cpu:.0}"),
            took.value_at_quantile(0.5).to_string(),
            took.value_at_quantile(0.99).to_string(),
        ]);
    }
    gateway.stop().await;
    println!("{table}");
    Ok(())
}

async fn in_a_file(
    stage: &Stage,
    gateway: &Running,
    merchants: u64,
    upserts: u64,
    table: &mut Table,
) -> anyhow::Result<()> {
    let memory = Memory::watch(gateway.process);
    let (took, cpu) = timed(stage, gateway, (0..upserts).map(|_| IN_A_FILE.to_owned())).await?;
    table.add_row([
        merchants.to_string(),
        gateway.ready_after.as_millis().to_string(),
        (memory.most() / 1_000_000).to_string(),
        "of a merchant in a file".to_owned(),
        format!("{cpu:.0}"),
        took.value_at_quantile(0.5).to_string(),
        took.value_at_quantile(0.99).to_string(),
    ]);
    Ok(())
}

/// How long each upsert took in microseconds, and how much CPU each cost, in microseconds too.
async fn timed(
    stage: &Stage,
    gateway: &Running,
    merchants: impl Iterator<Item = String>,
) -> anyhow::Result<(Histogram<u64>, f64)> {
    let before = cpu_time(gateway.process)?;
    let took = stage.upsert(merchants).await?;
    let used = cpu_time(gateway.process)?.saturating_sub(before);
    let each = used.as_secs_f64() * 1e6 / number(took.len());
    Ok((took, each))
}
