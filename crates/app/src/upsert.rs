//! The straight line: one upsert from the request to the answer, each step in a file of its own.

use std::sync::Arc;

use serde_json::Value as Json;

use upsert_core::customer::escape;
use upsert_core::{Customer, CustomerPatch, Priority, Problem, canonicalise};

use crate::answer::Answer;
use crate::commit::Attempted;
use crate::draft::Draft;
use crate::gateway::Gateway;
use crate::merchant::Merchant;
use crate::plan::Planned;
use crate::problem::{ProblemCode, Refusal};

/// So often a request is worked out anew because somebody else was faster, before it is told to come back.
const MOST_RACES: usize = 64;

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The API key's name: it stands in the history, and idempotency keys are its own.
    pub name: String,
}

/// What is asked.
#[derive(Clone)]
pub struct UpsertCommand {
    /// The request body.
    pub body: Json,
    /// `Idempotency-Key`, unquoted.
    pub idempotency_key: Option<String>,
    /// The route, such as `POST /v1/customers`: idempotency keys are scoped to it.
    pub route: &'static str,
    /// `Prefer: respond-async`.
    pub respond_async: bool,
    /// `Cache-Control: no-cache`.
    pub force: bool,
    /// `traceparent`.
    pub traceparent: Option<String>,
    /// How urgent.
    pub priority: Priority,
    /// For the problem document of an answer that a vendor refused.
    pub request_id: String,
}

impl Gateway {
    /// One upsert, on a task of its own: a client that hangs up changes nothing about what becomes of it.
    ///
    /// # Errors
    /// Why the request was refused. Nothing was stored and nothing sent then. 503 `overloaded` where too much is under
    /// way; bulk work waits for its turn to be stored instead.
    pub async fn upsert(
        &self,
        caller: &Caller,
        merchant: &Arc<Merchant>,
        command: UpsertCommand,
    ) -> Result<Answer, Refusal> {
        let admitted = self.admission.admit(&merchant.id, command.priority)?;
        let (gateway, caller, merchant) = (self.clone(), caller.clone(), merchant.clone());
        let task = self.tasks.spawn(async move {
            let answered = gateway.run_upsert(&caller, &merchant, command).await;
            if answered.as_ref().is_ok_and(|answer| answer.is_final) {
                admitted.has_ended();
            }
            answered
        });
        task.await.unwrap_or_else(|_| {
            tracing::error!("an upsert's task ended before its time");
            Err(Refusal::new(ProblemCode::Internal, "the request could not be handled"))
        })
    }

    async fn run_upsert(
        &self,
        caller: &Caller,
        merchant: &Arc<Merchant>,
        command: UpsertCommand,
    ) -> Result<Answer, Refusal> {
        let claim = match self.claim_idempotency(caller, merchant, &command).await? {
            Ok(claim) => claim,
            Err(replay) => return Ok(*replay),
        };
        let patch = read_patch(merchant, &command.body)?;
        let mut committed = self
            .decide_and_commit(caller, merchant, &command, &patch, claim.as_ref())
            .await?;
        let progress = self.start_deliveries(&mut committed);
        let answer = self.await_answer(merchant, committed, progress, &command).await?;
        self.keep_answer(claim.as_ref(), answer).await
    }

    /// What an upsert with this body would do. Stores and sends nothing.
    ///
    /// # Errors
    /// As for the upsert itself, but for what single connections refuse: that stands in the plans.
    pub async fn plan(&self, merchant: &Arc<Merchant>, body: &Json, force: bool) -> Result<Json, Refusal> {
        let patch = read_patch(merchant, body)?;
        let _deciding = self.admission.decide(Priority::Interactive).await?;
        let identified = self.identify(merchant, &patch).await?;
        let before = identified.known.as_ref().map(|known| &known.record.customer);
        let after = merge(before, &patch);
        let id = identified
            .known
            .as_ref()
            .map_or_else(|| self.ids.customer(), |known| known.record.id);
        let mut plans = Self::route_and_plan(merchant, id, &after, identified.known.as_ref(), force)?;
        // A refusal of a required connection is shown beside the others instead of ending the plan.
        let _shown_in_the_plans = self.guard(merchant, id, &mut plans, true).await;
        Ok(crate::answer::plan_json(
            identified.known.as_ref().map(|known| known.record.id),
            &after,
            &plans,
        ))
    }

    /// Steps 5 to 8, anew whenever somebody else changed what they were decided on.
    async fn decide_and_commit(
        &self,
        caller: &Caller,
        merchant: &Arc<Merchant>,
        command: &UpsertCommand,
        patch: &CustomerPatch,
        claim: Option<&crate::idempotency::Claim>,
    ) -> Result<crate::commit::Committed, Refusal> {
        let _deciding = self.admission.decide(command.priority).await?;
        let mut look_up_keys = false;
        for _race in 0..MOST_RACES {
            let identified = self.identify(merchant, patch).await?;
            let known = identified.known.as_ref();
            let after = merge(known.map(|known| &known.record.customer), patch);
            let id = known.map_or_else(|| self.ids.customer(), |known| known.record.id);
            let mut plans: Vec<Planned> = Self::route_and_plan(merchant, id, &after, known, command.force)?;
            self.guard(merchant, id, &mut plans, look_up_keys).await?;
            let draft = Draft {
                caller,
                merchant,
                command,
                identified: &identified,
                id,
                after,
                plans,
                claim,
            };
            match self.commit(draft).await? {
                Attempted::Committed(committed) => return Ok(*committed),
                Attempted::KeyTaken => look_up_keys = true,
                Attempted::Raced => tokio::task::yield_now().await,
                Attempted::IdempotencyKeyTaken => return Err(crate::idempotency::in_progress()),
            }
        }
        Err(Refusal::new(ProblemCode::Overloaded, "too many changes of this customer at once").retry_after(1))
    }
}

/// Step 4, and that `provider_fields` names connections or providers that the merchant has.
fn read_patch(merchant: &Merchant, body: &Json) -> Result<CustomerPatch, Refusal> {
    let canonical = canonicalise(body, merchant.default_region.as_deref());
    let is_known = |name: &str| {
        merchant
            .connections
            .iter()
            .any(|c| c.name == name || c.provider == name)
    };
    let names = body.get("provider_fields").and_then(Json::as_object);
    let unknown = names
        .into_iter()
        .flat_map(serde_json::Map::keys)
        .filter(|name| !is_known(name))
        .map(|name| {
            let detail = "is neither a connection nor a provider of this merchant";
            Problem::new(format!("/provider_fields/{}", escape(name)), "unknown_field", detail)
        });
    match canonical {
        Err(problems) => Err(Refusal::invalid(problems.into_iter().chain(unknown).collect())),
        Ok(patch) => {
            let unknown: Vec<Problem> = unknown.collect();
            if unknown.is_empty() {
                Ok(patch)
            } else {
                Err(Refusal::invalid(unknown))
            }
        }
    }
}

fn merge(before: Option<&Customer>, patch: &CustomerPatch) -> Customer {
    match before {
        Some(before) => before.merged(patch),
        None => Customer::default().merged(patch),
    }
}
