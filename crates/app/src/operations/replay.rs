//! Replaying a delivery that has failed: a new upsert of the customer's current state, with one delivery, in the place of
//! the failed one. It is planned and committed like any other.

use std::sync::Arc;

use upsert_api::ProblemCode;
use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{CustomerId, DeliveryId, Priority, Word as _};
use upsert_store::{DeliveryRecord, DeliveryState, Known, Through};

use crate::audit::act::Act;
use crate::delivery::work::Committed;
use crate::directory::merchant::Connection;
use crate::operations::Operations;
use crate::outbox::races::commit_with_retry;
use crate::planning::plan::{Planned, plan};
use crate::problem::Refusal;
use crate::runtime::tracing::{NewSpan, Origin, Side};
use crate::upsert::adopt::Adopting;
use crate::upsert::command::{Caller, UpsertCommand};
use crate::upsert::draft::{Asked, Draft};
use crate::upsert::identify::Identified;
use crate::view::answer::Answer;

/// So often a replay is worked out anew because somebody else was faster.
const MOST_RACES: usize = 64;

/// Deliveries of one customer to one connection: one call takes the place of all.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    pub(crate) merchant: String,
    pub(crate) customer: CustomerId,
    pub(crate) connection: String,
    pub(crate) deliveries: Vec<DeliveryId>,
}

impl Failed {
    pub(crate) fn one(delivery: &DeliveryRecord) -> Self {
        Self {
            merchant: delivery.merchant.clone(),
            customer: delivery.customer,
            connection: delivery.connection.clone(),
            deliveries: vec![delivery.id],
        }
    }
}

impl Operations {
    /// On a task of its own, as an upsert: a client that hangs up changes nothing.
    pub(crate) async fn replay_failed(
        &self,
        caller: &Caller,
        failed: Failed,
        priority: Priority,
        acts: Vec<Act>,
    ) -> Result<Answer, Refusal> {
        let (wing, caller) = (self.clone(), caller.clone());
        let task = async move { Box::pin(wing.run_replay(&caller, &failed, priority, &acts)).await };
        self.context.on_own_task("a replay", task).await
    }

    async fn run_replay(
        &self,
        caller: &Caller,
        failed: &Failed,
        priority: Priority,
        acts: &[Act],
    ) -> Result<Answer, Refusal> {
        let directory = self.context.directory_with(&failed.merchant).await?;
        let merchant = directory.get(&failed.merchant);
        let configured = merchant
            .as_ref()
            .and_then(|merchant| Some((merchant, merchant.connection(&failed.connection)?)));
        let Some((merchant, connection)) = configured else {
            let detail = format!("the connection `{}` is not configured any more", failed.connection);
            return Err(Refusal::new(ProblemCode::ValidationFailed, detail));
        };
        // What it does hangs together, whoever asked for it.
        let span = self.context.spans.as_ref().map(|spans| {
            spans.begin(NewSpan {
                name: "replay".into(),
                side: Side::Internal,
                origin: Origin::None,
            })
        });
        let command = UpsertCommand {
            traceparent: span.as_ref().map(|span| span.traceparent().to_owned()),
            ..UpsertCommand::unattended("POST /v1/deliveries/replay", Through::Replay, priority)
        };
        let asked = Asked {
            caller,
            merchant,
            command: &command,
            claim: None,
        };
        let mut committed = self.commit_replay(asked, connection, failed, acts).await?;
        tracing::warn!(
            merchant = merchant.id, connection = connection.name, customer_id = %failed.customer,
            upsert_id = %committed.upsert.id, by = caller.name, "failed deliveries replayed"
        );
        crash_point(points::REPLAY_AFTER_COMMIT);
        let progress = self.deliveries.start_deliveries(&mut committed);
        self.upserts.await_answer(merchant, committed, progress, &command).await
    }

    async fn commit_replay(
        &self,
        asked: Asked<'_>,
        connection: &Arc<Connection>,
        failed: &Failed,
        acts: &[Act],
    ) -> Result<Committed, Refusal> {
        let _deciding = self.context.admission.decide(asked.command.priority).await?;
        let committed = commit_with_retry(MOST_RACES, |key_is_taken| async move {
            let replayed = self.still_failed(failed).await?;
            let known = self.queries.known_customer(asked.merchant, failed.customer).await?;
            let after = known.record.customer.clone();
            let mut plans = vec![planned(connection, &known)];
            self.upserts
                .guard(asked.merchant, known.record.id, &mut plans, key_is_taken)
                .await?;
            let upsert = self
                .context
                .ids
                .upsert_after(&asked.merchant.id, known.record.updated_at);
            let identified = Identified {
                revived: Vec::new(),
                seen: vec![known.record.expected()],
                contradicted: Vec::new(),
                known: Some(Arc::new(known)),
            };
            let draft = Draft {
                asked,
                identified: &identified,
                upsert,
                id: failed.customer,
                after,
                adopting: &Adopting::default(),
                ignored: &[],
                plans,
                replayed,
                event: None,
            };
            crash_point(points::REPLAY_BEFORE_COMMIT);
            self.upserts.commit(draft, acts).await
        });
        committed.await?.ok_or_else(Refusal::too_many_changes)
    }

    /// Each as it is now; another replay may have been faster.
    async fn still_failed(&self, failed: &Failed) -> Result<Vec<DeliveryRecord>, Refusal> {
        let mut found = Vec::with_capacity(failed.deliveries.len());
        for id in &failed.deliveries {
            let delivery = self.context.store.delivery(&failed.merchant, *id).await?;
            let delivery = delivery.ok_or_else(|| Refusal::not_found("delivery"))?;
            if delivery.state() != DeliveryState::Failed {
                return Err(not_now("replayed", delivery.state()));
            }
            found.push(delivery);
        }
        Ok(found)
    }
}

fn planned(connection: &Arc<Connection>, known: &Known) -> Planned {
    let (record, lane) = (&known.record, known.lane(&connection.name));
    Planned {
        plan: plan(connection, record.id, &record.customer, lane, false),
        lane: lane.cloned(),
        connection: connection.clone(),
    }
}

/// It is in a state in which this cannot be done to it.
pub(crate) fn not_now(what: &str, state: DeliveryState) -> Refusal {
    let detail = match state {
        DeliveryState::Superseded => "a newer delivery goes in its place already".to_owned(),
        DeliveryState::Discarded => "it was discarded".to_owned(),
        state => format!("it is `{}`", state.as_str()),
    };
    Refusal::new(
        ProblemCode::ValidationFailed,
        format!("the delivery cannot be {what}: {detail}"),
    )
}
