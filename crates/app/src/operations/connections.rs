//! What operators do by hand: pause a connection, forget a stale link.

use upsert_api::{AuditAction, Connection, LinkedCustomer, PausedBy, Visibility};
use upsert_core::CustomerId;
use upsert_store::{Changeset, Pause, StoreError, Write};

use crate::audit::act::Act;
use crate::directory::merchant::{Merchant, named};
use crate::operations::Operations;
use crate::operations::acts::of_connection;
use crate::outbox::races::{Race, commit_with_retry};
use crate::problem::Refusal;

/// So often an unlink or a discard is worked out anew because the lane changed meanwhile.
pub(crate) const MOST_RACES: usize = 16;

/// 503: what is on its way to the vendor comes first.
pub(crate) fn in_flight() -> Refusal {
    Refusal::overloaded("a delivery of this customer is in flight at this connection")
}

impl Operations {
    /// Takes over at once what other processes have written of connections and endpoints: whoever just did something there
    /// sees it here.
    ///
    /// # Errors
    /// The store failed.
    pub async fn follow_others(&self) -> Result<(), StoreError> {
        if self.context.store.is_shared() {
            self.deliveries.follow_connections().await?;
            self.outbox.follow_endpoints().await?;
        }
        Ok(())
    }

    /// Nothing more is sent to the connection until somebody resumes it; what comes meanwhile waits. A pause by the
    /// vendor becomes the operator's.
    ///
    /// # Errors
    /// 404.
    pub async fn pause(&self, merchant: &Merchant, connection: &str, by: &str) -> Result<Connection, Refusal> {
        let connection = named(merchant, connection)?;
        let pause = Pause {
            by: PausedBy::Operator,
            since: self.context.clock.now(),
            reason: format!("paused by {by}"),
            fingerprint: connection.fingerprint.clone(),
        };
        let (id, name) = (&merchant.id, &connection.name);
        tracing::warn!(merchant = id, connection = name, by, "connection paused by hand");
        let act = of_connection(by, AuditAction::ConnectionPause, id, name);
        self.deliveries.set_pause(id, name, Some(pause), &[act]).await?;
        self.context.one_view(merchant, connection).await
    }

    /// Forgets which record of the vendor the customer is: the next upsert is matched by the vendor's keys again. The
    /// keys stay reserved, since the record may still be there.
    ///
    /// # Errors
    /// 404; 503 while a delivery of this customer is in flight there.
    pub async fn unlink(
        &self,
        merchant: &Merchant,
        id: CustomerId,
        connection: &str,
        by: &str,
        visibility: Visibility,
    ) -> Result<LinkedCustomer, Refusal> {
        let subject = format!("customers/{id}/links/{connection}");
        let acts = &[Act::new(by, AuditAction::CustomerUnlink, subject).of(&merchant.id)];
        let forgotten = commit_with_retry(MOST_RACES, |_| async move {
            let known = self.queries.known_customer(merchant, id).await?;
            let linked = known.lane(connection).filter(|lane| lane.link().is_some()).cloned();
            let mut lane = linked.ok_or_else(|| Refusal::not_found("link"))?;
            if lane.in_flight().is_some() {
                return Err(in_flight());
            }
            let mut changes = Changeset::of(&merchant.id);
            changes.expect.push(lane.change());
            lane.forget_link();
            changes.write.push(Write::PutLane(lane));
            let applied = self.outbox.apply_audited(changes, acts).await?;
            Ok::<_, Refusal>(Race::over(applied, ()))
        });
        forgotten.await?.ok_or_else(Refusal::too_many_changes)?;
        tracing::warn!(merchant = merchant.id, connection, customer_id = %id, by, "link forgotten by hand");
        self.queries.get_customer(merchant, id, visibility).await
    }
}
