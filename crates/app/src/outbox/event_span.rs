//! The span of one try to bring an event to an endpoint.

use jiff::Timestamp;

use upsert_core::EventId;
use upsert_store::OutgoingEvent;

use crate::directory::webhooks::Endpoint;
use crate::outbox::retry_schedule::Tried;
use crate::runtime::tracing::{Fact, NewSpan, OpenSpan, Origin, Side, Spans, TraceContext};

/// The span of one try, if spans are recorded.
pub(crate) struct EventSpan(Option<Box<dyn OpenSpan>>);

impl EventSpan {
    pub(crate) fn begin(
        spans: Option<&dyn Spans>,
        merchant: &str,
        endpoint: &Endpoint,
        id: EventId,
        origin: Origin<'_>,
    ) -> Self {
        let Some(spans) = spans else { return Self(None) };
        let mut span = spans.begin(NewSpan {
            name: "send event".into(),
            side: Side::Client,
            origin,
        });
        if let Some(trace) = origin.trace_of_request() {
            span.set("upsert_gateway.request_trace_id", Fact::Text(trace));
        }
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

    /// What a try that begins now belongs to: the request that made what the event tells of.
    pub(crate) fn origin(event: &OutgoingEvent, now: Timestamp) -> Origin<'_> {
        let Some(trace) = &event.trace else { return Origin::None };
        let request = TraceContext {
            traceparent: &trace.traceparent,
            tracestate: trace.tracestate.as_deref(),
        };
        Origin::of_attempt(Some(request), trace.made_at, now)
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
