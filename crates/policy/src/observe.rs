//! Sees every call and what came of it: metrics, an event per attempt, the connection's health.

use std::sync::Arc;
use std::time::Duration;

use metrics::{Label, Unit, counter, describe_counter, describe_histogram, histogram};
use tokio::time::Instant;

use upsert_core::{CallContext, Clock, ErrorKind, Outcome, ProviderError, WaitingFor, Word as _};

use crate::budget::RetryBudget;
use crate::counted::Counted;
use crate::health::Health;
use crate::layer::{Answer, Layer};
use crate::settings::ConnectionNames;

const ATTEMPTS: &str = "upsert_gateway_attempts_total";
const DURATION: &str = "upsert_gateway_attempt_duration_seconds";
const WAIT: &str = "upsert_gateway_attempt_wait_seconds";
/// The outcome of a call that was dropped before its end.
const ABANDONED: &str = "abandoned";
const HELD: &str = "upsert_gateway_calls_held_total";

/// Counts, times and reports. Everything it shows is an id, a name from the configuration or a word of ours.
#[derive(Debug)]
pub struct Observe {
    names: ConnectionNames,
    health: Health,
    budget: Arc<RetryBudget>,
}

/// Tells the metrics recorder what the metrics of this crate mean. Once, after the recorder is installed.
pub fn describe_metrics() {
    describe_counter!(ATTEMPTS, "Calls sent to vendors, by what came of them");
    describe_counter!(HELD, "Calls that were not sent, by what the connection waits for");
    describe_histogram!(
        DURATION,
        Unit::Seconds,
        "How long calls to vendors took, once their turn had come"
    );
    describe_histogram!(
        WAIT,
        Unit::Seconds,
        "How long calls to vendors waited in the gateway for their turn"
    );
}

impl Observe {
    /// Sees the calls of this connection; what was sent widens the retry budget.
    pub fn new(names: ConnectionNames, clock: Arc<dyn Clock>, budget: Arc<RetryBudget>) -> Self {
        Self {
            names,
            health: Health::new(clock),
            budget,
        }
    }

    /// Has every counter of writes begin at zero. Who asks for the increase of one that comes with its first call sees none.
    pub fn begin_at_zero(&self) {
        let (outcomes, kinds) = (Outcome::ALL.iter(), ErrorKind::ALL.iter());
        let outcomes = outcomes.map(|one| one.as_str()).chain(kinds.map(|one| one.as_str()));
        for outcome in outcomes.chain([ABANDONED]) {
            counter!(ATTEMPTS, self.labels("outcome", outcome)).increment(0);
        }
        for waiting_for in WaitingFor::ALL {
            counter!(HELD, self.labels("waiting_for", waiting_for.as_str())).increment(0);
        }
    }

    /// How it has been doing.
    pub fn health(&self) -> upsert_api::Health {
        self.health.snapshot()
    }

    fn succeeded(&self, context: &CallContext, outcome: &'static str, times: Times) {
        self.health.succeeded(times.took);
        self.attempted(outcome, times);
        let names = &self.names;
        tracing::debug!(
            merchant = %names.merchant, connection = %names.connection, provider = names.provider, outcome,
            delivery_id = context.delivery_id.map(tracing::field::display),
            attempt = context.attempt, waited_ms = millis(times.waited), took_ms = millis(times.took), "vendor called"
        );
    }

    fn failed(&self, context: &CallContext, error: &ProviderError, times: Times) {
        self.health.failed(times.took, error.kind);
        self.attempted(error.kind.as_str(), times);
        let names = &self.names;
        // Its Display is safe; its detail may hold the vendor's words and stays out.
        tracing::info!(
            merchant = %names.merchant, connection = %names.connection, provider = names.provider,
            outcome = error.kind.as_str(), state = ?error.state,
            delivery_id = context.delivery_id.map(tracing::field::display),
            attempt = context.attempt, waited_ms = millis(times.waited), took_ms = millis(times.took), %error,
            "vendor call failed"
        );
    }

    fn not_sent(&self, context: &CallContext, error: &ProviderError) {
        let waiting_for = error.held.map_or(error.kind.as_str(), |held| held.waiting_for.as_str());
        counter!(HELD, self.labels("waiting_for", waiting_for)).increment(1);
        let names = &self.names;
        tracing::debug!(
            merchant = %names.merchant, connection = %names.connection, provider = names.provider, waiting_for,
            delivery_id = context.delivery_id.map(tracing::field::display), "call held back"
        );
    }

    fn attempted(&self, outcome: &'static str, times: Times) {
        self.budget.called();
        let labels = self.labels("outcome", outcome);
        counter!(ATTEMPTS, labels.clone()).increment(1);
        histogram!(DURATION, labels.clone()).record(times.took);
        histogram!(WAIT, labels).record(times.waited);
    }

    /// Whose call it is, and one thing that is said of it.
    fn labels(&self, name: &'static str, value: &'static str) -> Vec<Label> {
        let ConnectionNames {
            merchant, connection, ..
        } = &self.names;
        vec![
            Label::new("merchant", Arc::clone(merchant)),
            Label::new("connection", Arc::clone(connection)),
            Label::new("provider", self.names.provider),
            Label::new(name, value),
        ]
    }
}

impl Layer for Observe {
    async fn around<T: Answer>(
        &self,
        context: &CallContext,
        call: impl Future<Output = Result<T, ProviderError>> + Send,
    ) -> Result<T, ProviderError> {
        // Until the innermost layer says that its turn has come.
        context.in_line.enter();
        let mut under_way = UnderWay {
            observe: self,
            context,
            _in_flight: self.health.begun(),
            began: Instant::now(),
            is_over: false,
        };
        let result = call.await;
        under_way.is_over = true;
        let times = under_way.times();
        match &result {
            Ok(answer) => self.succeeded(context, answer.outcome(), times),
            Err(error) if error.sent => self.failed(context, error, times),
            Err(error) => self.not_sent(context, error),
        }
        result
    }
}

/// A call that has begun. Dropped before its end, it is counted as abandoned: it may have gone out.
struct UnderWay<'a> {
    observe: &'a Observe,
    context: &'a CallContext,
    _in_flight: Counted<'a>,
    began: Instant,
    is_over: bool,
}

/// Of one call, up to now.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// For its turn: our own limits.
    waited: Duration,
    /// From then on: the vendor.
    took: Duration,
}

impl UnderWay<'_> {
    fn times(&self) -> Times {
        let all = self.began.elapsed();
        let left_at = self.context.in_line.left_at().unwrap_or(self.began);
        let waited = left_at.saturating_duration_since(self.began).min(all);
        Times {
            waited,
            took: all.saturating_sub(waited),
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.observe.attempted(ABANDONED, self.times());
        }
    }
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
