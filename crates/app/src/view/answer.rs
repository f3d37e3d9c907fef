//! What the caller is told: the body, and the status that the required deliveries call for.

use jiff::Timestamp;
use serde_json::json;

use upsert_api::{Beside, FailedUpsert, Own, ProblemCode, UpsertAnswer, UpsertProblem, Visibility};
use upsert_core::{ErrorKind, UpsertId, WaitingFor};
use upsert_store::{CustomerRecord, DeliveryRecord, DeliveryState, StoredAnswer, UpsertRecord, UpsertState};

use crate::problem::Refusal;
use crate::view::customer::customer_record;
use crate::view::delivery::delivery;

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

/// Bytes of an answer that is not unusually large.
const USUAL_ANSWER: usize = 4_096;

/// Seconds until a caller may look again at what is under way.
const SOON: u64 = 1;
/// At what waits for something that usually takes seconds.
const A_FEW: u64 = 5;
/// At what waits for somebody, or for the next day.
const A_WHILE: u64 = 60;
/// At anything.
const LONG: u64 = 3_600;

/// An answer, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whose it is.
    pub upsert: UpsertId,
    /// HTTP status.
    pub status: u16,
    /// `Location`.
    pub location: Option<String>,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// `Content-Type`.
    pub content_type: String,
    /// The body.
    pub body: String,
    /// Whether an idempotency key was used again.
    pub replayed: bool,
    /// Whether every required delivery has ended: an idempotency key gets this answer from then on.
    pub is_final: bool,
}

/// What an answer is made from.
pub(crate) struct Answering<'a> {
    pub(crate) upsert: &'a UpsertRecord,
    /// The customer as this upsert made it.
    pub(crate) record: &'a CustomerRecord,
    /// The upsert's own deliveries.
    pub(crate) own: &'a [DeliveryRecord],
    /// The same, with successors in the place of superseded ones.
    pub(crate) effective: &'a [DeliveryRecord],
    pub(crate) request_id: &'a str,
    /// The path of the request, for the problem document.
    pub(crate) instance: &'a str,
    pub(crate) now: Timestamp,
}

enum Verdict {
    Rejected,
    Failed,
    Open,
    Done,
}

impl Answering<'_> {
    /// The answer as the required deliveries stand.
    pub(crate) fn answer(&self) -> Answer {
        match verdict(self.effective) {
            Verdict::Rejected => self.problem(ProblemCode::ProviderRejected, "a vendor refuses the data for good"),
            Verdict::Failed => self.problem(ProblemCode::ProviderFailed, "a vendor failed for good"),
            Verdict::Open => self.accepted(),
            Verdict::Done => {
                let created = self.upsert.new_customer;
                let location = created.then(|| format!("/v1/customers/{}", self.record.id));
                Answer {
                    location,
                    ..self.json(if created { 201 } else { 200 }, true)
                }
            }
        }
    }

    /// 202, whatever the deliveries say.
    pub(crate) fn accepted(&self) -> Answer {
        Answer {
            location: Some(format!("/v1/upserts/{}", self.upsert.id)),
            retry_after: Some(look_again_in(self.effective, self.now)),
            ..self.json(202, false)
        }
    }

    /// 200, whatever became of it: the upsert is looked at.
    pub(crate) fn shown(&self) -> Answer {
        self.json(200, false)
    }

    fn json(&self, status: u16, is_final: bool) -> Answer {
        let stored = StoredAnswer {
            status,
            location: None,
            content_type: JSON.to_owned(),
            body: printed(&self.shape()),
        };
        Answer {
            is_final,
            ..Answer::stored(self.upsert.id, stored, false)
        }
    }

    fn problem(&self, code: ProblemCode, detail: &str) -> Answer {
        let mut refusal = Refusal::new(code, detail);
        refusal.beside = Some(Beside::Upsert(Box::new(FailedUpsert {
            answer: self.shape(),
            rolled_back: self.upsert.rolled_back(),
        })));
        let stored = StoredAnswer {
            status: code.status(),
            location: None,
            content_type: PROBLEM.to_owned(),
            body: refusal.document(self.instance, self.request_id),
        };
        Answer {
            is_final: self.effective.iter().filter(|delivery| delivery.required).all(ended),
            ..Answer::stored(self.upsert.id, stored, false)
        }
    }

    /// The answer as the API has it.
    pub(crate) fn shape(&self) -> UpsertAnswer {
        UpsertAnswer {
            upsert_id: self.upsert.id,
            state: state_of(self.effective),
            customer: customer_record(self.record),
            deliveries: self.own.iter().map(delivery).collect(),
            ignored: self.upsert.ignored.clone(),
        }
    }
}

