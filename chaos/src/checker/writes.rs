//! One record a person at each vendor, and no write that was answered is made again for the same delivery.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value as Json;

use super::{Finding, Match, Matched, Promise};
use crate::evidence::{Attempt, Evidence, Record};

pub(super) fn check(evidence: &Evidence, matched: &Matched<'_>) -> Vec<Finding> {
    let mut findings = one_record_a_person(evidence);
    let mut by_delivery: HashMap<(&str, &str), Vec<&Match<'_>>> = HashMap::new();
    for one in &matched.calls {
        let Some(id) = one.delivery else { continue };
        by_delivery.entry((one.connection, id)).or_default().push(one);
    }
    for ((connection, id), mut calls) in by_delivery {
        // In the order in which they went out: one that was held up on its way may arrive after the next.
        calls.sort_by_key(|one| one.attempt.map(|attempt| attempt.number));
        for pair in calls.windows(2) {
            let is_settled = pair[0].attempt.is_some_and(Attempt::was_accepted);
            let was_written = pair[0].call.wrote.is_some();
            let may_go_again = pair[0].attempt.is_some_and(|attempt| {
                // A vendor that answers "not executed" and has executed is one that nobody can see through.
                attempt.is_unknown()
                    || matches!(
                        attempt.result.as_deref(),
                        Some("transient" | "rate_limited" | "quota_spent")
                    )
            });
            if is_settled || (was_written && !may_go_again) {
                findings.push(Finding::new(
                    Promise::WrittenOnce,
                    format!(
                        "delivery {id} was sent to {connection} again (call {}) after an attempt of known outcome ({:?})",
                        pair[1].call.received_tick,
                        pair[0].attempt.and_then(|attempt| attempt.result.as_deref())
                    ),
                ));
            }
        }
        let created = calls.iter().filter(|one| one.call.created).count();
        if created > 1 {
            let what = format!("delivery {id} made {created} records at {connection}");
            findings.push(Finding::new(Promise::WrittenOnce, what));
        }
    }
    findings
}

fn one_record_a_person(evidence: &Evidence) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (connection, side) in &evidence.vendors {
        let mut by_person: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for record in &side.records {
            if let Some(person) = email_of(record) {
                by_person.entry(person).or_default().push(&record.id);
            }
        }
        for (person, ids) in by_person.into_iter().filter(|(_, ids)| ids.len() > 1) {
            let what = format!("{person} is {} records at {connection}: {ids:?}", ids.len());
            findings.push(Finding::new(Promise::WrittenOnce, what));
        }
    }
    findings
}

/// The person's e-mail address in a record of any of the vendors.
pub(super) fn email_of(record: &Record) -> Option<&str> {
    let email = record.fields.get("email").or_else(|| record.fields.get("emailAddress"));
    email.and_then(Json::as_str)
}
