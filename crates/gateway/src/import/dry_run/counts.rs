//! How many rows would come to what, and why others are refused.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value as Json, json};
use upsert_api::{Plan, PlanAction};

use crate::import::changed::{Changed, Changes};
use crate::import::dry_run::ask::Said;
use crate::import::refused::Refused;

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
#[derive(Debug, Default, Serialize)]
pub(super) struct OfConnection {
    pub(super) required: bool,
    pub(super) create: u64,
    pub(super) update: u64,
    pub(super) upsert: u64,
    pub(super) unchanged: u64,
    pub(super) refused: u64,
    /// It would take the row, which is refused for another connection's sake.
    pub(super) left_out: u64,
    #[serde(skip)]
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
    /// What would be changed of the rows.
    pub(super) changes: Changes,
}

impl Counts {
    pub(super) fn note(&mut self, said: &Said) {
        self.rows += 1;
        match said {
            Said::Refused(refused) => {
                self.refused += 1;
                self.refused_as_a_whole += 1;
                self.reasons.note_row(refused);
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
        self.changes.note(changed);
    }

    fn note_plan(&mut self, plan: &Plan) {
        for ignored in &plan.ignored {
            self.changes.leave_out(&ignored.code);
        }
        let mut planned = plan.connections.iter();
        let is_refused = planned.any(|one| one.required && !one.refusals.is_empty());
        self.refused += u64::from(is_refused);
        for one in &plan.connections {
            let counts = self.connections.entry(one.connection.clone()).or_default();
            counts.required = one.required;
            if !one.refusals.is_empty() {
                counts.refused += 1;
                let reasons = one.refusals.iter();
                counts
                    .reasons
                    .note_all(reasons.map(|refusal| Reason::new(&refusal.code, &refusal.pointer)));
            } else if is_refused {
                counts.left_out += 1;
            } else {
                match one.action {
                    Some(PlanAction::Create) => counts.create += 1,
                    Some(PlanAction::Update) => counts.update += 1,
                    Some(PlanAction::Upsert) => counts.upsert += 1,
                    Some(PlanAction::Unchanged) | None => counts.unchanged += 1,
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
    fn note_row(&mut self, refused: &Refused) {
        let whole = refused.errors.is_empty().then(|| Reason::new(&refused.code, ""));
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let errors = refused.errors.iter();
        let errors = errors.map(|why| Reason::new(&text(&why.code), &text(&why.pointer)));
        self.note_all(errors.chain(whole));
    }

    /// A row that is refused twice for the same reason counts once.
    fn note_all(&mut self, reasons: impl Iterator<Item = Reason>) {
        for reason in reasons.collect::<BTreeSet<_>>() {
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
    Reason::new("other", "")
}

impl Reason {
    fn new(code: &str, pointer: &str) -> Self {
        Self {
            code: code.to_owned(),
            pointer: pointer.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn plan(rotor: &Json, wallet: &Json) -> Said {
        let planned = |connection: &str, required: bool, says: &Json| {
            samples::planned(
                json!({ "connection": connection, "required": required, "action": says["action"],
                "refusals": says["refusals"] }),
            )
        };
        let connections = [planned("rotor", true, rotor), planned("wallet", false, wallet)];
        Said::Plan(Box::new(samples::plan(json!({ "connections": connections }))))
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
            let reason = Reason {
                code: "unknown_field".to_owned(),
                pointer: format!("/f{n}"),
            };
            reasons.note_all(std::iter::once(reason));
        }
        assert_eq!(reasons.by_count()[0], (&other(), 5));
        assert_eq!(reasons.0.len(), MOST_REASONS + 1);
    }
}
