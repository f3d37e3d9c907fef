//! What is kept of an answer that failed, of whoever is called: headers and the beginning of the body, without the secrets of the
//! call.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::kept_headers::kept_headers;
use crate::own_secrets::OwnSecrets;
use crate::reply::WireReply;
use crate::retry_after::RetryAfter;
use crate::transport::Incoming;

/// Headers and body of an answer that failed. It has no `Debug`: it may be personal data.
pub struct FailedAnswer {
    /// Those of a fixed list of names that are there, in lower case, each at most 256 bytes.
    pub headers: BTreeMap<String, String>,
    /// At most [`crate::MAX_VENDOR_BODY_BYTES`]: JSON where it is JSON, else a text, cut visibly; none where it is empty.
    pub body: Option<Json>,
}

impl FailedAnswer {
    /// Without these secrets, in whatever spelling whoever answers repeats them. Those of fewer than 8 bytes are not looked for.
    pub fn of(incoming: Incoming, secrets: &[&str]) -> Self {
        let reply = WireReply {
            status: incoming.status,
            headers: incoming.headers,
            retry_after: RetryAfter::Absent,
            began_at: Timestamp::UNIX_EPOCH,
            body: incoming.body,
        };
        let mut kept = Self {
            headers: kept_headers(&reply.headers),
            body: reply.vendor_body(),
        };
        OwnSecrets::among(secrets.iter().copied()).cover_answer(&mut kept.headers, kept.body.as_mut());
        kept
    }
}
