//! Which traces are kept.

use opentelemetry::trace::{Link, SpanContext, SpanKind, TraceContextExt as _, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

/// As it was decided for what a span belongs to, also where that is another trace: of a request that was kept, what is
/// sent hours later is kept too. Where a trace begins, a part of them.
#[derive(Debug, Clone)]
pub(super) struct AsDecidedBefore {
    fresh: Sampler,
}

impl AsDecidedBefore {
    /// Of the fresh ones, this part is kept.
    pub(super) fn or(ratio: f64) -> Self {
        Self {
            fresh: Sampler::TraceIdRatioBased(ratio),
        }
    }
}

impl ShouldSample for AsDecidedBefore {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let parent = parent.map(|parent| parent.span().span_context().clone());
        let parent = parent.filter(SpanContext::is_valid);
        // It is about the trace: another one has nothing of it.
        let trace_state = parent.as_ref().map(|parent| parent.trace_state().clone());
        let cause = links.first().map(|link| link.span_context.clone());
        let before = parent.or(cause);
        let Some(before) = before else {
            return self.fresh.should_sample(None, trace, name, kind, attributes, links);
        };
        SamplingResult {
            decision: if before.is_sampled() {
                SamplingDecision::RecordAndSample
            } else {
                SamplingDecision::Drop
            },
            attributes: Vec::new(),
            trace_state: trace_state.unwrap_or(TraceState::NONE),
        }
    }
}

#[cfg(test)]
mod tests {
    use upsert_app::TraceContext;

    use super::super::read;
    use super::*;

    const KEPT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const LEFT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

    fn keeps(ratio: f64, parent: Option<&str>, cause: Option<&str>) -> bool {
        let named = |traceparent| read(TraceContext::of(Some(traceparent), None)?, true);
        let parent = parent.and_then(named);
        let parent = parent.map(|parent| Context::new().with_remote_span_context(parent));
        let links: Vec<Link> = cause
            .and_then(named)
            .map(|cause| Link::new(cause, Vec::new(), 0))
            .into_iter()
            .collect();
        let trace = TraceId::from_hex("0af7651916cd43dd8448eb211c80319c").unwrap();
        let sampler = AsDecidedBefore::or(ratio);
        let result = sampler.should_sample(parent.as_ref(), trace, "x", &SpanKind::Server, &[], &links);
        result.decision == SamplingDecision::RecordAndSample
    }

    #[test]
    fn whoever_came_first_decides_and_the_ratio_only_where_a_trace_begins() {
        for ratio in [0.0, 1.0] {
            assert_eq!(keeps(ratio, None, None), ratio > 0.5);
            assert!(keeps(ratio, Some(KEPT), None) && keeps(ratio, None, Some(KEPT)));
            assert!(!keeps(ratio, Some(LEFT), None) && !keeps(ratio, None, Some(LEFT)));
        }
    }
}
