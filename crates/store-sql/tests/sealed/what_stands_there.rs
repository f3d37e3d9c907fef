//! What anybody sees who has the files, or a dump.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::planted::{CANARY, all_is_there, plant};
use super::raw::{Cell, Raw};
use super::{NEW, OLD, Place, places};

/// Whether the canary is in it, as it is or in hexadecimal digits.
fn has_canary(bytes: &[u8]) -> bool {
    bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes())
}

fn columns<'a>(cells: impl Iterator<Item = &'a Cell>) -> BTreeSet<String> {
    cells.map(|cell| format!("{}.{}", cell.table, cell.column)).collect()
}

/// What is sealed of each table. Everything else is ids, numbers, digests, and words of the gateway's and of its configuration.
const SEALED: [&str; 19] = [
    "attempts.attempt",
    "attempts.request",
    "connections.body",
    "customers.body",
    "endpoints.body",
    "erasures.body",
    "event_marks.body",
    "idempotency.answer",
    "idempotency.fingerprint",
    "incidents.body",
    "incoming_events.body",
    "merchants.body",
    "outgoing_events.body",
    "secret.key",
    "sessions.notice",
    "upserts.attempt",
    "upserts.body",
    "upserts.change",
    "upserts.request",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_column_of_any_table_holds_anything_of_a_person_in_the_clear() {
    for place in places() {
        let opened = place.open(&[OLD]).await;
        plant(opened.store(), 1).await;
        all_is_there(opened.store()).await;
        let cells = Raw::of(&place).await.cells().await;
        assert_eq!(
            columns(cells.iter().filter(|cell| has_canary(&cell.bytes))),
            BTreeSet::new()
        );
        let sealed = columns(cells.iter().filter(|cell| cell.is_sealed()));
        assert_eq!(sealed, SEALED.map(str::to_owned).into());
        let mut unsealed: BTreeMap<&str, usize> = BTreeMap::new();
        for cell in cells
            .iter()
            .filter(|cell| sealed.contains(&format!("{}.{}", cell.table, cell.column)))
        {
            *unsealed.entry(&cell.table).or_default() += usize::from(!cell.is_sealed());
        }
        assert!(unsealed.values().all(|count| *count == 0), "{unsealed:?}");
        opened.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_canaries_are_found_where_nothing_is_sealed() {
    for place in places() {
        let opened = place.open(&[]).await;
        plant(opened.store(), 1).await;
        let cells = Raw::of(&place).await.cells().await;
        let mut seen = columns(cells.iter().filter(|cell| has_canary(&cell.bytes)));
        for column in ["incoming_events.event_id", "incoming_events.content", "idempotency.key"] {
            assert!(seen.remove(column), "{column}");
        }
        let wanted = SEALED.iter().filter(|column| **column != "secret.key");
        assert_eq!(seen, wanted.map(|column| (*column).to_owned()).collect());
        opened.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_holds_a_canary_while_it_is_written_closed_or_backed_up() {
    let place = Place::Sqlite(tempfile::tempdir().unwrap());
    let Place::Sqlite(folder) = &place else { unreachable!() };
    let look = |when: &str| {
        let mut looked_at = 0;
        for file in fs::read_dir(folder.path()).unwrap() {
            let path = file.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            looked_at += bytes.len();
            assert!(!has_canary(&bytes), "{when}: {}", path.display());
        }
        assert!(looked_at > 100_000, "{when}: {looked_at}");
    };
    let opened = place.open(&[OLD]).await;
    for revision in 1..4 {
        plant(opened.store(), revision).await;
    }
    look("while it is open");
    let Raw::Sqlite(raw) = Raw::of(&place).await else {
        unreachable!()
    };
    let backup = folder.path().join("backup.db");
    raw.execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    drop(raw);
    look("with a backup");
    opened.close().await;
    look("once it is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_is_refused_at_the_start_without_its_key() {
    for place in places() {
        let opened = place.open(&[OLD]).await;
        plant(opened.store(), 1).await;
        opened.close().await;
        for keys in [&[][..], &[NEW], &[(OLD.0, NEW.1)]] {
            let refused = place.try_open(super::ring(keys)).await.err().unwrap();
            assert!(
                refused.contains(OLD.0) && refused.contains("store.encryption_keys"),
                "{refused}"
            );
        }
        let opened = place.open(&[NEW, OLD]).await;
        all_is_there(opened.store()).await;
        opened.close().await;
    }
}
