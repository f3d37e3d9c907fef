//! Stops calls to a vendor that fails, and lets one probe through from time to time.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;
use tokio::time::Instant;

use upsert_api::BreakerState;
use upsert_core::{CallContext, Clock, ErrorKind, ProviderError, WaitingFor};

use crate::layer::{Answer, Layer};
use crate::retry::advised_wait;
use crate::settings::{BreakerPolicy, ConnectionNames};
use crate::sliding_count::SlidingCount;

/// The open time doubles with each probe that fails, up to eight times the configured one.
const MOST_DOUBLINGS: u32 = 3;

/// The longest Retry-After that is obeyed.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// Nothing is told to be waited for longer, however far another process's clock is apart.
const LONGEST_TOLD: Duration = Duration::from_hours(27);

/// A circuit breaker. Only faults of the vendor count: a refusal, a 401, a 429 or an answer that cannot be understood
/// comes from a vendor that is up.
#[derive(Debug)]
pub struct Breaker {
    policy: BreakerPolicy,
    names: ConnectionNames,
    clock: Arc<dyn Clock>,
    circuit: Mutex<Circuit>,
    closings: watch::Sender<u64>,
    openings: watch::Sender<Option<Timestamp>>,
}

#[derive(Debug)]
struct Circuit {
    state: State,
    /// Grows with each change of state: a call that began before it has no say after it.
    era: u64,
    /// Probes that failed in a row.
    failed_probes: u32,
    /// The latest moment that a vendor's Retry-After named.
    not_before: Option<Instant>,
    count: SlidingCount,
    /// Faults since the vendor was last up.
    in_a_row: u32,
    /// None: it was up the last time.
    failing: Option<Failing>,
}

/// A vendor that has not been up for a while.
#[derive(Debug, Clone, Copy)]
struct Failing {
    since: Timestamp,
    /// The HTTP status of the newest fault; none: there was no answer.
    with: Option<u16>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed,
    Open { until: Instant },
    HalfOpen { probing: bool },
}

/// What a call says about the vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Nothing: it was dropped, was never sent, or nobody can tell.
    Nothing,
    /// It is up.
    Up,
    /// It is not.
    Fault { retry_after: Option<Duration> },
}

impl Verdict {
    fn on<T>(result: &Result<T, ProviderError>) -> Self {
        let Err(error) = result else { return Self::Up };
        let held_by_us = !error.sent && error.held.is_some();
        match error.kind {
            _ if held_by_us => Self::Nothing,
            ErrorKind::Transient => Self::Fault {
                retry_after: advised_wait(error).map(|wait| wait.min(LONGEST_WAIT)),
            },
            // Neither a sign of health nor an outage.
            ErrorKind::BrokenContract => Self::Nothing,
            _ if !error.sent => Self::Nothing,
            _ => Self::Up,
        }
    }
}

impl Breaker {
    /// Closed, with an empty window.
    pub fn new(policy: BreakerPolicy, names: ConnectionNames, clock: Arc<dyn Clock>) -> Self {
        let circuit = Circuit {
            state: State::Closed,
            era: 0,
            failed_probes: 0,
            not_before: None,
            count: SlidingCount::new(policy.window, Instant::now()),
            in_a_row: 0,
            failing: None,
        };
        Self {
            policy,
            names,
            clock,
            circuit: Mutex::new(circuit),
            closings: watch::Sender::new(0),
            openings: watch::Sender::new(None),
        }
    }

    /// Tells each time that it closes again: what waits is due at once. The value is how often it has.
    pub fn on_closed(&self) -> watch::Receiver<u64> {
        self.closings.subscribe()
    }

    /// Tells each time that a failure opens it: until when. Other processes need not find out for themselves.
    pub fn on_opened(&self) -> watch::Receiver<Option<Timestamp>> {
        self.openings.subscribe()
    }

