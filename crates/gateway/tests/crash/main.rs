//! The real process, killed at random moments under load, and told to end under load: what it acknowledged is there,
//! what it began ends, and no vendor has a customer twice.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "the seed is for whoever reads the output")]

mod clients;
mod verdict;
mod world;

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::clients::Clients;
use crate::verdict::judge;
use crate::world::World;

const CLIENTS: u32 = 12;
const KILLS: u32 = 7;

/// Another one each time; `CRASH_SEED` repeats one, as far as the machine's own timing lets it.
fn seed() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "what a person repeats a run with is no setting"
    )]
    let given = std::env::var("CRASH_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(rand::random);
    println!("CRASH_SEED={seed}");
    seed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_nothing_is_doubled_when_the_process_is_killed_under_load() {
    let seed = seed();
    let mut dice = StdRng::seed_from_u64(seed);
    let mut world = World::new(seed);
    world.start().await;
    let clients = Clients::start(&world, CLIENTS, seed);
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(dice.random_range(150..1500))).await;
        world.kill();
        world.check_store();
        tokio::time::sleep(Duration::from_millis(dice.random_range(0..200))).await;
        world.start().await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let told = clients.stop().await;
    assert!(told.cut_off > 0, "no request was under way at any of the kills");
    judge(&mut world, told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_told_to_end_under_load_ends_with_0_and_cuts_nobody_off() {
    let seed = seed();
    let mut world = World::new(seed);
    for round in 0..3 {
        world.start().await;
        let clients = Clients::start(&world, CLIENTS, seed.wrapping_add(round));
        tokio::time::sleep(Duration::from_millis(900)).await;
        clients.expect_the_end();
        assert_eq!(world.terminate().await, Some(0), "the exit code");
        let told = clients.stop().await;
        assert_eq!(told.cut_off, 0, "requests that were under way got no answer");
        println!("{} turned away unanswered", told.turned_away);
        assert!(!told.acknowledged.is_empty());
        world.start().await;
        judge(&mut world, told).await;
        world.terminate().await;
    }
}
