//! Values with every member filled, each of a person with a text that tests know again. They are written member by member: a
//! new one does not compile until somebody has thought of what it may show.

mod connection;
mod customer;
mod delivery;
mod event;
mod incident;
mod others;
mod trial;

pub(crate) use connection::{attention_page, cause, connection, webhooks};
pub(crate) use customer::{
    customer, customer_record, erasure, history_entry, link, linked_customer, of_core, vendor_page,
};
pub(crate) use delivery::{
    attempt, change, delivery, delivery_error, differs, field_error, ignored, listed_delivery, sent_request, warning,
    whole_delivery, wrong,
};
pub(crate) use event::{
    event_problem, failed_attempt, incoming_event, outgoing_event, taken_event, whole_incoming_event,
    whole_outgoing_event,
};
pub(crate) use incident::{incident, listed_incident, vendor_words};
pub(crate) use others::{
    audit_check, audit_entry, configuration, deliveries_done, events_done, listed_merchant, listed_upsert, logs,
    match_key, plan, plan_refusal, planned_connection, problem, provider, ready, stored_merchant, upsert_answer,
    upsert_problem, vendor_problem, webhook_problem, wire_request,
};
pub(crate) use trial::{resumed_connection, trial, tried_connection};

use jiff::Timestamp;

/// In every text that could say something of a person.
pub(crate) const SECRET: &str = "SECRET";

/// A text that says something of a person, and looks like no code.
pub(crate) fn secret(what: &str) -> String {
    format!("{SECRET} {what}")
}

/// The same, where there may be none.
#[expect(clippy::unnecessary_wraps, reason = "members take it as it is")]
pub(crate) fn some_secret(what: &str) -> Option<String> {
    Some(secret(what))
}

/// A pointer that the merchant thought of.
pub(crate) fn secret_pointer() -> String {
    format!("/metadata/{SECRET} name")
}

/// A text that says nothing of anybody.
pub(crate) fn open(what: &str) -> String {
    what.to_owned()
}

/// 2026-11-20, 12:00 UTC.
pub(crate) fn noon() -> Timestamp {
    Timestamp::constant(1_795_176_000, 123_000_000)
}
