//! The journal as an oracle.

use std::time::Duration;

use serde_json::json;
use upsert_simulators::{Answered, JournalDepth, SimulatorOptions, Vendor};

use crate::desk::Desk;

#[tokio::test]
async fn an_entry_holds_what_came_what_went_and_what_was_written() {
    let desk = Desk::start(Vendor::Rotor);
    let body = json!({"phone": "+1", "first_name": "Ann"});
    let (_, answer) = desk.upsert(&body).await;
    desk.upsert(&json!({"email": "a@example.com", "phone": "+1"})).await;
    desk.get("/customers?search=Ann").await;

    let entries = desk.simulator.journal().entries();
    let [create, update, read] = entries.as_slice() else {
        panic!("{} entries", entries.len())
    };
    assert_eq!((create.sequence, create.vendor), (1, Vendor::Rotor));
    assert_eq!(
        (create.method.as_str(), create.path.as_str()),
        ("POST", "/open-api/customers")
    );
    assert_eq!(create.header("x-api-key"), Some("rotor_sim_secret"));
    assert_eq!(create.header("content-type"), Some("application/json"));
    assert_eq!(create.body, body.to_string());
    assert!(create.finished_at.unwrap() >= create.received_at);
    let Some(Answered::Status { status: 201, body }) = &create.answered else {
        panic!("{:?}", create.answered)
    };
    assert_eq!(serde_json::from_str::<serde_json::Value>(body).unwrap(), answer);

    let created = create.write.as_ref().unwrap();
    assert_eq!((created.created, created.matched_on.as_deref()), (true, None));
    assert_eq!(
        (created.record.as_str(), created.account.as_str()),
        (answer["id"].as_str().unwrap(), "company-1")
    );
    let updated = update.write.as_ref().unwrap();
    assert_eq!((updated.created, updated.matched_on.as_deref()), (false, Some("phone")));
    assert_eq!(updated.record, created.record);
    assert_eq!(
        (read.path.as_str(), &read.write),
        ("/open-api/customers?search=Ann", &None)
    );

    let counts = desk.simulator.journal().counts();
    assert_eq!(
        (counts.received, counts.finished, counts.writes, counts.created),
        (3, 3, 2, 1)
    );
}

#[tokio::test]
async fn a_refused_request_is_noted_without_a_write() {
    let desk = Desk::start(Vendor::AddUpdate);
    desk.upsert(&json!({"externalId": "C1"})).await;
    let entry = desk.simulator.journal().entries().remove(0);
    assert_eq!(entry.write, None);
    assert!(matches!(entry.answered, Some(Answered::Status { status: 400, .. })));
}

#[tokio::test]
async fn requests_at_once_overlap_and_those_after_each_other_do_not() {
    let options = SimulatorOptions {
        race_window: Duration::from_millis(300),
        ..SimulatorOptions::default()
    };
    let desk = Desk::with(Vendor::Rotor, options);
    let (one, two) = (json!({"phone": "+1"}), json!({"phone": "+2"}));
    tokio::join!(desk.upsert(&one), desk.upsert(&two));
    desk.upsert(&one).await;
    let entries = desk.simulator.journal().entries();
    assert!(entries[0].overlaps(&entries[1]) && entries[1].overlaps(&entries[0]));
    assert!(!entries[1].overlaps(&entries[2]) && !entries[2].overlaps(&entries[0]));
}

#[tokio::test]
async fn a_bounded_journal_keeps_the_last_and_counts_all() {
    for (depth, kept) in [(JournalDepth::Last(2), vec![4, 5]), (JournalDepth::CountOnly, vec![])] {
        let desk = Desk::with(
            Vendor::Rotor,
            SimulatorOptions {
                journal: depth,
                ..SimulatorOptions::default()
            },
        );
        for _ in 0..5 {
            desk.upsert(&json!({"phone": "+1"})).await;
        }
        let sequences: Vec<u64> = desk
            .simulator
            .journal()
            .entries()
            .iter()
            .map(|entry| entry.sequence)
            .collect();
        assert_eq!(sequences, kept, "{depth:?}");
        let counts = desk.simulator.journal().counts();
        assert_eq!(
            (counts.received, counts.finished, counts.writes, counts.created),
            (5, 5, 5, 1)
        );
    }
}
