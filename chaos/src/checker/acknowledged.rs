//! What was acknowledged is in the store and has ended as it was told; nothing is open or silently stuck.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::{Finding, Promise};
use crate::evidence::{Delivery, Evidence};
use crate::load::{Exchange, Told};

/// Refusals that say that somebody else has that person, or that the key is being answered.
const CONFLICTS: [&str; 4] = [
    "idempotency_in_progress",
    "identity_conflict",
    "match_key_collision",
    "business_key_change",
];

/// An exchange, and the status and body that it was told.
type Answer<'a> = (&'a Exchange, u16, &'a Json);

pub(super) fn check(evidence: &Evidence) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut by_upsert: HashMap<&str, Vec<&Delivery>> = HashMap::new();
    for delivery in evidence.deliveries.values() {
        by_upsert.entry(&delivery.upsert).or_default().push(delivery);
    }
    let mut by_key: HashMap<(&str, &str), Vec<Answer<'_>>> = HashMap::new();
    for exchange in &evidence.exchanges {
        let Told::Answer { status, body } = &exchange.told else {
            continue;
        };
        if let Some(problem) = judge(evidence, &by_upsert, exchange, *status, body) {
            let what = format!("{problem} (trace {}, told {status} {})", exchange.trace, short(body));
            findings.push(Finding::new(Promise::Acknowledged, what));
        }
        if let (Some(key), true) = (&exchange.key, body["upsert_id"].is_string()) {
            let same = by_key.entry((&exchange.merchant, key)).or_default();
            same.push((exchange, *status, body));
        }
    }
    for ((_, key), answers) in by_key {
        findings.extend(told_the_same(key, &answers));
    }
    findings
}

/// One key is one upsert, and its final answer is the same to the letter.
fn told_the_same(key: &str, answers: &[Answer<'_>]) -> Option<Finding> {
    let mut final_answer: Option<(u16, &Json)> = None;
    for (_, status, body) in answers {
        if body["upsert_id"] != answers[0].2["upsert_id"] {
            let what = format!(
                "the key {key} made two upserts: {} and {}",
                short(answers[0].2),
                short(body)
            );
            return Some(Finding::new(Promise::Acknowledged, what));
        }
        if *status == 202 {
            continue;
        }
        match final_answer {
            // Each answer to a refused request is a problem document of its own, with its own request id.
            Some((first, other)) if first != *status || (first < 400 && other != *body) => {
                let what = format!("the key {key} was answered {first} {other} and {status} {body}");
                return Some(Finding::new(Promise::Acknowledged, what));
            }
            _ => final_answer = Some((*status, body)),
        }
    }
    None
}

fn judge(
    evidence: &Evidence,
    by_upsert: &HashMap<&str, Vec<&Delivery>>,
    exchange: &Exchange,
    status: u16,
    body: &Json,
) -> Option<String> {
    let Some(id) = body["upsert_id"].as_str() else {
        return refused_rightly(exchange, status, body);
    };
    let Some(upsert) = evidence.upserts.get(id) else {
        let is_lost = !may_be_lost(exchange, status, body);
        return is_lost.then(|| format!("upsert {id} was acknowledged and is not in the store"));
    };
    if let Some(customer) = evidence.customers.get(&upsert.customer)
        && customer.record["email"] != exchange.person.as_str()
    {
        return Some(format!(
            "upsert {id} is about another person: {}",
            customer.record["email"]
        ));
    }
    let of_all = |wanted: &str| {
        let deliveries = by_upsert.get(id).map_or(&[][..], Vec::as_slice);
        !deliveries.is_empty() && deliveries.iter().all(|one| evidence.effective(one).state == wanted)
    };
    let was_replayed = || {
        let deliveries = by_upsert.get(id).map_or(&[][..], Vec::as_slice);
        deliveries.iter().any(|one| one.superseded_by.is_some())
    };
    match status {
        200 | 201 if upsert.state != "succeeded" => Some(format!("upsert {id} is {}", upsert.state)),
        200 | 201 if !of_all("succeeded") => Some(format!("upsert {id} has a delivery that did not succeed")),
        // What was replayed since counts as what came of that.
        422 | 502 if upsert.state != "failed" && !was_replayed() => Some(format!("upsert {id} is {}", upsert.state)),
        200 | 201 | 202 | 422 | 502 => None,
        _ => Some("no answer to an upsert".to_owned()),
    }
}

/// That nothing had to be done is told before it is durable, unless it can be asked for again by its key.
fn may_be_lost(exchange: &Exchange, status: u16, body: &Json) -> bool {
    let is_unchanged = |delivery: &Json| delivery["outcome"] == "unchanged";
    let deliveries = body["deliveries"].as_array();
    let says_unchanged = deliveries.is_some_and(|all| !all.is_empty() && all.iter().all(is_unchanged));
    exchange.key.is_none() && status == 200 && says_unchanged
}

/// A request that was refused before anything was stored.
fn refused_rightly(exchange: &Exchange, status: u16, body: &Json) -> Option<String> {
    let code = body["code"].as_str().unwrap_or_default();
    let lacks_something = ["given_name", "family_name", "phone"]
        .iter()
        .any(|field| exchange.body[*field].is_null());
    let is_right = match status {
        409 => CONFLICTS.contains(&code),
        // A change of somebody of whom the gateway never heard, since the first word of them was lost.
        422 => code == "validation_failed" && lacks_something,
        503 => ["shutting_down", "overloaded"].contains(&code),
        _ => false,
    };
    (!is_right).then(|| "an answer that nobody should get".to_owned())
}

fn short(body: &Json) -> String {
    let code = body["code"].as_str().or_else(|| body["state"].as_str());
    let detail = body["detail"].as_str().unwrap_or_default();
    let id = body["upsert_id"].as_str().unwrap_or("-");
    format!("{} {id} {detail}", code.unwrap_or("?"))
}

/// After the drain nothing is open.
pub(super) fn drained(evidence: &Evidence) -> Vec<Finding> {
    let finding = |what: String| Finding::new(Promise::Drained, what);
    let mut findings = Vec::new();
    for (id, delivery) in &evidence.deliveries {
        let (state, reason) = (delivery.state.as_str(), delivery.waiting_for.as_deref());
        match state {
            "succeeded" | "superseded" | "failed" | "discarded" => {
                if let Some(reason) = reason {
                    findings.push(finding(format!(
                        "delivery {id} has ended ({state}) and waits for {reason}"
                    )));
                }
                if state == "failed" && delivery.error.is_none() {
                    findings.push(finding(format!("delivery {id} failed and says not why")));
                }
                if state == "superseded" && evidence.effective(delivery).state == "superseded" {
                    findings.push(finding(format!("delivery {id} gave way to one that is not there")));
                }
            }
            _ => findings.push(finding(format!(
                "delivery {id} at {} is {state}, waiting for {} (trace {})",
                delivery.connection,
                reason.unwrap_or("nothing that it says"),
                delivery.trace.as_deref().unwrap_or("-")
            ))),
        }
    }
    let pending = evidence.upserts.iter().filter(|(_, upsert)| upsert.state == "pending");
    findings
        .extend(pending.map(|(id, _)| finding(format!("upsert {id} is pending, and all its deliveries have ended"))));
    findings.extend(
        evidence
            .busy_lanes
            .iter()
            .map(|lane| finding(format!("a lane still holds {lane}"))),
    );
    findings
}
