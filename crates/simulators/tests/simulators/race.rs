//! The race window: vendors are taken for databases without a lock.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use upsert_simulators::{SimulatorOptions, Vendor};

use crate::desk::Desk;

fn new_person(vendor: Vendor) -> Value {
    match vendor {
        Vendor::Rotor => json!({"phone": "+15550100"}),
        Vendor::AddUpdate => json!({"externalId": "C1", "firstName": "Ann"}),
        Vendor::April => json!({"UpsertConsumerCustomer": {
            "emailAddress": "ann@example.com", "phoneNumber": "+61401234567", "familyName": "Lee"
        }}),
    }
}

const VENDORS: [Vendor; 3] = [Vendor::Rotor, Vendor::AddUpdate, Vendor::April];

#[tokio::test]
async fn two_creates_of_one_person_at_once_make_two_records() {
    for vendor in VENDORS {
        // Wide enough for both to be inside on a busy machine.
        let options = SimulatorOptions {
            race_window: Duration::from_millis(300),
            ..SimulatorOptions::default()
        };
        let desk = Desk::with(vendor, options);
        let body = new_person(vendor);
        tokio::join!(desk.upsert(&body), desk.upsert(&body));
        assert_eq!(desk.simulator.records().len(), 2, "{vendor:?}");
        assert_eq!(desk.simulator.journal().counts().created, 2);
    }
}

#[tokio::test]
async fn the_window_is_open_by_default() {
    assert!(SimulatorOptions::default().race_window > Duration::ZERO);
}

#[tokio::test]
async fn one_create_after_the_other_makes_one_record() {
    for vendor in VENDORS {
        let desk = Desk::start(vendor);
        let body = new_person(vendor);
        desk.upsert(&body).await;
        desk.upsert(&body).await;
        let records = desk.simulator.records();
        assert_eq!((records.len(), records[0].writes), (1, 2), "{vendor:?}");
    }
}

#[tokio::test]
async fn a_quick_simulator_makes_one_record_however_many_come_at_once() {
    for vendor in VENDORS {
        let desk = Desk::with(vendor, SimulatorOptions::quick());
        let body = new_person(vendor);
        join_all((0..32).map(|_| desk.upsert(&body))).await;
        let counts = desk.simulator.journal().counts();
        assert_eq!(
            (desk.simulator.records().len(), counts.created, counts.writes),
            (1, 1, 32),
            "{vendor:?}"
        );
    }
}

#[tokio::test]
async fn tags_of_two_updates_at_once_are_both_kept() {
    let desk = Desk::start(Vendor::Rotor);
    desk.upsert(&json!({"phone": "+1"})).await;
    let (one, two) = (
        json!({"phone": "+1", "tags": ["a"]}),
        json!({"phone": "+1", "tags": ["b"]}),
    );
    tokio::join!(desk.upsert(&one), desk.upsert(&two));
    let tags = desk.simulator.records()[0].fields["tags"].as_array().unwrap().len();
    assert_eq!(tags, 2);
}