/// As JSON, in a buffer that most answers fit into.
fn printed(answer: &UpsertAnswer) -> String {
    let mut text = Vec::with_capacity(USUAL_ANSWER);
    let printed = serde_json::to_writer(&mut text, answer);
    debug_assert!(printed.is_ok(), "an answer has a form in JSON");
    String::from_utf8(text).unwrap_or_default()
}

/// In how many seconds it makes sense to ask again: when the last of the required deliveries may have ended, as far as is
/// known. What waits for a pause or a quota ends in no second that anybody knows of.
fn look_again_in(deliveries: &[DeliveryRecord], now: Timestamp) -> u64 {
    let open = deliveries
        .iter()
        .filter(|delivery| delivery.required && !ended(delivery));
    let waits = open.map(|delivery| until_it_may_have_ended(delivery, now));
    waits.max().unwrap_or(SOON)
}

fn until_it_may_have_ended(delivery: &DeliveryRecord, now: Timestamp) -> u64 {
    let due = delivery.next_attempt_at().map(|at| at.duration_since(now).as_secs());
    let due = due.map(|seconds| u64::try_from(seconds).unwrap_or_default());
    match delivery.waiting_for() {
        // A resume, or the day's end, may come at any time; a probe that is due sooner is hardly the end of it.
        Some(WaitingFor::Paused | WaitingFor::Quota) => due.unwrap_or(A_WHILE).clamp(A_WHILE, LONG),
        Some(_) => due.unwrap_or(A_FEW).clamp(SOON, LONG),
        None => due.unwrap_or(SOON).clamp(SOON, LONG),
    }
}

fn ended(delivery: &DeliveryRecord) -> bool {
    delivery.state().has_ended()
}

fn failed(delivery: &DeliveryRecord) -> bool {
    matches!(delivery.state(), DeliveryState::Failed | DeliveryState::Discarded)
}

/// Over the required connections; the first that holds.
fn verdict(deliveries: &[DeliveryRecord]) -> Verdict {
    let required = || deliveries.iter().filter(|delivery| delivery.required);
    let rejected = |delivery: &DeliveryRecord| delivery.error().is_some_and(|error| error.kind == ErrorKind::Rejected);
    if required().any(|delivery| failed(delivery) && rejected(delivery)) {
        Verdict::Rejected
    } else if required().any(failed) {
        Verdict::Failed
    } else if required().any(|delivery| !ended(delivery)) {
        Verdict::Open
    } else {
        Verdict::Done
    }
}

/// How an upsert stands whose deliveries have these states. A superseded one has to be replaced by its successor first.
pub(crate) fn state_of(deliveries: &[DeliveryRecord]) -> UpsertState {
    if !deliveries.iter().all(ended) {
        return UpsertState::Pending;
    }
    let mut failed = deliveries.iter().filter(|delivery| failed(delivery)).peekable();
    if failed.peek().is_none() {
        UpsertState::Succeeded
    } else if failed.any(|delivery| delivery.required) {
        UpsertState::Failed
    } else {
        UpsertState::PartiallyFailed
    }
}

impl Answer {
    /// As the API has it, unless it is a problem.
    pub fn read(&self) -> Option<UpsertAnswer> {
        serde_json::from_str(&self.body).ok()
    }

    /// As somebody is told who may see so much of customers, and has sent this itself.
    pub(crate) fn seen_by(self, visibility: Visibility, own: Own<'_>) -> Self {
        if visibility == Visibility::Whole {
            return self;
        }
        let body = match (self.read(), serde_json::from_str::<UpsertProblem>(&self.body)) {
            (_, Ok(problem)) => serde_json::to_string(&visibility.show_beside(problem, own)),
            (Some(answer), _) => serde_json::to_string(&visibility.show_beside(answer, own)),
            // One of an older version, whose members are not known any more.
            (None, Err(_)) => Ok(json!({ "upsert_id": self.upsert }).to_string()),
        };
        Self {
            body: body.unwrap_or_default(),
            ..self
        }
    }

    /// As somebody is told who may see so much of customers, whatever it has sent itself.
    #[must_use]
    pub fn shown_to(self, visibility: Visibility) -> Self {
        self.seen_by(visibility, Own::default())
    }

    pub(crate) fn stored(upsert: UpsertId, stored: StoredAnswer, replayed: bool) -> Self {
        Self {
            upsert,
            status: stored.status,
            location: stored.location,
            retry_after: None,
            content_type: stored.content_type,
            body: stored.body,
            replayed,
            is_final: true,
        }
    }

    pub(crate) fn to_stored(&self) -> StoredAnswer {
        StoredAnswer {
            status: self.status,
            location: self.location.clone(),
            content_type: self.content_type.clone(),
            body: self.body.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
