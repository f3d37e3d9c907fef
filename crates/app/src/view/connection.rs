//! A connection, as callers are shown it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use upsert_store::{DeliveryState, FailedCount, Pause, StoreError, WaitingCount};

use crate::context::Context;
use crate::directory::merchant::{Connection, Merchant};
use crate::problem::Refusal;

/// How many deliveries of each connection are where, as far as they did not end well.
pub(crate) struct Counts {
    waiting: Vec<WaitingCount>,
    failed: Vec<FailedCount>,
}

/// A connection as `GET /v1/connections` shows it.
#[derive(Debug, Clone)]
pub struct ConnectionView(pub Json);

impl Context {
    pub(crate) async fn counts(&self) -> Result<Counts, StoreError> {
        Ok(Counts {
            waiting: self.store.waiting().await?,
            failed: self.store.failed_deliveries().await?,
        })
    }

    /// One connection as the list shows it.
    pub(crate) async fn one_view(&self, merchant: &Merchant, connection: &Connection) -> Result<Json, Refusal> {
        let counts = self.counts().await?;
        let pause = self.connections.pause_of(&merchant.id, &connection.name);
        Ok(self
            .connection_view(&merchant.id, connection, pause.as_ref(), &counts)
            .0)
    }

    pub(crate) fn connection_view(
        &self,
        merchant: &str,
        connection: &Connection,
        pause: Option<&Pause>,
        counts: &Counts,
    ) -> ConnectionView {
        let is_own = |of: &str, name: &str| of == merchant && name == connection.name;
        let own = counts.waiting.iter();
        let own = own.filter(|count| is_own(&count.merchant, &count.connection));
        let mut failed = counts.failed.iter();
        let failed = failed.find(|count| is_own(&count.merchant, &count.connection));
        let (mut waiting, mut in_flight, mut oldest) = (0, 0, None);
        for count in own {
            if count.state == DeliveryState::InFlight {
                in_flight += count.count;
            } else {
                waiting += count.count;
                oldest = Some(oldest.map_or(count.oldest, |oldest: Timestamp| oldest.min(count.oldest)));
            }
        }
        let age = oldest.map(|oldest| self.clock.now().duration_since(oldest).as_secs());
        let through_in = connection
            .status
            .through_in(waiting)
            .filter(|_| waiting > 0 && pause.is_none());
        let through_at = through_in
            .and_then(|wait| SignedDuration::try_from(wait).ok())
            .and_then(|wait| self.clock.now().checked_add(wait).ok());
        let mut view = json!({
            "merchant_id": merchant,
            "name": connection.name,
            "provider": connection.provider,
            "required": connection.required,
            "state": if pause.is_some() { "paused" } else { connection.status.state() },
            "paused_by": pause.map(|pause| &pause.by),
            "paused_since": pause.map(|pause| pause.since),
            "pause_reason": pause.map(|pause| &pause.reason),
            "waiting": waiting,
            "in_flight": in_flight,
            "oldest_waiting_seconds": age,
            "through_at": through_at,
            "dead_letters": failed.map_or(0, |failed| failed.count),
        });
        if let (Json::Object(view), Json::Object(status)) = (&mut view, connection.status.snapshot()) {
            for (name, value) in status {
                view.entry(name).or_insert(value);
            }
        }
        ConnectionView(view)
    }
}
