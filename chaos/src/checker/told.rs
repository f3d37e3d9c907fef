//! Who is told of upserts was told of every one that ended well, and of no other; each in one event, however often it
//! came. One that changed nothing and called nobody need not be told.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Promise};
use crate::evidence::{Delivery, Evidence, Upsert};

fn is_quiet(evidence: &Evidence, id: &str, upsert: &Upsert) -> bool {
    let mut own = evidence.deliveries.values().filter(|delivery| delivery.upsert == id);
    let called_nobody =
        |delivery: &Delivery| delivery.outcome.as_deref() == Some("unchanged") && delivery.attempts.is_empty();
    !upsert.changed && own.all(called_nobody)
}

pub(super) fn check(evidence: &Evidence) -> Vec<Finding> {
    let Some(told) = &evidence.told else { return Vec::new() };
    let mut events: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut upserts: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for event in told {
        events.entry(&event.upsert).or_default().insert(&event.id);
        upserts.entry(&event.id).or_default().insert(&event.upsert);
    }
    let mut found = Vec::new();
    for (id, upsert) in &evidence.upserts {
        let ended_well = matches!(upsert.state.as_str(), "succeeded" | "partially_failed");
        match events.get(id.as_str()).map_or(0, BTreeSet::len) {
            0 if ended_well && !is_quiet(evidence, id, upsert) => {
                found.push(format!("{id} ended well ({}) and was not told", upsert.state));
            }
            0 => {}
            _ if !ended_well => found.push(format!("{id} was told and is `{}`", upsert.state)),
            1 => {}
            more => found.push(format!("{id} was told in {more} events")),
        }
    }
    let unknown = events.keys().filter(|id| !evidence.upserts.contains_key(**id));
    found.extend(unknown.map(|id| format!("{id} was told and is not in the store")));
    let shared = upserts.iter().filter(|(_, upserts)| upserts.len() > 1);
    found.extend(shared.map(|(id, upserts)| format!("{id} told of {upserts:?}")));
    found
        .into_iter()
        .map(|what| Finding::new(Promise::Told, what))
        .collect()
}
