//! What of one call is seen on the wire, for whoever records spans.

use std::sync::{Arc, OnceLock};

/// The request as it goes out. Nothing of it is personal: no path, no query, no body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestSeen {
    /// HTTP method.
    pub method: String,
    /// The host of the base URL.
    pub address: String,
    /// The port, where the URL or its scheme says one.
    pub port: Option<u16>,
    /// The path below the base URL with no value in it; none where the path depends on what is sent.
    pub template: Option<&'static str>,
}

/// One call, as the adapter tells of it. Its clones are of the same call.
#[derive(Debug, Clone, Default)]
pub struct Exchange(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    request: OnceLock<RequestSeen>,
    status: OnceLock<u16>,
}

impl Exchange {
    /// The request goes out. The first one counts: a call is one request.
    pub fn sends(&self, request: RequestSeen) {
        let _first = self.0.request.set(request);
    }

    /// An answer with this HTTP status came.
    pub fn answered(&self, status: u16) {
        let _first = self.0.status.set(status);
    }

    /// The request; none: nothing went out, or not by HTTP.
    pub fn request(&self) -> Option<&RequestSeen> {
        self.0.request.get()
    }

    /// HTTP status of the answer; none: no answer came.
    pub fn status(&self) -> Option<u16> {
        self.0.status.get().copied()
    }
}
