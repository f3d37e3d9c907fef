//! Events in both directions, as callers are shown them.

use upsert_api::FailedAttempt;
use upsert_store::{IncomingEvent, OutgoingEvent};

use crate::context::Context;

/// An event that came in, without what came.
pub(crate) fn incoming(event: &IncomingEvent) -> upsert_api::IncomingEvent {
    upsert_api::IncomingEvent {
        id: event.id,
        merchant_id: event.merchant.clone(),
        source: event.source.clone(),
        event_id: event.event_id.clone(),
        state: event.state(),
        received_at: event.received_at,
        tried_at: event.tried_at,
        tries: event.tries,
        customer_id: event.customer(),
        upsert_id: event.upsert(),
        problem: event.problem().cloned(),
        ignored: event.ignored.clone(),
        unbelieved_time: event.unbelieved_time,
    }
}

impl Context {
    /// An event that goes out, without its body. Nothing is sent to an endpoint that is disabled.
    pub(crate) fn outgoing_view(&self, event: &OutgoingEvent) -> upsert_api::OutgoingEvent {
        let endpoint = self.endpoints.state(&event.merchant, &event.endpoint);
        upsert_api::OutgoingEvent {
            id: event.id,
            merchant_id: event.merchant.clone(),
            endpoint: event.endpoint.clone(),
            r#type: event.kind.clone(),
            state: event.state(),
            created_at: event.created_at,
            attempts: event.attempts(),
            next_attempt_at: event.next_attempt_at().filter(|_| endpoint.disabled.is_none()),
            last_attempt_at: event.last_attempt_at(),
            last_status: event.last_status(),
            last_error: event.last_error().map(str::to_owned),
            last_answer: event.failed_attempts().last().and_then(FailedAttempt::first_line),
            ended_at: event.ended_at(),
        }
    }
}
