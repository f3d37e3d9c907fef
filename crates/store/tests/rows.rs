//! Rows as they are kept: they are read, and written back as they were.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use upsert_core::{DeliveryId, Word as _};
use upsert_store::{
    AttemptRecord, DeliveryRecord, DeliveryState, IncomingEvent, IncomingState, Lane, OutgoingEvent, OutgoingState,
    SentRequest, UpsertRecord, UpsertState,
};

fn rows(file: &str) -> Vec<Json> {
    file.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn read<T: DeserializeOwned>(row: &Json) -> T {
    serde_json::from_str(&row.to_string()).unwrap_or_else(|error| panic!("{error}: {row}"))
}

fn written<T: Serialize>(record: &T) -> Json {
    serde_json::from_str(&serde_json::to_string(record).unwrap()).unwrap()
}

fn without(row: &Json, member: &str) -> Json {
    let mut row = row.clone();
    row.as_object_mut().unwrap().remove(member).unwrap();
    row
}

fn states(rows: &[Json]) -> BTreeSet<&str> {
    rows.iter().filter_map(|row| row["state"].as_str()).collect()
}

fn deliveries() -> Vec<Json> {
    rows(include_str!("rows/deliveries.jsonl"))
}

#[test]
fn deliveries_of_every_state_are_written_back_as_they_were() {
    for row in deliveries() {
        let record: DeliveryRecord = read(&row);
        assert_eq!(written(&record), row);
        assert_eq!(record.state().as_str(), row["state"]);
        assert_eq!(DeliveryId::of(record.upsert(), record.id.part()), record.id);
        let shown = [
            ("waiting_for", json!(record.waiting_for())),
            ("superseded_by", json!(record.superseded_by())),
            ("outcome", json!(record.outcome())),
            ("next_attempt_at", json!(record.next_attempt_at())),
            ("lease_until", json!(record.lease_until())),
            ("ended_at", json!(record.ended_at())),
            ("error", json!(record.error())),
        ];
        for (member, value) in shown {
            assert_eq!(value, row[member], "`{member}` of {row}");
        }
    }
    assert_eq!(states(&deliveries()).len(), DeliveryState::ALL.len());
}

#[test]
fn a_delivery_that_lacks_what_its_state_needs_is_refused() {
    for (state, member) in [
        ("pending", "next_attempt_at"),
        ("retrying", "next_attempt_at"),
        ("waiting", "waiting_for"),
        ("succeeded", "outcome"),
        ("succeeded", "evidence"),
        ("succeeded", "ended_at"),
        ("superseded", "superseded_by"),
        ("superseded", "ended_at"),
        ("failed", "ended_at"),
        ("discarded", "ended_at"),
    ] {
        for row in deliveries().iter().filter(|row| row["state"] == state) {
            let lacking = without(row, member);
            assert!(
                serde_json::from_value::<DeliveryRecord>(lacking).is_err(),
                "{state} {member}"
            );
        }
    }
}

#[test]
fn attempts_are_kept_without_what_went_out() {
    for row in rows(include_str!("rows/attempts.jsonl")) {
        let mut record: AttemptRecord = read(&row);
        assert_eq!((written(&record), &record.request), (row.clone(), &None));
        record.request = Some(SentRequest {
            method: "POST".to_owned(),
            path: "/customers".to_owned(),
            body: Json::Null,
        });
        assert_eq!(written(&record), row);
    }
}

#[test]
fn lanes_are_written_back_as_they_were() {
    for row in rows(include_str!("rows/lanes.jsonl")) {
        let lane: Lane = read(&row);
        assert_eq!(written(&lane), row);
        let shown = [
            ("in_flight", json!(lane.in_flight())),
            ("sending", json!(lane.sending())),
            ("queued", json!(lane.queued())),
            ("link", json!(lane.link())),
            ("known_by", json!(lane.known_by())),
            ("sure_keys", json!(lane.sure_keys())),
            ("failed", json!(lane.failed())),
        ];
        for (member, value) in shown {
            assert_eq!(value, row[member], "`{member}` of {row}");
        }
    }
}

#[test]
fn upserts_are_written_back_as_they_were() {
    let rows = rows(include_str!("rows/upserts.jsonl"));
    for row in &rows {
        let record: UpsertRecord = read(row);
        assert_eq!(written(&record), *row);
        assert_eq!(json!(record.state()), row["state"]);
        assert_eq!(json!(record.ended_at()), row["ended_at"]);
        assert_eq!(json!(record.rolled_back()), row["rolled_back"]);
        assert_eq!(record.owes_event(), row["owes_event"] == true);
    }
    assert_eq!(states(&rows).len(), UpsertState::ALL.len());
}

#[test]
fn events_that_came_in_are_written_back_as_they_were() {
    let rows = rows(include_str!("rows/incoming_events.jsonl"));
    for row in &rows {
        let event: IncomingEvent = read(row);
        assert_eq!(written(&event), *row);
        let shown = [
            ("state", json!(event.state())),
            ("customer", json!(event.customer())),
            ("upsert", json!(event.upsert())),
            ("problem", json!(event.problem())),
            ("raw", json!(event.raw())),
        ];
        for (member, value) in shown {
            assert_eq!(value, row[member], "`{member}` of {row}");
        }
    }
    assert_eq!(states(&rows).len(), IncomingState::ALL.len());
}

#[test]
fn events_that_go_out_are_written_back_as_they_were() {
    let rows = rows(include_str!("rows/outgoing_events.jsonl"));
    for row in &rows {
        let event: OutgoingEvent = read(row);
        assert_eq!(written(&event), *row);
        let shown = [
            ("state", json!(event.state())),
            ("next_attempt_at", json!(event.next_attempt_at())),
            ("ended_at", json!(event.ended_at())),
            ("last_error", json!(event.last_error())),
            ("body", json!(event.body())),
        ];
        for (member, value) in shown {
            assert_eq!(value, row[member], "`{member}` of {row}");
        }
    }
    assert_eq!(states(&rows).len(), OutgoingState::ALL.len());
}
