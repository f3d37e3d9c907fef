//! Incidents.

use upsert_core::{CustomerId, DeliveryId, ErrorKind, IncidentId};

use super::{delivery_error, noon, open};
use crate::{
    Incident, IncidentEvent, IncidentEventKind, IncidentState, ListedIncident, PausedBy, Touched, VendorWords,
};

pub(crate) fn listed_incident() -> ListedIncident {
    ListedIncident {
        incident_id: IncidentId::oldest_at(noon()),
        merchant_id: open("acme"),
        connection: open("crm"),
        state: IncidentState::Ended,
        began_at: noon(),
        answering_since: Some(noon()),
        ended_at: Some(noon()),
        failures: 12,
        vendor_status: Some(503),
        error_kind: Some(ErrorKind::Transient),
    }
}

pub(crate) fn vendor_words() -> VendorWords {
    VendorWords {
        at: noon(),
        delivery_id: DeliveryId::oldest_at(noon()),
        error: delivery_error(),
    }
}

pub(crate) fn incident() -> Incident {
    Incident {
        listed: listed_incident(),
        timeline: vec![IncidentEvent {
            at: noon(),
            kind: IncidentEventKind::Paused,
            times: 2,
            last_at: noon(),
            vendor_status: Some(401),
            by: Some(PausedBy::Vendor),
            reason: Some(open("the vendor refuses the credentials")),
        }],
        timeline_left_out: 3,
        first_words: Some(vendor_words()),
        last_words: Some(vendor_words()),
        touched: Touched {
            customers: 1,
            customer_ids: vec![CustomerId::oldest_at(noon())],
            deliveries: 2,
            coalesced: 1,
            is_all: false,
        },
        message: open("Calls of ours have failed."),
    }
}
