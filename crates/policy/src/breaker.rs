//! Stops calls to a vendor that fails, and lets one probe through from time to time.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;
use tokio::time::Instant;

use upsert_api::BreakerState;
use upsert_core::{CallContext, Clock, ProviderError, WaitingFor};

use crate::layer::{Answer, Layer};
use crate::settings::{BreakerPolicy, ConnectionNames};
use crate::sliding_count::SlidingCount;
use crate::verdict::{LONGEST_WAIT, Verdict};

/// The open time doubles with each probe that fails, up to eight times the configured one.
const MOST_DOUBLINGS: u32 = 3;

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
    /// Nobody is asked for a probe once more before this.
    next_wish: Option<Instant>,
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
            next_wish: None,
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

    /// Another process has found that the vendor fails. Whoever has found out anything of its own goes by that, as long as it
    /// lasts: whose open time is over need not find out once more.
    pub fn hear_of_opening(&self, until: Timestamp) {
        let left = Duration::try_from(until.duration_since(self.clock.now())).unwrap_or_default();
        let mut circuit = self.circuit();
        // Further ahead than that was told by a clock that was wrong.
        let is_credible = !left.is_zero() && left <= LONGEST_TOLD;
        let knows_itself = match circuit.state {
            State::Closed => false,
            State::Open { until } => until > Instant::now(),
            State::HalfOpen { .. } => true,
        };
        if !is_credible || knows_itself {
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

    /// Another process has found that the vendor is back. A probe of this one that is under way has its own say.
    pub(crate) fn hear_of_closing(&self) {
        let mut circuit = self.circuit();
        if matches!(circuit.state, State::Open { .. } | State::HalfOpen { probing: false }) {
            circuit.failing = None;
            self.close(&mut circuit);
        }
    }

    /// Whether it is time for a probe, should nobody's call make one; it is said once an open time, whatever comes of it. For
    /// how long nobody else need make one then.
    pub(crate) fn wants_probe(&self) -> Option<Duration> {
        let now = Instant::now();
        let mut circuit = self.circuit();
        let may_go = match circuit.state {
            State::Open { until } => until <= now,
            State::HalfOpen { probing } => !probing,
            State::Closed => false,
        };
        if !may_go || circuit.next_wish.is_some_and(|next| next > now) {
            return None;
        }
        let open_for = self.open_for(circuit.failed_probes);
        circuit.next_wish = Some(now + open_for);
        Some(open_for)
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

    /// `is_trial`: somebody wants to know now, and need not wait until the open time is over. Of a probe that is under way the
    /// answer is known soon enough.
    fn admit(&self, is_trial: bool, now: Instant) -> Result<Pass<'_>, ProviderError> {
        let mut circuit = self.circuit();
        let mut otherwise = State::HalfOpen { probing: false };
        let probe = match circuit.state {
            State::Closed => false,
            State::Open { until } if until > now && !is_trial => return Err(held(until - now)),
            State::Open { until } if until > now => {
                otherwise = State::Open { until };
                circuit.turn(State::HalfOpen { probing: true });
                true
            }
            State::HalfOpen { probing: true } => return Err(held_by_probe(self.policy.open_for)),
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
            is_trial,
            otherwise,
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
            (true, Verdict::Nothing) => circuit.state = pass.otherwise,
            (false, Verdict::Nothing) => {}
            (true, Verdict::Up) => self.close(&mut circuit),
            (false, Verdict::Up) => {
                circuit.in_a_row = 0;
                circuit.count.add(now, 1, 0);
            }
            (true, Verdict::Fault { .. }) => {
                // However often somebody asks: what goes by itself does not come the more seldom for it.
                let one_more = u32::from(!pass.is_trial);
                circuit.failed_probes = circuit.failed_probes.saturating_add(one_more);
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
        let ours = now + self.open_for(circuit.failed_probes);
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

    /// How long it is open after so many probes that failed in a row.
    fn open_for(&self, failed_probes: u32) -> Duration {
        let longer = 1 << failed_probes.min(MOST_DOUBLINGS);
        self.policy.open_for.saturating_mul(longer)
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
        context: &CallContext,
        call: impl Future<Output = Result<T, ProviderError>> + Send,
    ) -> Result<T, ProviderError> {
        let mut pass = self.admit(context.is_trial, Instant::now())?;
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
    is_trial: bool,
    /// What the circuit is again, should nothing come of a probe.
    otherwise: State,
    verdict: Verdict,
    vendor_status: Option<u16>,
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.breaker.settle(self, Instant::now());
    }
}

fn held_by_probe(left: Duration) -> ProviderError {
    let detail = "the vendor fails; another call finds out just now whether it is back";
    ProviderError::held(WaitingFor::Breaker, Some(left), detail)
}

fn held(left: Duration) -> ProviderError {
    let detail = "the vendor fails; the connection waits until it is back";
    ProviderError::held(WaitingFor::Breaker, Some(left), detail)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;
    use upsert_core::SystemClock;

    use super::*;

    fn breaker() -> Breaker {
        let names = ConnectionNames::new("acme", "crm", "scripted");
        Breaker::new(BreakerPolicy::default(), names, Arc::new(SystemClock))
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_that_was_named_is_waited_for_no_longer_once_it_is_lifted_and_an_open_time_of_its_own_is() {
        let (named, heard, own) = (breaker(), breaker(), breaker());
        let fault = |breaker: &Breaker, retry_after| {
            let mut pass = breaker.admit(false, Instant::now()).unwrap();
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
            let probe = breaker.admit(false, Instant::now()).unwrap();
            assert!(breaker.admit(false, Instant::now()).is_err(), "one call finds out");
            drop(probe);
            // It fails again: for as long as it says itself.
            fault(breaker, None);
            assert!(breaker.shut_for() <= Some(2 * BreakerPolicy::default().open_for));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_was_let_through_before_is_held_only_while_the_circuit_is_open() {
        let breaker = breaker();
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
        let breaker = breaker();
        let ends = |verdict, status| {
            let mut pass = breaker.admit(false, Instant::now()).unwrap();
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

    #[tokio::test(start_paused = true)]
    async fn an_open_time_that_is_over_is_begun_anew_by_what_another_process_found() {
        let breaker = breaker();
        breaker.hear_of_opening(SystemClock.now() + SignedDuration::from_secs(5));
        advance(Duration::from_secs(6)).await;
        assert_eq!(breaker.shut_for(), None);
        breaker.hear_of_opening(SystemClock.now() + SignedDuration::from_secs(20));
        assert!(breaker.shut_for() > Some(Duration::from_secs(15)), "its probe failed");
        breaker.hear_of_closing();
        assert!(breaker.is_closed() && breaker.snapshot().failing_since.is_none());
        breaker.hear_of_opening(SystemClock.now() + SignedDuration::from_secs(5));
        advance(Duration::from_secs(6)).await;
        let probe = breaker.admit(false, Instant::now()).unwrap();
        breaker.hear_of_closing();
        breaker.hear_of_opening(SystemClock.now() + SignedDuration::from_secs(20));
        assert!(!breaker.is_closed(), "its own probe has its say");
        drop(probe);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_nobodys_call_makes_is_asked_for_once_an_open_time() {
        let breaker = breaker();
        let open_for = BreakerPolicy::default().open_for;
        assert_eq!(breaker.wants_probe(), None);
        for _ in 0..BreakerPolicy::default().min_calls.get() {
            let mut pass = breaker.admit(false, Instant::now()).unwrap();
            pass.verdict = Verdict::Fault { retry_after: None };
        }
        assert_eq!(breaker.wants_probe(), None, "it is open");
        advance(open_for).await;
        assert_eq!(breaker.wants_probe(), Some(open_for));
        assert_eq!(breaker.wants_probe(), None, "it has been said");
        advance(open_for).await;
        let mut probe = breaker.admit(false, Instant::now()).unwrap();
        assert_eq!(breaker.wants_probe(), None, "somebody's call finds out");
        probe.verdict = Verdict::Fault { retry_after: None };
        drop(probe);
        advance(2 * open_for).await;
        assert_eq!(breaker.wants_probe(), Some(2 * open_for), "a probe has failed");
    }
}
