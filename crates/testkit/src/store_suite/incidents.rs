//! Incidents of connections.

use std::sync::Arc;

use jiff::SignedDuration;
use upsert_core::IncidentId;
use upsert_store::{Changeset, Expect, IncidentFilter, IncidentRecord, IncidentState, PausedBy, Store, Write};

use super::{holds, put};
use crate::records::{ended_incident, incident_id, incident_record, noon, seconds};

pub(super) async fn an_incident_comes_back_as_it_was_put_and_is_expected_at_its_revision(store: Arc<dyn Store>) {
    let mut incident = incident_record("acme", "crm", 1);
    let is_at = |revision| Expect::Incident {
        id: incident_id(1),
        revision,
    };
    assert!(holds(&*store, is_at(None)).await);
    put(&*store, vec![Write::PutIncident(incident.clone())]).await;
    assert!(holds(&*store, is_at(Some(1))).await && !holds(&*store, is_at(None)).await);
    assert_eq!(
        store.incident("acme", incident.id).await.unwrap(),
        Some(incident.clone())
    );
    assert_eq!(store.incident("globex", incident.id).await.unwrap(), None);
    let expected = incident.change();
    incident.pause(seconds(3), PausedBy::Vendor, "it refuses the key");
    assert!(holds(&*store, expected).await);
    put(&*store, vec![Write::PutIncident(incident.clone())]).await;
    assert!(holds(&*store, is_at(Some(2))).await);
    assert_eq!(store.incident("acme", incident.id).await.unwrap(), Some(incident));
}

async fn fill(store: &dyn Store) {
    for (merchant, connection, number, has_ended) in [
        ("acme", "crm", 1, true),
        ("globex", "crm", 2, false),
        ("acme", "erp", 3, true),
        ("acme", "crm", 4, false),
    ] {
        let incident = if has_ended {
            ended_incident(merchant, connection, number, seconds(i64::from(number) * 10))
        } else {
            incident_record(merchant, connection, number)
        };
        let changes = Changeset {
            write: vec![Write::PutIncident(incident)],
            ..Changeset::of(merchant)
        };
        store.apply(changes).await.unwrap();
    }
}

async fn numbers(store: &dyn Store, filter: &IncidentFilter, before: Option<u32>, limit: usize) -> Vec<u32> {
    let found = store.incidents(filter, before.map(incident_id), limit).await.unwrap();
    let number = |row: &IncidentRecord| (1..=9).find(|number| incident_id(*number) == row.id).unwrap();
    found.iter().map(number).collect()
}

pub(super) async fn incidents_are_listed_newest_first_by_merchant_connection_and_state(store: Arc<dyn Store>) {
    use IncidentState::{Ended, Open};

    fill(&*store).await;
    let all = IncidentFilter::default;
    let of = |merchants: &[&str]| IncidentFilter {
        merchants: Some(merchants.iter().map(|name| (*name).to_owned()).collect()),
        ..all()
    };
    let at = |connection: &str| IncidentFilter {
        connection: Some(connection.to_owned()),
        ..all()
    };
    let in_state = |state: &[IncidentState]| IncidentFilter {
        state: state.iter().copied().collect(),
        ..all()
    };
    for (filter, expected) in [
        (all(), &[4, 3, 2, 1][..]),
        (of(&["acme"]), &[4, 3, 1]),
        (of(&["acme", "globex", "initech"]), &[4, 3, 2, 1]),
        (of(&[]), &[]),
        (at("crm"), &[4, 2, 1]),
        (at("nowhere"), &[]),
        (in_state(&[Open]), &[4, 2]),
        (in_state(&[Ended]), &[3, 1]),
        (in_state(&[Open, Ended]), &[4, 3, 2, 1]),
        (
            IncidentFilter {
                merchant: Some("globex".to_owned()),
                ..all()
            },
            &[2],
        ),
        (
            IncidentFilter {
                merchant: Some("globex".to_owned()),
                ..of(&["acme"])
            },
            &[],
        ),
        (
            IncidentFilter {
                connection: Some("crm".to_owned()),
                ..of(&["acme"])
            },
            &[4, 1],
        ),
    ] {
        assert_eq!(numbers(&*store, &filter, None, 9).await, expected, "{filter:?}");
    }
    for filter in [all(), of(&["acme", "globex"])] {
        assert_eq!(numbers(&*store, &filter, None, 2).await, [4, 3]);
        assert_eq!(numbers(&*store, &filter, Some(3), 2).await, [2, 1]);
        assert!(numbers(&*store, &filter, Some(1), 2).await.is_empty());
    }
}

pub(super) async fn incidents_that_ended_long_ago_are_answered_and_forgotten(store: Arc<dyn Store>) {
    fill(&*store).await;
    let later = noon() + SignedDuration::from_hours(1);
    let of = |number| ("acme".to_owned(), incident_id(number));
    let ended = |before, limit| {
        let store = store.clone();
        async move { store.incidents_ended_before(before, limit).await.unwrap() }
    };
    assert_eq!(ended(later, 9).await, [of(1), of(3)]);
    assert_eq!(ended(later, 1).await, [of(1)]);
    assert_eq!(
        ended(seconds(30), 9).await,
        [of(1)],
        "one that ended then did not before"
    );
    put(&*store, vec![Write::ForgetIncident(incident_id(1))]).await;
    // Another one's of this id is not there, and so not forgotten.
    put(&*store, vec![Write::ForgetIncident(incident_id(2))]).await;
    let none: Vec<(String, IncidentId)> = Vec::new();
    assert_eq!(
        (ended(later, 9).await, ended(seconds(30), 9).await),
        (vec![of(3)], none)
    );
    assert_eq!(numbers(&*store, &IncidentFilter::default(), None, 9).await, [4, 3, 2]);
}
