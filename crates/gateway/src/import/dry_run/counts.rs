//! How many rows would come to what, and why others are refused.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::import::answer::reasons;
use crate::import::dry_run::ask::Said;
use crate::import::rows::Changed;

/// So many different reasons are told apart; what comes after is counted together.
const MOST_REASONS: usize = 1_000;

/// Why a row is refused: a code and where in the row, never what stands there.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reason {
    pub(super) code: String,
    pub(super) pointer: String,
}

/// Rows by reason.
#[derive(Debug, Default)]
pub(super) struct Reasons(BTreeMap<Reason, u64>);

/// What would go to one connection.
#[derive(Debug, Default)]
pub(super) struct OfConnection {
    pub(super) required: bool,
    pub(super) create: u64,
    pub(super) update: u64,
    pub(super) upsert: u64,
    pub(super) unchanged: u64,
    pub(super) refused: u64,
    /// It would take the row, which is refused for another connection's sake.
    pub(super) left_out: u64,
    pub(super) reasons: Reasons,
}

/// All rows so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) rows: u64,
    /// Rows that would not be stored: refused as a whole, or by a connection that is required.
    pub(super) refused: u64,
    /// Those refused as a whole.
    pub(super) refused_as_a_whole: u64,
    pub(super) reasons: Reasons,
    pub(super) connections: BTreeMap<String, OfConnection>,
    refused_before: u64,
    /// The first of those that are refused, by line.
    pub(super) refused_lines: Vec<u64>,
    /// Cells that would lose a spreadsheet's guard.
    pub(super) guards: u64,
    /// Members that would be left out, by code.
    pub(super) ignored: BTreeMap<String, u64>,
}

impl Counts {
    pub(super) fn note(&mut self, said: &Said) {
        self.rows += 1;
        match said {
            Said::Refused(problem) => {
                self.refused += 1;
                self.refused_as_a_whole += 1;
                self.reasons.note_problem(problem);
            }
            Said::Plan(plan) => self.note_plan(plan),
        }
    }

    /// Where a row stands in the file, and what was changed of it on its way to the gateway. Comes after `note`.
    pub(super) fn note_row(&mut self, line: u64, changed: &Changed) {
        if self.refused > self.refused_before && self.refused_lines.len() < MOST_REASONS {
            self.refused_lines.push(line);
        }
        self.refused_before = self.refused;
        self.guards += changed.guards;
        changed.ignored.iter().for_each(|code| self.note_ignored(code));
    }

    fn note_ignored(&mut self, code: &str) {
        *self.ignored.entry(code.to_owned()).or_default() += 1;
    }

    fn note_plan(&mut self, plan: &Json) {
        let ignored = list(&plan["ignored"])
            .iter()
            .filter_map(|ignored| ignored["code"].as_str());
        ignored.for_each(|code| self.note_ignored(code));
        let planned = list(&plan["connections"]);
        let is_refused = planned
            .iter()
            .any(|one| one["required"] == true && !list(&one["refusals"]).is_empty());
        self.refused += u64::from(is_refused);
        for one in planned {
            let name = one["connection"].as_str().unwrap_or_default();
            let counts = self.connections.entry(name.to_owned()).or_default();
            counts.required = one["required"] == true;
            let refusals = list(&one["refusals"]);
            if !refusals.is_empty() {
                counts.refused += 1;
                counts.reasons.note_all(refusals);
            } else if is_refused {
                counts.left_out += 1;
            } else {
                match one["action"].as_str() {
                    Some("create") => counts.create += 1,
                    Some("update") => counts.update += 1,
                    Some("upsert") => counts.upsert += 1,
                    _ => counts.unchanged += 1,
                }
            }
        }
    }
}

impl OfConnection {
    /// What the rows cost of the connection's limits and quota.
    pub(super) fn calls(&self) -> u64 {
        self.create + self.update + self.upsert
    }
}

impl Reasons {
    fn note_problem(&mut self, problem: &Json) {
        let told = reasons(problem);
        if list(&told["errors"]).is_empty() {
            self.note_all(std::slice::from_ref(&told));
        } else {
            self.note_all(list(&told["errors"]));
        }
    }

    /// A row that is refused twice for the same reason counts once.
    fn note_all(&mut self, refusals: &[Json]) {
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        let of = |refusal: &Json| Reason {
            code: text(&refusal["code"]),
            pointer: text(&refusal["pointer"]),
        };
        let mut all: Vec<Reason> = refusals.iter().map(of).collect();
        all.sort();
        all.dedup();
        for reason in all {
            let is_one_too_many = self.0.len() >= MOST_REASONS && !self.0.contains_key(&reason);
            let reason = if is_one_too_many { other() } else { reason };
            *self.0.entry(reason).or_default() += 1;
        }
    }

    /// The most frequent first.
    pub(super) fn by_count(&self) -> Vec<(&Reason, u64)> {
        let mut all: Vec<_> = self.0.iter().map(|(reason, count)| (reason, *count)).collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all
    }

    pub(super) fn json(&self) -> Json {
        let one =
            |(reason, rows): (&Reason, u64)| json!({ "code": reason.code, "pointer": reason.pointer, "rows": rows });
        self.by_count().into_iter().map(one).collect()
    }
}

fn other() -> Reason {
    Reason {
        code: "other".to_owned(),
        pointer: String::new(),
    }
}

fn list(value: &Json) -> &[Json] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(rotor: &Json, wallet: &Json) -> Said {
        Said::Plan(json!({ "connections": [
            { "connection": "rotor", "required": true, "action": rotor["action"], "refusals": rotor["refusals"] },
            { "connection": "wallet", "required": false, "action": wallet["action"], "refusals": wallet["refusals"] } ] }))
    }

    #[test]
    fn a_required_connection_refuses_the_row_for_all_and_another_for_itself() {
        let (create, refuses) = (
            json!({ "action": "create", "refusals": [] }),
            json!({ "action": null, "refusals": [{ "code": "required", "pointer": "/phone", "detail": "x" },
                { "code": "required", "pointer": "/phone", "detail": "y" }] }),
        );
        let mut counts = Counts::default();
        counts.note(&plan(&create, &create));
        counts.note(&plan(&create, &refuses));
        counts.note(&plan(&refuses, &create));
        assert_eq!((counts.rows, counts.refused, counts.refused_as_a_whole), (3, 1, 0));
        let (rotor, wallet) = (&counts.connections["rotor"], &counts.connections["wallet"]);
        assert_eq!((rotor.calls(), rotor.refused, rotor.left_out), (2, 1, 0));
        assert_eq!((wallet.calls(), wallet.refused, wallet.left_out), (1, 1, 1));
        assert_eq!(
            wallet.reasons.json(),
            json!([{ "code": "required", "pointer": "/phone", "rows": 1 }])
        );
    }

    #[test]
    fn reasons_beyond_a_bound_are_counted_together() {
        let mut reasons = Reasons::default();
        for n in 0..MOST_REASONS + 5 {
            reasons.note_all(&[json!({ "code": "unknown_field", "pointer": format!("/f{n}") })]);
        }
        assert_eq!(reasons.by_count()[0], (&other(), 5));
        assert_eq!(reasons.0.len(), MOST_REASONS + 1);
    }
}
