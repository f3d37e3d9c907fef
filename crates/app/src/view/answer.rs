//! What the caller is told: the body, and the status that the required deliveries call for.

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use upsert_core::{Customer, CustomerId, ErrorKind, Ignored, UpsertId, WaitingFor};
use upsert_store::{
    CustomerRecord, DeliveryRecord, DeliveryState, StoreError, StoredAnswer, UpsertRecord, UpsertState,
};

use crate::context::Context;
use crate::planning::plan::Planned;
use crate::problem::{ProblemCode, Refusal};
use crate::view::delivery::delivery_json;

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

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
        Answer {
            upsert: self.upsert.id,
            status,
            location: None,
            retry_after: None,
            content_type: JSON.to_owned(),
            body: Json::Object(self.members()).to_string(),
            replayed: false,
            is_final,
        }
    }

    fn problem(&self, code: ProblemCode, detail: &str) -> Answer {
        let mut refusal = Refusal::new(code, detail);
        refusal.beside = self.members();
        refusal
            .beside
            .insert("rolled_back".to_owned(), json!(self.upsert.rolled_back));
        Answer {
            content_type: PROBLEM.to_owned(),
            body: refusal.document(self.instance, self.request_id).to_string(),
            ..self.json(
                code.status(),
                self.effective.iter().filter(|delivery| delivery.required).all(ended),
            )
        }
    }

    pub(crate) fn members(&self) -> Map<String, Json> {
        let mut members = Map::new();
        members.insert("upsert_id".to_owned(), json!(self.upsert.id));
        members.insert("state".to_owned(), json!(state_of(self.effective)));
        members.insert("customer".to_owned(), customer_json(self.record));
        members.insert("deliveries".to_owned(), self.own.iter().map(delivery_json).collect());
        members.insert("ignored".to_owned(), json!(self.upsert.ignored));
        members
    }
}

/// In how many seconds it makes sense to ask again: when the last of the required deliveries may have ended, as far as is
/// known. What waits for a pause or a quota ends in no second that anybody knows of.
fn look_again_in(deliveries: &[DeliveryRecord], now: Timestamp) -> u64 {
    let open = deliveries
        .iter()
        .filter(|delivery| delivery.required && !ended(delivery));
    open.map(|delivery| until_it_may_have_ended(delivery, now))
        .max()
        .unwrap_or(SOON)
}

fn until_it_may_have_ended(delivery: &DeliveryRecord, now: Timestamp) -> u64 {
    let due = delivery.next_attempt_at.map(|at| at.duration_since(now).as_secs());
    let due = due.map(|seconds| u64::try_from(seconds).unwrap_or_default());
    match (delivery.state, delivery.waiting_for) {
        // A resume, or the day's end, may come at any time; a probe that is due sooner is hardly the end of it.
        (DeliveryState::Waiting, Some(WaitingFor::Paused | WaitingFor::Quota)) => {
            due.unwrap_or(A_WHILE).clamp(A_WHILE, LONG)
        }
        (DeliveryState::Waiting, _) => due.unwrap_or(A_FEW).clamp(SOON, LONG),
        _ => due.unwrap_or(SOON).clamp(SOON, LONG),
    }
}

fn ended(delivery: &DeliveryRecord) -> bool {
    delivery.state.has_ended()
}

/// Over the required connections; the first that holds.
fn verdict(deliveries: &[DeliveryRecord]) -> Verdict {
    let required = || deliveries.iter().filter(|delivery| delivery.required);
    let failed =
        |delivery: &&DeliveryRecord| matches!(delivery.state, DeliveryState::Failed | DeliveryState::Discarded);
    let rejected = |delivery: &DeliveryRecord| {
        delivery
            .error
            .as_ref()
            .is_some_and(|error| error.kind == ErrorKind::Rejected)
    };
    if required().filter(failed).any(rejected) {
        Verdict::Rejected
    } else if required().any(|delivery| failed(&delivery)) {
        Verdict::Failed
    } else if required().any(|delivery| !ended(delivery)) {
        Verdict::Open
    } else {
        Verdict::Done
    }
}

/// A customer's record as the API shows it.
pub(crate) fn customer_json(record: &CustomerRecord) -> Json {
    let mut shown = Map::new();
    shown.insert("id".to_owned(), json!(record.id));
    shown.insert("version".to_owned(), json!(record.version));
    shown.insert("merchant_id".to_owned(), json!(record.merchant));
    shown.insert("created_at".to_owned(), json!(record.created_at));
    shown.insert("updated_at".to_owned(), json!(record.updated_at));
    shown.extend(record.customer.to_json(true));
    Json::Object(shown)
}

/// A dry run as the API shows it.
pub(crate) fn plan_json(id: Option<CustomerId>, after: &Customer, plans: &[Planned], ignored: &[Ignored]) -> Json {
    json!({
        "customer_id": id,
        "customer": after.to_json(true),
        "connections": plans.iter().map(Planned::to_json).collect::<Vec<_>>(),
        "ignored": ignored,
    })
}

