//! Replaying a delivery that has failed: a new upsert of the customer's current state, with one delivery, in the place of
//! the failed one. It is planned and committed like any other.

use std::sync::Arc;

use serde_json::Value as Json;

use upsert_api::ProblemCode;
use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{CustomerId, DeliveryId, Handling, Priority, Word as _};
use upsert_store::{DeliveryRecord, DeliveryState, Expect, Known, Through};

use crate::delivery::work::Committed;
use crate::directory::merchant::{Connection, Merchant};
use crate::operations::Operations;
use crate::planning::plan::{Planned, plan};
use crate::problem::Refusal;
use crate::runtime::tracing::{NewSpan, Origin, Side};
use crate::upsert::adopt::Adopting;
use crate::upsert::command::{Caller, UpsertCommand};
use crate::upsert::commit::Attempted;
use crate::upsert::draft::Draft;
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
    ) -> Result<Answer, Refusal> {
        let (wing, caller) = (self.clone(), caller.clone());
        let task = self
            .context
            .tasks
            .spawn(async move { Box::pin(wing.run_replay(&caller, &failed, priority)).await });
        task.await.unwrap_or_else(|_| {
            tracing::error!("a replay's task ended before its time");
            Err(Refusal::new(ProblemCode::Internal, "the request could not be handled"))
        })
    }

    async fn run_replay(&self, caller: &Caller, failed: &Failed, priority: Priority) -> Result<Answer, Refusal> {
        let directory = self.context.directory();
        let merchant = directory.get(&failed.merchant);
        let connection = merchant.and_then(|merchant| merchant.connection(&failed.connection));
        let (Some(merchant), Some(connection)) = (merchant, connection) else {
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
            body: Json::Null,
            idempotency_key: None,
            route: "POST /v1/deliveries/replay",
            through: Through::Replay,
            respond_async: true,
            force: false,
            handling: Handling::Strict,
            traceparent: span.as_ref().map(|span| span.traceparent().to_owned()),
            priority,
            request_id: String::new(),
        };
        let mut committed = self
            .commit_replay(caller, merchant, connection, failed, &command)
            .await?;
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
        caller: &Caller,
        merchant: &Arc<Merchant>,
        connection: &Arc<Connection>,
        failed: &Failed,
        command: &UpsertCommand,
    ) -> Result<Committed, Refusal> {
        let _deciding = self.context.admission.decide(command.priority).await?;
        let mut look_up_keys = false;
        for _race in 0..MOST_RACES {
            let replayed = self.still_failed(&failed.deliveries).await?;
            let known = self.context.store.customer(&merchant.id, failed.customer).await?;
            let known = known.ok_or_else(|| Refusal::not_found("customer"))?;
            let after = known.record.customer.clone();
            let mut plans = vec![planned(connection, &known)];
            self.upserts
                .guard(merchant, known.record.id, &mut plans, look_up_keys)
                .await?;
            let identified = Identified {
                seen: vec![Expect::Customer {
                    id: known.record.id,
                    revision: Some(known.record.revision),
                }],
                contradicted: Vec::new(),
                known: Some(known),
            };
            let draft = Draft {
                caller,
                merchant,
                command,
                identified: &identified,
                upsert: self.context.ids.upsert(),
                id: failed.customer,
                after,
                adopting: &Adopting::default(),
                ignored: &[],
                plans,
                claim: None,
                replayed,
                event: None,
            };
            crash_point(points::REPLAY_BEFORE_COMMIT);
            match self.upserts.commit(draft).await? {
                Attempted::Committed(committed) => return Ok(*committed),
                Attempted::KeyTaken => look_up_keys = true,
                Attempted::Raced | Attempted::IdempotencyKeyTaken => tokio::task::yield_now().await,
            }
        }
        Err(Refusal::new(ProblemCode::Overloaded, "too many changes of this customer at once").retry_after(1))
    }

    /// Each as it is now; another replay may have been faster.
    async fn still_failed(&self, ids: &[DeliveryId]) -> Result<Vec<DeliveryRecord>, Refusal> {
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            let delivery = self.context.store.delivery(*id).await?;
            let delivery = delivery.ok_or_else(|| Refusal::not_found("delivery"))?;
            if delivery.state != DeliveryState::Failed {
                return Err(not_now("replayed", delivery.state));
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
