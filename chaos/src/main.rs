//! `upsert-chaos`: the runs, and the fault proxy as a process. `scripts/chaos` builds what it needs and starts it.

#![expect(clippy::print_stdout, reason = "what it prints is for people")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use upsert_chaos::hostile::Plan;
use upsert_chaos::hostile::attack::Attack;
use upsert_chaos::hostile::sheet::{self, Sheet};
use upsert_chaos::hot::Hot;
use upsert_chaos::proxy::{FaultProxy, ProxyOptions};
use upsert_chaos::runs::{
    Places, Report, database, duplicates, hot, kills, points, replicas, rolling, termination, told,
};
use upsert_chaos::{revocations, seeds};
use upsert_core::crash_point;

/// A real gateway under fire, and whether it kept its word.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// kill -9 at random moments under load, in rough weather
    Kills(RunArguments),
    /// Die at each named crash point
    Points(RunArguments),
    /// Parallel duplicates with connections that are reset
    Duplicates(RunArguments),
    /// Told to end under load
    Termination(RunArguments),
    /// kill -9 at random moments while a system of the merchant's is told of every upsert
    Told(RunArguments),
    /// Several gateways over one database: killed, frozen, cut off from it, and the database crashed
    Replicas(RunArguments),
    /// Several gateways are restarted one after the other under a steady load, and nobody who calls notices
    Rolling(RunArguments),
    /// The database of gateways under load crashes and comes back
    Database(RunArguments),
    /// Very many upserts of few customers, with gateways that are killed and frozen
    Hot(RunArguments),
    /// All of them
    All(RunArguments),
    /// A TCP proxy with faults on demand
    Proxy(ProxyArguments),
    /// Many who have no key, and mean no good
    Hostile(HostileArguments),
    /// Keys, connections, credentials and endpoints are taken away under load
    Revocations(RevocationsArguments),
}

#[derive(Args, Clone)]
struct RunArguments {
    /// Makes the same choices again [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// At least so many kills
    #[arg(long, default_value_t = 60)]
    kills: u32,
    /// At least so long, in minutes: further rounds with further seeds
    #[arg(long, default_value_t = 0)]
    minutes: u64,
    /// So many seeds for each crash point
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// Only crash points with this in their name
    #[arg(long, default_value = "")]
    point: String,
    /// `rolling` and `database`: so many restarts
    #[arg(long, default_value_t = 20)]
    restarts: u32,
    /// `rolling` and `database`: so many requests a second [default: 200, 100]
    #[arg(long)]
    per_second: Option<u32>,
    /// `rolling`, `database` and `hot`: so many gateways [default: 3, 2, 3]
    #[arg(long)]
    gateways: Option<usize>,
    /// `hot`: so many upserts
    #[arg(long, default_value_t = 50_000)]
    upserts: u64,
    /// `hot`: of so many customers
    #[arg(long, default_value_t = 100)]
    customers: u64,
    /// The program upsert-gateway, built with crash-points
    #[arg(long, default_value = "target/debug/upsert-gateway")]
    gateway: PathBuf,
    /// Where the folders of runs are made
    #[arg(long, default_value = "target/chaos")]
    folder: PathBuf,
    /// Where seeds of failed runs are kept
    #[arg(long, default_value = "chaos/seeds.txt")]
    remember: PathBuf,
}

#[derive(Args)]
struct ProxyArguments {
    /// Where it listens
    #[arg(long)]
    listen: SocketAddr,
    /// Where it passes everything on to
    #[arg(long)]
    upstream: SocketAddr,
    /// Where it takes orders: a line of JSON sets the odds, an empty line asks what has struck
    #[arg(long)]
    control: SocketAddr,
    /// Seed of its dice
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Args)]
struct HostileArguments {
    /// So many hostile connections an attack
    #[arg(long, default_value_t = 8_000)]
    connections: usize,
    /// How many files a gateway may have open; as many as this process, and then these
    #[arg(long, default_value_t = 1_024)]
    files: u64,
    /// The program upsert-gateway
    #[arg(long, default_value = "target/release/upsert-gateway")]
    gateway: PathBuf,
    /// The page whose matrix is written anew [default: none, it is printed]
    #[arg(long)]
    page: Option<PathBuf>,
}

