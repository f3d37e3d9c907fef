//! Keys that change while the store is open.

use super::planted::{all_is_there, plant};
use super::raw::Raw;
use super::{NEW, OLD, Opened, places, ring};

async fn wrapped_by(raw: &Raw) -> Vec<String> {
    let cells = raw.cells().await;
    let keys = cells
        .into_iter()
        .filter(|cell| cell.table == "data_keys" && cell.column == "wrapped_by");
    let mut found: Vec<String> = keys.map(|cell| String::from_utf8(cell.bytes).unwrap()).collect();
    found.sort_unstable();
    found.dedup();
    found
}

async fn data_keys(raw: &Raw) -> usize {
    let cells = raw.cells().await;
    cells
        .iter()
        .filter(|cell| cell.table == "data_keys" && cell.column == "id")
        .count()
}

async fn wrap_all(opened: &Opened) -> usize {
    let mut all = 0;
    loop {
        let wrapped = opened.store().wrap_anew(1).await.unwrap();
        all += wrapped;
        if wrapped == 0 {
            return all;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_the_old_key_may_go_and_nothing_is_found_by_another_digest() {
    for place in places() {
        let opened = place.open(&[OLD]).await;
        plant(opened.store(), 1).await;
        let raw = Raw::of(&place).await;
        assert_eq!(
            (wrapped_by(&raw).await, data_keys(&raw).await),
            (vec![OLD.0.to_owned()], 3)
        );
        opened.store().configure_keys(ring(&[NEW, OLD]));
        // Two merchants', the gateway's own, and the key of digests.
        assert!(wrap_all(&opened).await >= 4);
        assert_eq!(wrapped_by(&raw).await, [NEW.0]);
        assert_eq!(opened.store().wrapping_keys().await.unwrap(), [NEW.0]);
        opened.store().configure_keys(ring(&[NEW]));
        assert!(opened.store().can_open().await.unwrap());
        all_is_there(opened.store()).await;
        plant(opened.store(), 2).await;
        opened.close().await;
        let again = place.open(&[NEW]).await;
        all_is_there(again.store()).await;
        again.store().configure_keys(ring(&[OLD]));
        assert!(!again.store().can_open().await.unwrap());
        again.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_data_keys_seal_what_is_new_and_what_is_old_opens() {
    for place in places() {
        let opened = place.open(&[OLD]).await;
        plant(opened.store(), 1).await;
        let raw = Raw::of(&place).await;
        let (mut made, mut from) = (0, None);
        loop {
            let walked = opened.store().renew_data_keys(from, 2).await.unwrap();
            made += walked.changed;
            from = walked.next;
            if from.is_none() {
                break;
            }
        }
        assert_eq!((made, data_keys(&raw).await), (3, 6));
        plant(opened.store(), 2).await;
        all_is_there(opened.store()).await;
        let named = |table: &str, column: &str, cells: &[super::raw::Cell]| {
            let of = |cell: &&super::raw::Cell| cell.table == table && cell.column == column;
            let ids = cells.iter().filter(of).map(|cell| cell.bytes[2..10].to_vec());
            ids.collect::<std::collections::BTreeSet<_>>().len()
        };
        let cells = raw.cells().await;
        assert_eq!(named("connections", "body", &cells), 2, "the new ones of two merchants");
        assert_eq!(named("upserts", "body", &cells), 4, "deliveries are as they were");
        opened.close().await;
    }
}
