//! What encryption at rest costs: CPU time of an upsert over a store that is sealed, and over one that is not, side by side.

use std::path::Path;
use std::time::Duration;

use clap::Parser;

use upsert_benches::house::House;
use upsert_benches::process::cpu_time;
use upsert_benches::sample;

/// The gateway's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Upserts of new customers and of known ones with a change, over either store in turn.
#[derive(Debug, Parser)]
struct Arguments {
    /// Upserts of each kind in a round.
    #[arg(long, default_value_t = 2_000)]
    count: u64,
    /// How often each store has its turn.
    #[arg(long, default_value_t = 5)]
    rounds: u64,
    /// How many are under way at once.
    #[arg(long, default_value_t = 16)]
    at_once: u64,
}

/// CPU time of each kind so far.
#[derive(Debug, Default)]
struct Used {
    new: Duration,
    changed: Duration,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut clear, mut sealed) = (Used::default(), Used::default());
    for round in 0..arguments.rounds {
        // Whoever is first finds a colder machine.
        for turn in [round % 2, 1 - round % 2] {
            let folder = tempfile::tempdir()?;
            let (is_sealed, used) = if turn == 0 {
                (false, &mut clear)
            } else {
                (true, &mut sealed)
            };
            runtime.block_on(use_store(&arguments, folder.path(), is_sealed, used))?;
        }
    }
    show(&arguments, &clear, &sealed);
    Ok(())
}

async fn use_store(arguments: &Arguments, folder: &Path, is_sealed: bool, used: &mut Used) -> anyhow::Result<()> {
    let house = if is_sealed {
        House::sealed(folder).await?
    } else {
        House::open(folder).await?
    };
    for known in 0..arguments.at_once {
        house.upsert(&sample::body(known), &[201]).await?;
    }
    let begun = cpu_time(std::process::id())?;
    each(arguments, |number| (sample::body(1_000 + number), 201), &house).await?;
    let between = cpu_time(std::process::id())?;
    let changed = |number: u64| {
        let known = sample::body(number % arguments.at_once);
        (known.replace("\"John\"", &format!("\"John{number}\"")), 200)
    };
    each(arguments, changed, &house).await?;
    used.new += between.saturating_sub(begun);
    used.changed += cpu_time(std::process::id())?.saturating_sub(between);
    Ok(())
}

async fn each(arguments: &Arguments, body: impl Fn(u64) -> (String, u16), house: &House) -> anyhow::Result<()> {
    let mut done = 0;
    while done < arguments.count {
        let together = arguments.at_once.min(arguments.count - done);
        let upserts = (done..done + together).map(|number| {
            let (body, status) = body(number);
            async move { house.upsert(&body, &[status]).await }
        });
        futures_util::future::try_join_all(upserts).await?;
        done += together;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "it is what the program is for")]
fn show(arguments: &Arguments, clear: &Used, sealed: &Used) {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let upserts = (arguments.count * arguments.rounds) as f64;
    println!("CPU time of an upsert in microseconds, one connection, SQLite:");
    println!("{:<10} {:>14} {:>14} {:>8}", "", "not encrypted", "encrypted", "more");
    for (name, clear, sealed) in [
        ("new", clear.new, sealed.new),
        ("changed", clear.changed, sealed.changed),
    ] {
        let micros = |time: Duration| time.as_secs_f64() * 1e6 / upserts;
        let (clear, sealed) = (micros(clear), micros(sealed));
        println!(
            "{name:<10} {clear:>14.1} {sealed:>14.1} {:>7.1}%",
            (sealed / clear - 1.0) * 100.0
        );
    }
}
