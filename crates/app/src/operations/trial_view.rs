//! What came of a call that somebody asked for, as callers are shown it.

use upsert_api::{Connection, Trial, TrialCall, TrialFollows};
use upsert_core::{ErrorKind, ProviderError};

use crate::delivery::record::delivery_error;
use crate::delivery::trial::{Came, Tried};

/// Of a connection that is like this after it.
pub(crate) fn trial_view(tried: &Tried, follows: TrialFollows, connection: &Connection) -> Trial {
    let (outcome, error, vendor_status) = match &tried.came {
        Came::Taken(outcome, status) => (Some(*outcome), None, *status),
        Came::Failed(error) => (None, Some(delivery_error(error)), error.vendor_status),
    };
    let answer = match (vendor_status, &tried.came) {
        (Some(status), _) => format!(" ({status}, {} ms)", tried.took_ms),
        (None, Came::Taken(..)) => format!(" ({} ms)", tried.took_ms),
        (None, Came::Failed(error)) if error.kind == ErrorKind::Transient => {
            format!(" (no answer, {} ms)", tried.took_ms)
        }
        (None, Came::Failed(_)) => String::new(),
    };
    let detail = format!("{}{answer}; {}", said(tried), then(follows, connection));
    Trial {
        tried: tried.call,
        delivery_id: tried.delivery_id,
        outcome,
        error,
        vendor_status,
        duration_ms: tried.took_ms,
        follows,
        detail,
    }
}

/// What the vendor said, in words of ours.
fn said(tried: &Tried) -> &'static str {
    match (&tried.came, tried.call) {
        (Came::Taken(..), TrialCall::Delivery) => "the vendor took the delivery that waited longest",
        (Came::Taken(..), TrialCall::Read) => "the vendor answers",
        (Came::Failed(error), call) => failed(error, call),
    }
}

fn failed(error: &ProviderError, call: TrialCall) -> &'static str {
    match (error.kind, call) {
        (ErrorKind::Rejected, TrialCall::Delivery) => {
            "the vendor is there, and refuses the data of the delivery that waited longest"
        }
        (ErrorKind::Rejected, TrialCall::Read) => "the vendor is there, and refuses the read",
        (ErrorKind::Unauthorised, _) => "the vendor refuses the credentials",
        (ErrorKind::RateLimited, _) => "the vendor asks to slow down",
        (ErrorKind::QuotaSpent, _) => "the vendor says that the day's calls are used up",
        (ErrorKind::Transient, _) => "the vendor fails",
        (ErrorKind::BrokenContract, _) => "the vendor's answer is not what it promises",
    }
}

fn then(follows: TrialFollows, connection: &Connection) -> String {
    let (breaker, limit) = (&connection.status.breaker, &connection.status.rate_limit);
    let waiting = match connection.waiting {
        0 => "nothing waits".to_owned(),
        waiting => format!("{waiting} waiting"),
    };
    match (follows, breaker.until.max(limit.blocked_until)) {
        (TrialFollows::Drains, _) if connection.waiting == 0 => "nothing else waits".to_owned(),
        (TrialFollows::Drains, _) => format!("what waits goes out now: {}", connection.waiting),
        (TrialFollows::Paused, _) => format!("the connection is paused, {waiting}"),
        (TrialFollows::Waits, Some(until)) => {
            let until = until.strftime("%H:%M:%S");
            format!("{waiting}, and the next call goes by itself at {until} UTC")
        }
        (TrialFollows::Waits, None) if connection.waiting == 0 => waiting,
        (TrialFollows::Waits, None) => format!("{waiting}, and is tried again by itself"),
    }
}
