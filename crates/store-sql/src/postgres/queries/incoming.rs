//! Questions about events that came in.

use tokio_postgres::Row;

use upsert_core::{CustomerId, EventId};
use upsert_store::{EventCount, EventMarks, IncomingEvent, IncomingFilter, IncomingPage, IncomingState};

use super::super::error::DbResult;
use super::super::reader::{Client, all, count, first, get, moment};
use super::super::text;
use super::lists::{Newest, bounds};
use crate::copy::form;
use crate::digest::{Digests, Kind};

const BY_ID: &str = "SELECT id, revision, body FROM incoming_events WHERE merchant = $1 AND id = $2";
const OF_CONTENT: &str = "SELECT id, revision, body FROM incoming_events \
    WHERE merchant = $1 AND source = $2 AND event_id = $3 AND content = $4";
const MARKS: &str =
    "SELECT customer, source, revision, body FROM event_marks WHERE merchant = $1 AND customer = $2 AND source = $3";
const FAILED_BY_SOURCE: &str = "SELECT merchant, source, count(*) AS failed, min(received_at) AS oldest \
    FROM incoming_events WHERE failed GROUP BY merchant, source ORDER BY merchant, source";
const OF_SOURCES: &str = "SELECT p.merchant, e.id, e.revision, e.body FROM places p CROSS JOIN LATERAL ( \
    SELECT id, revision, body FROM incoming_events WHERE merchant = p.merchant AND source = p.name AND id < $1 AND id > $2 \
    ORDER BY id DESC LIMIT $3) e WHERE p.kind = 'source' AND ($4::text[] IS NULL OR p.merchant = ANY($4)) \
    AND ($5::text IS NULL OR p.name = $5) ORDER BY e.id DESC LIMIT $3";
const FAILED: &str = "SELECT p.merchant, e.id, e.revision, e.body FROM places p CROSS JOIN LATERAL ( \
    SELECT id, revision, body FROM incoming_events WHERE failed AND merchant = p.merchant AND source = p.name \
    AND id < $1 AND id > $2 ORDER BY id DESC LIMIT $3) e \
    WHERE p.kind = 'source' AND ($4::text[] IS NULL OR p.merchant = ANY($4)) \
    AND ($5::text IS NULL OR p.name = $5) ORDER BY e.id DESC LIMIT $3";
/// One for each content that came under it.
const WITH_EVENT_ID: &str = "SELECT p.merchant, e.id, e.revision, e.body FROM places p CROSS JOIN LATERAL ( \
    SELECT id, revision, body FROM incoming_events WHERE merchant = p.merchant AND source = p.name AND event_id = $6 \
    AND id < $1 AND id > $2 ORDER BY id DESC LIMIT $3) e \
    WHERE p.kind = 'source' AND ($4::text[] IS NULL OR p.merchant = ANY($4)) \
    AND ($5::text IS NULL OR p.name = $5) ORDER BY e.id DESC LIMIT $3";
const OF_CUSTOMER: &str = "SELECT m.merchant, e.id, e.revision, e.body FROM (SELECT DISTINCT merchant FROM places \
    WHERE $4::text[] IS NULL OR merchant = ANY($4)) m CROSS JOIN LATERAL ( \
    SELECT id, revision, body FROM incoming_events WHERE merchant = m.merchant AND customer = $5 AND id < $1 AND id > $2 \
    ORDER BY id DESC LIMIT $3) e ORDER BY e.id DESC LIMIT $3";

pub(super) async fn incoming_event(client: &Client, merchant: &str, id: EventId) -> DbResult<Option<IncomingEvent>> {
    let row = first(client, BY_ID, &[&merchant, id.as_uuid()]).await?;
    row.map(|row| client.body(&row, &form::INCOMING, merchant)).transpose()
}

pub(super) async fn event_of_source(
    client: &Client,
    merchant: &str,
    source: &str,
    (event_id, content): (&str, &str),
) -> DbResult<Option<IncomingEvent>> {
    let row = first(client, OF_CONTENT, &[&merchant, &source, &event_id, &content]).await?;
    row.map(|row| client.body(&row, &form::INCOMING, merchant)).transpose()
}

pub(super) async fn incoming_events(
    client: &Client,
    digests: &Digests,
    filter: &IncomingFilter,
    before: Option<EventId>,
    most: usize,
) -> DbResult<IncomingPage> {
    let merchants = filter.merchants.as_ref();
    let merchants = merchants.map(text::kept_all);
    let customer = filter.customer_id.map(|customer| *customer.as_uuid());
    let event_id = filter.event_id.as_ref();
    let event_id = event_id.map(|id| digests.text(Kind::EventId, id));
    let newest = if event_id.is_some() {
        Newest {
            sql: WITH_EVENT_ID,
            params: vec![&merchants, &filter.source, &event_id],
        }
    } else if customer.is_some() {
        Newest {
            sql: OF_CUSTOMER,
            params: vec![&merchants, &customer],
        }
    } else {
        let failed_only = filter.state.iter().eq([&IncomingState::Failed]);
        Newest {
            sql: if failed_only { FAILED } else { OF_SOURCES },
            params: vec![&merchants, &filter.source],
        }
    };
    let bounds = bounds(before, filter.newest(), filter.oldest().as_ref(), EventId::as_uuid);
    let matching = |row: &Row| {
        let found: IncomingEvent = client.body_of_any(row, &form::INCOMING)?;
        Ok(Some(found).filter(|found| found.matches(filter)))
    };
    let (entries, next) = newest.page(client, bounds, most, matching).await?;
    let next = next.map(EventId::from_uuid);
    Ok(IncomingPage { entries, next })
}

pub(super) async fn failed_incoming(client: &Client) -> DbResult<Vec<EventCount<IncomingState>>> {
    let rows = all(client, FAILED_BY_SOURCE, &[]).await?;
    let read = |row: &Row| {
        Ok(EventCount {
            merchant: get(row, "merchant")?,
            name: get(row, "source")?,
            state: IncomingState::Failed,
            count: count(row, "failed")?,
            oldest: moment(row, "oldest")?,
        })
    };
    rows.iter().map(read).collect()
}

pub(super) async fn event_marks(
    client: &Client,
    merchant: &str,
    customer: CustomerId,
    source: &str,
) -> DbResult<Option<EventMarks>> {
    let row = first(client, MARKS, &[&merchant, customer.as_uuid(), &source]).await?;
    row.map(|row| client.body(&row, &form::MARKS, merchant)).transpose()
}
