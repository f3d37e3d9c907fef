//! How endpoints are doing: disabled or not (durable), and whether they answered lately (of this process).

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use upsert_store::{Disabled, EndpointRecord};

use crate::runtime::connections::{Key, key};

/// So many failures in a row, and the endpoint is tried with one event at a time.
const TROUBLE: u32 = 5;
/// How long an endpoint in trouble is left alone: doubled with each rest after which it failed again, up to the longest.
const SHORTEST_REST: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_REST: SignedDuration = SignedDuration::from_secs(60);

/// What is known of one endpoint.
#[derive(Debug, Clone, Default)]
pub(crate) struct EndpointState {
    pub(crate) disabled: Option<Disabled>,
    /// Of the store's row; 0: there is none.
    revision: u64,
    /// Failures since the last success.
    pub(crate) failures: u32,
    /// Times it was left alone since then.
    rests: u32,
    /// Until when it is left alone.
    pub(crate) rests_until: Option<Timestamp>,
    pub(crate) last_success_at: Option<Timestamp>,
    pub(crate) last_failure_at: Option<Timestamp>,
    /// What it answered last, or why it did not.
    pub(crate) last_error: Option<String>,
}

impl EndpointState {
    /// For operators.
    pub(crate) fn word(&self) -> upsert_api::EndpointState {
        if self.disabled.is_some() {
            upsert_api::EndpointState::Disabled
        } else if self.is_in_trouble() {
            upsert_api::EndpointState::Failing
        } else if self.failures > 0 {
            upsert_api::EndpointState::Degraded
        } else {
            upsert_api::EndpointState::Healthy
        }
    }

    fn is_in_trouble(&self) -> bool {
        self.failures >= TROUBLE
    }
}

/// Until then, unless the clock was set back since: no rest is longer than the longest.
fn is_resting(until: Timestamp, now: Timestamp) -> bool {
    until > now && until.duration_since(now) <= LONGEST_REST
}

/// All endpoints, by merchant and name.
#[derive(Debug, Default)]
pub(crate) struct Endpoints(Mutex<HashMap<Key, EndpointState>>);

impl Endpoints {
    pub(crate) fn state(&self, merchant: &str, endpoint: &str) -> EndpointState {
        let states = self.0.lock();
        states.get(&key(merchant, endpoint)).cloned().unwrap_or_default()
    }

    pub(crate) fn is_disabled(&self, merchant: &str, endpoint: &str) -> bool {
        self.state(merchant, endpoint).disabled.is_some()
    }

    /// How many events may be under way to it now, of `most`.
    pub(crate) fn room(&self, merchant: &str, endpoint: &str, most: usize, now: Timestamp) -> usize {
        let state = self.state(merchant, endpoint);
        match state.rests_until {
            Some(until) if is_resting(until, now) => 0,
            _ if state.is_in_trouble() => 1,
            _ => most,
        }
    }

    /// It took an event. Whether that ends a time of trouble.
    pub(crate) fn succeeded(&self, merchant: &str, endpoint: &str, now: Timestamp) -> bool {
        let mut states = self.0.lock();
        let state = states.entry(key(merchant, endpoint)).or_default();
        let was_in_trouble = state.is_in_trouble();
        state.failures = 0;
        state.rests = 0;
        state.rests_until = None;
        state.last_success_at = Some(now);
        was_in_trouble
    }

    /// It did not take an event.
    pub(crate) fn failed(&self, merchant: &str, endpoint: &str, why: &str, now: Timestamp) {
        let mut states = self.0.lock();
        let state = states.entry(key(merchant, endpoint)).or_default();
        state.failures = state.failures.saturating_add(1);
        state.last_failure_at = Some(now);
        state.last_error = Some(why.to_owned());
        // What was under way when the rest began says nothing new.
        let is_resting = state.rests_until.is_some_and(|until| is_resting(until, now));
        if state.is_in_trouble() && !is_resting {
            let rest = (SHORTEST_REST * (1_i32 << state.rests.min(6))).min(LONGEST_REST);
            state.rests = state.rests.saturating_add(1);
            state.rests_until = now.checked_add(rest).ok();
        }
    }

    /// What the store has of it, as far as is known here.
    pub(crate) fn record(&self, merchant: &str, endpoint: &str) -> EndpointRecord {
        let state = self.state(merchant, endpoint);
        EndpointRecord {
            merchant: merchant.to_owned(),
            endpoint: endpoint.to_owned(),
            revision: state.revision,
            disabled: state.disabled,
        }
    }

    /// The store has this of it, unless something newer is known already.
    pub(crate) fn learn(&self, record: EndpointRecord) {
        let mut states = self.0.lock();
        let state = states.entry(key(&record.merchant, &record.endpoint)).or_default();
        if state.revision >= record.revision {
            return;
        }
        if record.disabled.is_none() {
            state.failures = 0;
            state.rests = 0;
            state.rests_until = None;
        }
        state.revision = record.revision;
        state.disabled = record.disabled;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest_of(endpoints: &Endpoints, now: Timestamp) -> Option<i64> {
        let until = endpoints.state("acme", "hooks").rests_until;
        until.map(|until| until.duration_since(now).as_secs())
    }

    #[test]
    fn failures_that_were_under_way_together_cost_one_rest_and_each_failure_after_it_a_longer_one() {
        let (endpoints, mut now) = (Endpoints::default(), Timestamp::UNIX_EPOCH);
        for _ in 0..16 {
            endpoints.failed("acme", "hooks", "it answered 503", now);
        }
        assert_eq!(rest_of(&endpoints, now), Some(1), "of sixteen that failed at once");
        let mut rests = Vec::new();
        for _ in 0..8 {
            let state = endpoints.state("acme", "hooks");
            now = state.rests_until.unwrap();
            assert_eq!(endpoints.room("acme", "hooks", 16, now), 1);
            endpoints.failed("acme", "hooks", "it answered 503", now);
            assert_eq!(endpoints.room("acme", "hooks", 16, now), 0);
            rests.extend(rest_of(&endpoints, now));
        }
        assert_eq!(rests, [2, 4, 8, 16, 32, 60, 60, 60]);
        assert!(endpoints.succeeded("acme", "hooks", now));
        assert_eq!(endpoints.room("acme", "hooks", 16, now), 16);
        for _ in 0..5 {
            endpoints.failed("acme", "hooks", "it answered 503", now);
        }
        assert_eq!(rest_of(&endpoints, now), Some(1), "a success makes it as it was");
    }
}
