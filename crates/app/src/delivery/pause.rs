//! Connections to which nothing goes for now, and what waits for them.

use jiff::Timestamp;
use upsert_api::PausedBy;
use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{Held, VendorBlocks};
use upsert_store::{Applied, Changeset, DeliveryRecord, Pause, StoreError, Write};

use crate::audit::act::Act;
use crate::delivery::Deliveries;
use crate::delivery::work::park;
use crate::directory::merchant::Connection;
use crate::runtime::connections::News;
use crate::runtime::wakeups::Reach;

/// So often it is told anew what others have written beside.
const MOST_RACES: usize = 5;

/// What another process found out of the vendor.
fn hear(connection: &Connection, news: News) {
    if news.is_lifted {
        connection.status.lift_blocks();
    }
    if let Some(until) = news.open_until {
        connection.status.hear_of_opening(until);
    }
    if news.is_back {
        connection.status.hear_of_closing();
    }
    if let Some(blocks) = news.blocks {
        connection.status.hear_of_blocks(blocks);
    }
}

impl Deliveries {
    /// Reads the pauses that were durable when the last process ended. A pause by the vendor whose credentials or
    /// configuration have changed since is lifted.
    pub(crate) async fn load_connections(&self) -> Result<(), StoreError> {
        let directory = self.context.directory();
        for record in self.context.store.connections().await? {
            let connection = directory.connection(&record.merchant, &record.connection);
            let is_over = record.pause.as_ref().is_some_and(|pause| {
                let has_changed = connection
                    .as_ref()
                    .is_some_and(|connection| connection.fingerprint != pause.fingerprint);
                pause.by == PausedBy::Vendor && has_changed
            });
            // Known first, so that whoever is told of pauses is told that it ends.
            let news = self.context.connections.learn(record.clone());
            if let Some(connection) = &connection {
                hear(connection, news);
            }
            if is_over {
                self.set_pause(&record.merchant, &record.connection, None, &[]).await?;
                self.release(&record.merchant, &record.connection);
            }
        }
        Ok(())
    }

    /// Takes over what other processes have written of connections since: pauses hold for all of them, and what one of them
    /// has found failing the others need not try.
    pub(crate) async fn follow_connections(&self) -> Result<(), StoreError> {
        let directory = self.context.directory();
        for record in self.context.store.connections().await? {
            let (merchant, name) = (record.merchant.clone(), record.connection.clone());
            let news = self.context.connections.learn(record);
            if let Some(connection) = directory.connection(&merchant, &name) {
                hear(&connection, news);
            }
            if news.pause_is_over || news.is_lifted {
                self.release(&merchant, &name);
            }
        }
        Ok(())
    }

    /// A breaker has opened here: other processes that work with the store are told. Where they cannot be, each finds out
    /// for itself.
    pub async fn tell_of_opening(&self, merchant: &str, connection: &str, until: Timestamp) {
        if !self.context.store.is_shared() {
            return;
        }
        let lifts = self.context.connections.record(merchant, connection).lifts;
        let _one_at_a_time = self.context.pausing.lock().await;
        let mut record = self.context.connections.record(merchant, connection);
        // Somebody may have ended meanwhile what is to be told.
        if record.lifts != lifts || record.open_until.is_some_and(|known| known >= until) {
            return;
        }
        let expected = record.change();
        record.open_until = Some(until);
        let write = vec![Write::PutConnection(record.clone())];
        match self.outbox.write(merchant, vec![expected], write).await {
            Ok(Applied::Done) => drop(self.context.connections.learn(record)),
            Ok(Applied::Unmet(_)) => {}
            Err(error) => tracing::warn!(%error, merchant, connection, "others could not be told of an open breaker"),
        }
    }

    /// A breaker has closed here: other processes that work with the store need not find out that the vendor is back. Where they
    /// cannot be told, each does.
    pub async fn tell_of_closing(&self, merchant: &str, connection: &str) {
        if !self.context.store.is_shared() {
            return;
        }
        let _one_at_a_time = self.context.pausing.lock().await;
        for _ in 0..MOST_RACES {
            let mut record = self.context.connections.record(merchant, connection);
            if record.open_until.is_none() {
                return;
            }
            let expected = record.change();
            record.open_until = None;
            let write = vec![Write::PutConnection(record.clone())];
            let followed = match self.outbox.write(merchant, vec![expected], write).await {
                Ok(Applied::Done) => {
                    self.context.connections.learn(record);
                    return;
                }
                Ok(Applied::Unmet(_)) => self.follow_connections().await,
                Err(error) => Err(error),
            };
            if let Err(error) = followed {
                tracing::warn!(%error, merchant, connection, "others could not be told that a vendor is back");
                return;
            }
        }
    }

