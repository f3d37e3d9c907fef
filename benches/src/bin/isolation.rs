//! `upsert-bench-isolation`: what well vendors notice of a hostile one, and what a failing vendor sees of us. Prints one
//! table a scene.
#![expect(clippy::print_stdout, reason = "a tool that prints")]

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;

use upsert_benches::flood::Flooded;
use upsert_benches::hostile::Mood;
use upsert_benches::isolation::{MIXED, SICK, Stage, WELL};
use upsert_benches::memory::Memory;
use upsert_benches::text;

/// Short enough that both are seen in a round: calls that hang, and the breaker that stops them.
const HASTY: &str = "timeout = \"2s\"\nbreaker = { open_for = \"1s\" }";
const PATIENCE: Duration = Duration::from_secs(180);
/// Longer than an open interval after some failed probes: until everything is through.
const WINDOW: Duration = Duration::from_secs(30);

/// Measures isolation and amplification against a vendor that misbehaves, on 127.0.0.1
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Which scenes; all unless given
    #[arg(long, value_delimiter = ',')]
    only: Vec<Scene>,
    /// Requests a second of each of two merchants; the third gets a third of it
    #[arg(long, value_name = "N", default_value_t = 300)]
    rate: u32,
    /// Calm and fault, so many times in turn
    #[arg(long, default_value_t = 2)]
    rounds: usize,
    /// Length of a round, in seconds
    #[arg(long, value_name = "S", default_value_t = 6)]
    time: u64,
    /// How long the vendor fails in the scene of the outage, in seconds
    #[arg(long, value_name = "S", default_value_t = 60)]
    outage: u64,
    /// Only faults whose names contain this
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    fault: String,
    /// Where the gateway's store goes [default: beside the programs]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scene {
    /// Well merchants beside a hostile vendor
    Isolation,
    /// What a vendor sees that fails for a while, and how what waited is brought after it
    Outage,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let programs = std::env::current_exe()?;
    let programs = programs.parent().context("this program lies in no folder")?;
    let folder = arguments.folder.as_deref().unwrap_or(programs);
    let folder = tempfile::Builder::new().prefix("bench-isolation-").tempdir_in(folder)?;
    for scene in [Scene::Isolation, Scene::Outage] {
        if !arguments.only.is_empty() && !arguments.only.contains(&scene) {
            continue;
        }
        let policies = if scene == Scene::Isolation { HASTY } else { "" };
        let stage = Stage::set(programs, &folder.path().join(format!("{scene:?}")), policies).await?;
        match scene {
            Scene::Isolation => isolation(&stage, &arguments).await?,
            Scene::Outage => outage(&stage, &arguments).await?,
        }
        stage.strike().await;
    }
    Ok(())
}

async fn isolation(stage: &Stage, arguments: &Arguments) -> anyhow::Result<()> {
    let time = Duration::from_secs(arguments.time);
    println!(
        "\nIsolation: {}/s for a merchant whose vendor is well, {0}/s for one whose vendor is hostile, {}/s for one with a \
         well vendor and an optional hostile one. Rounds of {} s in turn; latencies in ms.",
        arguments.rate,
        arguments.rate / 3,
        arguments.time
    );
    let header = [
        "hostile vendor",
        "well p50",
        "p99",
        "well/s",
        "mixed p50",
        "p99",
        "sick p50",
        "p99",
        "sick 201",
        "202",
        "others",
        "calls",
        "first s",
        "MB",
        "through after s",
    ];
    let mut table = table(&header);
    for (name, mood) in Mood::FAULTS
        .into_iter()
        .filter(|(name, _)| name.contains(&arguments.fault))
    {
        for _ in 0..arguments.rounds {
            for (name, mood) in [("healthy", Mood::Healthy), (name, mood)] {
                stage.hostile.turn(mood);
                let memory = Memory::watch(stage.gateway.process);
                let floods = [
                    stage.flood(WELL, arguments.rate, time),
                    stage.flood(MIXED, arguments.rate / 3, time),
                    stage.flood(SICK, arguments.rate, time),
                ];
                let flooded = stage.play(floods).await?;
                let seen = stage.hostile.seen();
                stage.hostile.turn(Mood::Healthy);
                let (well, mixed, sick) = (&flooded[0], &flooded[1], &flooded[2]);
                expect_all_good(&[well, mixed])?;
                table.add_row([
                    name.to_owned(),
                    text::milliseconds(&well.accepted, 0.5),
                    text::milliseconds(&well.accepted, 0.99),
                    format!("{:.0}", rate(well)),
                    text::milliseconds(&mixed.accepted, 0.5),
                    text::milliseconds(&mixed.accepted, 0.99),
                    text::milliseconds(&sick.accepted, 0.5),
                    text::milliseconds(&sick.accepted, 0.99),
                    sick.of(201).to_string(),
                    sick.of(202).to_string(),
                    text::others(sick, &[201, 202]),
                    seen.len().to_string(),
                    within(&seen, Duration::ZERO, Duration::from_secs(1)).to_string(),
                    megabytes(memory.most()),
                    text::seconds(stage.settled(PATIENCE).await?),
                ]);
            }
        }
    }
    println!("{table}");
    Ok(())
}

