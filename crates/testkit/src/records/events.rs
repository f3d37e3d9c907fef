//! Events in both directions, in every state.

use std::collections::BTreeMap;

use jiff::Timestamp;

use upsert_api::{EventProblem, FailedAttempt, ProblemCode};
use upsert_core::CustomerId;
use upsert_store::{
    EventMark, EventMarks, IncomingEvent, IncomingOutcome, IncomingState, OutgoingEvent, OutgoingState,
};

use super::{customer_id, event_id, seconds, upsert_id};

/// The event of this number, which the sender calls `in-` and its number, as it came and was tried; if it is about
/// somebody, about the customer of the same number.
pub fn incoming_event(merchant: &str, source: &str, number: u32, state: IncomingState) -> IncomingEvent {
    incoming_event_about(merchant, source, number, state, customer_id(number.into()))
}

/// The same, about this customer if it is about somebody.
pub fn incoming_event_about(
    merchant: &str,
    source: &str,
    number: u32,
    state: IncomingState,
    customer: CustomerId,
) -> IncomingEvent {
    let sent_as = format!("in-{number}");
    let (id, content, at) = (event_id(number), content_of(&sent_as), seconds(number.into()));
    let event = IncomingEvent::new(id, merchant, source, &sent_as, &content, at);
    let problem = event_problem();
    event.became(match state {
        IncomingState::Accepted => IncomingOutcome::Accepted {
            customer,
            upsert: upsert_id(number.into()),
        },
        IncomingState::Echo => IncomingOutcome::Echo { customer },
        IncomingState::Outdated => IncomingOutcome::Outdated { customer },
        IncomingState::Failed => IncomingOutcome::Failed {
            problem,
            raw: "{ \"name\" : \"Adä\",\n\"n\":1.0}".to_owned(),
        },
        IncomingState::Discarded => IncomingOutcome::Discarded { problem },
    })
}

/// Why an event could not be taken.
pub fn event_problem() -> EventProblem {
    EventProblem {
        code: ProblemCode::ValidationFailed,
        detail: "it cannot be mapped".to_owned(),
        errors: Vec::new(),
        conflicts: None,
    }
}

/// The fingerprint of an event that the sender calls so.
pub fn content_of(event_id: &str) -> String {
    format!("content of {event_id}")
}

/// What one source said at noon of one field of a customer.
pub fn event_marks(customer: CustomerId, source: &str) -> EventMarks {
    EventMarks {
        customer,
        source: source.to_owned(),
        revision: 1,
        marks: vec![EventMark {
            order: "2026-11-20T12:00:00.000000Z".to_owned(),
            fields: ["/email".to_owned()].into(),
        }],
        given: BTreeMap::new(),
    }
}

/// A try that failed, with words that are awkward to keep.
pub fn failed_attempt() -> FailedAttempt {
    FailedAttempt {
        ended_at: seconds(60),
        duration_ms: 41,
        status: Some(410),
        error: "the endpoint answered 410".to_owned(),
        headers: [("server".to_owned(), "nginx \"ä\"".to_owned())].into(),
        body: Some("<h1>Gone\0\u{202e}</h1>".into()),
    }
}

/// The event of this number on its way to an endpoint; due when it was made, while it is to be sent.
pub fn outgoing_event(merchant: &str, endpoint: &str, number: u32, state: OutgoingState) -> OutgoingEvent {
    outgoing_event_due(merchant, endpoint, number, state, seconds(number.into()))
}

/// The same, due at this moment, while it is to be sent.
pub fn outgoing_event_due(
    merchant: &str,
    endpoint: &str,
    number: u32,
    state: OutgoingState,
    due: Timestamp,
) -> OutgoingEvent {
    let (kind, body) = (
        "customer.upserted",
        "{\"type\" : \"customer.upserted\", \"name\":\"Adä\"}\n",
    );
    let mut event = OutgoingEvent::new(event_id(number), merchant, endpoint, kind, body.to_owned(), due);
    event.created_at = seconds(number.into());
    match state {
        OutgoingState::Pending => {}
        OutgoingState::Retrying => event.retry_at(due),
        OutgoingState::Succeeded => event.succeed(due),
        OutgoingState::Failed => event.give_up("gone", due),
        OutgoingState::Discarded => {
            event.give_up("gone", due);
            event.discard();
        }
    }
    event
}
