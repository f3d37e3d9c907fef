//! The span of one attempt.

use jiff::Timestamp;

use upsert_core::{Exchange, ProviderError, Word as _};

use crate::delivery::record::AttemptEnd;
use crate::delivery::work::Work;
use crate::runtime::tracing::{Fact, NewSpan, OpenSpan, Origin, Side, Spans, TraceContext};

/// The span of one attempt, if spans are recorded.
pub(crate) struct AttemptSpan(Option<Box<dyn OpenSpan>>);

impl AttemptSpan {
    pub(crate) fn begin(spans: Option<&dyn Spans>, work: &Work, now: Timestamp) -> Self {
        let Some(spans) = spans else { return Self(None) };
        let delivery = &work.delivery;
        let provider = &work.connection.provider;
        let request = TraceContext::of(delivery.traceparent.as_deref(), delivery.tracestate.as_deref());
        let origin = Origin::of_attempt(request, delivery.created_at, now);
        let mut span = spans.begin(NewSpan {
            name: format!("deliver {provider}").into(),
            side: Side::Client,
            origin,
        });
        let attempt = i64::from(delivery.attempts()) + 1;
        span.set("upsert_gateway.merchant", Fact::Text(&delivery.merchant));
        span.set("upsert_gateway.connection", Fact::Text(&delivery.connection));
        span.set("upsert_gateway.provider", Fact::Text(provider));
        span.set("upsert_gateway.delivery_id", Fact::Text(&delivery.id.to_string()));
        span.set("upsert_gateway.upsert_id", Fact::Text(&delivery.upsert().to_string()));
        span.set("upsert_gateway.attempt", Fact::Number(attempt));
        span.set("upsert_gateway.retry", Fact::Flag(attempt > 1));
        if let Some(trace) = origin.trace_of_request() {
            span.set("upsert_gateway.request_trace_id", Fact::Text(trace));
        }
        Self(Some(span))
    }

    /// How the vendor may name it.
    pub(crate) fn traceparent(&self) -> Option<&str> {
        self.0.as_ref().map(|span| span.traceparent())
    }

    /// Ends it with what came of the attempt, and what of it went over the wire.
    pub(crate) fn end(self, end: &AttemptEnd, exchange: &Exchange) {
        let Some(mut span) = self.0 else { return };
        say_of_wire(span.as_mut(), exchange);
        let (next, error) = match end {
            AttemptEnd::Accepted(receipt) => {
                span.set("upsert_gateway.outcome", Fact::Text(receipt.outcome.as_str()));
                ("none", None)
            }
            AttemptEnd::Failed(error) => ("none", Some(error)),
            AttemptEnd::Again(error, _) => ("retry", Some(error)),
            AttemptEnd::Held(error, waiting_for, _) => (waiting_for.as_str(), Some(error)),
        };
        span.set("upsert_gateway.next", Fact::Text(next));
        if let Some(error) = error {
            blame(span.as_mut(), error);
        }
    }
}

fn say_of_wire(span: &mut dyn OpenSpan, exchange: &Exchange) {
    if let Some(request) = exchange.request() {
        span.set("http.request.method", Fact::Text(&request.method));
        span.set("server.address", Fact::Text(&request.address));
        if let Some(port) = request.port {
            span.set("server.port", Fact::Number(i64::from(port)));
        }
        if let Some(template) = request.template {
            span.set("url.template", Fact::Text(template));
        }
    }
    if let Some(status) = exchange.status() {
        span.set("http.response.status_code", Fact::Number(i64::from(status)));
    }
}

/// Kinds and numbers only: a vendor's words may repeat what they are about.
fn blame(span: &mut dyn OpenSpan, error: &ProviderError) {
    span.set("error.type", Fact::Text(error.kind.as_str()));
    span.set("upsert_gateway.sent", Fact::Flag(error.sent));
    span.fail();
}
