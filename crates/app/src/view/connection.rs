//! A connection, as callers are shown it.

use jiff::{SignedDuration, Timestamp};

use upsert_api::ConnectionState;
use upsert_store::{DeliveryState, FailedCount, Pause, StoreError, WaitingCount};

use crate::context::Context;
use crate::directory::merchant::{Connection, Merchant};
use crate::problem::Refusal;

/// How many deliveries of each connection are where, as far as they did not end well.
pub(crate) struct Counts {
    waiting: Vec<WaitingCount>,
    failed: Vec<FailedCount>,
}

impl Context {
    pub(crate) async fn counts(&self) -> Result<Counts, StoreError> {
        Ok(Counts {
            waiting: self.store.waiting().await?,
            failed: self.store.failed_deliveries().await?,
        })
    }

    /// One connection as the list shows it.
    pub(crate) async fn one_view(
        &self,
        merchant: &Merchant,
        connection: &Connection,
    ) -> Result<upsert_api::Connection, Refusal> {
        let counts = self.counts().await?;
        Ok(self.view_now(&merchant.id, connection, &counts))
    }

    pub(crate) fn view_now(&self, merchant: &str, connection: &Connection, counts: &Counts) -> upsert_api::Connection {
        let pause = self.connections.pause_of(merchant, &connection.name);
        self.connection_view(merchant, connection, pause.as_ref(), counts)
    }

    pub(crate) fn connection_view(
        &self,
        merchant: &str,
        connection: &Connection,
        pause: Option<&Pause>,
        counts: &Counts,
    ) -> upsert_api::Connection {
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
        let status = connection.status.snapshot();
        let work = connection.status.through_in(waiting).filter(|_| waiting > 0);
        let work = work.and_then(|wait| SignedDuration::try_from(wait).ok());
        // Nobody knows when calls go out again.
        let stands = pause.is_some() || status.breaker.failing_since.is_some();
        let through_at = work.filter(|_| !stands);
        let through_at = through_at.and_then(|wait| self.clock.now().checked_add(wait).ok());
        upsert_api::Connection {
            merchant_id: merchant.to_owned(),
            name: connection.name.clone(),
            provider: connection.provider.clone(),
            required: connection.required,
            state: pause.map_or_else(|| connection.status.state(), |_| ConnectionState::Paused),
            paused_by: pause.map(|pause| pause.by),
            paused_since: pause.map(|pause| pause.since),
            pause_reason: pause.map(|pause| pause.reason.clone()),
            waiting,
            in_flight,
            oldest_waiting_seconds: age,
            through_at,
            work_seconds: work
                .filter(|_| stands)
                .map(|wait| wait.as_secs() + i64::from(wait.subsec_nanos() > 0)),
            dead_letters: failed.map_or(0, |failed| failed.count),
            status,
        }
    }
}
