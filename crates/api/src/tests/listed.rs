//! Every type that is both written and read, filled.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use upsert_core::CustomerId;

use super::filled;
use crate::{
    Alive, AnyEvent, CausePage, Encryption, EndpointTest, Event, EventReplayed, Intake, KeysRotated, LogsChange, Page,
    ReplayOf, WholeEvent,
};

/// A value that was written and read again.
pub(super) struct Trip {
    pub(super) whole: Json,
    pub(super) again: Json,
    /// Whether the value itself is the same afterwards.
    pub(super) is_same: bool,
}

pub(super) fn trip<T: Serialize + DeserializeOwned + PartialEq>(value: &T) -> Trip {
    let text = serde_json::to_string(value).unwrap();
    let again: T = serde_json::from_str(&text).unwrap();
    Trip {
        whole: serde_json::from_str(&text).unwrap(),
        again: serde_json::to_value(&again).unwrap(),
        is_same: again == *value,
    }
}

pub(super) fn all() -> Vec<(&'static str, Trip)> {
    let mut all = of_people();
    all.extend(of_events());
    all.extend(of_problems());
    all.extend(of_the_gateway());
    all
}

fn of_people() -> Vec<(&'static str, Trip)> {
    let page = Page {
        data: vec![filled::listed_delivery()],
        next_cursor: Some("next".to_owned()),
    };
    vec![
        ("LinkedCustomer", trip(&filled::linked_customer())),
        ("HistoryEntry", trip(&filled::history_entry())),
        ("Erasure", trip(&filled::erasure())),
        ("WholeDelivery", trip(&filled::whole_delivery())),
        ("Page of ListedDelivery", trip(&page)),
        ("UpsertAnswer", trip(&filled::upsert_answer())),
        ("ListedUpsert", trip(&filled::listed_upsert())),
        ("Plan", trip(&filled::plan())),
        ("VendorCustomerPage", trip(&filled::vendor_page())),
        (
            "CausePage",
            trip(&CausePage {
                data: vec![filled::cause()],
                counted_all: true,
            }),
        ),
    ]
}

fn of_events() -> Vec<(&'static str, Trip)> {
    let taken = EventReplayed::Taken(filled::taken_event());
    let given_up = EventReplayed::Event(Event::Incoming(filled::incoming_event()));
    let again = EventReplayed::Event(Event::Outgoing(filled::outgoing_event()));
    let intake = Intake {
        data: vec![filled::taken_event()],
    };
    vec![
        ("Event in", trip(&Event::Incoming(filled::incoming_event()))),
        ("Event out", trip(&Event::Outgoing(filled::outgoing_event()))),
        (
            "WholeEvent in",
            trip(&WholeEvent::Incoming(filled::whole_incoming_event())),
        ),
        (
            "WholeEvent out",
            trip(&WholeEvent::Outgoing(filled::whole_outgoing_event())),
        ),
        ("EventReplayed taken", trip(&taken)),
        ("EventReplayed in", trip(&given_up)),
        ("EventReplayed out", trip(&again)),
        ("Intake", trip(&intake)),
    ]
}

fn of_problems() -> Vec<(&'static str, Trip)> {
    vec![
        ("Problem", trip(&filled::problem())),
        ("UpsertProblem", trip(&filled::upsert_problem())),
        ("VendorProblem", trip(&filled::vendor_problem())),
        ("WebhookProblem", trip(&filled::webhook_problem())),
        ("DeliveriesDone", trip(&filled::deliveries_done())),
        ("EventsDone", trip(&filled::events_done())),
    ]
}

fn of_the_gateway() -> Vec<(&'static str, Trip)> {
    let alive = Alive {
        status: "alive".to_owned(),
    };
    let change = LogsChange {
        filter: "debug".to_owned(),
        length: Some("15m".to_owned()),
    };
    let rotated = KeysRotated {
        merchants_left: vec!["acme".to_owned()],
        audit_keys: vec!["2026-11".to_owned()],
        key: "2027-05".to_owned(),
        wrapped_anew: 3,
        merchants_sealed_anew: 2,
        new_data_keys: 1,
        encryption: Encryption::On,
    };
    let replay = ReplayOf {
        customer_id: Some(CustomerId::oldest_at(filled::noon())),
    };
    let test = EndpointTest {
        id: upsert_core::EventId::oldest_at(filled::noon()),
        delivered: true,
        status: Some(204),
        error: Some("it answered 500".to_owned()),
        duration_ms: 12,
    };
    vec![
        ("Connection", trip(&filled::connection())),
        ("TriedConnection", trip(&filled::tried_connection())),
        ("ResumedConnection", trip(&filled::resumed_connection())),
        ("Webhooks", trip(&filled::webhooks())),
        ("AttentionPage", trip(&filled::attention_page())),
        ("Incident", trip(&filled::incident())),
        ("ListedIncident", trip(&filled::listed_incident())),
        ("AuditEntry", trip(&filled::audit_entry())),
        ("AuditCheck", trip(&filled::audit_check())),
        ("Configuration", trip(&filled::configuration())),
        ("Provider", trip(&filled::provider())),
        ("ListedMerchant", trip(&filled::listed_merchant())),
        ("StoredMerchant", trip(&filled::stored_merchant())),
        ("Ready", trip(&filled::ready())),
        ("Logs", trip(&filled::logs())),
        ("Alive", trip(&alive)),
        ("LogsChange", trip(&change)),
        ("KeysRotated", trip(&rotated)),
        ("ReplayOf", trip(&replay)),
        ("EndpointTest", trip(&test)),
        ("AnyEvent", of_any_event()),
    ]
}

fn of_any_event() -> Trip {
    let said = json!({ "id": "e1", "at": 7.25, "who": ["Ann"] });
    let again: AnyEvent = serde_json::from_value(json!(AnyEvent(said.clone()))).unwrap();
    Trip {
        is_same: again.0 == said,
        whole: said,
        again: json!(again),
    }
}
