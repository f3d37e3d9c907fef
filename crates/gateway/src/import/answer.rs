//! One line of a batch's answer, as far as an import looks at it.

use serde::Deserialize;
use upsert_api::{BatchAnswer, Delivery, Problem, ProblemCode, TakenLine, UpsertState};
use upsert_core::{Outcome, Word as _};

use crate::import::refused::Refused;
use crate::import::state::Tally;

pub(crate) struct Answer {
    said: BatchAnswer,
    /// Of an upsert that vendors refused or failed.
    deliveries: Vec<Delivery>,
}

/// What stands beside a problem.
#[derive(Deserialize)]
struct Line {
    problem: Beside,
}

#[derive(Deserialize)]
struct Beside {
    #[serde(default)]
    deliveries: Vec<Delivery>,
}

impl Answer {
    /// Of a line of the answer.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn read(line: &[u8]) -> serde_json::Result<Self> {
        let said = serde_json::from_slice(line)?;
        let deliveries = match said {
            BatchAnswer::Taken(_) => Vec::new(),
            BatchAnswer::Refused(_) => serde_json::from_slice::<Line>(line)?.problem.deliveries,
        };
        Ok(Self { said, deliveries })
    }

    /// Of the request, from 1.
    pub(crate) fn line(&self) -> u64 {
        match &self.said {
            BatchAnswer::Taken(taken) => taken.line,
            BatchAnswer::Refused(refused) => refused.line,
        }
    }

    fn problem(&self) -> Option<&Problem> {
        match &self.said {
            BatchAnswer::Taken(_) => None,
            BatchAnswer::Refused(refused) => Some(&refused.problem.problem),
        }
    }

    /// Whether the row has to be sent again: it is refused for something that says nothing about the row.
    pub(crate) fn is_for_later(&self) -> bool {
        use ProblemCode as Code;
        self.problem().is_some_and(|problem| {
            matches!(
                problem.code,
                Code::Overloaded
                    | Code::ShuttingDown
                    | Code::IdempotencyInProgress
                    | Code::RateLimited
                    | Code::RequestTimeout
                    | Code::Internal
            )
        })
    }

    /// Codes, pointers and connections, and the gateway's own sentences, which repeat no value. A vendor's sentences
    /// may repeat one, so they stay out.
    pub(crate) fn refused(&self) -> Option<Refused> {
        let problem = self.problem()?;
        Some(Refused::by_gateway(problem, &self.deliveries))
    }

    pub(crate) fn count(&self, tally: &mut Tally) {
        match &self.said {
            BatchAnswer::Refused(refused) => tally.refuse(refused.problem.problem.code.as_str()),
            BatchAnswer::Taken(taken) => count_taken(taken, tally),
        }
    }
}

fn count_taken(taken: &TakenLine, tally: &mut Tally) {
    let (status, answer) = (taken.status, &taken.answer);
    tally.accepted += 1;
    tally.repeated += u64::from(taken.idempotent_replayed);
    for ignored in &answer.ignored {
        tally.changes.leave_out(&ignored.code);
    }
    let mut outcomes = answer.deliveries.iter().map(|delivery| delivery.outcome);
    let is_unchanged = !answer.deliveries.is_empty() && outcomes.all(|outcome| outcome == Some(Outcome::Unchanged));
    // 202 does not say whether the customer is new.
    if status == 201 || (status == 202 && answer.customer.version == 1 && !is_unchanged) {
        tally.created += 1;
    } else if is_unchanged {
        tally.unchanged += 1;
    } else {
        tally.updated += 1;
    }
    tally.pending += u64::from(answer.state == UpsertState::Pending);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::samples;

    fn answer(line: &Json) -> Answer {
        Answer::read(line.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_vendors_words_are_left_out_of_the_reasons() {
        let error = samples::error(json!({ "code": "bad_phone", "detail": "secret is bad",
            "errors": [{ "pointer": "/phone", "vendor_field": "tel", "detail": "secret" }] }));
        let delivery = samples::delivery(json!({ "connection": "rotor", "state": "failed", "error": error }));
        let problem = samples::problem(
            json!({ "code": "provider_rejected", "rolled_back": true, "upsert_id": "ups_1",
            "customer": { "email": "secret@x.example" }, "deliveries": [delivery] }),
        );
        let answer = answer(&json!({ "line": 1, "problem": problem }));
        let reasons = json!(answer.refused());
        assert!(!reasons.to_string().contains("secret"), "{reasons}");
        assert_eq!(
            reasons["errors"][0],
            json!({ "pointer": "/phone", "code": "bad_phone", "connection": "rotor" })
        );
    }

    #[test]
    fn a_line_that_was_taken_says_whether_it_made_or_changed_anything() {
        let of = |more: Json| {
            let mut tally = Tally::default();
            answer(&samples::taken(more)).count(&mut tally);
            [tally.created, tally.updated, tally.unchanged, tally.pending]
        };
        let unchanged = samples::delivery(json!({ "outcome": "unchanged" }));
        assert_eq!(of(json!({ "status": 201 })), [1, 0, 0, 0]);
        assert_eq!(of(json!({ "status": 202, "state": "pending" })), [1, 0, 0, 1]);
        assert_eq!(of(json!({ "status": 200 })), [0, 1, 0, 0]);
        assert_eq!(of(json!({ "status": 202, "deliveries": [unchanged] })), [0, 0, 1, 0]);
    }

    #[test]
    fn what_says_nothing_of_the_row_is_for_later() {
        let refused = |code: &str| {
            let problem = samples::problem(json!({ "code": code, "retry_after": 1 }));
            answer(&json!({ "line": 7, "problem": problem }))
        };
        assert!(refused("overloaded").is_for_later());
        assert!(!refused("validation_failed").is_for_later());
        assert_eq!(refused("overloaded").line(), 7);
        assert!(!answer(&samples::taken(json!({}))).is_for_later());
    }
}
