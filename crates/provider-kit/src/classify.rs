//! What an HTTP status means, unless a vendor says otherwise: the table "Failures, by what they mean".

use upsert_core::{ErrorKind, Held, ProviderError, RetryAdvice, StateAtVendor, WaitingFor};

use crate::kept_headers::kept_headers;
use crate::reply::WireReply;

/// The meaning of an answer that is not a 2xx. The vendor's code, words and fields are added by the adapter.
pub fn classify(reply: &WireReply) -> ProviderError {
    use ErrorKind::{BrokenContract, RateLimited, Rejected, Transient, Unauthorised};
    use StateAtVendor::{Unchanged, Unknown};

    let (kind, state, detail) = match reply.status {
        300..400 => (BrokenContract, Unknown, "the vendor redirects, which is not followed"),
        401 | 403 => (
            Unauthorised,
            Unchanged,
            "the vendor refuses the credentials of this connection",
        ),
        429 => (RateLimited, Unchanged, "the vendor asks to slow down"),
        425 | 503 => (Transient, Unchanged, "the vendor cannot take it now"),
        408 | 500..600 => (Transient, Unknown, "the vendor failed; whether it wrote is not known"),
        400..500 => (Rejected, Unchanged, "the vendor refuses the request"),
        _ => (
            BrokenContract,
            Unknown,
            "the vendor answers with a status that its pages do not know",
        ),
    };
    let wait = reply.retry_after.wait();
    let advice = match kind {
        Transient | RateLimited => wait.map_or(RetryAdvice::Backoff, RetryAdvice::After),
        _ => RetryAdvice::Never,
    };
    let waiting_for = match kind {
        Unauthorised => Some(WaitingFor::Paused),
        RateLimited => Some(WaitingFor::RateLimit),
        _ => None,
    };
    let mut error = ProviderError::new(kind, state, advice, detail);
    error.held = waiting_for.map(|waiting_for| Held {
        waiting_for,
        for_at_least: wait,
    });
    with_document(error, reply)
}

/// With what was answered.
pub(crate) fn with_document(mut error: ProviderError, reply: &WireReply) -> ProviderError {
    error.vendor_status = Some(reply.status);
    error.vendor_headers = kept_headers(&reply.headers);
    error.vendor_body = reply.vendor_body();
    error
}

/// Ends a sentence about a call that may have written; one that only reads goes without it.
pub(crate) const UNKNOWN: &str = "; whether it wrote is not known";

/// A 2xx that cannot be understood, or that lacks what its pages promise: the outcome is unknown.
pub fn unreadable(reply: &WireReply, what: &str) -> ProviderError {
    let detail = format!("the vendor's answer cannot be understood: {what}{UNKNOWN}");
    broken(reply, detail).with_context(what)
}

/// A 2xx that is an error's document: the outcome is as unknown, but the vendor has said why. Its words are added by the
/// adapter, as to any other error.
pub fn error_in_disguise(reply: &WireReply) -> ProviderError {
    let what = "the vendor answers with an error under a status of success";
    broken(reply, format!("{what}{UNKNOWN}")).with_context(what)
}

fn broken(reply: &WireReply, detail: String) -> ProviderError {
    let (kind, state) = (ErrorKind::BrokenContract, StateAtVendor::Unknown);
    with_document(ProviderError::new(kind, state, RetryAdvice::Never, detail), reply)
}

/// The same of a call that only reads: it writes nothing, so that no outcome is in doubt.
pub fn of_read(mut error: ProviderError) -> ProviderError {
    error.state = StateAtVendor::Unchanged;
    error.detail = error.detail.replace(UNKNOWN, "");
    error
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::retry_after::RetryAfter;

    fn reply(status: u16) -> WireReply {
        let mut reply = WireReply::of_json(status, &serde_json::json!({ "says": status }));
        reply.retry_after = RetryAfter::Wait(Duration::from_secs(9));
        reply
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
                assert_eq!(error.vendor_body, Some(json!({ "says": status })));
                let held = error.held.map(|held| (held.waiting_for, held.for_at_least));
                let wait = Some(Duration::from_secs(9));
                assert_eq!(
                    held,
                    match kind {
                        RateLimited => Some((WaitingFor::RateLimit, wait)),
                        Unauthorised => Some((WaitingFor::Paused, wait)),
                        _ => None,
                    },
                    "{status}"
                );
            }
        }
    }

    #[test]
    fn each_meaning_is_told_in_words_of_its_own() {
        for (status, detail) in [
            (302, "the vendor redirects, which is not followed"),
            (400, "the vendor refuses the request"),
            (401, "the vendor refuses the credentials of this connection"),
            (429, "the vendor asks to slow down"),
            (503, "the vendor cannot take it now"),
            (500, "the vendor failed; whether it wrote is not known"),
            (600, "the vendor answers with a status that its pages do not know"),
        ] {
            assert_eq!(classify(&reply(status)).detail, detail, "{status}");
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

    #[test]
    fn a_wait_that_cannot_be_read_backs_off() {
        for retry_after in [RetryAfter::Unreadable, RetryAfter::Absent] {
            let error = classify(&WireReply {
                retry_after,
                ..reply(429)
            });
            assert_eq!(error.advice, RetryAdvice::Backoff);
            assert_eq!(error.held.map(|held| held.for_at_least), Some(None));
        }
    }

    #[test]
    fn a_success_that_is_none_leaves_the_outcome_open_unless_it_was_read() {
        for (error, detail) in [
            (
                unreadable(&reply(200), "it has no id"),
                "the vendor's answer cannot be understood: it has no id",
            ),
            (
                error_in_disguise(&reply(200)),
                "the vendor answers with an error under a status of success",
            ),
            (classify(&reply(500)), "the vendor failed"),
        ] {
            assert_eq!(error.state, StateAtVendor::Unknown);
            assert_eq!(error.detail, format!("{detail}; whether it wrote is not known"));
            assert_eq!(error.vendor_body, Some(json!({ "says": error.vendor_status })));
            let read = of_read(error);
            assert_eq!((read.state, &*read.detail), (StateAtVendor::Unchanged, detail));
        }
    }
}
