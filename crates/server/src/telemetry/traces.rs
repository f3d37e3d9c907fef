//! Traces: spans as OpenTelemetry has them, sent to a collector by OTLP over HTTP. A thread of its own sends them, so that
//! no request waits for the collector, whatever becomes of it.

pub(crate) mod export;
mod sampling;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use export::Bounded;
use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId,
    TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span};
use sampling::AsDecidedBefore;
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use upsert_app::{Fact, NewSpan, OpenSpan, Origin, Side, Spans, TraceContext};
use upsert_settings::Telemetry;

/// How long the collector may take to answer.
const COLLECTOR_TIMEOUT: Duration = Duration::from_secs(5);

/// The version of OpenTelemetry's conventions that the names of attributes are taken from.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.30.0";

/// Traces that go somewhere.
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Traces")
    }
}

impl Traces {
    /// To where the settings say; none: nowhere. It calls nobody yet.
    pub(crate) fn open(settings: &Telemetry) -> Result<Option<Arc<Self>>, String> {
        let Some(endpoint) = &settings.otlp_endpoint else {
            return Ok(None);
        };
        let headers = settings.otlp_headers.iter();
        let headers: HashMap<String, String> = headers
            .map(|(name, secret)| (name.clone(), secret.value().expose_secret().to_owned()))
            .collect();
        // No user, no password and no query: settings refuse them, so that it may stand in the log.
        let endpoint = format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(&endpoint)
            .with_timeout(COLLECTOR_TIMEOUT)
            .with_headers(headers)
            .build()
            .map_err(|error| error.to_string())?;
        let provider = SdkTracerProvider::builder()
            .with_sampler(AsDecidedBefore::or(settings.sample_ratio))
            .with_resource(resource(settings))
            .with_span_processor(Bounded::around(exporter, endpoint))
            .build();
        let tracer = provider.tracer_with_scope(scope());
        Ok(Some(Arc::new(Self { provider, tracer })))
    }

    /// Sends what has ended, for at most this long. It blocks.
    pub(crate) fn close(&self, longest: Duration) {
        if let Err(error) = self.provider.shutdown_with_timeout(longest) {
            tracing::warn!(%error, "the last spans could not be sent to the collector");
        }
    }
}

/// Who records: the gateway, by the names of these conventions.
fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("upsert-gateway")
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(SCHEMA_URL)
        .build()
}

fn resource(settings: &Telemetry) -> Resource {
    // What stands in the configuration is all that is said: the environment is read there.
    let said = settings.resource_attributes.iter();
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes(said.map(|(name, value)| KeyValue::new(name.clone(), value.clone())))
        .with_service_name(settings.service_name.clone())
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", Uuid::new_v4().to_string()),
        ])
        .build()
}

impl Spans for Traces {
    fn begin(&self, span: NewSpan<'_>) -> Box<dyn OpenSpan> {
        // Whoever calls is somewhere else; everything inside may be another process's, but is the gateway's own.
        let is_remote = span.side == Side::Server;
        let builder = SpanBuilder::from_name(span.name).with_kind(kind(span.side));
        let (parent, cause) = match span.origin {
            Origin::None => (None, None),
            Origin::ChildOf(parent) => (read(parent, is_remote), None),
            Origin::Because(cause) => (None, read(cause, is_remote)),
        };
        let context = parent.map_or_else(Context::new, |parent| Context::new().with_remote_span_context(parent));
        let builder = match cause {
            Some(cause) => builder.with_links(vec![Link::new(cause, Vec::new(), 0)]),
            None => builder,
        };
        let span = self.tracer.build_with_context(builder, &context);
        let traceparent = written(span.span_context());
        Box::new(Begun { span, traceparent })
    }
}

/// A span of ours.
struct Begun {
    span: Span,
    traceparent: String,
}

impl OpenSpan for Begun {
    fn traceparent(&self) -> &str {
        &self.traceparent
    }

    fn set(&mut self, name: &'static str, value: Fact<'_>) {
        if self.span.is_recording() {
            self.span.set_attribute(match value {
                Fact::Text(text) => KeyValue::new(name, text.to_owned()),
                Fact::Number(number) => KeyValue::new(name, number),
                Fact::Flag(flag) => KeyValue::new(name, flag),
            });
        }
    }

    fn fail(&mut self) {
        self.span.set_status(Status::error(""));
    }
}

fn kind(side: Side) -> SpanKind {
    match side {
        Side::Server => SpanKind::Server,
        Side::Client => SpanKind::Client,
        Side::Internal => SpanKind::Internal,
    }
}

/// Reads a `traceparent`, with the `tracestate` beside it; one that is not valid names nothing.
fn read(named: TraceContext<'_>, is_remote: bool) -> Option<SpanContext> {
    let mut parts = named.traceparent.split('-').skip(1);
    let trace = TraceId::from_hex(parts.next()?).ok()?;
    let span = SpanId::from_hex(parts.next()?).ok()?;
    let flags = u8::from_str_radix(parts.next()?, 16).ok()?;
    let flags = TraceFlags::new(flags) & TraceFlags::SAMPLED;
    let state = named.tracestate.and_then(|state| state.parse().ok());
    let context = SpanContext::new(trace, span, flags, is_remote, state.unwrap_or(TraceState::NONE));
    context.is_valid().then_some(context)
}

fn written(context: &SpanContext) -> String {
    let flags = context.trace_flags().to_u8();
    format!("00-{}-{}-{flags:02x}", context.trace_id(), context.span_id())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_alone(traceparent: &str) -> Option<SpanContext> {
        read(TraceContext::of(Some(traceparent), None)?, true)
    }

    #[test]
    fn a_tracestate_is_read_beside_its_traceparent() {
        let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let named = TraceContext::of(Some(valid), Some("rojo=00f0,congo=t61r")).unwrap();
        assert_eq!(
            read(named, true).unwrap().trace_state().header(),
            "rojo=00f0,congo=t61r"
        );
    }

    #[test]
    fn a_traceparent_is_read_as_it_is_written_and_of_its_flags_only_the_sampled_one() {
        let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(written(&read_alone(valid).unwrap()), valid);
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-fe-more";
        let taken = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        assert_eq!(written(&read_alone(later).unwrap()), taken);
        let zeroes = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        for invalid in ["", "00", "00-x-y-z", zeroes] {
            assert!(read_alone(invalid).is_none(), "{invalid}");
        }
    }
}
