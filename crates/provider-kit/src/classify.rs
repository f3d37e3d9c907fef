//! What an HTTP status means, unless a vendor says otherwise: the table "Failures, by what they mean".

use upsert_core::{ErrorKind, Held, ProviderError, RetryAdvice, StateAtVendor, WaitingFor};

use crate::vendor::WireReply;

/// The meaning of an answer that is not a 2xx. The vendor's code, words and fields are added by the adapter.
pub fn classify(reply: &WireReply) -> ProviderError {
    use ErrorKind::{BrokenContract, RateLimited, Rejected, Transient, Unauthorised};
    use StateAtVendor::{Unchanged, Unknown};

    let backoff = reply.retry_after.map_or(RetryAdvice::Backoff, RetryAdvice::After);
    let held = |waiting_for| {
        Some(Held {
            waiting_for,
            for_at_least: reply.retry_after,
        })
    };
    let (kind, state, advice, held, detail) = match reply.status {
        300..400 => (
            BrokenContract,
            Unknown,
            RetryAdvice::Never,
            None,
            "the vendor redirects, which is not followed",
        ),
        401 | 403 => {
            let detail = "the vendor refuses the credentials of this connection";
            (
                Unauthorised,
                Unchanged,
                RetryAdvice::Never,
                held(WaitingFor::Paused),
                detail,
            )
        }
        429 => (
            RateLimited,
            Unchanged,
            backoff,
            held(WaitingFor::RateLimit),
            "the vendor asks to slow down",
        ),
        425 | 503 => (Transient, Unchanged, backoff, None, "the vendor cannot take it now"),
        408 | 500..600 => (
            Transient,
            Unknown,
            backoff,
            None,
            "the vendor failed; whether it wrote is not known",
        ),
        400..500 => (
            Rejected,
            Unchanged,
            RetryAdvice::Never,
            None,
            "the vendor refuses the request",
        ),
        _ => (
            BrokenContract,
            Unknown,
            RetryAdvice::Never,
            None,
            "the vendor answers with a status that its pages do not know",
        ),
    };
    let mut error = ProviderError::new(kind, state, advice, detail);
    error.held = held;
    error.vendor_status = Some(reply.status);
    error
}

/// A 2xx that cannot be understood, or that lacks what its pages promise: the outcome is unknown.
pub fn unreadable(reply: &WireReply, what: &str) -> ProviderError {
    let mut error = ProviderError::new(
        ErrorKind::BrokenContract,
        StateAtVendor::Unknown,
        RetryAdvice::Never,
        format!("the vendor's answer cannot be understood: {what}; whether it wrote is not known"),
    )
    .with_context(what);
    error.vendor_status = Some(reply.status);
    error
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn reply(status: u16) -> WireReply {
        WireReply {
            status,
            headers: http::HeaderMap::new(),
            retry_after: Some(Duration::from_secs(9)),
            body: bytes::Bytes::new(),
        }
    }

    #[test]
    fn every_status_has_one_meaning() {
        use ErrorKind::{BrokenContract, RateLimited, Rejected, Transient, Unauthorised};
        use StateAtVendor::{Unchanged, Unknown};
        let table = [
            (Rejected, Unchanged, vec![400, 404, 405, 406, 409, 410, 418, 422, 451]),
            (Unauthorised, Unchanged, vec![401, 403]),
            (RateLimited, Unchanged, vec![429]),
            (Transient, Unchanged, vec![425, 503]),
            (Transient, Unknown, vec![408, 500, 501, 502, 504, 520]),
            (BrokenContract, Unknown, vec![301, 302, 304, 307, 308, 100, 600]),
        ];
        for (kind, state, statuses) in table {
            for status in statuses {
                let error = classify(&reply(status));
                assert_eq!((error.kind, error.state), (kind, state), "{status}");
                assert_eq!(error.vendor_status, Some(status));
            }
        }
    }

    #[test]
    fn retry_after_is_obeyed_wherever_a_retry_makes_sense() {
        for status in [429, 503, 500, 408] {
            assert_eq!(
                classify(&reply(status)).advice,
                RetryAdvice::After(Duration::from_secs(9)),
                "{status}"
            );
        }
        assert_eq!(classify(&reply(400)).advice, RetryAdvice::Never);
    }
}
