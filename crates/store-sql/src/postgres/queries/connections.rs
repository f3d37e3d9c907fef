//! Questions about connections and endpoints themselves, and turns at them.

use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::Date;
use tokio_postgres::Row;

use upsert_store::{ConnectionRecord, ConnectionStore, EndpointRecord, Pace, StoreError, Turns};

use super::super::PostgresStore;
use super::super::reader::{all, count, get};
use super::turns::take_turns;
use crate::copy::form;

const CALLS: &str = "SELECT merchant, connection, count FROM calls WHERE day = $1 ORDER BY merchant, connection";

#[async_trait]
impl ConnectionStore for PostgresStore {
    async fn connections(&self) -> Result<Vec<ConnectionRecord>, StoreError> {
        let client = self.client().await?;
        let sql = "SELECT merchant, connection, revision, body FROM connections ORDER BY merchant, connection";
        let question = async { client.bodies_of_any(&all(&client, sql, &[]).await?, &form::CONNECTIONS) };
        self.patiently(question).await
    }

    async fn take_turns(
        &self,
        merchant: &str,
        connection: &str,
        pace: Pace,
        most: u32,
        ahead: Duration,
    ) -> Result<Option<Turns>, StoreError> {
        let client = self.client().await?;
        let taken = self
            .patiently(take_turns(&client, (merchant, connection), pace, most, ahead))
            .await?;
        Ok(Some(taken))
    }

    async fn calls(&self, day: Date) -> Result<Vec<(String, String, u32)>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let rows = all(&client, CALLS, &[&day.to_string()]).await?;
            let read = |row: &Row| Ok((get(row, "merchant")?, get(row, "connection")?, count(row, "count")?));
            rows.iter().map(read).collect()
        };
        self.patiently(question).await
    }

    async fn endpoints(&self) -> Result<Vec<EndpointRecord>, StoreError> {
        let client = self.client().await?;
        let sql = "SELECT merchant, endpoint, revision, body FROM endpoints ORDER BY merchant, endpoint";
        let question = async { client.bodies_of_any(&all(&client, sql, &[]).await?, &form::ENDPOINTS) };
        self.patiently(question).await
    }
}
