//! One line of a batch: an upsert like any other, with the line's number in its answer.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use futures_util::future::{FutureExt as _, LocalBoxFuture, ready};
use serde_json::Value as Json;
use tokio::time::sleep;

use upsert_api::{ProblemCode, Visibility};
use upsert_app::{Answer, Caller, Refusal, UpsertCommand, identifiers_in, read_json};
use upsert_core::{Handling, Priority, Problem as Wrong};
use upsert_settings::BasePath;
use upsert_store::Through;

use super::lines::Line;
use super::turns::{Turn, Turns};
use crate::config::key_store::Key;
use crate::http::headers::{Wishes, is_idempotency_key};
use crate::http::in_force::{CallerInForce, visibility_of};
use crate::http::problem;
use crate::state::State;

/// Idempotency keys of lines are scoped to it.
const ROUTE: &str = "POST /v1/customers/batch";
const PATH: &str = "/v1/customers/batch";

const IDEMPOTENCY_KEY: &str = "idempotency_key";

/// How often a line is tried again while the gateway is overloaded, before it gets that for an answer.
const MOST_TRIES: u32 = 10;

/// How often a line asks whether its key may call again.
const TURNSTILE: Duration = Duration::from_millis(50);

/// What holds for every line of a batch. Key and merchant are not among it: each line asks the configuration in force.
pub(crate) struct Terms {
    pub(crate) state: Arc<State>,
    /// Who calls.
    pub(crate) caller: CallerInForce,
    /// The merchant's id.
    pub(crate) merchant: String,
    pub(crate) wishes: Wishes,
    pub(crate) request_id: String,
    /// Bytes.
    pub(crate) line_limit: usize,
    /// Under which path the caller sees the gateway.
    pub(crate) base: BasePath,
}

impl Terms {
    /// The line of the answer, in time. Its place in the order is taken at once.
    pub(super) fn answer(self: Arc<Self>, line: Line, turns: &mut Turns) -> LocalBoxFuture<'static, Bytes> {
        let number = line.number;
        let (body, key) = match self.read(line) {
            Ok(read) => read,
            Err(refusal) => return ready(problem_line(number, &refusal, &self)).boxed_local(),
        };
        let known = self.caller.known_merchant(&self.merchant);
        let identifiers = known.map(|merchant| identifiers_in(&merchant, &body, self.handling()));
        let turn = turns.next(identifiers.unwrap_or_default());
        async move {
            match self.upsert(body, key, turn).await {
                Ok(answer) => answer_line(number, &answer, &self.base),
                Err(refusal) => problem_line(number, &refusal, &self),
            }
        }
        .boxed_local()
    }

    /// Whether the caller still may do what it was let in for.
    ///
    /// # Errors
    /// 401, 403.
    pub(super) async fn still_stand(&self) -> Result<(), Refusal> {
        self.caller.still_may()?;
        match self.caller.merchant(&self.merchant).await {
            Err(refusal) if refusal.code == ProblemCode::MerchantForbidden => Err(refusal),
            // One that is there and cannot be served now may be again: its lines are refused, one by one.
            _ => Ok(()),
        }
    }

    fn key_in_force(&self) -> Result<Arc<Key>, Refusal> {
        self.caller.key().map_err(|problem| problem.refusal)
    }

    fn handling(&self) -> Handling {
        self.wishes.prefers.handling.unwrap_or_default()
    }

    /// The upsert's body, and its idempotency key beside it.
    fn read(&self, line: Line) -> Result<(Json, Option<String>), Refusal> {
        let text = line.text.ok_or_else(|| {
            let detail = format!("a line may have {} bytes", self.line_limit);
            Refusal::new(ProblemCode::BodyTooLarge, detail)
        })?;
        let mut body = read_json(&text)?;
        let key = match body.as_object_mut().and_then(|members| members.remove(IDEMPOTENCY_KEY)) {
            None | Some(Json::Null) => None,
            Some(Json::String(key)) if is_idempotency_key(&key) => Some(key),
            Some(_) => {
                let detail = "has to be 1 to 255 visible ASCII characters";
                let pointer = format!("/{IDEMPOTENCY_KEY}");
                return Err(Refusal::invalid(vec![Wrong::new(
                    pointer,
                    "invalid_idempotency_key",
                    detail,
                )]));
            }
        };
        Ok((body, key))
    }

    fn command(&self, body: Json, idempotency_key: Option<String>, visibility: Visibility) -> UpsertCommand {
        UpsertCommand {
            body,
            idempotency_key,
            route: ROUTE,
            through: Through::Batch,
            respond_async: self.wishes.prefers.respond_async,
            force: self.wishes.force,
            handling: self.handling(),
            traceparent: self.wishes.traceparent.clone(),
            tracestate: self.wishes.tracestate.clone(),
            priority: Priority::Bulk,
            request_id: self.request_id.clone(),
            visibility,
        }
    }

    async fn upsert(&self, body: Json, idempotency_key: Option<String>, turn: Turn) -> Result<Answer, Refusal> {
        // The request itself was one call of the key; each line is one too, and waits until the key may call again.
        while self.key_in_force()?.take_call().is_err() {
            sleep(TURNSTILE).await;
        }
        let is_next = turn.comes().await;
        let mut tries = 0;
        loop {
            // It may have waited for its turn for long.
            let key = self.key_in_force()?;
            let caller = Caller { name: key.name.clone() };
            let visibility = visibility_of(&key);
            let command = self.command(body.clone(), idempotency_key.clone(), visibility);
            let merchant = self.caller.merchant(&self.merchant).await?;
            let upserts = &self.state.gateway.upserts;
            let begun = upserts.begin(&caller, &merchant, command);
            let refused = match begun {
                Ok(mut begun) => {
                    if begun.committed().await {
                        drop(is_next);
                        return begun.answer().await;
                    }
                    begun.answer().await
                }
                Err(refusal) => Err(refusal),
            };
            tries += 1;
            match refused {
                Err(refusal) if refusal.code == ProblemCode::Overloaded && tries < MOST_TRIES => {
                    sleep(Duration::from_secs(refusal.retry_after.unwrap_or(1))).await;
                }
                ended => return ended,
            }
        }
    }
}

/// The answer with the line's number and the status before its members; what vendors refused is a problem.
fn answer_line(number: u64, answer: &Answer, base: &BasePath) -> Bytes {
    if answer.content_type == "application/problem+json" {
        return problem_of(number, &answer.body, base);
    }
    let members = answer.body.strip_prefix('{').unwrap_or("}");
    let replayed = if answer.replayed {
        "\"idempotent_replayed\":true,"
    } else {
        ""
    };
    Bytes::from(format!(
        "{{\"line\":{number},\"status\":{},{replayed}{members}\n",
        answer.status
    ))
}

/// The problem of a line.
pub(super) fn problem_line(number: u64, refusal: &Refusal, terms: &Terms) -> Bytes {
    problem_of(number, &refusal.document_of_line(PATH, &terms.request_id), &terms.base)
}

fn problem_of(number: u64, document: &str, base: &BasePath) -> Bytes {
    let document = problem::below(document, base);
    Bytes::from(format!("{{\"line\":{number},\"problem\":{document}}}\n"))
}
