//! Calls about one person never overlap at a vendor, nor calls that wrote to one record. Where the gateway cannot know whether
//! a call is still in work (it timed out, or the process died during it), the next may begin before it ends, unless no call
//! takes as long as a lease.

use std::collections::BTreeMap;

use super::{Finding, Match, Matched, Promise};

pub(super) fn check(matched: &Matched<'_>) -> Vec<Finding> {
    let mut by_key: BTreeMap<(&str, &str), Vec<&Match<'_>>> = BTreeMap::new();
    for one in &matched.calls {
        for key in [&one.call.person, &one.call.wrote].into_iter().flatten() {
            by_key.entry((one.connection, key)).or_default().push(one);
        }
    }
    let calls_are_short = matched.evidence.calls_are_short;
    let mut findings = Vec::new();
    for ((connection, key), mut calls) in by_key {
        calls.sort_by_key(|one| one.call.received_tick);
        for (at, earlier) in calls.iter().enumerate() {
            let is_known = calls_are_short || earlier.attempt.is_some_and(|attempt| !attempt.is_unknown());
            let overlapping = calls[at + 1..].iter().find(|later| {
                let still_in_work = earlier
                    .call
                    .finished_tick
                    .is_none_or(|end| end > later.call.received_tick);
                still_in_work && is_known
            });
            if let Some(later) = overlapping {
                findings.push(Finding::new(
                    Promise::Serialised,
                    format!(
                        "calls {} and {} about {key} overlap at {connection}",
                        earlier.call.received_tick, later.call.received_tick
                    ),
                ));
            }
        }
    }
    findings
}
