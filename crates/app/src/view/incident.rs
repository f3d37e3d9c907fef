//! Incidents as the API tells them, and the message for the vendor.

use std::fmt::Write as _;

use jiff::Timestamp;

use upsert_api::{
    Incident, IncidentEvent, IncidentEventKind, IncidentState, ListedIncident, Touched, VendorWords, is_code,
};
use upsert_store::{IncidentEntry, IncidentRecord, IncidentWords, TouchedRecord};

/// As a list tells it.
pub(crate) fn listed_incident(record: &IncidentRecord) -> ListedIncident {
    let last = record.last_words().map(|words| &words.error);
    let state = match record.ended_at() {
        Some(_) => IncidentState::Ended,
        None => IncidentState::Open,
    };
    ListedIncident {
        incident_id: record.id,
        merchant_id: record.merchant.clone(),
        connection: record.connection.clone(),
        state,
        began_at: record.began_at,
        answering_since: record.answering_since(),
        ended_at: record.ended_at(),
        failures: record.failures(),
        vendor_status: last.and_then(|error| error.vendor_status),
        error_kind: last.map(|error| error.kind),
    }
}

/// The whole of it. `touched`: whom, until now or until it ended. `vendor`: what the vendor is called.
pub(crate) fn whole_incident(record: &IncidentRecord, touched: TouchedRecord, vendor: &str) -> Incident {
    Incident {
        listed: listed_incident(record),
        timeline: record.timeline().iter().map(shown_entry).collect(),
        timeline_left_out: record.left_out(),
        first_words: record.first_words().map(shown_words),
        last_words: record.last_words().map(shown_words),
        message: message(record, &touched, vendor),
        touched: Touched {
            customers: touched.customers,
            customer_ids: touched.ids,
            deliveries: touched.deliveries,
            coalesced: touched.coalesced,
            is_all: touched.is_all,
        },
    }
}

fn shown_entry(entry: &IncidentEntry) -> IncidentEvent {
    IncidentEvent {
        at: entry.at,
        kind: entry.kind,
        times: entry.times,
        last_at: entry.last_at,
        vendor_status: entry.vendor_status,
        by: entry.by,
        reason: entry.reason.clone(),
    }
}

fn shown_words(words: &IncidentWords) -> VendorWords {
    VendorWords {
        at: words.at,
        delivery_id: words.delivery,
        error: words.error.clone(),
    }
}

/// What the vendor's support asks first: since when, how often, with which status, and under which ids of theirs. Nothing that
/// may be about a person: not the vendor's own words.
fn message(record: &IncidentRecord, touched: &TouchedRecord, vendor: &str) -> String {
    let mut text = format!(
        "Calls of ours to {vendor} have failed since {}.\n",
        moment(record.began_at)
    );
    if let Some(since) = record.answering_since() {
        text = format!(
            "Calls of ours to {vendor} failed from {} to {}.\n",
            moment(record.began_at),
            moment(since)
        );
    }
    let mut line = |name: &str, value: String| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name}: {value}");
    };
    line("Calls that failed", record.failures().to_string());
    for (name, words) in [("First", record.first_words()), ("Last", record.last_words())] {
        if let Some(words) = words {
            line(name, answer(words));
        }
    }
    let probes = record.timeline().iter();
    let probes = probes.filter(|entry| entry.kind == IncidentEventKind::StillDown);
    let probes: u64 = probes.map(|entry| u64::from(entry.times)).sum();
    if probes > 0 {
        line(
            "Single calls to find out whether it was over, that failed, too",
            probes.to_string(),
        );
    }
    let least = if touched.is_all { "" } else { "at least " };
    line(
        "Updates of customers that failed or had to wait",
        format!("{least}{}", touched.deliveries),
    );
    text
}

/// Such as `2026-11-21 09:00:03 UTC, HTTP 503, your id of it: 7f3a`.
fn answer(words: &IncidentWords) -> String {
    let mut text = moment(words.at);
    match words.error.vendor_status {
        Some(status) => {
            // Writing to a string does not fail.
            let _ = write!(text, ", HTTP {status}");
        }
        None => text.push_str(", no answer"),
    }
    let id = words.error.vendor_request_id.as_deref().filter(|id| is_code(id));
    if let Some(id) = id {
        let _ = write!(text, ", your id of it: {id}");
    }
    text
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use upsert_testkit::records::{ended_incident, incident_record, seconds};

    use super::*;

    #[test]
    fn the_message_for_the_vendor_says_since_when_how_often_and_with_what() {
        let touched = TouchedRecord {
            deliveries: 4,
            is_all: true,
            ..TouchedRecord::default()
        };
        let open = whole_incident(&incident_record("acme", "crm", 1), touched.clone(), "Rotor");
        assert_eq!(
            open.message,
            "Calls of ours to Rotor have failed since 2026-11-20 12:00:00 UTC.\nCalls that failed: 1\n\
             First: 2026-11-20 12:00:01 UTC, HTTP 503\nLast: 2026-11-20 12:00:01 UTC, HTTP 503\n\
             Updates of customers that failed or had to wait: 4\n"
        );
        let over = whole_incident(&ended_incident("acme", "crm", 1, seconds(60)), touched, "Rotor");
        let first = over.message.lines().next().unwrap();
        let (from, to) = ("2026-11-20 12:00:00 UTC", "2026-11-20 12:01:00 UTC");
        assert_eq!(first, format!("Calls of ours to Rotor failed from {from} to {to}."));
        assert_eq!(
            (over.listed.state, open.listed.state),
            (IncidentState::Ended, IncidentState::Open)
        );
    }

    #[test]
    fn the_message_for_the_vendor_has_none_of_its_words() {
        let mut incident = incident_record("acme", "crm", 1);
        let mut words = incident.last_words().unwrap().clone();
        words.at = seconds(5);
        words.error.detail = "ann@example.com is known".to_owned();
        words.error.vendor_request_id = Some("ann@example.com".to_owned());
        words.error.code = Some("ann@example.com".to_owned());
        incident.hear(words);
        let shown = whole_incident(&incident, TouchedRecord::default(), "Rotor");
        assert!(!shown.message.contains("ann"), "{}", shown.message);
        assert!(shown.message.contains("at least 0"), "{}", shown.message);
    }
}
