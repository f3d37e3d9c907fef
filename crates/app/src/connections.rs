//! What a connection's own state is beside its policies: pauses, durable and in memory.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError, RwLock};

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use upsert_core::crash_point::{self as points, crash_point};
use upsert_store::{Changeset, ConnectionRecord, DeliveryState, Pause, StoreError, WaitingCount, Write};

use crate::commit::PROBE_EVERY;
use crate::gateway::Gateway;
use crate::merchant::{Connection, Merchant};
use crate::problem::Refusal;

/// Pauses by merchant and connection.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    pauses: RwLock<HashMap<(String, String), Pause>>,
    /// Where something waits because a call failed: the first success makes all of it due.
    troubled: Mutex<HashSet<(String, String)>>,
    /// When a paused connection was last probed.
    probed: Mutex<HashMap<(String, String), Timestamp>>,
}

impl Connections {
    pub(crate) fn pause_of(&self, merchant: &str, connection: &str) -> Option<Pause> {
        let pauses = self.pauses.read().unwrap_or_else(PoisonError::into_inner);
        if pauses.is_empty() {
            return None;
        }
        pauses.get(&(merchant.to_owned(), connection.to_owned())).cloned()
    }

    pub(crate) fn mark_troubled(&self, merchant: &str, connection: &str) {
        let mut troubled = self.troubled.lock().unwrap_or_else(PoisonError::into_inner);
        troubled.insert((merchant.to_owned(), connection.to_owned()));
    }

    /// Whether it was in trouble; it is not any more.
    pub(crate) fn take_troubled(&self, merchant: &str, connection: &str) -> bool {
        let mut troubled = self.troubled.lock().unwrap_or_else(PoisonError::into_inner);
        !troubled.is_empty() && troubled.remove(&(merchant.to_owned(), connection.to_owned()))
    }

    /// Whether a paused connection may be probed now; if so, not again for a while.
    pub(crate) fn take_probe(&self, merchant: &str, connection: &str, now: Timestamp) -> bool {
        let mut probed = self.probed.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (merchant.to_owned(), connection.to_owned());
        let is_due = probed
            .get(&key)
            .is_none_or(|last| now.duration_since(*last) >= PROBE_EVERY);
        if is_due {
            probed.insert(key, now);
        }
        is_due
    }

    fn set(&self, merchant: &str, connection: &str, pause: Option<Pause>) {
        let mut pauses = self.pauses.write().unwrap_or_else(PoisonError::into_inner);
        let key = (merchant.to_owned(), connection.to_owned());
        match pause {
            Some(pause) => drop(pauses.insert(key, pause)),
            None => drop(pauses.remove(&key)),
        }
    }
}

/// A connection as `GET /v1/connections` shows it.
#[derive(Debug, Clone)]
pub struct ConnectionView(pub Json);

impl Gateway {
    /// Reads the pauses that were durable when the last process ended. A pause by the vendor whose credentials or
    /// configuration have changed since is lifted.
    pub(crate) async fn load_connections(&self) -> Result<(), StoreError> {
        let directory = self.directory();
        for record in self.store.connections().await? {
            let Some(pause) = record.pause else { continue };
            let connection = directory
                .get(&record.merchant)
                .and_then(|merchant| merchant.connection(&record.connection));
            let has_changed = connection.is_some_and(|connection| connection.fingerprint != pause.fingerprint);
            if pause.by == "vendor" && has_changed {
                self.set_pause(&record.merchant, &record.connection, None).await?;
                self.release(&record.merchant, &record.connection);
            } else {
                self.connections.set(&record.merchant, &record.connection, Some(pause));
            }
        }
        Ok(())
    }

    /// The vendor refuses the credentials: nothing more is sent until they change, a probe succeeds, or somebody
    /// resumes it.
    pub(crate) async fn pause_by_vendor(
        &self,
        merchant: &str,
        connection: &Connection,
        reason: String,
    ) -> Result<(), StoreError> {
        if self.connections.pause_of(merchant, &connection.name).is_some() {
            return Ok(());
        }
        tracing::warn!(
            merchant,
            connection = connection.name,
            reason,
            "connection paused: the vendor refuses its credentials"
        );
        let pause = Pause {
            by: "vendor".to_owned(),
            since: self.clock.now(),
            reason,
            fingerprint: connection.fingerprint.clone(),
        };
        self.set_pause(merchant, &connection.name, Some(pause)).await
    }

    /// Sets or lifts a pause, durably.
    pub(crate) async fn set_pause(
        &self,
        merchant: &str,
        connection: &str,
        pause: Option<Pause>,
    ) -> Result<(), StoreError> {
        let record = ConnectionRecord {
            merchant: merchant.to_owned(),
            connection: connection.to_owned(),
            pause: pause.clone(),
        };
        crash_point(points::PAUSE_BEFORE_COMMIT);
        self.store
            .apply(Changeset {
                expect: Vec::new(),
                write: vec![Write::PutConnection(record)],
            })
            .await?;
        crash_point(points::PAUSE_AFTER_COMMIT);
        self.connections.set(merchant, connection, pause);
        Ok(())
    }

    /// Every connection of these merchants with its health and what waits for it.
    ///
    /// # Errors
    /// The store failed.
    pub async fn connection_views(
        &self,
        may_see: impl Fn(&Merchant) -> bool,
    ) -> Result<Vec<ConnectionView>, StoreError> {
        let counts = self.store.waiting().await?;
        let directory = self.directory();
        let mut merchants: Vec<_> = directory.iter().filter(|merchant| may_see(merchant)).collect();
        merchants.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(merchants
            .into_iter()
            .flat_map(|merchant| {
                merchant
                    .connections
                    .iter()
                    .map(|connection| self.connection_view(&merchant.id, connection, &counts))
            })
            .collect())
    }

    /// One connection as the list shows it.
    pub(crate) async fn one_view(&self, merchant: &Merchant, connection: &Connection) -> Result<Json, Refusal> {
        let counts = self.store.waiting().await?;
        Ok(self.connection_view(&merchant.id, connection, &counts).0)
    }

    fn connection_view(&self, merchant: &str, connection: &Connection, counts: &[WaitingCount]) -> ConnectionView {
        let pause = self.connections.pause_of(merchant, &connection.name);
        let own = counts
            .iter()
            .filter(|count| count.merchant == merchant && count.connection == connection.name);
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
        let mut view = json!({
            "merchant_id": merchant,
            "name": connection.name,
            "provider": connection.provider,
            "required": connection.required,
            "state": if pause.is_some() { "paused" } else { connection.status.state() },
            "paused_by": pause.as_ref().map(|pause| &pause.by),
            "paused_since": pause.as_ref().map(|pause| pause.since),
            "pause_reason": pause.as_ref().map(|pause| &pause.reason),
            "waiting": waiting,
            "in_flight": in_flight,
            "oldest_waiting_seconds": age,
        });
        if let (Json::Object(view), Json::Object(status)) = (&mut view, connection.status.snapshot()) {
            for (name, value) in status {
                view.entry(name).or_insert(value);
            }
        }
        ConnectionView(view)
    }
}
