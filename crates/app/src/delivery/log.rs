//! The log line of a delivery.

use upsert_core::{WaitingFor, Word as _};
use upsert_store::{DeliveryRecord, DeliveryState};

use crate::runtime::tracing::trace_id;

/// Logs a delivery that has ended or was parked: one that is tried again soon has only told of the call that failed. Ids
/// and names only; of the trace that its last attempt was a part of, if there was one. It was counted where it was applied.
pub(crate) fn observe(delivery: &DeliveryRecord, traceparent: Option<&str>) {
    let outcome = match (delivery.outcome(), delivery.error()) {
        (Some(outcome), _) => outcome.as_str(),
        (None, Some(error)) => error.kind.as_str(),
        (None, None) => "none",
    };
    if delivery.state() == DeliveryState::Retrying {
        tracing::debug!(
            delivery_id = %delivery.id, upsert_id = %delivery.upsert(), outcome, attempts = delivery.attempts(),
            "delivery is tried again"
        );
        return;
    }
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                delivery_id = %delivery.id, upsert_id = %delivery.upsert(), merchant = delivery.merchant,
                connection = delivery.connection, state = delivery.state().as_str(), outcome,
                waiting_for = delivery.waiting_for().map(WaitingFor::as_str), attempts = delivery.attempts(),
                duration_ms = delivery.duration_ms(), trace_id = traceparent.and_then(trace_id), "delivery"
            )
        };
    }
    // Nobody but a person gets on with what has failed for good.
    if delivery.state() == DeliveryState::Failed {
        line!(warn);
    } else {
        line!(info);
    }
}
