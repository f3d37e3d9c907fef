//! A call to a vendor now, because somebody asked for it: what the vendor answers, and what follows from it.

use upsert_api::{AuditAction, PausedBy, ProblemCode, ResumedConnection, Trial, TrialFollows, TriedConnection};
use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{ErrorKind, WaitingFor};

use crate::context::Context;
use crate::delivery::trial::{Came, Tried};
use crate::directory::merchant::{Connection, Merchant, named};
use crate::operations::Operations;
use crate::operations::acts::of_connection;
use crate::operations::trial_view::trial_view;
use crate::problem::Refusal;

/// The one call that may be asked for at a connection at a time.
struct Alone {
    context: Context,
    merchant: String,
    connection: String,
}

impl Alone {
    fn at(context: &Context, merchant: &str, connection: &str) -> Result<Self, Refusal> {
        if !context.connections.trial_begins(merchant, connection) {
            let detail = "a call that somebody asked for is under way at this connection: its answer is there soon";
            return Err(Refusal::overloaded(detail));
        }
        Ok(Self {
            context: context.clone(),
            merchant: merchant.to_owned(),
            connection: connection.to_owned(),
        })
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.context.connections.trial_ends(&self.merchant, &self.connection);
    }
}

impl Operations {
    /// One real call now, with what has waited longest or with a read, whatever breaker, `Retry-After` and a pause by the vendor
    /// say. If the vendor is there what waits goes out.
    ///
    /// # Errors
    /// Not found; a conflict, where it is paused by hand or there is nothing to call the vendor with; overloaded, where our own
    /// limits hold the call back or another one finds out just now.
    pub async fn try_connection(
        &self,
        merchant: &Merchant,
        connection: &str,
        by: &str,
    ) -> Result<TriedConnection, Refusal> {
        let connection = named(merchant, connection)?;
        let (id, name) = (&merchant.id, &connection.name);
        let pause = self.context.connections.pause_of(id, name);
        if let Some(pause) = pause.filter(|pause| pause.by == PausedBy::Operator) {
            let detail = format!("{}: resume it, and it is called at once", pause.reason);
            return Err(Refusal::new(ProblemCode::ConnectionPaused, detail));
        }
        self.has_a_call_left(connection)?;
        let alone = Alone::at(&self.context, id, name)?;
        let act = of_connection(by, AuditAction::ConnectionTry, id, name);
        self.context.audit.record(&[act]).await?;
        tracing::warn!(merchant = id, connection = name, by, "connection tried by hand");
        let (wing, id, connection_now) = (self.clone(), id.clone(), connection.clone());
        let trial = async move {
            let _alone = alone;
            wing.trial(&id, &connection_now).await
        };
        let trial = self.context.on_own_task("a trial", trial).await?;
        let connection = self.context.one_view(merchant, connection).await?;
        Ok(TriedConnection { trial, connection })
    }

    /// Lifts a pause, whoever made it, and ends what the vendor said of waiting. One call finds out first how the vendor is; then
    /// what waits is due at once.
    ///
    /// # Errors
    /// 404.
    pub async fn resume(&self, merchant: &Merchant, connection: &str, by: &str) -> Result<ResumedConnection, Refusal> {
        let connection = named(merchant, connection)?;
        let (id, name) = (&merchant.id, &connection.name);
        tracing::warn!(merchant = id, connection = name, by, "connection resumed by hand");
        let act = of_connection(by, AuditAction::ConnectionResume, id, name);
        self.deliveries.set_pause(id, name, None, &[act]).await?;
        self.deliveries.lift_blocks(id, connection).await?;
        let (wing, id, connection_now) = (self.clone(), id.clone(), connection.clone());
        // Whoever asked may hang up meanwhile: what waits goes on all the same.
        let first_call = async move {
            let came = wing.first_call(&id, &connection_now).await;
            crash_point(points::RESUME_BEFORE_RELEASE);
            wing.deliveries.release(&id, &connection_now.name);
            Ok(came)
        };
        let came = self.context.on_own_task("a resume", first_call).await?;
        let (trial, not_tried) = match came {
            Ok(trial) => (Some(trial), None),
            Err(refused) => (None, Some(refused.detail)),
        };
        Ok(ResumedConnection {
            connection: self.context.one_view(merchant, connection).await?,
            trial,
            not_tried,
        })
    }

    async fn first_call(&self, merchant: &str, connection: &Connection) -> Result<Trial, Refusal> {
        self.has_a_call_left(connection)?;
        let _alone = Alone::at(&self.context, merchant, &connection.name)?;
        self.trial(merchant, connection).await
    }

    /// Our own day is nobody's to overdraw.
    fn has_a_call_left(&self, connection: &Connection) -> Result<(), Refusal> {
        let limit = connection.status.snapshot().rate_limit;
        if limit.left_today != Some(0) {
            return Ok(());
        }
        let opens_in = limit.opens_at.duration_since(self.context.clock.now()).as_secs();
        let detail = "the day's calls of this connection are used up by our own count";
        Err(Refusal::overloaded(detail).retry_after(opens_in.try_into().unwrap_or(1).max(1)))
    }

    async fn trial(&self, merchant: &str, connection: &Connection) -> Result<Trial, Refusal> {
        let tried = self.deliveries.try_now(merchant, connection).await?;
        if self
            .context
            .directory()
            .connection(merchant, &connection.name)
            .is_none()
        {
            // It went while it was asked for.
            return Err(Refusal::not_found("connection"));
        }
        let Some(tried) = tried else {
            let detail = "nothing waits at this connection that could go now, and what its vendor holds cannot be read";
            return Err(Refusal::new(ProblemCode::NothingToTry, detail));
        };
        if let Some(error) = tried.held_back() {
            // A probe that is under way has its answer soon.
            let own = error.held.filter(|held| held.waiting_for != WaitingFor::Breaker);
            let wait = own.and_then(|held| held.for_at_least);
            let detail = format!("no call was made: {}", error.detail);
            return Err(Refusal::overloaded(detail).retry_after(wait.map_or(1, |wait| wait.as_secs().max(1))));
        }
        let follows = self.what_follows(merchant, connection, &tried).await?;
        let counts = self.context.counts().await?;
        let view = self.context.view_now(merchant, connection, &counts);
        Ok(trial_view(&tried, follows, &view))
    }

    /// A vendor that is there gets what waits. A delivery that it took has lifted a pause of its own; a read lifts it here.
    async fn what_follows(
        &self,
        merchant: &str,
        connection: &Connection,
        tried: &Tried,
    ) -> Result<TrialFollows, Refusal> {
        let (name, connections) = (&connection.name, &self.context.connections);
        let is_there = match &tried.came {
            Came::Taken(..) => true,
            Came::Failed(error) => error.kind == ErrorKind::Rejected && error.sent,
        };
        let pause = connections.pause_of(merchant, name);
        let is_vendors = pause.as_ref().is_some_and(|pause| pause.by == PausedBy::Vendor);
        if matches!(tried.came, Came::Taken(..)) && is_vendors {
            self.deliveries.set_pause(merchant, name, None, &[]).await?;
        }
        if connections.is_paused(merchant, name) {
            return Ok(TrialFollows::Paused);
        }
        if !is_there {
            return Ok(TrialFollows::Waits);
        }
        self.deliveries.release(merchant, name);
        Ok(TrialFollows::Drains)
    }
}
