//! Cleaning up after an erasure. What PostgreSQL deletes or changes stays in its files until a vacuum has been there; left to
//! itself it comes when much has changed. So an erasure asks for one, which runs beside everything else, on a connection of
//! its own. An engine without it, or a role that may not, loses nothing but time.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::connect::Connector;
use super::error::{DbError, DbResult};

/// One at a time: in one statement they would be one transaction. Those in which something of a customer may stand.
const TABLES: [&str; 11] = [
    "VACUUM customers",
    "VACUUM keys",
    "VACUUM upserts",
    "VACUUM attempts",
    "VACUUM idempotency",
    "VACUUM incoming_events",
    "VACUUM event_marks",
    "VACUUM outgoing_events",
    "VACUUM erasures",
    "VACUUM incidents",
    "VACUUM sessions",
];

/// Who cleans up, as the store sees it.
pub(super) struct VacuumHandle {
    wanted: Arc<Notify>,
    task: JoinHandle<()>,
}

impl VacuumHandle {
    pub(super) fn start(connector: Connector, handle: &Handle) -> Self {
        let wanted = Arc::new(Notify::new());
        let asked = Arc::clone(&wanted);
        let task = handle.spawn(async move {
            loop {
                asked.notified().await;
                if let Err(error) = clean_up(&connector).await {
                    tracing::warn!(%error, "the database could not be vacuumed after an erasure");
                }
            }
        });
        Self { wanted, task }
    }

    /// Once more, though it is at it: what it has seen to already may hold something again.
    pub(super) fn begin(&self) {
        self.wanted.notify_one();
    }
}

impl Drop for VacuumHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn clean_up(connector: &Connector) -> DbResult<()> {
    let (client, driver) = connector.connect().await.map_err(DbError::from)?;
    client.batch_execute("SET statement_timeout = 0").await?;
    for table in TABLES {
        client.batch_execute(table).await?;
    }
    drop(client);
    driver.abort();
    Ok(())
}
