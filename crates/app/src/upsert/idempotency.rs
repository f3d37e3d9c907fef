//! Step 3: a key is used once. The record of it is made in the commit, so a request that is refused before leaves none.

use std::collections::HashSet;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use upsert_api::ProblemCode;
use upsert_core::ErasureId;
use upsert_core::crash_point::{self as points, crash_point};
use upsert_store::{DeliveryRecord, DeliveryState, IdempotencyRecord, StoredAnswer, Write};

use crate::directory::merchant::Merchant;
use crate::problem::Refusal;
use crate::upsert::Upserts;
use crate::upsert::command::{Caller, UpsertCommand};
use crate::view::answer::Answer;

/// A key that this request answers for. While it lives, others with the same key are told to wait.
pub(crate) struct Claim {
    pub(crate) key: [u8; 32],
    pub(crate) fingerprint: [u8; 32],
    answering: Arc<Mutex<HashSet<[u8; 32]>>>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.answering.lock().remove(&self.key);
    }
}

/// 409: the first request with this key is still being answered.
pub(crate) fn in_progress() -> Refusal {
    let detail = "a request with this Idempotency-Key is still being answered";
    Refusal::new(ProblemCode::IdempotencyInProgress, detail).retry_after(1)
}

/// 409: whoever sends the same request once more has not asked for anybody to come back.
fn erased_since() -> Refusal {
    let detail = "the customer of the first request with this Idempotency-Key was erased since; a request with another key \
                  brings the person back";
    Refusal::new(ProblemCode::Erased, detail)
}

impl Upserts {
    /// A claim where the key is new, none where no key was sent; or else the answer that the key has already.
    pub(crate) async fn claim_idempotency(
        &self,
        caller: &Caller,
        merchant: &Arc<Merchant>,
        command: &UpsertCommand,
    ) -> Result<Result<Option<Claim>, Box<Answer>>, Refusal> {
        let Some(raw) = &command.idempotency_key else {
            return Ok(Ok(None));
        };
        let key = scoped(&caller.name, &merchant.id, command.route, raw);
        let fingerprint = fingerprint(raw, &command.body);
        let claimed = self.context.answering.lock().insert(key);
        let claim = claimed.then(|| Claim {
            key,
            fingerprint,
            answering: self.context.answering.clone(),
        });
        match self
            .context
            .store
            .idempotency(&merchant.id, &key, self.context.clock.now())
            .await?
        {
            Some(record) if record.fingerprint != fingerprint => Err(Refusal::new(
                ProblemCode::IdempotencyKeyReused,
                "this Idempotency-Key was used for another request before",
            )),
            // Once there is an answer, nobody has to wait for anybody.
            Some(record) if record.answer.is_none() && claim.is_none() => Err(in_progress()),
            None if claim.is_none() => Err(in_progress()),
            Some(record) => Ok(Err(Box::new(self.replay(merchant, &record, command).await?))),
            None => Ok(Ok(claim)),
        }
    }

    /// How the upsert of a used key stands now; once it has ended, one answer to the letter from then on.
    async fn replay(
        &self,
        merchant: &Arc<Merchant>,
        record: &IdempotencyRecord,
        command: &UpsertCommand,
    ) -> Result<Answer, Refusal> {
        if record.answer.as_ref().is_some_and(StoredAnswer::is_erased) {
            return Err(erased_since());
        }
        if let Some(stored) = &record.answer {
            return Ok(Answer::stored(record.upsert, stored.clone(), true));
        }
        // One that is not to wait was answered right after its commit.
        if !command.respond_async && self.is_answered_elsewhere(merchant, record).await? {
            return Err(in_progress());
        }
        let answer = self
            .upsert_answer(merchant, record.upsert, Some(&command.request_id))
            .await?;
        let Some(mut answer) = answer else {
            return Err(self.gone(&merchant.id, record).await?);
        };
        if answer.is_final {
            crash_point(points::REPEAT_BEFORE_KEEPING);
            self.store_answer(&merchant.id, record.key, &answer).await?;
            crash_point(points::REPEAT_AFTER_KEEPING);
            // Two replays may race: what was stored first is the answer.
            let kept = self
                .context
                .store
                .idempotency(&merchant.id, &record.key, self.context.clock.now())
                .await?;
            if let Some(stored) = kept.and_then(|kept| kept.answer) {
                return Ok(Answer::stored(record.upsert, stored, true));
            }
        }
        answer.replayed = true;
        Ok(answer)
    }