    /// Another process has found that the vendor fails. Whoever has found out anything of its own goes by that.
    pub fn hear_of_opening(&self, until: Timestamp) {
        let left = Duration::try_from(until.duration_since(self.clock.now())).unwrap_or_default();
        let mut circuit = self.circuit();
        // Further ahead than that was told by a clock that was wrong.
        let is_credible = !left.is_zero() && left <= LONGEST_TOLD;
        if !is_credible || !matches!(circuit.state, State::Closed) {
            return;
        }
        let until = Instant::now() + left.min(LONGEST_WAIT);
        circuit.not_before = Some(until);
        let since = self.clock.now();
        circuit.failing.get_or_insert(Failing { since, with: None });
        circuit.turn(State::Open { until });
        let (merchant, connection) = (&*self.names.merchant, &*self.names.connection);
        tracing::warn!(
            merchant,
            connection,
            "breaker open: another gateway says that the vendor fails"
        );
    }

    /// Whoever named a time until which nothing is to go is not to be waited for any more: one call finds out whether the
    /// vendor is back.
    pub(crate) fn lift_what_was_named(&self) {
        let mut circuit = self.circuit();
        if circuit.not_before.take().is_some() && matches!(circuit.state, State::Open { .. }) {
            circuit.turn(State::HalfOpen { probing: false });
            // What nobody has been told yet is not told any more.
            self.openings.send_if_modified(|told| {
                *told = None;
                false
            });
        }
    }

    /// What it knows now.
    pub fn snapshot(&self) -> upsert_api::Breaker {
        let now = Instant::now();
        let circuit = self.circuit();
        let (state, left) = match circuit.state {
            State::Closed => (BreakerState::Closed, None),
            State::Open { until } if until > now => (BreakerState::Open, Some(until - now)),
            State::Open { .. } | State::HalfOpen { .. } => (BreakerState::HalfOpen, None),
        };
        let totals = circuit.count.totals(now);
        let left = left.and_then(|left| SignedDuration::try_from(left).ok());
        upsert_api::Breaker {
            state,
            until: left.and_then(|left| self.clock.now().checked_add(left).ok()),
            calls: totals.calls,
            faults: totals.marked,
            failing_since: circuit.failing.map(|failing| failing.since),
            failing_with: circuit.failing.and_then(|failing| failing.with),
        }
    }

    /// For how long no call goes through, as far as is known; none while calls go through or a probe may go.
    pub(crate) fn shut_for(&self) -> Option<Duration> {
        let now = Instant::now();
        match self.circuit().state {
            State::Open { until } if until > now => Some(until - now),
            State::HalfOpen { probing: true } => Some(self.policy.open_for),
            State::Closed | State::Open { .. } | State::HalfOpen { probing: false } => None,
        }
    }

