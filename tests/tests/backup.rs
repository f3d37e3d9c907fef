//! A backup taken while the gateway works, put in the place of its file.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::json;

use upsert_tests::{Plan, World};

/// What was told: the upsert's id, and whether it had ended, by reference.
type Told = Arc<Mutex<BTreeMap<String, (String, bool)>>>;

async fn load(world: &World, client: usize, stop: &AtomicBool, told: &Told) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let reference = format!("r-{client}-{number}");
        let answered = world
            .upsert(&json!({ "reference": reference, "given_name": "A", "email": format!("{reference}@x.example") }))
            .await;
        assert!(matches!(answered.status, 201 | 202), "{}", answered.text);
        let id = answered.body["upsert_id"].as_str().unwrap().to_owned();
        told.lock().insert(reference, (id, answered.status == 201));
    }
}

fn copy(from: &Path, to: &Path) {
    let source = rusqlite::Connection::open(from).unwrap();
    source.execute("VACUUM INTO ?1", [to.to_str().unwrap()]).unwrap();
}

fn calls_for(world: &World, reference: &str) -> usize {
    let email = format!("\"{reference}@x.example\"");
    let entries = world.rotor.journal().entries();
    entries.iter().filter(|entry| entry.body.contains(&email)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_taken_under_load_knows_all_that_was_told_before_and_sends_nothing_again_that_had_ended() {
    let mut world = World::with(Plan {
        only: vec!["rotor"],
        is_one_process: true,
        ..Plan::default()
    })
    .await;
    for round in 0..3 {
        let (stop, told) = (AtomicBool::new(false), Told::default());
        let database = world.folder().join("data").join("gateway.db");
        let backup = world.folder().join(format!("backup-{round}.db"));
        let (target, source, before) = (backup.clone(), database.clone(), told.clone());
        let take = async {
            while before.lock().len() < 50 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let known = before.lock().clone();
            tokio::task::spawn_blocking(move || copy(&source, &target))
                .await
                .unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
            stop.store(true, Ordering::Relaxed);
            known
        };
        let clients = (0..8).map(|client| load(&world, client + round * 8, &stop, &told));
        let (known, _) = tokio::join!(take, futures_util::future::join_all(clients));
        world.stop().await;
        let calls: BTreeMap<_, _> = known
            .keys()
            .map(|name| (name.clone(), calls_for(&world, name)))
            .collect();

        for log in ["gateway.db-wal", "gateway.db-shm"] {
            let _ = std::fs::remove_file(database.with_file_name(log));
        }
        std::fs::copy(&backup, &database).unwrap();
        world.restart().await;
        for (reference, (upsert, had_ended)) in &known {
            let path = format!("/v1/upserts/{upsert}");
            let ended = world
                .until(&path, Duration::from_secs(20), |now| now.body["state"] == "succeeded")
                .await;
            assert_eq!(ended.body["customer"]["reference"], reference.as_str());
            if *had_ended {
                assert_eq!(
                    calls_for(&world, reference),
                    calls[reference],
                    "{reference} is not sent again"
                );
            }
        }
        let is_drained = |now: &upsert_tests::Answered| {
            let open = &now.body["data"][0];
            open["waiting"] == 0 && open["in_flight"] == 0
        };
        world
            .until("/v1/connections", Duration::from_secs(20), is_drained)
            .await;
        // Customers made after the backup are met again by their e-mail: nobody is twice at the vendor.
        let told = told.lock().clone();
        for reference in told.keys() {
            let body = json!({ "reference": reference, "given_name": "A", "email": format!("{reference}@x.example") });
            let again = world.upsert(&body).await;
            assert!(matches!(again.status, 200 | 201), "{}", again.text);
        }
        let records = world.rotor.records();
        let mut emails: Vec<String> = records
            .iter()
            .map(|record| record.fields["email"].to_string())
            .collect();
        let all = emails.len();
        emails.sort();
        emails.dedup();
        assert_eq!(emails.len(), all, "one record a person");
        let file = rusqlite::Connection::open(&database).unwrap();
        let integrity: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(integrity, "ok");
    }
}
