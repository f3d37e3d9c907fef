//! The straight line: one upsert from the request to the answer, each step in a file of its own.

use std::sync::Arc;

use serde_json::Value as Json;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use upsert_api::{Own, Plan, Visibility};
use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::customer::escape;
use upsert_core::{Canonical, Customer, CustomerPatch, Handling, Priority, Problem};
use upsert_store::Through;

use crate::context::ended;
use crate::delivery::work::Committed;
use crate::directory::merchant::Merchant;
use crate::outbox::races::{Race, commit_with_retry};
use crate::planning::plan::Planned;
use crate::problem::Refusal;
use crate::upsert::Upserts;
use crate::upsert::command::{Caller, UpsertCommand};
use crate::upsert::draft::{Asked, Draft};
use crate::upsert::event_draft::EventDraft;
use crate::upsert::identify::Identified;
use crate::upsert::tombstones::Told;
use crate::view::answer::Answer;

/// So often a request is worked out anew because somebody else was faster, before it is told to come back.
const MOST_RACES: usize = 64;

/// An upsert that was begun: it goes on whether or not anybody waits for it.
#[derive(Debug)]
pub struct Begun {
    committed: oneshot::Receiver<()>,
    task: JoinHandle<Result<Answer, Refusal>>,
}

impl Begun {
    /// Waits until it is durable, or it is clear that nothing will be stored: it was refused, or its idempotency key was
    /// used before. Whether it is durable. To be asked once.
    pub async fn committed(&mut self) -> bool {
        (&mut self.committed).await.is_ok()
    }

    /// Waits for its answer.
    ///
    /// # Errors
    /// Why the request was refused. Nothing was stored and nothing sent then.
    pub async fn answer(self) -> Result<Answer, Refusal> {
        ended("an upsert", self.task).await
    }
}

impl Upserts {
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
        self.begin(caller, merchant, command)?.answer().await
    }

    /// Begins one upsert, for whoever has to know when it is durable before its vendors have answered.
    ///
    /// # Errors
    /// 503 `overloaded` where too much is under way.
    pub fn begin(&self, caller: &Caller, merchant: &Arc<Merchant>, command: UpsertCommand) -> Result<Begun, Refusal> {
        let admitted = self.context.admission.admit(&merchant.id, command.priority)?;
        let (wing, caller, merchant) = (self.clone(), caller.clone(), merchant.clone());
        let (tell, committed) = oneshot::channel();
        let task = self.context.tasks.spawn(async move {
            // Boxed: a task is moved several times before it runs, and what it is made of is large.
            let answered = Box::pin(wing.run_upsert(&caller, &merchant, command, tell)).await;
            if answered.as_ref().is_ok_and(|answer| answer.is_final) {
                admitted.has_ended();
            }
            answered
        });
        Ok(Begun { committed, task })
    }

    async fn run_upsert(
        &self,
        caller: &Caller,
        merchant: &Arc<Merchant>,
        command: UpsertCommand,
        committed_now: oneshot::Sender<()>,
    ) -> Result<Answer, Refusal> {
        let claim = match self.claim_idempotency(caller, merchant, &command).await? {
            Ok(claim) => claim,
            Err(replay) => return Ok(seen_by_caller(*replay, merchant, &command)),
        };
        crash_point(points::UPSERT_CLAIMED);
        // What is wrong here is wrong with what the caller has sent itself.
        let canonical = read_patch(merchant, &command.body, command.handling)?;
        let asked = Asked {
            caller,
            merchant,
            command: &command,
            claim: claim.as_ref(),
        };
        let own = Own::of(&canonical.patch);
        let answered = self.run_read(asked, &canonical, committed_now).await;
        // Whole in the store, covered at the door.
        match answered {
            Ok(answer) => Ok(answer.seen_by(command.visibility, own)),
            Err(refusal) => Err(refusal.seen_beside(command.visibility, own)),
        }
    }

    async fn run_read(
        &self,
        asked: Asked<'_>,
        canonical: &Canonical,
        committed_now: oneshot::Sender<()>,
    ) -> Result<Answer, Refusal> {
        let Asked {
            merchant,
            command,
            claim,
            ..
        } = asked;
        let mut committed = self.decide_and_commit(asked, canonical).await?;
        // Nobody may be listening.
        let _ = committed_now.send(());
        let progress = self.deliveries.start_deliveries(&mut committed);
        crash_point(points::UPSERT_STARTED);
        let answer = self.await_answer(merchant, committed, progress, command).await?;
        crash_point(points::UPSERT_BEFORE_ANSWER);
        self.keep_answer(merchant, claim, answer).await
    }

    /// What an upsert with this body would do. Stores and sends nothing. `visibility`: how much of the customer the caller is
    /// told, beside what it has sent itself.
    ///
    /// # Errors
    /// As for the upsert itself, but for what single connections refuse: that stands in the plans.
    pub async fn plan(
        &self,
        merchant: &Arc<Merchant>,
        body: &Json,
        handling: Handling,
        force: bool,
        visibility: Visibility,
    ) -> Result<Plan, Refusal> {
        let canonical = read_patch(merchant, body, handling)?;
        let own = Own::of(&canonical.patch);
        match self.plan_read(merchant, &canonical, force).await {
            Ok(plan) => Ok(visibility.show_beside(plan, own)),
            Err(refusal) => Err(refusal.seen_beside(visibility, own)),
        }
    }

    async fn plan_read(&self, merchant: &Arc<Merchant>, canonical: &Canonical, force: bool) -> Result<Plan, Refusal> {
        let Canonical { patch, ignored } = canonical;
        let _deciding = self.context.admission.decide(Priority::Interactive).await?;
        let identified = self.identify(merchant, patch).await?;
        let known = identified.known.as_deref();
        let after = merge(known.map(|known| &known.record.customer), patch);
        let id = known.map_or_else(|| self.context.ids.customer(&merchant.id), |known| known.record.id);
        let upsert = self.context.ids.upsert(&merchant.id);
        let adopting = self.adopt(merchant, id, known, patch, upsert).await?;
        let mut plans = Self::route_and_plan(merchant, id, &after, known, &adopting, force)?;
        // A refusal of a required connection is shown beside the others instead of ending the plan.
        let _shown_in_the_plans = self.guard(merchant, id, &mut plans, true).await;
        Ok(Plan {
            customer_id: known.map(|known| known.record.id),
            customer: (&after).into(),
            connections: plans.iter().map(Planned::shown).collect(),
            ignored: ignored.clone(),
        })
    }

    /// Steps 5 to 8, anew whenever somebody else changed what they were decided on.
    async fn decide_and_commit(&self, asked: Asked<'_>, canonical: &Canonical) -> Result<Committed, Refusal> {
        let _deciding = self.context.admission.decide(asked.command.priority).await?;
        let committed = commit_with_retry(MOST_RACES, |key_is_taken| async move {
            let identified = match asked.command.through {
                Through::Request => self.identify_or_revive(asked.merchant, &canonical.patch).await?,
                _ => {
                    self.identify_the_living(asked.merchant, &canonical.patch, Told::ByCaller)
                        .await?
                }
            };
            self.plan_and_commit(asked, &identified, canonical, None, key_is_taken)
                .await
        });
        committed.await?.ok_or_else(Refusal::too_many_changes)
    }

    /// Steps 6 to 8, once it is known who it is about. `key_is_taken`: somebody holds a key, and is to be named.
    pub(crate) async fn plan_and_commit(
        &self,
        asked: Asked<'_>,
        identified: &Identified,
        canonical: &Canonical,
        event: Option<&EventDraft>,
        key_is_taken: bool,
    ) -> Result<Race<Committed>, Refusal> {
        let (merchant, force) = (asked.merchant, asked.command.force);
        let Canonical { patch, ignored } = canonical;
        let known = identified.known.as_deref();
        let after = merge(known.map(|known| &known.record.customer), patch);
        let id = known.map_or_else(|| self.context.ids.customer(&merchant.id), |known| known.record.id);
        let ids = &self.context.ids;
        // A customer's history is in the order of ids, and the last change may be a process's whose clock is ahead.
        let upsert = known.map_or_else(
            || ids.upsert(&merchant.id),
            |known| ids.upsert_after(&merchant.id, known.record.updated_at),
        );
        let adopting = self.adopt(merchant, id, known, patch, upsert).await?;
        let mut plans: Vec<Planned> = Self::route_and_plan(merchant, id, &after, known, &adopting, force)?;
        self.guard(merchant, id, &mut plans, key_is_taken).await?;
        let draft = Draft {
            asked,
            identified,
            upsert,
            id,
            after,
            adopting: &adopting,
            ignored,
            plans,
            replayed: Vec::new(),
            event,
        };
        self.commit(draft, &[]).await
    }
}