    /// Whether the next call is a probe, and only one may go.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.circuit().state, State::Closed)
    }

    /// Whether it has not opened since a call was let through. A probe goes on: the circuit is half open for it.
    pub(crate) fn still_lets_through(&self) -> Result<(), ProviderError> {
        let now = Instant::now();
        match self.circuit().state {
            State::Open { until } if until > now => Err(held(until - now)),
            State::Closed | State::Open { .. } | State::HalfOpen { .. } => Ok(()),
        }
    }

    fn admit(&self, now: Instant) -> Result<Pass<'_>, ProviderError> {
        let mut circuit = self.circuit();
        let probe = match circuit.state {
            State::Closed => false,
            State::Open { until } if until > now => return Err(held(until - now)),
            State::HalfOpen { probing: true } => return Err(held(self.policy.open_for)),
            State::Open { .. } | State::HalfOpen { probing: false } => {
                circuit.turn(State::HalfOpen { probing: true });
                true
            }
        };
        let era = circuit.era;
        Ok(Pass {
            breaker: self,
            era,
            probe,
            verdict: Verdict::Nothing,
            vendor_status: None,
        })
    }

    fn settle(&self, pass: &Pass<'_>, now: Instant) {
        let mut circuit = self.circuit();
        if let Verdict::Fault {
            retry_after: Some(wait),
        } = pass.verdict
        {
            let named = now + wait;
            circuit.not_before = Some(circuit.not_before.map_or(named, |known| known.max(named)));
            if let State::Open { until } = &mut circuit.state {
                *until = named.max(*until);
            }
        }
        if circuit.era != pass.era {
            return;
        }
        circuit.note(pass, self.clock.now());
        match (pass.probe, pass.verdict) {
            (true, Verdict::Nothing) => circuit.state = State::HalfOpen { probing: false },
            (false, Verdict::Nothing) => {}
            (true, Verdict::Up) => self.close(&mut circuit),
            (false, Verdict::Up) => {
                circuit.in_a_row = 0;
                circuit.count.add(now, 1, 0);
            }
            (true, Verdict::Fault { .. }) => {
                circuit.failed_probes = circuit.failed_probes.saturating_add(1);
                self.open(&mut circuit, now);
            }
            (false, Verdict::Fault { .. }) => {
                circuit.count.add(now, 1, 1);
                circuit.in_a_row = circuit.in_a_row.saturating_add(1);
                let totals = circuit.count.totals(now);
                let ratio = f64::from(totals.marked) / f64::from(totals.calls);
                let least = self.policy.min_calls.get();
                // A vendor that goes down after busy times: the successes before it would hide it for half a window,
                // the more so where each call hangs until its time-out.
                let is_down = circuit.in_a_row.min(totals.marked) >= least;
                if is_down || (totals.calls >= least && ratio >= self.policy.failure_ratio) {
                    self.open(&mut circuit, now);
                }
            }
        }
    }

    fn open(&self, circuit: &mut Circuit, now: Instant) {
        let longer = 1 << circuit.failed_probes.min(MOST_DOUBLINGS);
        let ours = now + self.policy.open_for.saturating_mul(longer);
        let until = circuit.not_before.map_or(ours, |named| named.max(ours));
        circuit.turn(State::Open { until });
        circuit.count.clear();
        circuit.in_a_row = 0;
        let (merchant, connection) = (&*self.names.merchant, &*self.names.connection);
        let open_ms = u64::try_from((until - now).as_millis()).unwrap_or(u64::MAX);
        let failed_probes = circuit.failed_probes;
        tracing::warn!(
            merchant,
            connection,
            open_ms,
            failed_probes,
            "breaker open: the vendor fails"
        );
        let open_for = SignedDuration::try_from(until - now).unwrap_or(SignedDuration::ZERO);
        self.openings.send_replace(self.clock.now().checked_add(open_for).ok());
    }

    fn close(&self, circuit: &mut Circuit) {
        circuit.turn(State::Closed);
        circuit.failed_probes = 0;
        circuit.not_before = None;
        let (merchant, connection) = (&*self.names.merchant, &*self.names.connection);
        tracing::info!(merchant, connection, "breaker closed: the vendor is back");
        self.closings.send_modify(|closings| *closings += 1);
    }

    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock()
    }
}

impl Layer for Breaker {
    async fn around<T: Answer>(
        &self,
        _context: &CallContext,
        call: impl Future<Output = Result<T, ProviderError>> + Send,
    ) -> Result<T, ProviderError> {
        let mut pass = self.admit(Instant::now())?;
        let result = call.await;
        pass.verdict = Verdict::on(&result);
        let status = result.as_ref().err().and_then(|error| error.vendor_status);
        // A success that broke off on its way is no status of a failure.
        pass.vendor_status = status.filter(|status| !(200..300).contains(status));
        result
    }
}

impl Circuit {
    fn turn(&mut self, state: State) {
        self.state = state;
        self.era += 1;
    }

    /// Since when it fails, and with what.
    fn note(&mut self, pass: &Pass<'_>, since: Timestamp) {
        match pass.verdict {
            Verdict::Nothing => {}
            Verdict::Up => self.failing = None,
            Verdict::Fault { .. } => {
                let failing = self.failing.get_or_insert(Failing { since, with: None });
                failing.with = pass.vendor_status;
            }
        }
    }
}

/// One call that was let through. It has its say when it is dropped, so that a cancelled probe frees its slot.
struct Pass<'a> {
    breaker: &'a Breaker,
    era: u64,
    probe: bool,
    verdict: Verdict,
    vendor_status: Option<u16>,
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.breaker.settle(self, Instant::now());
    }
}

