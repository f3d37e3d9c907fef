//! What operators do by hand: pause and resume a connection, forget a stale link.

use upsert_api::{Connection, LinkedCustomer, PausedBy, ProblemCode, Visibility};
use upsert_core::CustomerId;
use upsert_core::crash_point::{self as points, crash_point};
use upsert_store::{Accepted, Applied, Changeset, Expect, Pause, Write};

use crate::directory::merchant::{Merchant, named};
use crate::operations::Operations;
use crate::problem::Refusal;

/// So often an unlink is worked out anew because the lane changed meanwhile.
const MOST_RACES: usize = 16;

impl Operations {
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
        tracing::warn!(
            merchant = merchant.id,
            connection = connection.name,
            by,
            "connection paused by hand"
        );
        self.deliveries
            .set_pause(&merchant.id, &connection.name, Some(pause))
            .await?;
        self.context.one_view(merchant, connection).await
    }

    /// Lifts a pause, whoever made it, and makes what waits due at once.
    ///
    /// # Errors
    /// 404.
    pub async fn resume(&self, merchant: &Merchant, connection: &str, by: &str) -> Result<Connection, Refusal> {
        let connection = named(merchant, connection)?;
        tracing::warn!(
            merchant = merchant.id,
            connection = connection.name,
            by,
            "connection resumed by hand"
        );
        self.deliveries.set_pause(&merchant.id, &connection.name, None).await?;
        crash_point(points::RESUME_BEFORE_RELEASE);
        self.deliveries.release(&merchant.id, &connection.name);
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
        visibility: Visibility,
    ) -> Result<LinkedCustomer, Refusal> {
        let overloaded = |detail| Err(Refusal::new(ProblemCode::Overloaded, detail).retry_after(1));
        for _race in 0..MOST_RACES {
            let known = self
                .context
                .store
                .customer(&merchant.id, id)
                .await?
                .ok_or_else(|| Refusal::not_found("customer"))?;
            let linked = known.lane(connection).filter(|lane| lane.link.is_some()).cloned();
            let Some(mut lane) = linked else {
                return Err(Refusal::not_found("link"));
            };
            if lane.in_flight.is_some() {
                return overloaded("a delivery of this customer is in flight at this connection");
            }
            let expect = vec![Expect::Lane {
                customer: id,
                connection: connection.to_owned(),
                revision: Some(lane.revision),
            }];
            lane.revision += 1;
            lane.link = None;
            lane.accepted = Accepted::default();
            let left_behind = std::mem::take(&mut lane.known_by);
            lane.left_behind.extend(left_behind);
            lane.sure_keys = None;
            lane.declined.clear();
            lane.written.clear();
            lane.kept.clear();
            if self
                .outbox
                .apply(Changeset {
                    expect,
                    write: vec![Write::PutLane(lane)],
                })
                .await?
                == Applied::Done
            {
                tracing::warn!(merchant = merchant.id, connection, customer_id = %id, "link forgotten by hand");
                return self.queries.get_customer(merchant, id, visibility).await;
            }
        }
        overloaded("too many changes of this customer at once")
    }
}
