//! So many upserts in one process, for whoever counts its instructions.

use std::path::PathBuf;

use anyhow::ensure;
use clap::{Parser, ValueEnum};

use upsert_benches::house::House;
use upsert_benches::sample;

/// The gateway's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Does so many upserts one after another, over a store of its own.
#[derive(Debug, Parser)]
struct Arguments {
    /// Of what kind they are.
    kind: Kind,
    /// How many.
    count: u64,
    /// How many are under way at once.
    #[arg(long, default_value_t = 1)]
    at_once: u64,
    /// Over a store that is sealed.
    #[arg(long)]
    sealed: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// Without a store: canonicalised, planned, worded, and its answer read.
    Pure,
    /// Each a new customer.
    New,
    /// One field of a known customer changes each time.
    Changed,
    /// A known customer without a change.
    Unchanged,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(&arguments, folder.path().to_owned()))
}

async fn run(arguments: &Arguments, folder: PathBuf) -> anyhow::Result<()> {
    ensure!(arguments.at_once > 0, "at least one has to be under way");
    let house = if arguments.sealed {
        House::sealed(&folder).await?
    } else {
        House::open(&folder).await?
    };
    for known in 0..arguments.at_once {
        house.upsert(&sample::body(known), &[201]).await?;
    }
    if matches!(arguments.kind, Kind::Pure) {
        for number in 0..arguments.count {
            house.pure(&sample::body(number)).await?;
        }
        return Ok(());
    }
    let mut done = 0;
    while done < arguments.count {
        let together = arguments.at_once.min(arguments.count - done);
        let upserts = (done..done + together).map(|number| {
            let (body, status) = of_kind(arguments, number);
            let house = &house;
            async move { house.upsert(&body, &[status]).await }
        });
        futures_util::future::try_join_all(upserts).await?;
        done += together;
    }
    Ok(())
}

/// The body of this one, and how it is answered.
fn of_kind(arguments: &Arguments, number: u64) -> (String, u16) {
    let known = sample::body(number % arguments.at_once);
    match arguments.kind {
        Kind::New => (sample::body(1_000 + number), 201),
        Kind::Changed => (known.replace("\"John\"", &format!("\"John{number}\"")), 200),
        Kind::Unchanged | Kind::Pure => (known, 200),
    }
}
