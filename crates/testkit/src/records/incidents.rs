//! Outages of connections.

use jiff::Timestamp;
use upsert_core::{ErrorKind, IncidentId};
use upsert_store::{DeliveryError, IncidentRecord, IncidentWords, TouchedRecord};

use super::{customer_id, delivery_error, delivery_id, made_at, noon, seconds};

/// The incident of this number, made so many seconds after [`noon`].
pub fn incident_id(number: u32) -> IncidentId {
    IncidentId::from_uuid(made_at(number.into()))
}

/// One that began at noon: one call failed, in the delivery and for the customer of this number.
pub fn incident_record(merchant: &str, connection: &str, number: u32) -> IncidentRecord {
    let mut incident = IncidentRecord::new(incident_id(number), merchant, connection, noon());
    let words = IncidentWords {
        at: seconds(1),
        delivery: delivery_id(number.into()),
        customer: customer_id(number.into()),
        error: DeliveryError {
            vendor_status: Some(503),
            ..delivery_error(ErrorKind::Transient, Some("E42"))
        },
    };
    incident.fail(1, seconds(1));
    incident.hear(words);
    incident.go_down(seconds(2), Some(503));
    incident
}

/// The same, over at this moment.
pub fn ended_incident(merchant: &str, connection: &str, number: u32, at: Timestamp) -> IncidentRecord {
    let mut incident = incident_record(merchant, connection, number);
    incident.answer(at);
    let touched = TouchedRecord {
        customers: 1,
        ids: vec![customer_id(number.into())],
        deliveries: 2,
        coalesced: 1,
        is_all: true,
    };
    incident.end(at, touched);
    incident
}