/// An answer that was given before, to whatever key: as this caller is told it.
fn seen_by_caller(answer: Answer, merchant: &Merchant, command: &UpsertCommand) -> Answer {
    if command.visibility == Visibility::Whole {
        return answer;
    }
    let canonical = merchant.canonicalise(&command.body, command.handling);
    let own = canonical
        .as_ref()
        .map_or_else(|_| Own::default(), |own| Own::of(&own.patch));
    answer.seen_by(command.visibility, own)
}

/// Step 4, and that `provider_fields` and `links` name connections (or providers) that the merchant has.
pub(crate) fn read_patch(merchant: &Merchant, body: &Json, handling: Handling) -> Result<Canonical, Refusal> {
    let canonical = merchant.canonicalise(body, handling);
    let mut unknown = unknown_names(merchant, body);
    match canonical {
        Err(mut problems) => {
            problems.append(&mut unknown);
            Err(Refusal::invalid(problems))
        }
        Ok(_) if !unknown.is_empty() => Err(Refusal::invalid(unknown)),
        Ok(canonical) => Ok(canonical),
    }
}

fn unknown_names(merchant: &Merchant, body: &Json) -> Vec<Problem> {
    let is_provider = |name: &str| merchant.connections.iter().any(|c| c.provider == name);
    let names_in = |member: &str| {
        let members = body.get(member).and_then(Json::as_object);
        members.into_iter().flat_map(serde_json::Map::keys)
    };
    let problem = |member: &str, name: &str, code: &str, detail: &str| {
        Problem::new(format!("/{member}/{}", escape(name)), code, detail)
    };
    let fields = names_in("provider_fields")
        .filter(|name| merchant.connection(name).is_none() && !is_provider(name))
        .map(|name| {
            let detail = "is neither a connection nor a provider of this merchant";
            problem("provider_fields", name, "unknown_field", detail)
        });
    let links = names_in("links")
        .filter(|name| merchant.connection(name).is_none())
        .map(|name| problem("links", name, "unknown_connection", "is no connection of this merchant"));
    fields.chain(links).collect()
}

fn merge(before: Option<&Customer>, patch: &CustomerPatch) -> Customer {
    before.map_or_else(|| Customer::default().merged(patch), |before| before.merged(patch))
}