#[derive(Args)]
struct RevocationsArguments {
    /// At least so many
    #[arg(long, default_value_t = 500)]
    revocations: usize,
    /// So many merchants, each with a key, a connection and an endpoint
    #[arg(long, default_value_t = 16)]
    merchants: usize,
    /// Makes the same choices again [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// The program upsert-gateway
    #[arg(long, default_value = "target/debug/upsert-gateway")]
    gateway: PathBuf,
    /// Where the run's folder is made
    #[arg(long, default_value = "target/revocations")]
    folder: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Kills(arguments) => Session::new(arguments).run(&["kills"]).await,
        Command::Points(arguments) => Session::new(arguments).run(&["points"]).await,
        Command::Duplicates(arguments) => Session::new(arguments).run(&["duplicates"]).await,
        Command::Termination(arguments) => Session::new(arguments).run(&["termination"]).await,
        Command::Told(arguments) => Session::new(arguments).run(&["told"]).await,
        Command::Replicas(arguments) => Session::new(arguments).run(&["replicas"]).await,
        Command::Rolling(arguments) => Session::new(arguments).run(&["rolling"]).await,
        Command::Database(arguments) => Session::new(arguments).run(&["database"]).await,
        Command::Hot(arguments) => Session::new(arguments).run(&["hot"]).await,
        Command::All(arguments) => {
            let all: Vec<&str> = seeds::RUNS.into_iter().chain(["points"]).collect();
            Session::new(arguments).run(&all).await
        }
        Command::Proxy(arguments) => proxy(&arguments).await,
        Command::Hostile(arguments) => hostile(&arguments).await,
        Command::Revocations(arguments) => revocations(&arguments).await,
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("upsert-chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// How long callers are measured where nobody attacks.
const CALM: Duration = Duration::from_secs(3);

/// Whether every connection was cut.
async fn hostile(arguments: &HostileArguments) -> anyhow::Result<bool> {
    let mut sheets = Vec::new();
    for files in [None, Some(arguments.files)] {
        let attacks = &Attack::ALL;
        let plan = Plan {
            files,
            connections: arguments.connections,
            calm: CALM,
            // The listener has as many files open whatever the gateway may have.
            is_controlled: files.is_none(),
        };
        let outcomes = upsert_chaos::hostile::run(&arguments.gateway, plan, attacks).await?;
        sheets.push(Sheet {
            files: files.map_or_else(|| "as many as the machine allows".to_owned(), |files| files.to_string()),
            outcomes,
        });
    }
    let text = sheet::written(&sheets, "scripts/hostile");
    println!("{text}");
    if let Some(page) = &arguments.page {
        sheet::put(page, &text)?;
    }
    let mut outcomes = sheets.iter().flat_map(|sheet| &sheet.outcomes);
    Ok(outcomes.all(|outcome| outcome.ended.kept == 0))
}

/// Whether nothing went out too late.
async fn revocations(arguments: &RevocationsArguments) -> anyhow::Result<bool> {
    let plan = revocations::Plan {
        revocations: arguments.revocations,
        slots: arguments.merchants.max(1),
        seed: arguments.seed.unwrap_or_else(|| u64::from(rand::random::<u32>())),
    };
    println!("seed {}", plan.seed);
    let outcome = revocations::run(&arguments.gateway, &arguments.folder, plan).await?;
    println!("{}", outcome.text());
    Ok(outcome.findings.is_empty())
}

struct Session {
    arguments: RunArguments,
    places: Places,
    failed: u32,
    done: u32,
}

impl Session {
    fn new(arguments: RunArguments) -> Self {
        let places = Places {
            gateway: arguments.gateway.clone(),
            folder: arguments.folder.clone(),
        };
        Self {
            arguments,
            places,
            failed: 0,
            done: 0,
        }
    }

    /// Whether all went well.
    async fn run(mut self, names: &[&str]) -> anyhow::Result<bool> {
        let first = self.arguments.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
        println!("seed {first}");
        let began = Instant::now();
        let length = Duration::from_secs(self.arguments.minutes * 60);
        let mut seed = first;
        loop {
            for name in names {
                self.one(name, seed).await?;
            }
            seed += self.arguments.seeds.max(1);
            if began.elapsed() >= length {
                break;
            }
        }
        println!(
            "{} runs in {} s, {} failed",
            self.done,
            began.elapsed().as_secs(),
            self.failed
        );
        Ok(self.failed == 0)
    }

    async fn one(&mut self, name: &str, seed: u64) -> anyhow::Result<()> {
        let places = self.places.clone();
        match name {
            "kills" | "told" => {
                let plan = kills::Plan {
                    kills: self.arguments.kills,
                    ..kills::Plan::default()
                };
                let report = match name {
                    "told" => told::run(&places, &plan, seed).await,
                    _ => kills::run(&places, &plan, seed).await,
                };
                self.tell(&report)
            }
            "replicas" => {
                let plan = replicas::Plan {
                    blows: self.arguments.kills,
                    ..replicas::Plan::default()
                };
                let report = replicas::run(&places, &plan, seed).await;
                self.tell(&report)
            }
            "rolling" | "database" | "hot" => {
                let report = self.over_a_database(&places, name, seed).await;
                self.tell(&report)
            }
            "duplicates" => {
                let report = duplicates::run(&places, &duplicates::Plan::default(), seed).await;
                self.tell(&report)
            }
            "termination" => {
                let report = termination::run(&places, 3, seed).await;
                self.tell(&report)
            }
            _ => self.points(&places, seed).await,
        }
    }

    async fn over_a_database(&self, places: &Places, name: &str, seed: u64) -> Report {
        let RunArguments {
            restarts,
            per_second,
            gateways,
            ..
        } = self.arguments;
        let usual = rolling::Plan::default();
        match name {
            "rolling" => {
                let plan = rolling::Plan {
                    gateways: gateways.unwrap_or(usual.gateways).max(2),
                    restarts,
                    per_second: per_second.unwrap_or(usual.per_second),
                };
                rolling::run(places, &plan, seed).await
            }
            "database" => {
                let usual = database::Plan::default();
                let plan = database::Plan {
                    gateways: gateways.unwrap_or(usual.gateways).max(1),
                    restarts,
                    per_second: per_second.unwrap_or(usual.per_second),
                    ..usual
                };
                database::run(places, &plan, seed).await
            }
            _ => {
                let usual = hot::Plan::default();
                let plan = hot::Plan {
                    gateways: gateways.unwrap_or(usual.gateways).max(2),
                    hot: Hot {
                        upserts: self.arguments.upserts,
                        customers: self.arguments.customers.max(1),
                        ..usual.hot
                    },
                    ..usual
                };
                hot::run(places, &plan, seed).await
            }
        }
    }

    async fn points(&mut self, places: &Places, seed: u64) -> anyhow::Result<()> {
        let wanted = |point: &&&str| point.contains(self.arguments.point.as_str());
        let wanted: Vec<&str> = crash_point::ALL.iter().filter(wanted).copied().collect();
        for point in wanted {
            for seed in seed..seed + self.arguments.seeds {
                let report = points::run(places, point, seed).await;
                self.tell(&report)?;
            }
        }
        Ok(())
    }

    fn tell(&mut self, report: &Report) -> anyhow::Result<()> {
        self.done += 1;
        println!("{}", report.text());
        if !report.is_good() {
            self.failed += 1;
            seeds::remember(&self.arguments.remember, &report.name, report.seed)?;
            let again = match report.name.split_once(' ') {
                Some((run, point)) => format!("{run} --point {point} --seeds 1"),
                None => report.name.clone(),
            };
            println!("  again: scripts/chaos {again} --seed {}", report.seed);
        }
        Ok(())
    }
}

async fn proxy(arguments: &ProxyArguments) -> anyhow::Result<bool> {
    let proxy = FaultProxy::start(ProxyOptions {
        listen: arguments.listen,
        upstream: arguments.upstream,
        control: Some(arguments.control),
        seed: arguments.seed,
    })?;
    println!("{} -> {}", proxy.address(), arguments.upstream);
    tokio::signal::ctrl_c().await?;
    Ok(true)
}
