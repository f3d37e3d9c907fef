//! What stands between a span that has ended and the collector: so many may wait, the others are dropped, and whatever is
//! lost is counted, and said once in a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};
use parking_lot::Mutex;

/// So many spans wait for the collector.
const MOST_WAITING: usize = 8_192;

/// So often they are sent.
const SEND_EVERY: Duration = Duration::from_secs(1);

/// So often a loss is said.
const SAY_EVERY: Duration = Duration::from_mins(1);

/// Takes spans that have ended. It never waits.
#[derive(Debug)]
pub(super) struct Bounded {
    batches: BatchSpanProcessor,
    waiting: Arc<AtomicUsize>,
    losses: Arc<Losses>,
}

impl Bounded {
    pub(super) fn around(exporter: impl SpanExporter + 'static, endpoint: String) -> Self {
        let (waiting, losses) = (Arc::<AtomicUsize>::default(), Arc::new(Losses::at(endpoint)));
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(MOST_WAITING)
            .with_scheduled_delay(SEND_EVERY)
            .build();
        let counted = Counted {
            exporter,
            waiting: waiting.clone(),
            losses: losses.clone(),
        };
        Self {
            batches: BatchSpanProcessor::new(counted, config),
            waiting,
            losses,
        }
    }
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.waiting.fetch_add(1, Ordering::AcqRel) >= MOST_WAITING {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            self.losses.add("dropped", 1, "too many wait for the collector");
        } else {
            self.batches.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// Sends, and counts what came of it.
#[derive(Debug)]
struct Counted<E> {
    exporter: E,
    waiting: Arc<AtomicUsize>,
    losses: Arc<Losses>,
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let sent = self.exporter.export(batch).await;
        self.waiting.fetch_sub(spans, Ordering::AcqRel);
        match &sent {
            Ok(()) => count("sent", spans),
            Err(error) => self.losses.add("failed", spans, &cause(error)),
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// What is known of it: the library keeps the network's own words to itself.
fn cause(error: &OTelSdkError) -> String {
    match error {
        OTelSdkError::InternalFailure(said) if said.ends_with("network error") => {
            "it cannot be reached, or breaks off, or does not answer in time".to_owned()
        }
        OTelSdkError::InternalFailure(said) => said.clone(),
        other => other.to_string(),
    }
}

/// What was lost since it was said last, and when that was.
#[derive(Debug)]
struct Losses {
    endpoint: String,
    unsaid: Mutex<(usize, Option<Instant>)>,
}

impl Losses {
    fn at(endpoint: String) -> Self {
        Self {
            endpoint,
            unsaid: Mutex::default(),
        }
    }

    fn add(&self, result: &'static str, spans: usize, why: &str) {
        count(result, spans);
        let mut unsaid = self.unsaid.lock();
        unsaid.0 += spans;
        if unsaid.1.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
            let (spans, endpoint) = (unsaid.0, &self.endpoint);
            tracing::warn!(spans, endpoint, why, "spans did not reach the collector, and are gone");
            *unsaid = (0, Some(Instant::now()));
        }
    }
}

fn count(result: &'static str, spans: usize) {
    metrics::counter!("upsert_gateway_spans_total", "result" => result).increment(spans as u64);
}

/// For `/metrics`.
pub(crate) fn describe() {
    metrics::describe_counter!(
        "upsert_gateway_spans_total",
        "Spans that ended, by what became of them: sent, failed (the collector did not take them), dropped (too many waited)."
    );
    // So that the first of each is seen as an increase.
    for result in ["sent", "failed", "dropped"] {
        count(result, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::log_filter::paper::Paper;
    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    /// A collector that answers nothing until it is let.
    #[derive(Debug)]
    struct Stuck(Arc<Mutex<()>>, Arc<AtomicUsize>);

    impl SpanExporter for Stuck {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.1.fetch_add(batch.len(), Ordering::SeqCst);
            drop(self.0.lock());
            Err(OTelSdkError::InternalFailure("stuck".to_owned()))
        }
    }

    #[test]
    fn where_the_collector_is_stuck_so_many_wait_and_the_others_are_dropped_at_once() {
        let (gate, seen) = (Arc::new(Mutex::new(())), Arc::new(AtomicUsize::new(0)));
        let stuck = gate.lock();
        let processor = Bounded::around(Stuck(gate.clone(), seen.clone()), "E".to_owned());
        let (waiting, losses) = (processor.waiting.clone(), processor.losses.clone());
        let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
        let tracer = provider.tracer("test");
        for _ in 0..MOST_WAITING + 100 {
            drop(tracer.start("span"));
        }
        assert_eq!(waiting.load(Ordering::SeqCst), MOST_WAITING);
        // The first of them was said.
        assert_eq!(losses.unsaid.lock().0, 99);
        drop(stuck);
        provider.shutdown_with_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(seen.load(Ordering::SeqCst), MOST_WAITING);
        assert_eq!(waiting.load(Ordering::SeqCst), 0);
        assert_eq!(
            losses.unsaid.lock().0,
            99 + MOST_WAITING,
            "and all that failed are counted"
        );
    }

    #[test]
    fn a_loss_is_told_with_where_the_collector_should_be_and_what_is_known_of_why() {
        let paper = Paper::default();
        let writer = paper.clone();
        let lines = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false);
        tracing::subscriber::with_default(lines.finish(), || {
            for said in [
                "HTTP export failed: network error",
                "HTTP export failed with status code: 403",
            ] {
                let error = OTelSdkError::InternalFailure(said.to_owned());
                Losses::at("http://c:4318/v1/traces".to_owned()).add("failed", 3, &cause(&error));
            }
        });
        let text = paper.text();
        let told: Vec<&str> = text.lines().collect();
        assert!(
            told.len() == 2 && told.iter().all(|line| line.contains("http://c:4318/v1/traces")),
            "{text}"
        );
        assert!(
            told[0].contains("it cannot be reached") && told[1].contains("status code: 403"),
            "{text}"
        );
    }
}
