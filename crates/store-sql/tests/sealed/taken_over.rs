//! A store that gets its first key.

use std::fs;
use std::path::PathBuf;

use upsert_store::{Encryption, StoreError};

use super::planted::{CANARY, all_is_there, begin_sessions, plant};
use super::raw::Raw;
use super::{OLD, Opened, Place, places};

/// Until a walk finds nothing any more. How many values were sealed.
async fn seal_rows(opened: &Opened) -> usize {
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
            opened.store().seal_rows().await.unwrap();
            return all;
        }
        all += sealed;
    }
}

/// And until nothing is left of it.
async fn seal_all(opened: &Opened) -> usize {
    let all = seal_rows(opened).await;
    assert_eq!(opened.store().encryption(), Encryption::Rows);
    opened.store().scrub().await.unwrap();
    opened.store().seal_wholly().await.unwrap();
    all
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
async fn once_all_is_sealed_nothing_that_was_in_the_clear_is_left_in_the_file_its_log_or_a_backup() {
    let place = Place::Sqlite(tempfile::tempdir().unwrap());
    let Place::Sqlite(folder) = &place else { unreachable!() };
    let holders = || {
        let files = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path());
        let holds = |file: &PathBuf| {
            let bytes = fs::read(file).unwrap();
            bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes())
        };
        files.filter(holds).collect::<Vec<_>>()
    };
    let opened = place.open(&[]).await;
    for revision in 1..4 {
        plant(opened.store(), revision).await;
    }
    opened.close().await;
    assert_ne!(holders(), Vec::<PathBuf>::new(), "it is looked for where it is");
    let opened = place.open(&[OLD]).await;
    seal_all(&opened).await;
    assert_eq!(holders(), Vec::<PathBuf>::new(), "while it is open");
    let Raw::Sqlite(raw) = Raw::of(&place).await else {
        unreachable!()
    };
    let backup = folder.path().join("backup.db");
    raw.execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    drop(raw);
    opened.close().await;
    assert_eq!(holders(), Vec::<PathBuf>::new(), "closed, and in a backup");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_somebody_reads_what_is_older_every_row_is_sealed_and_the_store_does_not_say_that_all_is() {
    let place = Place::Sqlite(tempfile::tempdir().unwrap());
    let opened = place.open(&[]).await;
    plant(opened.store(), 1).await;
    let Raw::Sqlite(reader) = Raw::of(&place).await else {
        unreachable!()
    };
    let clear = Raw::of(&place).await.cells().await;
    opened.close().await;
    let opened = place.open(&[OLD]).await;
    begin_sessions(opened.store()).await;
    reader.execute_batch("BEGIN").unwrap();
    let count = |table: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        reader.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    assert!(count("customers") > 0, "it reads from here on");
    seal_rows(&opened).await;
    assert!(matches!(opened.store().scrub().await, Err(StoreError::Busy)));
    // A key that is wrapped anew by a process that knows less takes nothing back.
    opened.store().wrap_anew(100).await.unwrap();
    assert_eq!(opened.store().encryption(), Encryption::Rows);
    opened.close().await;

    let opened = place.open(&[OLD]).await;
    assert_eq!(opened.store().encryption(), Encryption::Rows, "it is remembered");
    all_is_there(opened.store()).await;
    reader.execute_batch("COMMIT").unwrap();
    let raw = Raw::of(&place).await;
    let is_body = |cell: &&super::raw::Cell| cell.table == "connections" && cell.column == "body";
    let body = clear.iter().find(is_body).unwrap();
    let sealed = raw.cells().await.into_iter().find(|cell| is_body(&cell)).unwrap();
    raw.set(body, &body.bytes).await;
    let refused = opened.store().connections().await.unwrap_err().to_string();
    assert!(refused.contains("in the clear"), "{refused}");
    raw.set(&sealed, &sealed.bytes).await;
    opened.store().scrub().await.unwrap();
    opened.store().seal_wholly().await.unwrap();
    // Whoever has seen less does not make it less.
    opened.store().seal_rows().await.unwrap();
    assert_eq!(opened.store().encryption(), Encryption::On);
    all_is_there(opened.store()).await;
    opened.close().await;
}
