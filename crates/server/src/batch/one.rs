//! One line on its way: its turn, the key's limit, the upsert, and what is written of it.

use std::time::Duration;

use actix_web::web::{Bytes, Data};
use tokio::time::sleep;

use upsert_app::{Answer, Caller, ProblemCode, Refusal, Turn, UpsertCommand};
use upsert_core::Priority;

use crate::batch::reading::Asked;
use crate::batch::{Grant, Wanted};
use crate::observe::shutting_down;
use crate::routes::batch::{PATH, ROUTE};
use crate::state::State;

/// How often a line is tried again where the gateway is overloaded, and how long it waits before: twice as long each
/// time, about a minute in all.
const TRIES: u32 = 10;
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// One line that is ready to go.
pub(crate) struct One {
    pub(crate) number: u64,
    pub(crate) state: Data<State>,
    pub(crate) grant: Grant,
    pub(crate) wanted: Wanted,
    pub(crate) turn: Turn,
}

impl One {
    /// Does it; its turn, and its line of the answer.
    pub(crate) async fn done(self, asked: Asked) -> (Turn, Bytes) {
        let written = match self.upsert(asked).await {
            Ok(answer) => answered(self.number, &answer),
            Err(refusal) => refused(self.number, &refusal, &self.wanted.request_id),
        };
        (self.turn, written)
    }

    async fn upsert(&self, asked: Asked) -> Result<Answer, Refusal> {
        let caller = Caller {
            name: self.grant.key.name.clone(),
        };
        let command = UpsertCommand {
            body: asked.body,
            idempotency_key: asked.idempotency_key,
            route: ROUTE,
            respond_async: self.wanted.respond_async,
            force: self.wanted.force,
            traceparent: self.wanted.traceparent.clone(),
            priority: Priority::Bulk,
            request_id: self.wanted.request_id.clone(),
            committed: Some(self.turn.committed.clone()),
        };
        self.turn.comes().await;
        self.unless_stopping(self.grant.key.wait_for_call()).await?;
        let mut wait = FIRST_WAIT;
        for _try in 1..TRIES {
            let refusal = match self
                .state
                .gateway
                .upsert(&caller, &self.grant.merchant, command.clone())
                .await
            {
                Err(refusal) if refusal.code == ProblemCode::Overloaded => refusal,
                ended => return ended,
            };
            let asked_for = Duration::from_secs(refusal.retry_after.unwrap_or_default());
            self.unless_stopping(sleep(wait.max(asked_for).min(LONGEST_WAIT)))
                .await?;
            wait *= 2;
        }
        self.state.gateway.upsert(&caller, &self.grant.merchant, command).await
    }

    /// While the server stops nothing new is begun: not this line, and so none behind it that shares a person with it.
    async fn unless_stopping(&self, waiting: impl Future<Output = ()>) -> Result<(), Refusal> {
        tokio::select! {
            biased;
            () = self.state.lifecycle.stops() => Err(shutting_down()),
            () = waiting => Ok(()),
        }
    }
}

/// The upsert's answer with the line's number and its status before it; a refusal by vendors is a problem already.
fn answered(number: u64, answer: &Answer) -> Bytes {
    let body = answer.body.trim_end();
    let is_problem = !(200..300).contains(&answer.status);
    let text = match body.strip_prefix('{') {
        Some(members) if !is_problem => {
            let replayed = if answer.replayed { r#""replayed":true,"# } else { "" };
            format!("{{\"line\":{number},\"status\":{},{replayed}{members}\n", answer.status)
        }
        _ => format!("{{\"line\":{number},\"problem\":{body}}}\n"),
    };
    Bytes::from(text)
}

/// A line that was refused.
pub(crate) fn refused(number: u64, refusal: &Refusal, request_id: &str) -> Bytes {
    let document = refusal.document(PATH, request_id);
    Bytes::from(format!("{{\"line\":{number},\"problem\":{document}}}\n"))
}
