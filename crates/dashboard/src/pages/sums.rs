//! What became of many deliveries, added up and told.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use upsert_api::DeliveriesDone;

use crate::render::count;

/// Kinds of refusals that are told.
const MOST_REASONS: usize = 5;

/// What became of them, in a sentence: `3 of 5 were replayed; 2 were refused: …`.
pub(crate) fn told(sums: &DeliveriesDone, done: &str) -> String {
    if sums.matched == 0 {
        return format!("nothing matched: nothing was {done}");
    }
    let mut says = vec![format!("{} of {} were {done}", count(sums.done), count(sums.matched))];
    if sums.refused > 0 {
        says.push(format!("{} were refused: {}", count(sums.refused), reasons(sums)));
    }
    if sums.more {
        says.push("older ones are left: do it again for those".to_owned());
    }
    says.join("; ")
}

/// The commonest first.
fn reasons(sums: &DeliveriesDone) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for refusal in &sums.refusals {
        *counts.entry(&refusal.detail).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| Reverse(*count));
    counts.truncate(MOST_REASONS);
    let told: usize = counts.iter().map(|(_, count)| count).sum();
    let mut says: Vec<String> = counts
        .into_iter()
        .map(|(detail, number)| format!("{detail} ({})", count(number)))
        .collect();
    if told < sums.refused {
        says.push(format!("others ({})", count(sums.refused - told)));
    }
    says.join(", ")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use upsert_api::{ProblemCode, RefusedDelivery};
    use upsert_core::DeliveryId;

    use super::*;

    fn refused(detail: &str) -> RefusedDelivery {
        RefusedDelivery {
            delivery_id: DeliveryId::oldest_at(Timestamp::UNIX_EPOCH),
            code: ProblemCode::ValidationFailed,
            detail: detail.to_owned(),
        }
    }

    #[test]
    fn a_notice_tells_the_sums_and_groups_the_reasons() {
        let part = |done, refusals: Vec<RefusedDelivery>, more| DeliveriesDone {
            matched: done + 2,
            done,
            refused: 2,
            refusals,
            more,
            next_cursor: more.then(|| "on".to_owned()),
            ..DeliveriesDone::default()
        };
        let mut sums = DeliveriesDone::default();
        sums.add(part(1, vec![refused("gone"), refused("busy")], false));
        sums.add(part(2, vec![refused("busy")], true));
        assert_eq!(sums.next_cursor.as_deref(), Some("on"));
        assert_eq!(
            told(&sums, "replayed"),
            "3 of 7 were replayed; 4 were refused: busy (2), gone (1), others (1); older ones are left: do it again for those"
        );
        assert_eq!(
            told(&DeliveriesDone::default(), "discarded"),
            "nothing matched: nothing was discarded"
        );
    }
}
