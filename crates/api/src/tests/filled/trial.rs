//! Calls that somebody asked for.

use upsert_core::DeliveryId;

use super::{connection, delivery_error, noon, open};
use crate::{ResumedConnection, Trial, TrialCall, TrialFollows, TrialOutcome, TriedConnection};

pub(crate) fn trial() -> Trial {
    Trial {
        tried: TrialCall::Delivery,
        delivery_id: Some(DeliveryId::oldest_at(noon())),
        outcome: Some(TrialOutcome::Created),
        error: Some(delivery_error()),
        vendor_status: Some(422),
        duration_ms: 41,
        follows: TrialFollows::Drains,
        detail: open("the vendor took it"),
    }
}

pub(crate) fn tried_connection() -> TriedConnection {
    TriedConnection {
        trial: trial(),
        connection: connection(),
    }
}

pub(crate) fn resumed_connection() -> ResumedConnection {
    ResumedConnection {
        connection: connection(),
        trial: Some(trial()),
        not_tried: Some(open("the day's calls are used up")),
    }
}
