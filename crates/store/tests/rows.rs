//! Rows as releases have written them: they are read, and written back as they were.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use upsert_core::{ErrorKind, Word as _};
use upsert_store::{
    DeliveryRecord, DeliveryState, IncomingEvent, IncomingState, Lane, OutgoingEvent, OutgoingState, UpsertRecord,
    UpsertState,
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
    let states = deliveries()
        .into_iter()
        .map(|row| row["state"].as_str().unwrap().to_owned());
    let states: std::collections::BTreeSet<_> = states.collect();
    assert_eq!(states.len(), DeliveryState::ALL.len());
}

/// The first releases wrote what was not there as null.
#[test]
fn deliveries_with_nulls_are_written_back_without_them() {
    for row in deliveries() {
        let mut older = row.clone();
        for member in [
            "waiting_for",
            "superseded_by",
            "outcome",
            "evidence",
            "matched_by",
            "provider_customer_id",
            "next_attempt_at",
            "error",
            "lease_until",
            "ended_at",
            "parked_since",
            "traceparent",
        ] {
            older.as_object_mut().unwrap().entry(member).or_insert(Json::Null);
        }
        assert_eq!(written(&read::<DeliveryRecord>(&older)), row);
    }
}

/// As long as nobody kept why one of our own limits had ended it.
#[test]
fn a_delivery_that_failed_of_nobody_knows_what_has_an_error_all_the_same() {
    for failed in deliveries().iter().filter(|row| row["state"] == "failed") {
        let record: DeliveryRecord = read(&without(failed, "error"));
        assert_eq!(record.error().unwrap().kind, ErrorKind::Transient);
    }
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

fn lanes() -> Vec<Json> {
    rows(include_str!("rows/lanes.jsonl"))
}

#[test]
fn lanes_are_written_back_as_they_were() {
    for row in lanes() {
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

/// Older releases did not say what a call carries, nor which versions were brought or failed.
#[test]
fn a_lane_of_an_older_release_has_a_call_that_may_have_carried_anything() {
    let is_busy = |row: &&Json| !row["in_flight"].is_null() && row["accepted"]["fields"] != json!({});
    let newer = lanes().into_iter().filter(|row| is_busy(&row)).collect::<Vec<_>>();
    assert!(!newer.is_empty());
    for row in newer {
        let mut older = without(&row, "sending");
        for member in ["known_by", "failed_version", "brought"] {
            older = without(&older, member);
        }
        let mut lane: Lane = read(&older);
        assert_eq!(json!(lane.in_flight()), row["in_flight"]);
        assert!(lane.call().is_some_and(|call| call.carries.is_none()));
        lane.lose_call(3);
        assert_eq!((lane.in_flight(), lane.brought()), (None, 3));
        let accepted = lane.accepted();
        assert!(accepted.fields.keys().eq(&accepted.uncertain));
        assert_eq!(lane.known_by(), lane.reserved());
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
