//! Deliveries and upserts, as callers are shown them.

use upsert_api::{Attempt, Delivery, ListedDelivery, ListedUpsert, WholeDelivery};
use upsert_store::{AttemptRecord, DeliveryRecord, SentRequest, UpsertRecord};

/// A delivery as the API shows it.
pub(crate) fn delivery(record: &DeliveryRecord) -> Delivery {
    let success = record.success();
    Delivery {
        id: record.id,
        connection: record.connection.clone(),
        provider: record.provider.clone(),
        required: record.required,
        state: record.state(),
        waiting_for: record.waiting_for(),
        superseded_by: record.superseded_by(),
        outcome: record.outcome(),
        evidence: success.map(|success| success.evidence),
        matched_by: success.and_then(|success| success.matched_by),
        provider_customer_id: success.and_then(|success| success.provider_customer_id.clone()),
        attempts: record.attempts(),
        next_attempt_at: record.next_attempt_at(),
        duration_ms: record.duration_ms(),
        fields: success.map(|success| success.fields.clone()).unwrap_or_default(),
        warnings: record.warnings.to_vec(),
        error: record.error().cloned(),
    }
}

/// As in an upsert's answer, and whose it is.
pub(crate) fn listed_delivery(record: &DeliveryRecord) -> ListedDelivery {
    ListedDelivery {
        delivery: delivery(record),
        merchant_id: record.merchant.clone(),
        customer_id: record.customer,
        upsert_id: record.upsert(),
        created_at: record.created_at,
        ended_at: record.ended_at(),
    }
}

/// With its calls.
pub(crate) fn whole_delivery(record: &DeliveryRecord, attempts: Vec<AttemptRecord>) -> WholeDelivery {
    WholeDelivery {
        listed: listed_delivery(record),
        attempt_log: attempts.into_iter().map(attempt).collect(),
    }
}

fn attempt(record: AttemptRecord) -> Attempt {
    let request = |request: SentRequest| upsert_api::SentRequest {
        method: request.method,
        path: Some(request.path),
        body: request.body,
    };
    Attempt {
        number: record.number,
        started_at: record.started_at,
        ended_at: record.ended_at,
        result: record.result,
        vendor_status: record.vendor_status,
        vendor_said: record.vendor_said,
        request: record.request.map(request),
        error: record.error,
    }
}

/// An upsert of a list, with its deliveries.
pub(crate) fn listed_upsert((upsert, deliveries): (UpsertRecord, Vec<DeliveryRecord>)) -> ListedUpsert {
    ListedUpsert {
        upsert_id: upsert.id,
        state: upsert.state(),
        rolled_back: upsert.rolled_back(),
        ended_at: upsert.ended_at(),
        merchant_id: upsert.merchant,
        customer_id: upsert.customer,
        version: upsert.version,
        new_customer: upsert.new_customer,
        changed: upsert.changed,
        by: upsert.by,
        through: upsert.through,
        created_at: upsert.created_at,
        ignored: upsert.ignored,
        deliveries: deliveries.iter().map(delivery).collect(),
    }
}
