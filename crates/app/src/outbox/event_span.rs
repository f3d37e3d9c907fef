//! The span of one try to bring an event to an endpoint.

use upsert_core::EventId;

use crate::directory::webhooks::Endpoint;
use crate::outbox::retry_schedule::Tried;
use crate::runtime::tracing::{Fact, NewSpan, OpenSpan, Origin, Side, Spans};

/// The span of one try, if spans are recorded. It begins a trace: an event is kept without the trace of what it tells of.
pub(crate) struct EventSpan(Option<Box<dyn OpenSpan>>);

impl EventSpan {
    pub(crate) fn begin(spans: Option<&dyn Spans>, merchant: &str, endpoint: &Endpoint, id: EventId) -> Self {
        let Some(spans) = spans else { return Self(None) };
        let mut span = spans.begin(NewSpan {
            name: "send event".into(),
            side: Side::Client,
            origin: Origin::None,
        });
        span.set("http.request.method", Fact::Text("POST"));
        span.set("upsert_gateway.merchant", Fact::Text(merchant));
        span.set("upsert_gateway.endpoint", Fact::Text(&endpoint.name));
        span.set("upsert_gateway.event_id", Fact::Text(&id.to_string()));
        if let Some((address, port)) = endpoint.sender.server() {
            span.set("server.address", Fact::Text(address));
            if let Some(port) = port {
                span.set("server.port", Fact::Number(i64::from(port)));
            }
        }
        Self(Some(span))
    }

    /// Ends it with what came of the try.
    pub(crate) fn end(self, tried: &Tried) {
        let Some(mut span) = self.0 else { return };
        if let Some(status) = tried.status {
            span.set("http.response.status_code", Fact::Number(i64::from(status)));
        }
        if tried.error.is_some() {
            // The status, as the conventions have it; why no answer came is said in the log and in the API.
            let status = tried.status.map(|status| status.to_string());
            span.set("error.type", Fact::Text(status.as_deref().unwrap_or("no_answer")));
            span.fail();
        }
    }
}