impl Context {
    /// The customer as it was after this upsert.
    pub(crate) async fn record_at(&self, upsert: &UpsertRecord) -> Result<Option<CustomerRecord>, StoreError> {
        let current = self
            .store
            .customer(&upsert.merchant, upsert.customer)
            .await?
            .map(|known| known.record);
        if let Some(current) = &current
            && current.version == upsert.version
            && upsert.changed
            && !upsert.rolled_back
        {
            return Ok(Some(current.clone()));
        }
        let mut before = None;
        loop {
            let page = self.store.history(upsert.customer, before, 100).await?;
            let found = page.entries.iter().find(|entry| {
                entry.upsert == upsert.id
                    || (!upsert.changed && entry.upsert < upsert.id && entry.version == upsert.version)
            });
            if let Some(entry) = found {
                return Ok(Some(CustomerRecord {
                    id: upsert.customer,
                    merchant: upsert.merchant.clone(),
                    version: entry.version,
                    revision: 0,
                    customer: entry.record.clone(),
                    created_at: current.as_ref().map_or(entry.at, |current| current.created_at),
                    updated_at: entry.at,
                }));
            }
            match page.entries.last() {
                Some(last) => before = Some(last.upsert),
                None => return Ok(current),
            }
        }
    }
}

/// How an upsert stands whose deliveries have these states. A superseded one has to be replaced by its successor first.
pub(crate) fn state_of(deliveries: &[DeliveryRecord]) -> UpsertState {
    let failed =
        |delivery: &&DeliveryRecord| matches!(delivery.state, DeliveryState::Failed | DeliveryState::Discarded);
    if deliveries.iter().any(|delivery| !delivery.state.has_ended()) {
        UpsertState::Pending
    } else if deliveries
        .iter()
        .filter(|delivery| delivery.required)
        .any(|delivery| failed(&delivery))
    {
        UpsertState::Failed
    } else if deliveries.iter().any(|delivery| failed(&delivery)) {
        UpsertState::PartiallyFailed
    } else {
        UpsertState::Succeeded
    }
}

impl Answer {
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
mod tests {
    use jiff::SignedDuration;
    use upsert_testkit::records::{delivery_id, delivery_record};

    use super::*;

    #[test]
    fn when_looking_again_makes_sense_depends_on_what_is_waited_for() {
        let now = Timestamp::UNIX_EPOCH;
        for (state, waiting_for, due_in, seconds) in [
            (DeliveryState::InFlight, None, None, 1),
            (DeliveryState::Pending, None, None, 1),
            (DeliveryState::Retrying, None, Some(7), 7),
            (DeliveryState::Retrying, None, Some(-7), 1),
            (DeliveryState::Retrying, None, Some(90_000), 3_600),
            (DeliveryState::Waiting, Some(WaitingFor::Paused), None, 60),
            (DeliveryState::Waiting, Some(WaitingFor::Paused), Some(1), 60),
            (DeliveryState::Waiting, Some(WaitingFor::Paused), Some(300), 300),
            (DeliveryState::Waiting, Some(WaitingFor::Quota), None, 60),
            (DeliveryState::Waiting, Some(WaitingFor::Quota), Some(-1), 60),
            (DeliveryState::Waiting, Some(WaitingFor::Quota), Some(50_000), 3_600),
            (DeliveryState::Waiting, Some(WaitingFor::Breaker), Some(15), 15),
            (DeliveryState::Waiting, Some(WaitingFor::Breaker), None, 5),
            (DeliveryState::Waiting, Some(WaitingFor::RateLimit), Some(30), 30),
            (DeliveryState::Waiting, Some(WaitingFor::Predecessor), None, 5),
            (DeliveryState::Succeeded, None, None, 1),
        ] {
            let mut delivery = delivery_record("acme", "crm", delivery_id(1), state);
            delivery.required = true;
            delivery.waiting_for = waiting_for;
            delivery.next_attempt_at = due_in.map(|seconds| now + SignedDuration::from_secs(seconds));
            assert_eq!(
                look_again_in(&[delivery], now),
                seconds,
                "{state:?} {waiting_for:?} {due_in:?}"
            );
        }
    }

    #[test]
    fn the_longest_wait_of_the_required_deliveries_counts() {
        let waiting = |number, waiting_for, is_required| {
            let mut delivery = delivery_record("acme", "crm", delivery_id(number), DeliveryState::Waiting);
            (delivery.required, delivery.waiting_for, delivery.next_attempt_at) =
                (is_required, Some(waiting_for), None);
            delivery
        };
        let both = [
            waiting(1, WaitingFor::Predecessor, true),
            waiting(2, WaitingFor::Paused, true),
        ];
        assert_eq!(look_again_in(&both, Timestamp::UNIX_EPOCH), 60);
        let optional = [
            waiting(1, WaitingFor::Predecessor, true),
            waiting(2, WaitingFor::Paused, false),
        ];
        assert_eq!(look_again_in(&optional, Timestamp::UNIX_EPOCH), 5);
    }
}
