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

use crate::evidence::{Attempt, Call, Evidence};

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
    /// Every request is answered in time, and with nothing but what may be answered at that moment.
    Served,
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

/// A call with the attempt that was made for it, and the id of that one's delivery.
pub(crate) struct Match<'a> {
    pub(crate) connection: &'a str,
    pub(crate) call: &'a Call,
    pub(crate) delivery: Option<&'a str>,
    pub(crate) attempt: Option<&'a Attempt>,
}

/// Every call with its attempt: of all attempts at a connection, it is the one that names itself as the call does.
pub(crate) struct Matched<'a> {
    pub(crate) evidence: &'a Evidence,
    pub(crate) calls: Vec<Match<'a>>,
}

impl<'a> Matched<'a> {
    fn new(evidence: &'a Evidence) -> Self {
        let mut by_span: HashMap<(&str, &str), (&'a str, &'a Attempt)> = HashMap::new();
        for (id, delivery) in &evidence.deliveries {
            for attempt in &delivery.attempts {
                by_span.insert((&delivery.connection, &attempt.span), (id, attempt));
            }
        }
        let mut calls = Vec::new();
        for (connection, side) in &evidence.vendors {
            for call in &side.calls {
                let span = call.span.as_deref();
                let made = span.and_then(|span| by_span.get(&(connection.as_str(), span)).copied());
                calls.push(Match {
                    connection,
                    call,
                    delivery: made.map(|(id, _)| id),
                    attempt: made.map(|(_, attempt)| attempt),
                });
            }
        }
        Self { evidence, calls }
    }
}