    /// The vendor has said something else of waiting: other processes that work with the store are told, so that each need not
    /// find out by a call of its own. Where it cannot be written each does.
    pub async fn tell_of_blocks(&self, merchant: &str, connection: &str, blocks: VendorBlocks) {
        if !self.context.store.is_shared() {
            return;
        }
        let lifts = self.context.connections.record(merchant, connection).lifts;
        let _one_at_a_time = self.context.pausing.lock().await;
        let mut told = blocks;
        for _ in 0..MOST_RACES {
            let mut record = self.context.connections.record(merchant, connection);
            // Somebody may have ended meanwhile what is to be told.
            if record.lifts != lifts || record.blocks == told {
                return;
            }
            let expected = record.change();
            record.blocks = told;
            let write = vec![Write::PutConnection(record.clone())];
            let followed = match self.outbox.write(merchant, vec![expected], write).await {
                Ok(Applied::Done) => {
                    self.context.connections.learn(record);
                    return;
                }
                // Another process has written it: what it wrote is known here first.
                Ok(Applied::Unmet(_)) => self.follow_connections().await,
                Err(error) => Err(error),
            };
            if let Err(error) = followed {
                tracing::warn!(%error, merchant, connection, "others could not be told what the vendor said of waiting");
                return;
            }
            // What the vendor has said to another process meanwhile holds as well.
            if !blocks.is_empty() {
                told = blocks.or_later(self.context.connections.record(merchant, connection).blocks);
            }
        }
    }

    /// Somebody wants calls to go out again: whatever the vendor said of waiting is over, in this process and in all that work
    /// with the store.
    pub(crate) async fn lift_blocks(&self, merchant: &str, connection: &Connection) -> Result<(), StoreError> {
        connection.status.lift_blocks();
        if !self.context.store.is_shared() {
            return Ok(());
        }
        let _one_at_a_time = self.context.pausing.lock().await;
        loop {
            let mut record = self.context.connections.record(merchant, &connection.name);
            let expected = record.change();
            record.lifts += 1;
            (record.blocks, record.open_until) = (VendorBlocks::default(), None);
            let write = vec![Write::PutConnection(record.clone())];
            if self.outbox.write(merchant, vec![expected], write).await? == Applied::Done {
                self.context.connections.learn(record);
                return Ok(());
            }
            // Another process has written it: what it wrote is known here first.
            self.follow_connections().await?;
            connection.status.lift_blocks();
        }
    }

    /// The vendor refuses the credentials: nothing more is sent until they change, a probe succeeds, or somebody
    /// resumes it. Whether it is so: what was said of other credentials than those that are configured by now pauses nothing.
    pub(crate) async fn pause_by_vendor(
        &self,
        merchant: &str,
        connection: &Connection,
        reason: String,
    ) -> Result<bool, StoreError> {
        let name = &connection.name;
        let configured = self.context.directory().connection(merchant, name);
        if configured.is_some_and(|configured| configured.fingerprint != connection.fingerprint) {
            return Ok(false);
        }
        if self.context.connections.is_paused(merchant, name) {
            return Ok(true);
        }
        tracing::warn!(
            merchant,
            connection = name,
            reason,
            "connection paused: the vendor refuses its credentials"
        );
        let pause = Pause {
            by: PausedBy::Vendor,
            since: self.context.clock.now(),
            reason,
            fingerprint: connection.fingerprint.clone(),
        };
        self.set_pause(merchant, name, Some(pause), &[]).await?;
        Ok(true)
    }

    /// Sets or lifts a pause, durably, and tells of it; `acts`: what the audit trail tells of it. A pause by the vendor leaves
    /// one that is there as it is.
    pub(crate) async fn set_pause(
        &self,
        merchant: &str,
        connection: &str,
        pause: Option<Pause>,
        acts: &[Act],
    ) -> Result<(), StoreError> {
        let _one_at_a_time = self.context.pausing.lock().await;
        if self.context.store.is_shared() {
            // A pause that another process made just now can be lifted here.
            self.follow_connections().await?;
        }
        loop {
            let mut record = self.context.connections.record(merchant, connection);
            let by_vendor = pause.as_ref().is_some_and(|pause| pause.by == PausedBy::Vendor);
            if record.pause == pause || (record.pause.is_some() && by_vendor) {
                return self.context.audit.record(acts).await;
            }
            let expected = record.change();
            let before = std::mem::replace(&mut record.pause, pause.clone());
            let pauses = (before.as_ref(), pause.as_ref());
            let mut write = vec![Write::PutConnection(record.clone())];
            write.extend(self.outbox.events_of_pause(merchant, connection, pauses).await?);
            crash_point(points::PAUSE_BEFORE_COMMIT);
            let changes = Changeset {
                expect: vec![expected],
                write,
                ..Changeset::of(merchant)
            };
            let applied = self.outbox.apply_audited(changes, acts).await?;
            crash_point(points::PAUSE_AFTER_COMMIT);
            if applied == Applied::Done {
                self.context.connections.learn(record);
                return Ok(());
            }
            // Another process has written it: what it wrote is known here first.
            self.follow_connections().await?;
        }
    }

    /// It waits for what holds its connection back; if nobody can tell how long, until the connection is released.
    pub(crate) async fn put_off(&self, mut delivery: DeliveryRecord, held: Held) -> Result<(), StoreError> {
        let expected = delivery.expected();
        park(&mut delivery, held, self.context.clock.now());
        crash_point(points::PARK_BEFORE_COMMIT);
        self.put_delivery(expected, delivery).await?;
        crash_point(points::PARK_AFTER_COMMIT);
        Ok(())
    }

    /// Makes everything that waits at a connection due at once: its breaker closed, it was resumed, or a call
    /// succeeded again.
    pub fn release(&self, merchant: &str, connection: &str) {
        // Should something come in between, the pass goes on with it.
        self.context.connections.drain(merchant, connection);
        crash_point(points::RELEASE_BEFORE_WAKE);
        self.context.wake_connection(merchant, connection, Reach::All);
    }
}