async fn outage(stage: &Stage, arguments: &Arguments) -> anyhow::Result<()> {
    let time = Duration::from_secs(arguments.outage);
    println!(
        "\nOutage: the only vendor of a merchant fails for {} s at {}/s, with the default policies; another merchant has \
         {1}/s all the time. Latencies in ms.",
        arguments.outage, arguments.rate
    );
    let header = [
        "hostile vendor",
        "",
        "well p50",
        "p99",
        "sick p50",
        "p99",
        "201",
        "202",
        "others",
        "calls before 15 s",
        "calls after",
        "MB",
        "through after s",
    ];
    let mut table = table(&header);
    let faults = [Mood::FAULTS[6], Mood::FAULTS[1]];
    for (name, mood) in faults.into_iter().filter(|(name, _)| name.contains(&arguments.fault)) {
        let mut probes = Vec::new();
        for (phase, mood, time) in [
            ("before", Mood::Healthy, WINDOW / 3),
            ("while it fails", mood, time),
            ("just after", Mood::Healthy, WINDOW),
        ] {
            stage.hostile.turn(mood);
            let memory = Memory::watch(stage.gateway.process);
            let floods = [
                stage.flood(WELL, arguments.rate, time),
                stage.flood(SICK, arguments.rate, time),
            ];
            let flooded = stage.play(floods).await?;
            let (well, sick) = (&flooded[0], &flooded[1]);
            expect_all_good(&[well])?;
            let seen = stage.hostile.seen();
            let first = Duration::from_secs(15);
            let through = match mood {
                Mood::Healthy => text::seconds(stage.settled(PATIENCE).await?),
                _ => "-".to_owned(),
            };
            table.add_row([
                name.to_owned(),
                phase.to_owned(),
                text::milliseconds(&well.accepted, 0.5),
                text::milliseconds(&well.accepted, 0.99),
                text::milliseconds(&sick.accepted, 0.5),
                text::milliseconds(&sick.accepted, 0.99),
                sick.of(201).to_string(),
                sick.of(202).to_string(),
                text::others(sick, &[201, 202]),
                within(&seen, Duration::ZERO, first).to_string(),
                within(&seen, first, Duration::MAX).to_string(),
                megabytes(memory.most()),
                through,
            ]);
            probes.extend(seen.iter().map(|at| format!("{:.1}", at.as_secs_f64())));
        }
        println!("{name}: calls seen, s after its begin: {}", shortened(&probes));
    }
    println!("{table}");
    Ok(())
}

/// What is well must not fail because of what is not: figures of a broken run are none.
fn expect_all_good(all: &[&Flooded]) -> anyhow::Result<()> {
    for flooded in all {
        let is_good = flooded.statuses.keys().all(|status| matches!(status, 201 | 202)) && flooded.not_sent == 0;
        anyhow::ensure!(is_good, "a well merchant was answered {:?}", flooded.statuses);
    }
    Ok(())
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_header(header.iter().copied());
    table
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn rate(flooded: &Flooded) -> f64 {
    flooded.good() as f64 / flooded.elapsed.as_secs_f64()
}

fn within(seen: &[Duration], from: Duration, to: Duration) -> usize {
    seen.iter().filter(|at| (from..to).contains(*at)).count()
}

fn megabytes(bytes: u64) -> String {
    (bytes / 1_000_000).to_string()
}

/// The first ones and the last ones.
fn shortened(all: &[String]) -> String {
    match all.len() {
        0..=60 => all.join(" "),
        length => format!("{} … {}", all[..10].join(" "), all[length - 40..].join(" ")),
    }
}
