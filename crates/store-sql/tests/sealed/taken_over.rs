//! A store that gets its first key.

use std::fs;

use upsert_store::Encryption;

use super::planted::{CANARY, all_is_there, begin_sessions, plant};
use super::raw::Raw;
use super::{OLD, Opened, Place, places};

/// Until a walk finds nothing any more.
async fn seal_all(opened: &Opened) -> usize {
    let mut all = 0;
    loop {
        let (mut sealed, mut from) = (0, None);
        loop {
            let walked = opened.store().seal_older(from, 3).await.unwrap();
            sealed += walked.changed;
            from = walked.next;
            if from.is_none() {
                break;
            }
        }
        if sealed == 0 {
            opened.store().seal_wholly().await.unwrap();
            return all;
        }
        all += sealed;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_the_key_is_read_as_it_is_sealed_by_and_by_and_then_refused_in_the_clear() {
    for place in places() {
        let opened = place.open(&[]).await;
        plant(opened.store(), 1).await;
        assert_eq!(opened.store().encryption(), Encryption::Off);
        let raw = Raw::of(&place).await;
        let clear = raw.cells().await;
        opened.close().await;

        let opened = place.open(&[OLD]).await;
        assert_eq!(opened.store().encryption(), Encryption::Partly);
        // What a page was to tell once is gone.
        for number in [1, 2] {
            let told = upsert_store::SessionId([number; 32]);
            assert_eq!(opened.store().session(&told).await.unwrap().unwrap().notice, None);
        }
        begin_sessions(opened.store()).await;
        all_is_there(opened.store()).await;
        assert!(seal_all(&opened).await > 50);
        assert_eq!(opened.store().encryption(), Encryption::On);
        all_is_there(opened.store()).await;
        let has_canary = |cell: &&super::raw::Cell| {
            let mut windows = cell.bytes.windows(CANARY.len());
            windows.any(|part| part == CANARY.as_bytes())
        };
        let cells = raw.cells().await;
        assert_eq!(cells.iter().find(has_canary), None);
        let body = clear
            .iter()
            .find(|cell| cell.table == "connections" && cell.column == "body");
        raw.set(body.unwrap(), &body.unwrap().bytes).await;
        let refused = opened.store().connections().await.unwrap_err().to_string();
        assert!(refused.contains("in the clear"), "{refused}");
        opened.close().await;
        let again = place.open(&[OLD]).await;
        assert_eq!(again.store().encryption(), Encryption::On);
        assert!(again.store().connections().await.is_err());
        again.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn once_it_is_sealed_and_vacuumed_nothing_that_was_in_the_clear_is_left_in_the_file() {
    let place = Place::Sqlite(tempfile::tempdir().unwrap());
    let Place::Sqlite(folder) = &place else { unreachable!() };
    let opened = place.open(&[]).await;
    plant(opened.store(), 1).await;
    opened.close().await;
    let opened = place.open(&[OLD]).await;
    seal_all(&opened).await;
    opened.close().await;
    let Raw::Sqlite(raw) = Raw::of(&place).await else {
        unreachable!()
    };
    raw.execute_batch("VACUUM").unwrap();
    drop(raw);
    let bytes = fs::read(Place::file(folder)).unwrap();
    assert!(!bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()));
}
