//! `POST /v1/deliveries/replay` and `/discard`, added up.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::render::count;

/// Kinds of refusals that are told.
const MOST_REASONS: usize = 5;

/// What became of those that matched.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Sums {
    pub(crate) matched: u64,
    done: u64,
    refused: u64,
    /// The first of them.
    refusals: Vec<OneRefused>,
    pub(crate) more: bool,
    next_cursor: Option<String>,
    /// Of a dry run.
    pub(crate) counted_at: Option<String>,
}

#[derive(Debug, Deserialize)]
struct OneRefused {
    detail: String,
}

impl Sums {
    /// Adds those of the next part, and says where that one ended.
    pub(crate) fn add(&mut self, part: Self) -> Option<String> {
        self.matched += part.matched;
        self.done += part.done;
        self.refused += part.refused;
        self.refusals.extend(part.refusals);
        self.more = part.more;
        part.next_cursor
    }

    /// What became of them, in a sentence: `3 of 5 were replayed; 2 were refused: …`.
    pub(crate) fn told(&self, done: &str) -> String {
        if self.matched == 0 {
            return format!("nothing matched: nothing was {done}");
        }
        let mut says = vec![format!("{} of {} were {done}", count(self.done), count(self.matched))];
        if self.refused > 0 {
            says.push(format!("{} were refused: {}", count(self.refused), reasons(self)));
        }
        if self.more {
            says.push("older ones are left: do it again for those".to_owned());
        }
        says.join("; ")
    }
}

/// The commonest first.
fn reasons(sums: &Sums) -> String {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for refusal in &sums.refusals {
        *counts.entry(&refusal.detail).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.truncate(MOST_REASONS);
    let told: u64 = counts.iter().map(|(_, count)| count).sum();
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
    use super::*;

    fn refused(detail: &str) -> OneRefused {
        OneRefused {
            detail: detail.to_owned(),
        }
    }

    #[test]
    fn a_notice_tells_the_sums_and_groups_the_reasons() {
        let sums = Sums {
            matched: 7,
            done: 3,
            refused: 4,
            refusals: vec![refused("gone"), refused("busy"), refused("busy")],
            more: true,
            next_cursor: None,
            counted_at: None,
        };
        assert_eq!(
            sums.told("replayed"),
            "3 of 7 were replayed; 4 were refused: busy (2), gone (1), others (1); older ones are left: do it again for those"
        );
        assert_eq!(
            Sums::default().told("discarded"),
            "nothing matched: nothing was discarded"
        );
    }
}
