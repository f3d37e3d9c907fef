//! What has to hold after every run, each property in a file of its own. A finding is a sentence; none is success.

mod acknowledged;
mod audit;
mod fields;
mod overlap;
mod told;
mod writes;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use crate::evidence::{Attempt, Call, Delivery, Evidence};

/// Which promise is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Promise {
    /// What was acknowledged is in the store and has ended as it was told.
    Acknowledged,
    /// Nothing is open, and nothing is silently stuck.
    Drained,
    /// Calls about one record never overlap.
    Serialised,
    /// One record a person at each vendor; a write is repeated only where its outcome was unknown.
    WrittenOnce,
    /// The vendor holds the fold of the accepted changes.
    Fields,
    /// Each call has its attempt, each attempt that was answered its call.
    Audit,
    /// Every upsert that ended well was told, and no other.
    Told,
    /// The store's file is sound.
    Integrity,
}

/// One thing that is not as it has to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which promise it breaks.
    pub promise: Promise,
    /// What was found.
    pub what: String,
}

impl Finding {
    pub(crate) fn new(promise: Promise, what: impl Into<String>) -> Self {
        Self {
            promise,
            what: what.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.promise, self.what)
    }
}

/// All that is not as it has to be.
pub fn check(evidence: &Evidence) -> Vec<Finding> {
    let mut findings = Vec::new();
    if evidence.integrity != "ok" {
        findings.push(Finding::new(Promise::Integrity, evidence.integrity.clone()));
    }
    findings.extend(acknowledged::check(evidence));
    findings.extend(acknowledged::drained(evidence));
    let matched = Matched::new(evidence);
    findings.extend(audit::check(&matched));
    findings.extend(overlap::check(&matched));
    findings.extend(writes::check(evidence, &matched));
    findings.extend(fields::check(evidence));
    findings.extend(told::check(evidence));
    findings
}

/// A call with the delivery that it belongs to and the attempt that was made for it.
pub(crate) struct Match<'a> {
    pub(crate) connection: &'a str,
    pub(crate) call: &'a Call,
    pub(crate) delivery: Option<(&'a str, &'a Delivery)>,
    pub(crate) attempt: Option<&'a Attempt>,
}

/// Every call, matched as far as it can be: by trace and connection, then by the time at which the attempt began.
pub(crate) struct Matched<'a> {
    pub(crate) evidence: &'a Evidence,
    pub(crate) calls: Vec<Match<'a>>,
}

/// Whose e-mail address each customer has. One that is gone is known by the requests that were about it.
fn people(evidence: &Evidence) -> HashMap<&str, &str> {
    let asked: HashMap<&str, &str> = evidence
        .exchanges
        .iter()
        .map(|exchange| (exchange.trace.as_str(), exchange.person.as_str()))
        .collect();
    let mut people = HashMap::new();
    for delivery in evidence.deliveries.values() {
        let customer = evidence.customers.get(&delivery.customer);
        let email = customer.and_then(|customer| customer.record["email"].as_str());
        let by_request = || asked.get(delivery.trace.as_deref()?).copied();
        if let Some(person) = email.or_else(by_request) {
            people.insert(delivery.customer.as_str(), person);
        }
    }
    people
}

/// A delivery with its id.
type Named<'a> = (&'a str, &'a Delivery);

impl<'a> Matched<'a> {
    fn new(evidence: &'a Evidence) -> Self {
        let mut by_trace: HashMap<(&str, &str), Vec<Named<'a>>> = HashMap::new();
        // What an operator replays carries no trace: it is known by its person.
        let mut by_person: HashMap<(&str, &str), Vec<Named<'a>>> = HashMap::new();
        let people = people(evidence);
        for (id, delivery) in &evidence.deliveries {
            let named = (id.as_str(), delivery);
            if let Some(trace) = &delivery.trace {
                by_trace.entry((trace, &delivery.connection)).or_default().push(named);
            } else if let Some(person) = people.get(delivery.customer.as_str()) {
                by_person.entry((person, &delivery.connection)).or_default().push(named);
            }
        }
        let mut calls = Vec::new();
        for (connection, side) in &evidence.vendors {
            for call in &side.calls {
                let candidates = match (&call.trace, &call.person) {
                    (Some(trace), _) => by_trace.get(&(trace, connection)),
                    (None, Some(person)) => by_person.get(&(person, connection)),
                    (None, None) => None,
                };
                // The lines of a batch share a trace: what is known to be about somebody else is none of it.
                let is_about = |delivery: &Delivery| {
                    let customer = evidence.customers.get(&delivery.customer);
                    let email = customer.and_then(|customer| customer.record["email"].as_str());
                    email.is_none() || call.person.is_none() || email == call.person.as_deref()
                };
                let candidates: Vec<Named<'a>> = candidates
                    .into_iter()
                    .flatten()
                    .filter(|named| is_about(named.1))
                    .copied()
                    .collect();
                let latest = candidates
                    .iter()
                    .flat_map(|named| named.1.attempts.iter().map(move |attempt| (named, attempt)))
                    .filter(|(_, attempt)| attempt.started_at <= call.received_at)
                    .max_by_key(|(_, attempt)| attempt.started_at);
                calls.push(Match {
                    connection,
                    call,
                    delivery: latest.map(|(named, _)| *named).or_else(|| candidates.first().copied()),
                    attempt: latest.map(|(_, attempt)| attempt),
                });
            }
        }
        Self { evidence, calls }
    }
}
