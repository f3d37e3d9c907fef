//! What a connection's own state is beside its policies: pauses, durable and in memory.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{Held, WaitingFor};
use upsert_store::{Changeset, ConnectionRecord, DeliveryState, FailedCount, Pause, StoreError, WaitingCount, Write};

use crate::directory::merchant::{Connection, Merchant};
use crate::gateway::Gateway;
use crate::problem::Refusal;

/// Nobody can tell for how long: until the connection is resumed, comes back or takes a probe.
pub(crate) const UNTIL_RELEASED: Held = Held {
    waiting_for: WaitingFor::Paused,
    for_at_least: None,
};

/// A paused connection is probed this often, with what has waited longest.
const PROBE_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// So many failures in a row, without a success in between, are the connection's and not one delivery's own.
const TROUBLE: u32 = 2;

type Key = (String, String);

/// What is known of connections beside their policies, by merchant and name.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    pauses: RwLock<HashMap<Key, Pause>>,
    /// The last day on which somebody was told that the quota is running out.
    quota_told: Mutex<HashMap<Key, Date>>,
    /// Failures since the last success.
    failures: Mutex<HashMap<Key, u32>>,
    /// Where something may wait that is not due by itself, and how often that was said.
    to_drain: Mutex<HashMap<Key, u64>>,
    /// When a paused connection was last probed.
    probed: Mutex<HashMap<Key, Timestamp>>,
}

impl Connections {
    pub(crate) fn pause_of(&self, merchant: &str, connection: &str) -> Option<Pause> {
        let pauses = self.pauses.read().unwrap_or_else(PoisonError::into_inner);
        if pauses.is_empty() {
            return None;
        }
        pauses.get(&key(merchant, connection)).cloned()
    }

    /// A call failed and will be tried again.
    pub(crate) fn failed(&self, merchant: &str, connection: &str) {
        *locked(&self.failures).entry(key(merchant, connection)).or_default() += 1;
    }

    /// The vendor took a call. Whether that is the first one after a time of trouble: then everything that waits is due.
    pub(crate) fn succeeded(&self, merchant: &str, connection: &str) -> bool {
        let mut failures = locked(&self.failures);
        // The usual case costs nothing.
        !failures.is_empty()
            && failures
                .remove(&key(merchant, connection))
                .is_some_and(|in_a_row| in_a_row >= TROUBLE)
    }

    /// A call was held back. A spent quota may open before its time, so what waits for it is tried when it does.
    pub(crate) fn held_back(&self, merchant: &str, connection: &str, waiting_for: Option<WaitingFor>) {
        if waiting_for == Some(WaitingFor::Quota) {
            self.drain(merchant, connection);
        }
    }

    /// Something may wait there that is not due by itself.
    pub(crate) fn drain(&self, merchant: &str, connection: &str) {
        *locked(&self.to_drain).entry(key(merchant, connection)).or_default() += 1;
    }

    /// How often it was said that something may wait there: to be asked before it is looked through.
    pub(crate) fn said_to_drain(&self, merchant: &str, connection: &str) -> u64 {
        let said = locked(&self.to_drain);
        said.get(&key(merchant, connection)).copied().unwrap_or_default()
    }

    /// Everything that waited there was tried, unless more came to wait since it was said so often.
    pub(crate) fn drained(&self, merchant: &str, connection: &str, said: u64) {
        let key = key(merchant, connection);
        let mut to_drain = locked(&self.to_drain);
        if to_drain.get(&key) == Some(&said) {
            to_drain.remove(&key);
        }
    }

    /// Where something may wait that is not due by itself.
    pub(crate) fn to_drain(&self) -> Vec<Key> {
        locked(&self.to_drain).keys().cloned().collect()
    }

    /// Connections that the vendor paused and that may be probed now; each of them not again for a while.
    pub(crate) fn probes_due(&self, now: Timestamp) -> Vec<Key> {
        let pauses = self.pauses.read().unwrap_or_else(PoisonError::into_inner);
        let mut probed = locked(&self.probed);
        let mut due = Vec::new();
        for (key, pause) in pauses.iter().filter(|(_, pause)| pause.by == "vendor") {
            let last = probed.get(key).map_or(pause.since, |last| (*last).max(pause.since));
            if now.duration_since(last) >= PROBE_EVERY {
                probed.insert(key.clone(), now);
                due.push(key.clone());
            }
        }
        due
    }

    pub(crate) fn quota_told(&self, merchant: &str, connection: &str) -> Option<Date> {
        locked(&self.quota_told).get(&key(merchant, connection)).copied()
    }

    pub(crate) fn set_quota_told(&self, merchant: &str, connection: &str, day: Option<Date>) {
        if let Some(day) = day {
            locked(&self.quota_told).insert(key(merchant, connection), day);
        }
    }

    fn set(&self, merchant: &str, connection: &str, pause: Option<Pause>) {
        let mut pauses = self.pauses.write().unwrap_or_else(PoisonError::into_inner);
        match pause {
            Some(pause) => drop(pauses.insert(key(merchant, connection), pause)),
            None => drop(pauses.remove(&key(merchant, connection))),
        }
    }
}

fn key(merchant: &str, connection: &str) -> Key {
    (merchant.to_owned(), connection.to_owned())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many deliveries of each connection are where, as far as they did not end well.
pub(crate) struct Counts {
    waiting: Vec<WaitingCount>,
    failed: Vec<FailedCount>,
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
            self.connections
                .set_quota_told(&record.merchant, &record.connection, record.quota_told);
            let Some(pause) = record.pause else { continue };
            let connection = directory
                .get(&record.merchant)
                .and_then(|merchant| merchant.connection(&record.connection));
            let has_changed = connection.is_some_and(|connection| connection.fingerprint != pause.fingerprint);
            if pause.by == "vendor" && has_changed {
                // Known first, so that whoever is told of pauses is told that it ends.
                self.connections.set(&record.merchant, &record.connection, Some(pause));
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

    /// Sets or lifts a pause, durably, and tells of it. A pause by the vendor leaves one that is there as it is.
    pub(crate) async fn set_pause(
        &self,
        merchant: &str,
        connection: &str,
        pause: Option<Pause>,
    ) -> Result<(), StoreError> {
        let _one_at_a_time = self.pausing.lock().await;
        let before = self.connections.pause_of(merchant, connection);
        if before.is_some() && pause.as_ref().is_some_and(|pause| pause.by == "vendor") {
            return Ok(());
        }
        let mut write = vec![Write::PutConnection(ConnectionRecord {
            merchant: merchant.to_owned(),
            connection: connection.to_owned(),
            pause: pause.clone(),
            quota_told: self.connections.quota_told(merchant, connection),
        })];
        write.extend(
            self.tell_of_pause(merchant, connection, before.as_ref(), pause.as_ref())
                .await?,
        );
        crash_point(points::PAUSE_BEFORE_COMMIT);
        let expect = Vec::new();
        self.apply(Changeset { expect, write }).await?;
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
        let counts = self.counts().await?;
        let directory = self.directory();
        let mut merchants: Vec<_> = directory.iter().filter(|merchant| may_see(merchant)).collect();
        merchants.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(merchants
            .into_iter()
            .flat_map(|merchant| {
                merchant.connections.iter().map(|connection| {
                    let pause = self.connections.pause_of(&merchant.id, &connection.name);
                    self.connection_view(&merchant.id, connection, pause.as_ref(), &counts)
                })
            })
            .collect())
    }

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
