//! Questions about webhook events, and the end of those that were kept for long enough.

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use upsert_core::{CustomerId, EventId};
use upsert_store::{
    EventCount, EventMarks, EventStore, IncomingEvent, IncomingFilter, IncomingPage, IncomingState, OutgoingEvent,
    OutgoingFilter, OutgoingPage, OutgoingState, StoreError,
};

use super::super::PostgresStore;
use super::super::error::DbResult;
use super::super::reader::{Client, all, execute, get};
use super::{incoming, outgoing};
use crate::digest::Kind;
use crate::kept::limit;

const INCOMING_BEFORE: &str =
    "SELECT merchant, id FROM incoming_events WHERE failed = $1 AND NOT keeps AND id < $2 ORDER BY id LIMIT $3";
const OUTGOING_BEFORE: &str = "SELECT merchant, id FROM outgoing_events WHERE NOT open AND failed = $1 AND id < $2 \
    ORDER BY id LIMIT $3";
/// Those that are still as they were found.
const FORGET_INCOMING: &str = "DELETE FROM incoming_events t USING unnest($1::text[], $2::uuid[], $3::boolean[]) \
    AS w(merchant, id, failed) WHERE t.merchant = w.merchant AND t.id = w.id AND t.failed = w.failed AND NOT t.keeps";
const FORGET_OUTGOING: &str = "DELETE FROM outgoing_events t USING unnest($1::text[], $2::uuid[], $3::boolean[]) \
    AS w(merchant, id, failed) WHERE t.merchant = w.merchant AND t.id = w.id AND t.failed = w.failed AND NOT t.open";

#[async_trait]
impl EventStore for PostgresStore {
    async fn incoming_event(&self, merchant: &str, id: EventId) -> Result<Option<IncomingEvent>, StoreError> {
        let client = self.client().await?;
        self.patiently(incoming::incoming_event(&client, merchant, id)).await
    }

    async fn event_of_source(
        &self,
        merchant: &str,
        source: &str,
        event_id: &str,
        content: &str,
    ) -> Result<Option<IncomingEvent>, StoreError> {
        let client = self.client().await?;
        let event_id = self.digests.text(Kind::EventId, event_id);
        let content = self.digests.text(Kind::EventContent, content);
        let known_by = (&*event_id, &*content);
        self.patiently(incoming::event_of_source(&client, merchant, source, known_by))
            .await
    }

    async fn incoming_events(
        &self,
        filter: &IncomingFilter,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<IncomingPage, StoreError> {
        let client = self.client().await?;
        self.patiently(incoming::incoming_events(&client, &self.digests, filter, before, limit))
            .await
    }

    async fn failed_incoming(&self) -> Result<Vec<EventCount<IncomingState>>, StoreError> {
        let client = self.client().await?;
        self.patiently(incoming::failed_incoming(&client)).await
    }

    async fn event_marks(
        &self,
        merchant: &str,
        customer: CustomerId,
        source: &str,
    ) -> Result<Option<EventMarks>, StoreError> {
        let client = self.client().await?;
        self.patiently(incoming::event_marks(&client, merchant, customer, source))
            .await
    }

    async fn outgoing_event(&self, merchant: &str, id: EventId) -> Result<Option<OutgoingEvent>, StoreError> {
        let client = self.client().await?;
        self.patiently(outgoing::outgoing_event(&client, merchant, id)).await
    }

    async fn outgoing_events(
        &self,
        filter: &OutgoingFilter,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<OutgoingPage, StoreError> {
        let client = self.client().await?;
        self.patiently(outgoing::outgoing_events(&client, filter, before, limit))
            .await
    }

    async fn due_endpoints(&self, now: Timestamp) -> Result<Vec<(String, String)>, StoreError> {
        let client = self.client().await?;
        self.patiently(outgoing::due_endpoints(&client, now)).await
    }

    async fn due_to(
        &self,
        merchant: &str,
        endpoint: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<OutgoingEvent>, StoreError> {
        let client = self.client().await?;
        self.patiently(outgoing::due_to(&client, merchant, endpoint, now, limit))
            .await
    }

    async fn waiting_for_endpoint(
        &self,
        merchant: &str,
        endpoint: &str,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<OutgoingEvent>, StoreError> {
        let client = self.client().await?;
        self.patiently(outgoing::waiting_for(&client, merchant, endpoint, after, limit))
            .await
    }

    async fn open_outgoing(&self) -> Result<Vec<EventCount<OutgoingState>>, StoreError> {
        let client = self.client().await?;
        self.patiently(outgoing::open_outgoing(&client)).await
    }

    async fn forget_events(
        &self,
        done_before: Timestamp,
        failed_before: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let client = self.client().await?;
        self.patiently(forget(&client, (done_before, failed_before), limit))
            .await
    }
}

/// One that is over: its id, whose, whether it failed, and whether it came in.
type Over = (Uuid, String, bool, bool);

/// It looks at no more than `most` of each kind, whatever else is kept.
async fn forget(client: &Client, (done, failed): (Timestamp, Timestamp), most: usize) -> DbResult<usize> {
    let mut over: Vec<Over> = Vec::new();
    for (sql, came_in) in [(INCOMING_BEFORE, true), (OUTGOING_BEFORE, false)] {
        for (has_failed, before) in [(false, done), (true, failed)] {
            let before = EventId::oldest_at(before);
            for row in all(client, sql, &[&has_failed, before.as_uuid(), &limit(most)]).await? {
                over.push((get(&row, "id")?, get(&row, "merchant")?, has_failed, came_in));
            }
        }
    }
    over.sort_unstable();
    over.truncate(most);
    for (sql, came_in) in [(FORGET_INCOMING, true), (FORGET_OUTGOING, false)] {
        let these = || over.iter().filter(|over| over.3 == came_in);
        let merchants: Vec<&str> = these().map(|over| over.1.as_str()).collect();
        let ids: Vec<Uuid> = these().map(|over| over.0).collect();
        let have_failed: Vec<bool> = these().map(|over| over.2).collect();
        execute(client, sql, &[&merchants, &ids, &have_failed]).await?;
    }
    Ok(over.len())
}
