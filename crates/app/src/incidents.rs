//! Incidents: what happens to a connection from the first failure until what waited is drained. They are written by the
//! background, some seconds after the fact, from what the process has noted and what is in the store already: an upsert pays
//! nothing for them. A connection's own record names the one that has not ended, and is expected as it was where one begins
//! or ends: so several processes keep one.

mod going;
mod sight;
pub(crate) mod touched;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use upsert_core::{ErasureId, IncidentId};
use upsert_store::{
    Applied, ConnectionRecord, Expect, IncidentEntry, IncidentEventKind, IncidentRecord, PausedBy, StoreError, Write,
};

use crate::context::Context;
use crate::incidents::sight::{Seen, Sight};
use crate::outbox::Outbox;
use crate::runtime::connections::{Key, key};
use crate::runtime::troubles::Trouble;

/// How long incidents are kept that have ended.
const KEEP: SignedDuration = SignedDuration::from_hours(90 * 24);
const AT_ONCE: usize = 200;

/// Keeps the incidents of all connections.
#[derive(Debug, Clone)]
pub(crate) struct Incidents {
    context: Context,
    outbox: Outbox,
    /// What this process saw last of connections with an incident.
    seen: Arc<Mutex<HashMap<Key, Seen>>>,
}

impl Incidents {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            context: context.clone(),
            outbox: Outbox::new(context),
            seen: Arc::default(),
        }
    }

    /// Looks at what is in trouble, as often as the gateway looks by itself and once more when it stops.
    pub(crate) fn watch(&self) {
        let wing = self.clone();
        self.context.spawn(async move {
            let mut ticks = tokio::time::interval(wing.context.look_every);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                let is_last = tokio::select! {
                    () = wing.context.stopping.cancelled() => true,
                    _ = ticks.tick() => false,
                };
                wing.look().await;
                if is_last {
                    return;
                }
            }
        });
    }

    async fn look(&self) {
        let mut keys = self.context.troubles.keys();
        keys.extend(self.context.connections.in_trouble());
        for (merchant, connection) in keys {
            if let Err(error) = self.look_at(&merchant, &connection).await {
                tracing::warn!(%error, merchant, connection, "an incident could not be written down yet");
            }
        }
    }

    async fn look_at(&self, merchant: &str, connection: &str) -> Result<(), StoreError> {
        let sight = Sight::of(&self.context, merchant, connection).await?;
        let record = self.context.connections.record(merchant, connection);
        match record.incident {
            Some(id) => self.go_on(&record, id, &sight).await,
            None => self.begin_where_due(&record, &sight).await,
        }
    }

    /// An outage that nobody has written down yet.
    async fn begin_where_due(&self, record: &ConnectionRecord, sight: &Sight) -> Result<(), StoreError> {
        let (merchant, connection) = (&*record.merchant, &*record.connection);
        self.seen.lock().remove(&key(merchant, connection));
        // What another process saw before the last one ended is part of that.
        let is_news = |at: Timestamp| record.incident_ended_at.is_none_or(|ended| at > ended);
        let trouble = self.context.troubles.of(merchant, connection);
        let trouble = trouble.filter(|trouble| is_news(trouble.last.at));
        let is_outage = |trouble: &Trouble| sight.is_down || trouble.is_lasting();
        let pause = sight.pause.as_ref();
        let pause = pause.filter(|pause| pause.by == PausedBy::Vendor && is_news(pause.since));
        if !trouble.as_ref().is_some_and(is_outage) && pause.is_none() {
            if trouble.is_none_or(|trouble| trouble.is_over()) {
                self.context.troubles.take(merchant, connection);
            }
            return Ok(());
        }
        let failed_at = trouble
            .as_ref()
            .map(|trouble| trouble.first.at)
            .filter(|at| is_news(*at));
        let failed_at = failed_at.or(trouble.as_ref().map(|trouble| trouble.last.at));
        let began_at = failed_at.into_iter().chain(pause.map(|pause| pause.since)).min();
        let began_at = began_at.unwrap_or(sight.now);
        self.begin(record, sight, began_at).await
    }

    async fn begin(&self, record: &ConnectionRecord, sight: &Sight, began_at: Timestamp) -> Result<(), StoreError> {
        let (merchant, connection) = (&*record.merchant, &*record.connection);
        let id = self.context.ids.incident(merchant);
        let mut incident = IncidentRecord::new(id, merchant, connection, began_at);
        let mut expect = vec![Expect::Incident { id, revision: None }];
        let trouble = self.context.troubles.take(merchant, connection);
        let status = trouble.as_ref().and_then(|trouble| trouble.first.error.vendor_status);
        incident.note(IncidentEntry {
            vendor_status: status,
            ..IncidentEntry::new(began_at, IncidentEventKind::Began)
        });
        sight.note(&mut incident, &Seen::default());
        let names = |record: &mut ConnectionRecord| record.incident.replace(id).is_none();
        let applied = async {
            if let Some(trouble) = &trouble {
                self.hear(&mut incident, trouble, &mut expect).await?;
            }
            self.put(&incident, expect, Some(&names)).await
        };
        let applied = applied.await;
        if let Ok(true) = applied {
            tracing::warn!(merchant, connection, incident_id = %id, "an incident begins");
            self.note_seen(record, sight.written_after(Seen::default()));
        } else if let Some(trouble) = trouble {
            self.context.troubles.put_back(merchant, connection, trouble);
        }
        applied.map(drop)
    }

    fn note_seen(&self, record: &ConnectionRecord, seen: Seen) {
        let key = key(&record.merchant, &record.connection);
        self.seen.lock().insert(key, seen);
    }

    /// The connection's record names an incident that is not there.
    async fn unname(&self, record: &ConnectionRecord, id: IncidentId) -> Result<(), StoreError> {
        let (merchant, connection) = (&*record.merchant, &*record.connection);
        let _one_at_a_time = self.context.pausing.lock().await;
        let mut record = self.context.connections.record(merchant, connection);
        let expect = vec![record.change()];
        if record.incident.take() == Some(id) {
            let write = vec![Write::PutConnection(record.clone())];
            if self.outbox.write(merchant, expect, write).await? == Applied::Done {
                self.context.connections.learn(record);
            }
        }
        Ok(())
    }

    /// What the vendor said enters the incident, unless whoever it was about has been erased.
    async fn hear(
        &self,
        incident: &mut IncidentRecord,
        trouble: &Trouble,
        expect: &mut Vec<Expect>,
    ) -> Result<(), StoreError> {
        incident.fail(trouble.failures, trouble.last.at);
        for words in [&trouble.first, &trouble.last] {
            let id = ErasureId::of(words.customer);
            if self.context.store.erasure(&incident.merchant, id).await?.is_none() {
                expect.push(Expect::Erasure { id, revision: None });
                incident.hear(words.clone());
            }
        }
        Ok(())
    }

    /// Writes an incident; `change`: what it changes of the connection's own record, and whether that is to be changed still.
    /// Whether all of it is written: somebody else may have been first.
    async fn put(
        &self,
        incident: &IncidentRecord,
        mut expect: Vec<Expect>,
        change: Option<&(dyn Fn(&mut ConnectionRecord) -> bool + Sync)>,
    ) -> Result<bool, StoreError> {
        let (merchant, connection) = (&*incident.merchant, &*incident.connection);
        let mut write = vec![Write::PutIncident(incident.clone())];
        let Some(change) = change else {
            return Ok(self.outbox.write(merchant, expect, write).await? == Applied::Done);
        };
        let _one_at_a_time = self.context.pausing.lock().await;
        let mut record = self.context.connections.record(merchant, connection);
        expect.push(record.change());
        if !change(&mut record) {
            return Ok(false);
        }
        write.push(Write::PutConnection(record.clone()));
        let applied = self.outbox.write(merchant, expect, write).await?;
        if applied == Applied::Done {
            self.context.connections.learn(record);
        }
        Ok(applied == Applied::Done)
    }

    /// Those that ended long ago.
    pub(crate) async fn forget_old(&self) -> Result<(), StoreError> {
        let Ok(before) = self.context.clock.now().checked_sub(KEEP) else {
            return Ok(());
        };
        let old: Vec<(String, IncidentId)> = self.context.store.incidents_ended_before(before, AT_ONCE).await?;
        for (merchant, id) in old {
            let write = vec![Write::ForgetIncident(id)];
            self.outbox.write(&merchant, Vec::new(), write).await?;
        }
        Ok(())
    }
}
