//! What is removed is nowhere in the files any more, once the store has let go of it: without a key too.

use std::collections::BTreeSet;
use std::fs;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use upsert_store::{Applied, Changeset, Store, Write};
use upsert_testkit::records::{customer_id, customer_record, person};

use super::raw::Raw;
use super::{Place, places};

const CUSTOMERS: u32 = 1_500;

const AT_ONCE: usize = 100;

fn name(number: u32) -> String {
    format!("<canary {number:05}>")
}

/// A customer whose row is as long as it happens to be.
fn put(number: u32, revision: u64, random: &mut StdRng) -> Write {
    let mut record = customer_record("acme", customer_id(number.into()));
    record.revision = revision;
    record.customer = person(&(name(number) + &"x".repeat(random.random_range(50..2_500))));
    Write::PutCustomer(record)
}

async fn write(store: &dyn Store, writes: Vec<Write>) {
    let mut writes = writes.into_iter().peekable();
    while writes.peek().is_some() {
        let changes = Changeset {
            write: writes.by_ref().take(AT_ONCE).collect(),
            ..Changeset::of("acme")
        };
        assert_eq!(store.apply(changes).await.unwrap(), Applied::Done);
    }
}

/// Those of the customers that are found in the file or its log.
fn found(place: &Place, gone: &[u32]) -> usize {
    let Place::Sqlite(folder) = place else { unreachable!() };
    let files = fs::read_dir(folder.path()).unwrap();
    let all: Vec<u8> = files.flat_map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
    let text = String::from_utf8_lossy(&all);
    let there: BTreeSet<&str> = text
        .match_indices("<canary ")
        .filter_map(|(at, _)| text.get(at..at + 14))
        .collect();
    gone.iter()
        .filter(|number| there.contains(name(**number).as_str()))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_row_that_is_gone_is_left_in_the_file_its_log_or_its_free_pages() {
    let [place, _] = places();
    let opened = place.open(&[]).await;
    let mut random = StdRng::seed_from_u64(20_261_130);
    let all = (0..CUSTOMERS).map(|number| put(number, 1, &mut random)).collect();
    write(opened.store(), all).await;
    for revision in 2..5 {
        let again = (0..CUSTOMERS).filter(|_| random.random_bool(0.7)).collect::<Vec<_>>();
        let again = again
            .into_iter()
            .map(|number| put(number, revision, &mut random))
            .collect();
        write(opened.store(), again).await;
    }
    let gone: Vec<u32> = (0..CUSTOMERS).filter(|_| random.random_bool(0.3)).collect();
    let delete = |number: &u32| Write::DeleteCustomer(customer_id((*number).into()));
    write(opened.store(), gone.iter().map(delete).collect()).await;
    let Raw::Sqlite(raw) = Raw::of(&place).await else {
        unreachable!()
    };
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    raw.query_row(checkpoint, [], |_| Ok(())).unwrap();
    assert!(found(&place, &gone) > 0, "it is looked for where it is");

    opened.store().scrub().await.unwrap();
    assert_eq!(found(&place, &gone), 0, "of {}", gone.len());
    let integrity: String = raw.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(integrity, "ok");
    for number in 0..CUSTOMERS {
        let customer = opened
            .store()
            .customer("acme", customer_id(number.into()))
            .await
            .unwrap();
        assert_eq!(customer.is_some(), !gone.contains(&number), "{number}");
    }
    opened.close().await;
}
