//! `upsert-simulators`: the three vendors as a process, for `docker-compose.yml` and for load.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use upsert_simulators::{
    AprilCredential, FAULTS_HELP, Hook, JournalDepth, RotorKey, Running, Simulator, SimulatorOptions, Vendor, control,
};

/// Stateful fakes of the vendors. Each listens where its option says; control of each under /__sim/ there.
#[derive(Parser)]
#[command(version, after_help = FAULTS_HELP)]
struct Arguments {
    /// Where Rotor listens, such as 127.0.0.1:4101
    #[arg(long, value_name = "ADDRESS")]
    rotor: Option<SocketAddr>,
    /// Where add-update listens
    #[arg(long, value_name = "ADDRESS")]
    add_update: Option<SocketAddr>,
    /// Where April listens
    #[arg(long, value_name = "ADDRESS")]
    april: Option<SocketAddr>,
    /// A Rotor key with its company; may be repeated [default: rotor_sim_secret=company-1]
    #[arg(long, value_name = "KEY=COMPANY", value_parser = pair)]
    rotor_key: Vec<(String, String)>,
    /// A key of add-update; may be repeated [default: sim-key]
    #[arg(long, value_name = "KEY")]
    add_update_key: Vec<String>,
    /// A secret key of April with its merchant; may be repeated [default: sandbox_sk_sim=mcht_acme]
    #[arg(long, value_name = "KEY=MERCHANT", value_parser = pair)]
    april_secret_key: Vec<(String, String)>,
    /// A marketplace key of April; may be repeated [default: sandbox_api_sim]
    #[arg(long, value_name = "KEY")]
    april_marketplace_key: Vec<String>,
    /// Rotor's requests per key and day; 0 for no limit
    #[arg(long, default_value_t = 1000)]
    daily_limit: u64,
    /// Time between look-up and insert; 0 for none
    #[arg(long, default_value_t = 3)]
    race_window_millis: u64,
    /// How much of the journal is kept
    #[arg(long, value_enum, default_value_t = Depth::Last)]
    journal: Depth,
    /// Threads that answer, for each vendor
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// A JSON file with the hooks of each: {"rotor": [{"url": …, "secret": …}], "add_update": […], "april": […]}
    #[arg(long, value_name = "FILE")]
    hooks: Option<PathBuf>,
    /// For load: no race window, no daily limit, a journal that only counts
    #[arg(long)]
    quick: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Depth {
    /// Every request
    All,
    /// The last ten thousand
    Last,
    /// Totals only
    Count,
}

#[actix_web::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("upsert-simulators: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> std::io::Result<()> {
    // Before anything listens, so that a signal right after the start is not lost.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let wanted = [
        (Vendor::Rotor, arguments.rotor),
        (Vendor::AddUpdate, arguments.add_update),
        (Vendor::April, arguments.april),
    ];
    let mut hooks = arguments
        .hooks
        .as_deref()
        .map(hooks_in)
        .transpose()?
        .unwrap_or_default();
    let mut running: Vec<Running> = Vec::new();
    for (vendor, listen) in wanted {
        let Some(listen) = listen else { continue };
        let simulator = Simulator::start(
            vendor,
            SimulatorOptions {
                listen,
                hooks: hooks.remove(&vendor).unwrap_or_default(),
                ..options(arguments)
            },
        )?;
        eprintln!(
            "{vendor:?}: {} (control: {}{})",
            simulator.base_url(),
            simulator.address(),
            control::PREFIX
        );
        running.push(simulator);
    }
    if running.is_empty() {
        return Err(std::io::Error::other(
            "nothing to start: name at least one of --rotor, --add-update, --april",
        ));
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    for simulator in running {
        simulator.stop().await;
    }
    Ok(())
}

fn hooks_in(file: &Path) -> std::io::Result<HashMap<Vendor, Vec<Hook>>> {
    let named = |problem: String| std::io::Error::other(format!("{}: {problem}", file.display()));
    let text = std::fs::read(file).map_err(|error| named(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| named(error.to_string()))
}

fn options(arguments: &Arguments) -> SimulatorOptions {
    let mut options = SimulatorOptions {
        workers: arguments.workers,
        ..SimulatorOptions::default()
    };
    options.race_window = Duration::from_millis(arguments.race_window_millis);
    options.journal = match arguments.journal {
        Depth::All => JournalDepth::All,
        Depth::Last => JournalDepth::Last(10_000),
        Depth::Count => JournalDepth::CountOnly,
    };
    options.rotor.daily_limit = Some(arguments.daily_limit).filter(|limit| *limit > 0);
    if arguments.quick {
        options.race_window = Duration::ZERO;
        options.journal = JournalDepth::CountOnly;
        options.rotor.daily_limit = None;
    }
    if !arguments.rotor_key.is_empty() {
        options.rotor.keys = arguments
            .rotor_key
            .iter()
            .map(|(key, company)| RotorKey::new(key, company))
            .collect();
    }
    if !arguments.add_update_key.is_empty() {
        options.add_update.keys.clone_from(&arguments.add_update_key);
    }
    if !arguments.april_secret_key.is_empty() || !arguments.april_marketplace_key.is_empty() {
        options.april.credentials = april_credentials(arguments);
    }
    options
}

fn april_credentials(arguments: &Arguments) -> Vec<AprilCredential> {
    let secret = arguments.april_secret_key.iter().cloned();
    let marketplace = arguments.april_marketplace_key.iter().cloned();
    secret
        .map(|(token, merchant)| AprilCredential::Secret { token, merchant })
        .chain(marketplace.map(|token| AprilCredential::Marketplace {
            token,
            merchants: Vec::new(),
        }))
        .collect()
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, owner) = text.split_once('=').ok_or("expected KEY=OWNER")?;
    Ok((key.to_owned(), owner.to_owned()))
}
