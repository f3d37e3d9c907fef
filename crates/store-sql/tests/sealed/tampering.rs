//! Whoever can write to the store cannot make the gateway take what was changed there for what it wrote.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::planted::{plant, read};
use super::raw::{Cell, Raw};
use super::{OLD, Place, places};

/// Cases for each driver: `TAMPERED_CASES` says otherwise.
const CASES: usize = 400;

#[expect(clippy::disallowed_methods, reason = "how the suite is run is no setting")]
fn cases() -> usize {
    let said = std::env::var("TAMPERED_CASES").ok();
    said.map_or(CASES, |said| said.parse().unwrap())
}

/// What the store reads by itself is not read again once it is open.
fn is_read(cell: &Cell) -> bool {
    cell.is_sealed() && cell.table != "secret"
}

/// Other bytes for a cell.
fn tampered(random: &mut StdRng, cell: &Cell, older: &[Cell], all: &[Cell]) -> (&'static str, Vec<u8>) {
    match random.random_range(0..4) {
        0 => {
            // A value of another row or column, and of another merchant's.
            let other = &all[random.random_range(0..all.len())];
            ("put there from elsewhere", other.bytes.clone())
        }
        1 if cell.column == "body" => {
            let same =
                |other: &&Cell| (&other.table, &other.column, &other.key) == (&cell.table, &cell.column, &cell.key);
            let before = older.iter().find(same).unwrap();
            ("rolled back", before.bytes.clone())
        }
        2 => {
            let mut bytes = cell.bytes.clone();
            bytes.truncate(random.random_range(1..bytes.len()));
            ("cut", bytes)
        }
        _ => {
            let mut bytes = cell.bytes.clone();
            let index = random.random_range(0..bytes.len());
            bytes[index] ^= 1 << random.random_range(0..8);
            ("flipped", bytes)
        }
    }
}

async fn is_refused(place: &Place, cases: usize) {
    let opened = place.open(&[OLD]).await;
    let raw = Raw::of(place).await;
    plant(opened.store(), 1).await;
    let older: Vec<Cell> = raw.cells().await.into_iter().filter(is_read).collect();
    plant(opened.store(), 2).await;
    let cells: Vec<Cell> = raw.cells().await.into_iter().filter(is_read).collect();
    assert!(cells.len() > 60, "{}", cells.len());
    let mut random = StdRng::seed_from_u64(20_261_130);
    let mut refused = 0;
    while refused < cases {
        let cell = &cells[random.random_range(0..cells.len())];
        let (how, bytes) = tampered(&mut random, cell, &older, &cells);
        // A delivery's body says nothing of a revision where the same claim wrote it twice.
        if bytes == cell.bytes {
            continue;
        }
        raw.set(cell, &bytes).await;
        let found = read(opened.store(), &cell.table).await;
        assert!(
            found.contains(&None),
            "{how}: {}.{} of {:?}: {found:?}",
            cell.table,
            cell.column,
            cell.key
        );
        raw.set(cell, &cell.bytes).await;
        refused += 1;
    }
    for table in super::planted::TABLES {
        assert!(!read(opened.store(), table).await.contains(&None), "{table}");
    }
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_flipped_cut_swapped_or_rolled_back_is_refused() {
    for place in places() {
        is_refused(&place, cases()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_store_is_not_taken_for_one_that_is_not_because_its_own_key_was_replaced() {
    for place in places() {
        let opened = place.open(&[OLD]).await;
        plant(opened.store(), 1).await;
        let raw = Raw::of(&place).await;
        let cells = raw.cells().await;
        let own = cells.iter().find(|cell| cell.table == "secret" && cell.is_sealed());
        let own = own.unwrap();
        opened.close().await;
        raw.set(own, &[9; 16]).await;
        for keys in [&[OLD][..], &[]] {
            let refused = place.try_open(super::ring(keys)).await.err();
            assert!(refused.is_some(), "{keys:?}");
        }
        raw.set(own, &own.bytes).await;
        let opened = place.open(&[OLD]).await;
        super::planted::all_is_there(opened.store()).await;
        opened.close().await;
    }
}