fn held(left: Duration) -> ProviderError {
    let detail = "the vendor fails; the connection waits until it is back";
    ProviderError::held(WaitingFor::Breaker, Some(left), detail)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;
    use upsert_core::{RetryAdvice, SystemClock};

    use super::*;

    #[test]
    fn what_a_call_says_of_its_vendor() {
        use upsert_core::StateAtVendor::{Unchanged, Unknown};
        let day = Duration::from_hours(24);
        let error = |kind, sent, advice, is_held: bool| {
            let state = if sent { Unknown } else { Unchanged };
            let mut error = ProviderError::new(kind, state, advice, "a fault");
            (error.sent, error.held) = (sent, None);
            if is_held {
                error.held = ProviderError::held(WaitingFor::RateLimit, None, "held").held;
            }
            Err::<(), _>(error)
        };
        let (backoff, after) = (RetryAdvice::Backoff, RetryAdvice::After);
        let fault = |retry_after| Verdict::Fault { retry_after };
        for (result, verdict) in [
            (Ok(()), Verdict::Up),
            (error(ErrorKind::Transient, true, backoff, false), fault(None)),
            (error(ErrorKind::Transient, false, backoff, false), fault(None)),
            (error(ErrorKind::Transient, true, backoff, true), fault(None)),
            (error(ErrorKind::Transient, false, backoff, true), Verdict::Nothing),
            (
                error(ErrorKind::Transient, true, after(day / 2), false),
                fault(Some(day / 2)),
            ),
            (
                error(ErrorKind::Transient, true, after(day * 2), false),
                fault(Some(day)),
            ),
            (error(ErrorKind::BrokenContract, true, backoff, false), Verdict::Nothing),
            (error(ErrorKind::Rejected, true, RetryAdvice::Never, false), Verdict::Up),
            (
                error(ErrorKind::Rejected, false, RetryAdvice::Never, false),
                Verdict::Nothing,
            ),
            (error(ErrorKind::RateLimited, true, after(day), true), Verdict::Up),
            (error(ErrorKind::RateLimited, false, after(day), true), Verdict::Nothing),
            (error(ErrorKind::QuotaSpent, true, backoff, false), Verdict::Up),
            (error(ErrorKind::Unauthorised, true, backoff, false), Verdict::Up),
        ] {
            assert_eq!(Verdict::on(&result), verdict, "{result:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_that_was_named_is_waited_for_no_longer_once_it_is_lifted_and_an_open_time_of_its_own_is() {
        let names = ConnectionNames::new("acme", "crm", "scripted");
        let breaker = || Breaker::new(BreakerPolicy::default(), names.clone(), Arc::new(SystemClock));
        let (named, heard, own) = (breaker(), breaker(), breaker());
        let fault = |breaker: &Breaker, retry_after| {
            let mut pass = breaker.admit(Instant::now()).unwrap();
            pass.verdict = Verdict::Fault { retry_after };
        };
        for call in 0..BreakerPolicy::default().min_calls.get() {
            let hour = (call == 0).then(|| Duration::from_hours(1));
            fault(&named, hour);
            fault(&own, None);
        }
        heard.hear_of_opening(SystemClock.now() + SignedDuration::from_hours(1));
        assert!(named.shut_for() > Some(Duration::from_mins(59)) && heard.shut_for().is_some());
        let (named_told, own_told) = (named.on_opened(), own.on_opened());
        assert!(named_told.borrow().is_some());
        for breaker in [&named, &heard, &own] {
            breaker.lift_what_was_named();
        }
        assert_eq!(
            *named_told.borrow(),
            None,
            "whoever has not told of it yet has nothing to tell"
        );
        assert!(own_told.borrow().is_some());
        assert!(own.shut_for().is_some());
        for breaker in [&named, &heard] {
            assert_eq!((breaker.shut_for(), breaker.is_closed()), (None, false));
            let probe = breaker.admit(Instant::now()).unwrap();
            assert!(breaker.admit(Instant::now()).is_err(), "one call finds out");
            drop(probe);
            // It fails again: for as long as it says itself.
            fault(breaker, None);
            assert!(breaker.shut_for() <= Some(2 * BreakerPolicy::default().open_for));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_was_let_through_before_is_held_only_while_the_circuit_is_open() {
        let names = ConnectionNames::new("acme", "crm", "scripted");
        let breaker = Breaker::new(BreakerPolicy::default(), names, Arc::new(SystemClock));
        assert!(breaker.still_lets_through().is_ok());
        breaker.circuit().state = State::Open {
            until: Instant::now() + Duration::from_secs(15),
        };
        let left = |breaker: &Breaker| {
            let held = breaker.still_lets_through().err().and_then(|error| error.held);
            held.and_then(|held| held.for_at_least)
        };
        assert_eq!(left(&breaker), Some(Duration::from_secs(15)));
        assert_eq!(breaker.shut_for(), Some(Duration::from_secs(15)));
        advance(Duration::from_millis(14_999)).await;
        assert_eq!(left(&breaker), Some(Duration::from_millis(1)));
        for _ in 0..2 {
            advance(Duration::from_millis(1)).await;
            assert!(breaker.still_lets_through().is_ok() && breaker.shut_for().is_none());
        }
        breaker.circuit().state = State::HalfOpen { probing: true };
        assert!(breaker.still_lets_through().is_ok(), "it may be the probe");
        assert_eq!(breaker.shut_for(), Some(BreakerPolicy::default().open_for));
    }

    #[tokio::test(start_paused = true)]
    async fn it_tells_since_when_the_vendor_fails_and_with_what_until_the_vendor_is_up() {
        let names = ConnectionNames::new("acme", "crm", "scripted");
        let breaker = Breaker::new(BreakerPolicy::default(), names, Arc::new(SystemClock));
        let ends = |verdict, status| {
            let mut pass = breaker.admit(Instant::now()).unwrap();
            (pass.verdict, pass.vendor_status) = (verdict, status);
        };
        let told = || {
            let told = breaker.snapshot();
            (told.failing_since, told.failing_with)
        };
        let fault = Verdict::Fault { retry_after: None };
        assert_eq!(told(), (None, None));
        ends(fault, Some(503));
        let since = told().0;
        assert!(since.is_some());
        ends(fault, Some(502));
        assert_eq!(
            told(),
            (since, Some(502)),
            "the first one's moment, the newest one's words"
        );
        // Nothing is left of the window, and the vendor has not been up meanwhile.
        advance(BreakerPolicy::default().window * 3).await;
        let totals = breaker.snapshot();
        assert_eq!((totals.calls, totals.failing_since), (0, since));
        ends(Verdict::Nothing, None);
        assert_eq!(told(), (since, Some(502)));
        for _ in 0..BreakerPolicy::default().min_calls.get() {
            if breaker.is_closed() {
                ends(fault, None);
            }
        }
        let open = breaker.snapshot();
        assert_eq!(
            (open.state, open.calls, open.failing_since),
            (BreakerState::Open, 0, since)
        );
        advance(BreakerPolicy::default().open_for * 2).await;
        ends(Verdict::Up, Some(422));
        assert_eq!(told(), (None, None));

        breaker.hear_of_opening(SystemClock.now() + SignedDuration::from_secs(20));
        let heard = told();
        assert!(heard.0.is_some() && heard.1.is_none(), "{heard:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_another_process_found_opens_a_closed_breaker_until_then_and_no_other() {
        let clock = Arc::new(SystemClock);
        let breaker = Breaker::new(
            BreakerPolicy::default(),
            ConnectionNames::new("acme", "crm", "rotor"),
            clock.clone(),
        );
        let (opened, now) = (breaker.on_opened(), clock.now());
        breaker.hear_of_opening(now - SignedDuration::from_secs(1));
        assert!(breaker.is_closed(), "that is over");
        breaker.hear_of_opening(now + SignedDuration::from_secs(20));
        let shut = breaker.shut_for().unwrap();
        assert!(
            shut > Duration::from_secs(15) && shut <= Duration::from_secs(20),
            "{shut:?}"
        );
        breaker.hear_of_opening(now + SignedDuration::from_secs(3_600));
        assert!(
            breaker.shut_for().unwrap() <= Duration::from_secs(20),
            "it goes by what it knows"
        );
        advance(Duration::from_secs(21)).await;
        assert_eq!(breaker.shut_for(), None, "a probe may go");
        assert_eq!(*opened.borrow(), None, "what was heard is not told on");
    }
}