    /// The upsert cannot be answered for any more: its customer is being erased just now, or it is forgotten.
    async fn gone(&self, merchant: &str, record: &IdempotencyRecord) -> Result<Refusal, Refusal> {
        let store = &self.context.store;
        let Some((upsert, _)) = store.upsert(merchant, record.upsert).await? else {
            let now = store
                .idempotency(merchant, &record.key, self.context.clock.now())
                .await?;
            let is_erased = now.and_then(|now| now.answer).is_some_and(|answer| answer.is_erased());
            return Ok(if is_erased {
                erased_since()
            } else {
                Refusal::not_found("upsert")
            });
        };
        let erasure = store.erasure(merchant, ErasureId::of(upsert.customer)).await?;
        Ok(erasure.map_or_else(|| Refusal::not_found("upsert"), |_| erased_since()))
    }

    /// Whether another process still answers the first request, taken to have been one that waits, as far as that can be known
    /// from here: a first call that it made is under way, its lease has not ended, and neither has the time that a request waits
    /// at most.
    async fn is_answered_elsewhere(&self, merchant: &Merchant, record: &IdempotencyRecord) -> Result<bool, Refusal> {
        let now = self.context.clock.now();
        let wait = SignedDuration::try_from(merchant.sync_deadline).unwrap_or(SignedDuration::MAX);
        let is_in_time = record.created_at.checked_add(wait).is_ok_and(|until| now < until);
        if !is_in_time || !self.context.store.is_shared() {
            return Ok(false);
        }
        let found = self.context.store.upsert(&merchant.id, record.upsert).await?;
        Ok(found.is_some_and(|(_, own)| own.iter().any(|delivery| self.is_called_elsewhere(delivery, now))))
    }

    fn is_called_elsewhere(&self, delivery: &DeliveryRecord, now: Timestamp) -> bool {
        delivery.state() == DeliveryState::InFlight
            && delivery.fence() == 1
            && delivery.lease_until().is_some_and(|until| now < until)
            && !self.context.in_flight.has(delivery.id)
    }

    /// Step 10, for requests with a key: the answer is durable before it is given.
    pub(crate) async fn keep_answer(
        &self,
        merchant: &Merchant,
        claim: Option<&Claim>,
        answer: Answer,
    ) -> Result<Answer, Refusal> {
        if let Some(claim) = claim.filter(|_| answer.is_final) {
            crash_point(points::ANSWER_BEFORE_KEEPING);
            self.store_answer(&merchant.id, claim.key, &answer).await?;
            crash_point(points::ANSWER_AFTER_KEEPING);
        }
        Ok(answer)
    }

    async fn store_answer(&self, merchant: &str, key: [u8; 32], answer: &Answer) -> Result<(), Refusal> {
        let answer = answer.to_stored();
        self.outbox
            .write(merchant, Vec::new(), vec![Write::PutAnswer { key, answer }])
            .await?;
        Ok(())
    }
}

/// The key in its scope. Lengths go in, so that no two scopes run into each other.
fn scoped(caller: &str, merchant: &str, route: &str, key: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [caller, merchant, route, key] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

/// Of the canonical JSON, keyed by the idempotency key itself: the store holds only that key's hash, so nobody who
/// reads the store can guess a body by trying.
fn fingerprint(key: &str, body: &Json) -> [u8; 32] {
    let secret: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    let canonical = canonical_json(body);
    match <Hmac<Sha256> as KeyInit>::new_from_slice(&secret) {
        Ok(mut mac) => {
            mac.update(canonical.as_bytes());
            mac.finalize().into_bytes().into()
        }
        // HMAC takes keys of any length; without it the fingerprint would match nothing.
        Err(_) => [0; 32],
    }
}

/// Members in the order of their names, no white space.
pub(crate) fn canonical_json(value: &Json) -> String {
    let mut canonical = String::new();
    write_canonical(value, &mut canonical);
    canonical
}

fn write_canonical(value: &Json, out: &mut String) {
    match value {
        Json::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort();
            out.push('{');
            for name in names {
                out.push_str(&Json::String(name.clone()).to_string());
                out.push(':');
                write_canonical(&members[name], out);
                out.push(',');
            }
            out.push('}');
        }
        Json::Array(items) => {
            out.push('[');
            for item in items {
                write_canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        leaf => out.push_str(&leaf.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_members_makes_no_other_request_but_the_order_of_items_does() {
        let one: Json = serde_json::from_str(r#"{"a":1,"b":{"c":[1,2],"d":null}}"#).unwrap();
        let same: Json = serde_json::from_str(r#"{ "b": {"d":null, "c":[1,2]}, "a":1 }"#).unwrap();
        assert_eq!(fingerprint("k", &one), fingerprint("k", &same));
        assert_ne!(
            fingerprint("k", &one),
            fingerprint("k", &json!({"a":1,"b":{"c":[2,1],"d":null}}))
        );
        assert_ne!(fingerprint("k", &one), fingerprint("other", &one));
    }

    #[test]
    fn scopes_do_not_run_into_each_other() {
        assert_ne!(scoped("ab", "c", "r", "k"), scoped("a", "bc", "r", "k"));
        assert_ne!(scoped("a", "b", "r", "k1"), scoped("a", "b", "r", "k2"));
    }
}
