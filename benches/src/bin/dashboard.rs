//! `upsert-bench-dashboard`: how long the dashboard's pages take over a full store, and what looking at them costs the way
//! of an upsert. Ends with 1 if a page takes longer than it may.
#![expect(clippy::print_stdout, reason = "a tool that prints")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;

use upsert_benches::cases;
use upsert_benches::children::Children;
use upsert_benches::customers::Numbers;
use upsert_benches::drive::Pace;
use upsert_benches::fill::{CONNECTIONS, Filled, MERCHANT, fill};
use upsert_benches::folder::THREE;
use upsert_benches::measure::{Extent, Run};
use upsert_benches::pinning::Pinning;
use upsert_benches::programs::Program;
use upsert_benches::report;
use upsert_benches::viewers::{Viewer, watching};

/// A page takes no longer.
const LIMIT: Duration = Duration::from_millis(300);

/// Fills a store, times every page of the dashboard, and loads the gateway with and without people who look
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Customers in the store, each with a delivery
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    customers: u64,
    /// How often each page is loaded
    #[arg(long, value_name = "N", default_value_t = 20)]
    loads: usize,
    /// People who look while the gateway is loaded
    #[arg(long, value_name = "N", default_value_t = 10)]
    viewers: usize,
    /// Rounds without and with them, in turn; 0: only the pages
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Keep-alive connections of the load
    #[arg(long, value_name = "N", default_value_t = 64)]
    connections: usize,
    /// Requests a second of the load; 0: as fast as answers come
    #[arg(long, value_name = "N", default_value_t = 0)]
    rate: u32,
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
    let folder = tempfile::Builder::new().prefix("bench-dashboard-").tempdir_in(folder)?;
    let mut children = Children::begin(programs, folder.path(), Pinning::begin()).await?;
    children.add(&[Program::Bare], folder.path()).await?;
    let (address, key) = children.launcher.configure(folder.path(), "")?;
    let filled = prepare(folder.path(), arguments.customers).await?;
    let gateway = children.launcher.serve(folder.path(), address, key).await?;
    children.adopt(Program::Gateway, gateway);
    let pages = pages(&filled);
    let slowest = time_pages(&children, &pages, arguments.loads, &filled).await?;
    if arguments.rounds > 0 {
        load(&arguments, &children, folder.path(), &pages).await?;
    }
    children.stop().await;
    anyhow::ensure!(
        slowest <= LIMIT,
        "a page took {} ms, more than {}",
        slowest.as_millis(),
        LIMIT.as_millis()
    );
    Ok(())
}

/// Adds the merchant, and fills its store.
async fn prepare(folder: &Path, customers: u64) -> anyhow::Result<Filled> {
    let three = fs::read_to_string(folder.join(format!("merchants/{THREE}.toml")))?;
    let full = three.replace(&format!("id = \"{THREE}\""), &format!("id = \"{MERCHANT}\""));
    fs::write(folder.join(format!("merchants/{MERCHANT}.toml")), full)?;
    let began = Instant::now();
    let filled = fill(&folder.join("data/gateway.db"), customers).await?;
    println!(
        "{customers} customers and deliveries written in {} s",
        began.elapsed().as_secs()
    );
    Ok(filled)
}

fn pages(filled: &Filled) -> Vec<String> {
    let connection = CONNECTIONS[0];
    [
        "/ops".to_owned(),
        "/ops/connections".to_owned(),
        format!("/ops/connections/{MERCHANT}/{connection}"),
        format!("/ops/connections/{MERCHANT}/{}", CONNECTIONS[2]),
        "/ops/deliveries".to_owned(),
        "/ops/deliveries?state=failed".to_owned(),
        format!("/ops/deliveries?state=failed&merchant={MERCHANT}&connection={connection}&error_kind=rejected"),
        "/ops/deliveries?state=pending,retrying,waiting".to_owned(),
        format!("/ops/deliveries/replay?state=failed&merchant={MERCHANT}&connection={connection}"),
        format!("/ops/deliveries/{}", filled.failed),
        "/ops/customers".to_owned(),
        format!("/ops/customers/{MERCHANT}/{}", filled.customer),
        "/ops/plan".to_owned(),
        "/ops/webhooks".to_owned(),
        "/ops/events/in".to_owned(),
        "/ops/events/out".to_owned(),
        "/ops/configuration".to_owned(),
    ]
    .to_vec()
}

async fn time_pages(children: &Children, pages: &[String], loads: usize, filled: &Filled) -> anyhow::Result<Duration> {
    let gateway = children.gateway()?;
    let viewer = Viewer::sign_in(&format!("http://{}", gateway.address), &gateway.key).await?;
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_header(["page", "first ms", "median ms", "slowest ms", "KB"]);
    let search = [("merchant", MERCHANT), ("q", filled.phone.as_str()), ("by", "phone")];
    let all = pages.iter().map(|path| (path.as_str(), None));
    let mut slowest = Duration::ZERO;
    for (path, form) in all.chain([("/ops/customers", Some(&search[..]))]) {
        let mut took = Vec::with_capacity(loads);
        let mut length = 0;
        for _load in 0..loads.max(1) {
            let (time, bytes) = viewer.load(path, form).await?;
            took.push(time);
            length = bytes;
        }
        let first = took[0];
        took.sort_unstable();
        let worst = took.last().copied().unwrap_or_default();
        slowest = slowest.max(worst);
        let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1_000.0);
        let shown = path.replace(&filled.customer, "cus_…").replace(&filled.failed, "dlv_…");
        let shown = if form.is_some() {
            format!("POST {shown} (by phone)")
        } else {
            shown
        };
        let kilobytes = (length / 1_000).to_string();
        table.add_row([shown, ms(first), ms(took[took.len() / 2]), ms(worst), kilobytes]);
    }
    println!("{table}");
    Ok(slowest)
}

async fn load(arguments: &Arguments, children: &Children, folder: &Path, pages: &[String]) -> anyhow::Result<()> {
    let run = Run {
        children,
        cases: vec![cases::BARE, cases::NEW, cases::NEW_AT_THREE, cases::UNCHANGED],
        extent: Extent {
            rounds: 2,
            time: Duration::from_secs(1),
            most: 200_000,
        },
        folder,
        numbers: Numbers::default(),
    };
    run.prepare().await?;
    let pace = match arguments.rate {
        0 => Pace::Closed,
        per_second => Pace::Open { per_second },
    };
    let gateway = children.gateway()?;
    let base = format!("http://{}", gateway.address);
    for round in 1..=arguments.rounds {
        println!(
            "round {round}, nobody looks: {}",
            report::section(&run.section(arguments.connections, pace).await?).markdown()
        );
        let looking = watching(&base, &gateway.key, arguments.viewers, pages).await?;
        let section = run.section(arguments.connections, pace).await?;
        println!(
            "round {round}, {} look: {}",
            looking.len(),
            report::section(&section).markdown()
        );
    }
    Ok(())
}
