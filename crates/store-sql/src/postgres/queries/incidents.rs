//! Questions about incidents.

use async_trait::async_trait;
use jiff::Timestamp;

use upsert_core::IncidentId;
use upsert_store::{IncidentFilter, IncidentRecord, IncidentStore, StoreError};

use super::super::PostgresStore;
use super::super::reader::{GREATEST, all, first, get};
use super::super::text;
use crate::copy::form;
use crate::kept::limit;

const INCIDENT: &str = "SELECT id, revision, body FROM incidents WHERE merchant = $1 AND id = $2";
/// Of all merchants where there is no list of them.
const INCIDENTS: &str = "SELECT merchant, id, revision, body FROM incidents \
    WHERE id < $1 AND ($2::text[] IS NULL OR merchant = ANY($2)) AND ($3::text IS NULL OR connection = $3) \
    AND ($4::boolean IS NULL OR (ended_at IS NOT NULL) = $4) ORDER BY id DESC LIMIT $5";
const ENDED: &str = "SELECT merchant, id FROM incidents WHERE ended_at < $1 ORDER BY ended_at, id LIMIT $2";

#[async_trait]
impl IncidentStore for PostgresStore {
    async fn incident(&self, merchant: &str, id: IncidentId) -> Result<Option<IncidentRecord>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let row = first(&client, INCIDENT, &[&merchant, id.as_uuid()]).await?;
            row.map(|row| client.body(&row, &form::INCIDENTS, merchant)).transpose()
        };
        self.patiently(question).await
    }

    async fn incidents(
        &self,
        filter: &IncidentFilter,
        before: Option<IncidentId>,
        limit: usize,
    ) -> Result<Vec<IncidentRecord>, StoreError> {
        let merchants = filter.of_merchants();
        let merchants = merchants.as_ref().map(text::kept_all);
        let before = before.map_or(GREATEST, |before| *before.as_uuid());
        let (connection, has_ended) = (&filter.connection, filter.has_ended());
        let client = self.client().await?;
        let question = async {
            let most = self::limit(limit);
            let rows = all(
                &client,
                INCIDENTS,
                &[&before, &merchants, connection, &has_ended, &most],
            )
            .await?;
            client.bodies_of_any(&rows, &form::INCIDENTS)
        };
        self.patiently(question).await
    }

    async fn incidents_ended_before(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<(String, IncidentId)>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let rows = all(&client, ENDED, &[&before.as_microsecond(), &self::limit(limit)]).await?;
            let ended = rows.iter().map(|row| {
                let merchant = text::read(get(row, "merchant")?).into_owned();
                Ok((merchant, IncidentId::from_uuid(get(row, "id")?)))
            });
            ended.collect()
        };
        self.patiently(question).await
    }
}
