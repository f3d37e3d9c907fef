//! A smoke of the chaos run, with the real process: killed under load, aborted at named points, beset with duplicates,
//! told to end under load. `scripts/chaos` does the same for as long as asked; docs/reliability.md says how to read it.

#![expect(clippy::print_stdout, reason = "the seed is for whoever reads the output")]

mod events;
mod operator;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use upsert_chaos::hot::Hot;
use upsert_chaos::load::{Person, Sender, Told, Upsert};
use upsert_chaos::runs::{
    Places, Report, database, duplicates, hot, kills, points, replicas, rolling, termination, told,
};
use upsert_chaos::runs::{Run, to_the_end};
use upsert_chaos::seeds;
use upsert_chaos::vendors::ACME;
use upsert_core::crash_point;
use upsert_simulators::{Effect, Fault, When};

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

fn a_few_blows() -> replicas::Plan {
    replicas::Plan {
        blows: 6,
        clients: 8,
        freezes_past_a_lease: false,
        ..replicas::Plan::default()
    }
}

fn a_few_restarts() -> rolling::Plan {
    rolling::Plan {
        gateways: 2,
        restarts: 2,
        per_second: 20,
    }
}

fn a_few_crashes() -> database::Plan {
    database::Plan {
        gateways: 2,
        restarts: 2,
        per_second: 20,
        clients: 2,
        longest: Duration::from_secs(2),
    }
}

fn a_few_hot_upserts() -> hot::Plan {
    hot::Plan {
        gateways: 2,
        hot: Hot {
            upserts: 400,
            customers: 8,
            clients: 6,
        },
        longest: Duration::from_secs(1),
        freezes_past_a_lease: false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_what_failed_once_is_good_now() {
    for known in seeds::parse(include_str!("../../../../chaos/seeds.txt")).unwrap() {
        let (places, seed) = (places(), known.seed);
        let report = match known.run.split_once(' ') {
            Some((_, point)) => points::run(&places, point, seed).await,
            None if known.run == kills::NAME => kills::run(&places, &a_few_kills(), seed).await,
            None if known.run == replicas::NAME => replicas::run(&places, &a_few_blows(), seed).await,
            None if known.run == rolling::NAME => rolling::run(&places, &a_few_restarts(), seed).await,
            None if known.run == database::NAME => database::run(&places, &a_few_crashes(), seed).await,
            None if known.run == hot::NAME => hot::run(&places, &a_few_hot_upserts(), seed).await,
            None if known.run == told::NAME => told::run(&places, &a_few_kills(), seed).await,
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
async fn nothing_is_lost_or_doubled_when_gateways_over_one_database_are_killed_frozen_and_cut_off() {
    is_good(&replicas::run(&places(), &a_few_blows(), seed()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_who_calls_notices_that_gateways_behind_a_proxy_are_restarted_one_after_the_other() {
    is_good(&rolling::run(&places(), &a_few_restarts(), seed()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_whose_database_crashes_say_when_to_come_back_and_serve_again_by_themselves() {
    is_good(&database::run(&places(), &a_few_crashes(), seed()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_about_one_customer_never_overlap_though_gateways_are_killed_and_frozen() {
    is_good(&hot::run(&places(), &a_few_hot_upserts(), seed()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_upsert_that_ended_well_is_told_at_least_once_and_no_other_though_the_process_is_killed_under_load() {
    is_good(&told::run(&places(), &a_few_kills(), seed()).await);
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
async fn an_erasure_that_the_process_dies_over_was_not_begun_or_is_ended_by_the_next_and_leaves_no_trace() {
    let points: Vec<&str> = crash_point::ALL
        .iter()
        .copied()
        .filter(|point| point.starts_with("erase."))
        .collect();
    assert_eq!(points.len(), 7, "{points:?}");
    for point in points {
        is_good(&points::run(&places(), point, seed()).await);
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

/// The vendor has made a record under the gateway's id, the process died before it heard of it, and a reference came
/// meanwhile: the record goes on under the id that it was made with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reference_that_came_during_the_first_call_makes_no_second_record_after_a_kill() {
    let (places, name) = (places(), "first key");
    let run = async {
        let mut run = Run::new(&places, name, 1)?;
        let wallet = run.world.vendors.iter().find(|vendor| vendor.connection == "wallet");
        let hangs = Fault::once(Effect::Hang { when: When::AfterWrite });
        wallet.unwrap().simulator.faults().set(vec![hangs]);
        run.world.start().await?;
        let sender = Sender::new(&run.world);
        let mut person = Person::new(0, 1, false);
        for (number, reference) in [(1, None), (2, Some("LATER".to_owned()))] {
            person.reference = reference;
            let upsert = Upsert {
                merchant: ACME,
                person: person.email.clone(),
                body: person.whole(&format!("N{number}")),
                key: None,
                is_async: true,
                trace: format!("{number:032x}"),
            };
            let told = sender.send(&upsert).await;
            assert!(matches!(told, Told::Answer { status: 202, .. }), "{told:?}");
            run.exchanges.push(upsert.told(told));
            // The first call is at the vendor before the second request comes.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        run.world.gateway().kill()?;
        run.world.start().await?;
        // It waits until all is home, and has the checker look for a second record and for the last name.
        run.finish().await
    };
    is_good(&to_the_end(&places, name, 1, run).await);
}
