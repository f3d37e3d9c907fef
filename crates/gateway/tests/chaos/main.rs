//! A smoke of the chaos run, with the real process: killed under load, aborted at named points, beset with duplicates,
//! told to end under load. `scripts/chaos` does the same for as long as asked; docs/reliability.md says how to read it.

#![expect(clippy::print_stdout, reason = "the seed is for whoever reads the output")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use upsert_chaos::runs::{Places, Report, duplicates, kills, points, termination};
use upsert_chaos::seeds;
use upsert_core::crash_point;

fn places() -> Places {
    Places {
        gateway: PathBuf::from(env!("CARGO_BIN_EXE_upsert-gateway")),
        folder: Path::new(env!("CARGO_TARGET_TMPDIR")).join("chaos"),
    }
}

/// Another one each time.
fn seed() -> u64 {
    let seed = u64::from(rand::random::<u32>());
    println!("seed {seed}");
    seed
}

#[track_caller]
fn is_good(report: &Report) {
    println!("{}", report.text());
    assert!(
        report.is_good(),
        "{}\n  again: scripts/chaos {} --seed {}",
        report.text(),
        report.name,
        report.seed
    );
}

fn a_few_kills() -> kills::Plan {
    kills::Plan {
        kills: 5,
        length: Duration::ZERO,
        clients: 8,
        longest: Duration::from_millis(900),
    }
}

fn a_few_duplicates() -> duplicates::Plan {
    duplicates::Plan {
        keys: 20,
        parallel: 10,
        ..duplicates::Plan::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_what_failed_once_is_good_now() {
    for known in seeds::parse(include_str!("../../../../chaos/seeds.txt")).unwrap() {
        let (places, seed) = (places(), known.seed);
        let report = match known.run.split_once(' ') {
            Some((_, point)) => points::run(&places, point, seed).await,
            None if known.run == kills::NAME => kills::run(&places, &a_few_kills(), seed).await,
            None if known.run == termination::NAME => termination::run(&places, 2, seed).await,
            None => duplicates::run(&places, &a_few_duplicates(), seed).await,
        };
        is_good(&report);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_nothing_is_doubled_when_the_process_is_killed_under_load() {
    is_good(&kills::run(&places(), &a_few_kills(), seed()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_at_a_named_point_leaves_nothing_that_the_next_does_not_bring_home() {
    let seed = seed();
    let mut dice = StdRng::seed_from_u64(seed);
    let fixed = [crash_point::UPSERT_AFTER_COMMIT, crash_point::RECOVER_AFTER_TAKE_BACK];
    let others = crash_point::ALL.choose_multiple(&mut dice, 2).copied();
    for point in fixed.into_iter().chain(others) {
        is_good(&points::run(&places(), point, dice.random_range(0..1_000_000)).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_duplicates_are_one_write_though_connections_are_reset() {
    is_good(&duplicates::run(&places(), &a_few_duplicates(), seed()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_told_to_end_under_load_ends_with_0_and_cuts_nobody_off() {
    is_good(&termination::run(&places(), 3, seed()).await);
}
