//! Each call at a vendor has an attempt row, one of its own, and each attempt that was answered has a call.

use std::collections::HashMap;

use super::{Finding, Matched, Promise};

pub(super) fn check(matched: &Matched<'_>) -> Vec<Finding> {
    let finding = |what: String| Finding::new(Promise::Audit, what);
    let mut findings = Vec::new();
    let mut called: HashMap<(&str, u32), u32> = HashMap::new();
    for one in &matched.calls {
        let place = || {
            let span = one.call.span.as_deref().unwrap_or("none");
            format!("call {} at {} (span {span})", one.call.received_tick, one.connection)
        };
        let (Some(id), Some(attempt)) = (one.delivery, one.attempt) else {
            findings.push(finding(format!("{} went out without an attempt in the store", place())));
            continue;
        };
        let count = called.entry((id, attempt.number)).or_default();
        *count += 1;
        if *count > 1 {
            findings.push(finding(format!(
                "{} shares attempt {} of delivery {id} with another call",
                place(),
                attempt.number
            )));
        }
        if attempt.result.as_deref() == Some("not_sent") {
            findings.push(finding(format!(
                "{} arrived, and attempt {} of delivery {id} says that nothing was sent",
                place(),
                attempt.number
            )));
        }
    }
    for (id, delivery) in &matched.evidence.deliveries {
        for attempt in delivery.attempts.iter().filter(|attempt| attempt.was_answered()) {
            if !called.contains_key(&(id.as_str(), attempt.number)) {
                findings.push(finding(format!(
                    "attempt {} of delivery {id} at {} was answered ({:?} {:?}), and the vendor has no such call",
                    attempt.number, delivery.connection, attempt.result, attempt.vendor_status
                )));
            }
        }
    }
    findings
}
