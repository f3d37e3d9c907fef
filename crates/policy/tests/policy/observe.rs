//! Metrics, events and health.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use parking_lot::Mutex;
use tokio::time::timeout;
use tracing_subscriber::fmt::MakeWriter;

use upsert_core::{
    Clock, CustomerReader, DeliveryId, ErrorKind, IdSource, ListQuery, ProviderError, UpsertProvider, WaitingFor,
};
use upsert_policy::{Observe, RetryBudget, describe_metrics, wrap};

use crate::scripted::{Answer, CANARY, Scripted, call, context, fault, names, noon, prepared, rejected, secs};

struct Subject {
    layer: Arc<Observe>,
    budget: Arc<RetryBudget>,
    provider: Arc<dyn UpsertProvider>,
    reader: Arc<dyn CustomerReader>,
}

fn observed(script: Vec<Answer>) -> Subject {
    let (vendor, budget) = (Scripted::new(script), Arc::new(RetryBudget::default()));
    let layer = Arc::new(Observe::new(names(), noon(), Arc::clone(&budget)));
    let provider: Arc<dyn UpsertProvider> = Arc::<Scripted>::clone(&vendor);
    let reader: Arc<dyn CustomerReader> = vendor;
    Subject {
        provider: wrap(&layer, provider),
        reader: wrap(&layer, reader),
        layer,
        budget,
    }
}

fn held() -> Answer {
    Answer::Error(ProviderError::held(WaitingFor::Breaker, Some(secs(1)), "open"))
}

#[tokio::test(start_paused = true)]
async fn every_attempt_is_counted_once_by_its_outcome() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    describe_metrics();
    let script = vec![Answer::Taken, Answer::Error(rejected()), held(), Answer::Never];
    let subject = observed(script);
    for _ in 0..3 {
        let _ = call(&subject.provider).await;
    }
    let _ = timeout(secs(1), call(&subject.provider)).await;
    let _ = subject.reader.list(&context(), &ListQuery::default()).await;
    let _ = subject.reader.read(&context(), CANARY).await;

    let shown = recorder.handle().render();
    let labels = r#"merchant="acme",connection="crm",provider="scripted""#;
    for outcome in ["created", "rejected", "abandoned", "listed", "read"] {
        let counted = format!(r#"upsert_gateway_attempts_total{{{labels},outcome="{outcome}"}} 1"#);
        assert!(shown.contains(&counted), "{counted} in {shown}");
        let timed = format!(r#"upsert_gateway_attempt_duration_seconds_count{{{labels},outcome="{outcome}"}} 1"#);
        assert!(shown.contains(&timed), "{timed} in {shown}");
    }
    let held_back = format!(r#"upsert_gateway_calls_held_total{{{labels},waiting_for="breaker"}} 1"#);
    assert!(shown.contains(&held_back), "{shown}");
    assert_eq!(
        shown.matches("upsert_gateway_attempts_total{").count(),
        5,
        "what was held is no attempt: {shown}"
    );
    assert!(!shown.contains(CANARY), "{shown}");
    for told in [
        "# HELP upsert_gateway_attempts_total Calls sent to vendors, by what came of them",
        "# HELP upsert_gateway_calls_held_total Calls that were not sent, by what the connection waits for",
        "# HELP upsert_gateway_attempt_duration_seconds How long calls to vendors took, once their turn had come",
        "# HELP upsert_gateway_attempt_wait_seconds How long calls to vendors waited in the gateway for their turn",
    ] {
        assert!(shown.contains(told), "{told} in {shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn health_tells_the_last_success_the_last_failure_and_the_latency() {
    let slow = (1..=100).map(|number| Answer::Slow(Duration::from_millis(100 * number)));
    let subject = observed(
        slow.chain([Answer::Error(fault()), held(), Answer::Slow(secs(5))])
            .collect(),
    );
    assert_eq!(subject.layer.health().latency_p50_ms, None);
    for _ in 0..100 {
        call(&subject.provider).await.unwrap();
    }
    let health = subject.layer.health();
    assert_eq!(
        health.last_success_at,
        Some("2026-11-20T12:08:25Z".parse().unwrap()),
        "505 s after noon"
    );
    assert_eq!((health.last_failure_at, health.last_failure_kind), (None, None));
    let quantiles = [health.latency_p50_ms, health.latency_p95_ms, health.latency_p99_ms];
    assert_eq!(quantiles, [Some(5_000.0), Some(9_500.0), Some(9_900.0)]);

    let _ = call(&subject.provider).await;
    let _ = call(&subject.provider).await;
    let failed = subject.layer.health();
    assert_eq!(failed.last_failure_kind, Some(ErrorKind::Transient));
    assert_eq!(failed.last_failure_at, health.last_success_at);
    assert_eq!(failed.in_flight, 0);

    let under_way = timeout(secs(1), async {
        tokio::join!(call(&subject.provider), async {
            assert_eq!(subject.layer.health().in_flight, 1);
        })
    });
    assert!(under_way.await.is_err());
    assert_eq!(
        subject.layer.health().in_flight,
        0,
        "a dropped call is not under way any more"
    );
}

#[tokio::test(start_paused = true)]
async fn latencies_are_those_of_the_last_256_calls() {
    let script = (0..256)
        .map(|_| Answer::Slow(Duration::from_millis(60)))
        .chain((0..256).map(|_| Answer::Slow(Duration::from_millis(1))));
    let subject = observed(script.collect());
    for _ in 0..512 {
        call(&subject.provider).await.unwrap();
    }
    assert_eq!(subject.layer.health().latency_p99_ms, Some(1.0));
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_widens_the_retry_budget() {
    let subject = observed((0..10).map(|_| held()).collect());
    for _ in 0..10 {
        let _ = call(&subject.provider).await;
    }
    let left = |budget: &RetryBudget| (0..100).filter(|_| budget.take()).count();
    assert_eq!(left(&subject.budget), 3);
    for _ in 0..10 {
        let _ = call(&subject.provider).await;
    }
    assert_eq!(left(&subject.budget), 2);
}

#[tokio::test(start_paused = true)]
async fn events_carry_ids_and_no_datum() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let subject = observed(vec![
        Answer::Slow(Duration::from_millis(1_500)),
        Answer::SlowError(secs(2), fault()),
        held(),
    ]);
    let clock: Arc<dyn Clock> = noon();
    let delivery = DeliveryId::of(IdSource::new(clock).upsert("acme"), 1);
    let context = upsert_core::CallContext {
        delivery_id: Some(delivery),
        ..context()
    };
    for _ in 0..3 {
        let _ = subject.provider.upsert(&context, &prepared()).await;
    }
    let written = log.written();
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(lines.len(), 3, "{written}");
    for (line, said) in lines.iter().zip([
        [r#"outcome="created""#, "took_ms=1500"],
        [r#"outcome="transient""#, "took_ms=2000"],
        [r#"waiting_for="breaker""#; 2],
    ]) {
        assert!(
            said.iter().all(|said| line.contains(said))
                && line.contains("merchant=acme")
                && line.contains("connection=crm"),
            "{line}"
        );
        assert!(line.contains(&delivery.to_string()), "{line}");
    }
    assert!(!written.contains(CANARY), "{written}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn written(&self) -> String {
        let bytes = self.0.lock();
        // The terminal's colours would stand between names and values.
        let text = String::from_utf8_lossy(&bytes);
        let mut plain = String::new();
        let mut is_escape = false;
        for character in text.chars() {
            match character {
                '\u{1b}' => is_escape = true,
                'm' if is_escape => is_escape = false,
                _ if is_escape => {}
                other => plain.push(other),
            }
        }
        plain
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
