//! Where it is recorded how long the parts of a request took, and how they belong together. The application knows a span
//! by its W3C `traceparent`, and `tracestate` where there is one: they go through tasks, the store and restarts as they are.

use std::borrow::Cow;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use upsert_store::{Applied, UpsertRecord};

/// An attempt that begins this long after its delivery was made is a trace of its own: nobody waits hours for a trace to
/// be whole.
const SAME_TRACE_FOR: SignedDuration = SignedDuration::from_mins(5);

/// Records spans.
pub trait Spans: fmt::Debug + Send + Sync {
    /// Begins one. It has to be cheap, and neither block nor fail.
    fn begin(&self, span: NewSpan<'_>) -> Box<dyn OpenSpan>;
}

/// A span that has begun. It ends when it is dropped.
pub trait OpenSpan: Send + Sync {
    /// How its children, and others, name it.
    fn traceparent(&self) -> &str;
    /// Says something about it. Never personal data.
    fn set(&mut self, name: &'static str, value: Fact<'_>);
    /// What it was about did not come about.
    fn fail(&mut self);
}

/// What is said about a span.
#[derive(Debug, Clone, Copy)]
pub enum Fact<'a> {
    /// A text.
    Text(&'a str),
    /// A number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
}

/// A span that is to begin.
#[derive(Debug)]
pub struct NewSpan<'a> {
    /// Its name; there are few.
    pub name: Cow<'static, str>,
    /// Whose side of a call it is.
    pub side: Side,
    /// What it belongs to.
    pub origin: Origin<'a>,
}

/// Whose side of a call a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that is called.
    Server,
    /// The one that calls.
    Client,
    /// No call at all.
    Internal,
}

/// A span by its name, and what other systems say of its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext<'a> {
    /// W3C `traceparent`.
    pub traceparent: &'a str,
    /// W3C `tracestate`.
    pub tracestate: Option<&'a str>,
}

impl<'a> TraceContext<'a> {
    /// Of a span, if there is one.
    pub fn of(traceparent: Option<&'a str>, tracestate: Option<&'a str>) -> Option<Self> {
        traceparent.map(|traceparent| Self {
            traceparent,
            tracestate,
        })
    }
}

/// What a span belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// A trace begins.
    None,
    /// It is a part of this span.
    ChildOf(TraceContext<'a>),
    /// A trace begins, because of this span.
    Because(TraceContext<'a>),
}

impl<'a> Origin<'a> {
    /// A part of this span, if there is one.
    pub fn child_of(span: Option<TraceContext<'a>>) -> Self {
        span.map_or(Self::None, Self::ChildOf)
    }

    /// Of an attempt that begins now, at a delivery or an event that came of this request, which was made then.
    pub(crate) fn of_attempt(request: Option<TraceContext<'a>>, made_at: Timestamp, now: Timestamp) -> Self {
        match request {
            Some(request) if now.duration_since(made_at) > SAME_TRACE_FOR => Self::Because(request),
            request => Self::child_of(request),
        }
    }

    /// The trace of the request that it is because of; none: it is a part of that trace, or of no request's.
    pub(crate) fn trace_of_request(self) -> Option<&'a str> {
        match self {
            Self::Because(request) => trace_id(request.traceparent),
            Self::None | Self::ChildOf(_) => None,
        }
    }
}

/// The trace id in a `traceparent`.
pub fn trace_id(traceparent: &str) -> Option<&str> {
    traceparent.split('-').nth(1)
}

/// The span of one durable commit, if spans are recorded.
pub(crate) struct CommitSpan(Option<Box<dyn OpenSpan>>);

impl CommitSpan {
    pub(crate) fn begin(spans: Option<&dyn Spans>, upsert: &UpsertRecord, request: Option<TraceContext<'_>>) -> Self {
        let Some(spans) = spans else { return Self(None) };
        let mut span = spans.begin(NewSpan {
            name: "commit".into(),
            side: Side::Internal,
            origin: Origin::child_of(request),
        });
        span.set("upsert_gateway.merchant", Fact::Text(&upsert.merchant));
        span.set("upsert_gateway.upsert_id", Fact::Text(&upsert.id.to_string()));
        Self(Some(span))
    }

    /// Ends it. What was decided on may have changed meanwhile: then it is decided anew, and there is another commit.
    pub(crate) fn end(self, applied: &Applied) {
        if let Some(mut span) = self.0 {
            let has_raced = matches!(applied, Applied::Unmet(_));
            span.set("upsert_gateway.raced", Fact::Flag(has_raced));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_a_part_of_its_request_for_five_minutes_and_then_a_trace_because_of_it() {
        let made_at = Timestamp::UNIX_EPOCH;
        let after = |wait: SignedDuration, request| Origin::of_attempt(request, made_at, made_at + wait);
        let request = TraceContext {
            traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            tracestate: Some("congo=t61r"),
        };
        for wait in [SignedDuration::ZERO, SignedDuration::from_mins(5)] {
            assert_eq!(after(wait, Some(request)), Origin::ChildOf(request));
            assert_eq!(after(wait, None), Origin::None);
        }
        let late = SignedDuration::from_mins(5) + SignedDuration::from_millis(1);
        for wait in [late, SignedDuration::from_hours(72)] {
            assert_eq!(after(wait, Some(request)), Origin::Because(request));
            assert_eq!(after(wait, None), Origin::None);
        }
        // A clock that was set back makes nobody late.
        assert_eq!(after(-late, Some(request)), Origin::ChildOf(request));
    }

    #[test]
    fn the_trace_id_stands_second() {
        let request = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(trace_id(request), Some("0af7651916cd43dd8448eb211c80319c"));
        assert_eq!(trace_id("none"), None);
    }
}
