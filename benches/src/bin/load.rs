//! `upsert-bench-load`: loads the running gateway beside a bare handler doing the same call, and prints one table a load.
#![expect(clippy::print_stdout, reason = "a tool that prints")]

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use upsert_benches::cases::{Numbers, named};
use upsert_benches::children::Children;
use upsert_benches::drive::Pace;
use upsert_benches::measure::{Extent, Run};
use upsert_benches::pinning::Pinning;
use upsert_benches::process::resident_bytes;
use upsert_benches::report;

/// Loads the gateway and a bare handler in turn, against simulated vendors, on 127.0.0.1
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Keep-alive connections; several: one table each
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "64,1")]
    connections: Vec<usize>,
    /// Requests a second of the open loop, over the first number of connections; 0 for none
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    rate: u32,
    /// Rounds of each case
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Length of a round, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    time: u64,
    /// Requests of a round at the most
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    most: u64,
    /// Measure only the cases whose names contain this, beside the yardstick
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    only: String,
    /// Where the gateway's store and the disk's measurement go [default: beside the programs]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Leave the programs to the kernel's scheduler
    #[arg(long)]
    no_pinning: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // Whichever way this ends, the children are killed when they are dropped.
    tokio::select! {
        outcome = run(arguments) => outcome,
        _ = terminate.recv() => anyhow::bail!("told to stop"),
        _ = interrupt.recv() => anyhow::bail!("told to stop"),
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let programs = std::env::current_exe()?;
    let programs = programs.parent().context("this program lies in no folder")?;
    let folder = arguments.folder.as_deref().unwrap_or(programs);
    let folder = tempfile::Builder::new().prefix("bench-load-").tempdir_in(folder)?;
    let pinning = if arguments.no_pinning {
        Pinning::None
    } else {
        Pinning::begin()
    };
    let children = Children::start(programs, folder.path(), pinning).await?;
    println!("{}", preface(&arguments, pinning));
    for (name, program) in [("bare handler", &children.bare), ("gateway", &children.gateway)] {
        let memory = resident_bytes(program.process)?;
        println!("{}", report::start(name, program.ready_after, memory));
    }
    println!();
    let run = Run {
        children: &children,
        cases: named(&arguments.only),
        extent: Extent {
            rounds: arguments.rounds.max(1),
            time: Duration::from_millis(arguments.time),
            most: arguments.most,
        },
        folder: folder.path(),
        numbers: Numbers::default(),
    };
    run.prepare().await?;
    for connections in &arguments.connections {
        println!("{}", report::section(&run.section(*connections, Pace::Closed).await?));
    }
    if let Some(connections) = arguments.connections.first().filter(|_| arguments.rate > 0) {
        let pace = Pace::Open {
            per_second: arguments.rate,
        };
        println!("{}", report::section(&run.section(*connections, pace).await?));
    }
    children.stop().await;
    Ok(())
}

fn preface(arguments: &Arguments, pinning: Pinning) -> String {
    let cores = match pinning {
        Pinning::TwoCores => "load and vendors on core 0, the program under test on core 1",
        Pinning::None => "no pinning",
    };
    format!(
        "Medians of {} alternating rounds of {} ms; {cores}. Only ratios within one table mean anything.",
        arguments.rounds, arguments.time
    )
}
