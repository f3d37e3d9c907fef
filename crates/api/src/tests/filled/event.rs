//! Events in both directions.

use serde_json::json;
use upsert_core::{CustomerId, EventId, UpsertId};

use super::{ignored, noon, open, secret, some_secret, wrong};
use crate::{
    Conflict, EventProblem, EventResult, FailedAttempt, IncomingEvent, IncomingState, OutgoingEvent, OutgoingState,
    ProblemCode, TakenEvent, WholeIncomingEvent, WholeOutgoingEvent,
};

pub(super) fn conflict() -> Conflict {
    Conflict {
        customer_id: CustomerId::oldest_at(noon()),
        pointer: open("/phone"),
        connection: Some(open("crm")),
    }
}

pub(crate) fn event_problem() -> EventProblem {
    EventProblem {
        code: ProblemCode::ValidationFailed,
        detail: open("1 field is not valid"),
        errors: vec![wrong()],
        conflicts: Some(vec![conflict()]),
    }
}

pub(crate) fn incoming_event() -> IncomingEvent {
    IncomingEvent {
        id: EventId::oldest_at(noon()),
        merchant_id: open("acme"),
        source: open("shop"),
        event_id: secret("event"),
        state: IncomingState::Failed,
        received_at: noon(),
        tried_at: noon(),
        tries: 2,
        customer_id: Some(CustomerId::oldest_at(noon())),
        upsert_id: Some(UpsertId::oldest_at(noon())),
        problem: Some(event_problem()),
        ignored: vec![ignored()],
        unbelieved_time: Some(noon()),
    }
}

pub(crate) fn outgoing_event() -> OutgoingEvent {
    OutgoingEvent {
        id: EventId::oldest_at(noon()),
        merchant_id: open("acme"),
        endpoint: open("hooks"),
        r#type: open("customer.upserted"),
        state: OutgoingState::Retrying,
        created_at: noon(),
        attempts: 2,
        next_attempt_at: Some(noon()),
        last_attempt_at: Some(noon()),
        last_status: Some(503),
        last_error: Some(open("it answered 503")),
        last_answer: some_secret("answer"),
        ended_at: Some(noon()),
    }
}

fn document() -> String {
    json!({ "who": { "mail": secret("e-mail"), (secret("name")): [true, 7, null] } }).to_string()
}

pub(crate) fn whole_incoming_event() -> WholeIncomingEvent {
    WholeIncomingEvent {
        event: incoming_event(),
        raw: Some(document()),
    }
}

pub(crate) fn whole_outgoing_event() -> WholeOutgoingEvent {
    WholeOutgoingEvent {
        event: outgoing_event(),
        body: Some(document()),
        failed_attempts: vec![failed_attempt()],
    }
}

pub(crate) fn failed_attempt() -> FailedAttempt {
    FailedAttempt {
        ended_at: noon(),
        duration_ms: 41,
        status: Some(503),
        error: open("the endpoint answered 503"),
        headers: [("server".to_owned(), secret("proxy"))].into(),
        body: Some(json!({ (secret("name")): [secret("value"), true, 7] })),
    }
}

pub(crate) fn taken_event() -> TakenEvent {
    TakenEvent {
        id: Some(EventId::oldest_at(noon())),
        event_id: some_secret("event"),
        result: EventResult::Accepted,
        upsert_id: Some(UpsertId::oldest_at(noon())),
        customer_id: Some(CustomerId::oldest_at(noon())),
        unbelieved_time: Some(noon()),
        ignored: vec![ignored()],
    }
}
