//! Questions about events that go out.

use jiff::Timestamp;
use tokio_postgres::Row;

use upsert_core::{EventId, Word as _};
use upsert_store::{EventCount, OutgoingEvent, OutgoingFilter, OutgoingPage, OutgoingState};

use super::super::error::{DbError, DbResult};
use super::super::reader::{Client, LEAST, all, count, first, get, moment};
use super::super::text;
use super::lists::{Newest, bounds};
use crate::copy::form;
use crate::kept::limit;

const BY_ID: &str = "SELECT id, revision, body FROM outgoing_events WHERE merchant = $1 AND id = $2";
const OF_ENDPOINTS: &str = "SELECT p.merchant, e.id, e.revision, e.body FROM places p CROSS JOIN LATERAL ( \
    SELECT id, revision, body FROM outgoing_events WHERE merchant = p.merchant AND endpoint = p.name AND id < $1 AND id > $2 \
    ORDER BY id DESC LIMIT $3) e WHERE p.kind = 'endpoint' AND ($4::text[] IS NULL OR p.merchant = ANY($4)) \
    AND ($5::text IS NULL OR p.name = $5) ORDER BY e.id DESC LIMIT $3";
/// What is open or failed, or both.
const STANDING: &str = "SELECT p.merchant, e.id, e.revision, e.body FROM places p CROSS JOIN LATERAL ( \
    (SELECT id, revision, body FROM outgoing_events WHERE open AND $6::boolean AND merchant = p.merchant AND endpoint = p.name \
    AND id < $1 AND id > $2 ORDER BY id DESC LIMIT $3) UNION ALL \
    (SELECT id, revision, body FROM outgoing_events WHERE failed AND $7::boolean AND merchant = p.merchant AND endpoint = p.name \
    AND id < $1 AND id > $2 ORDER BY id DESC LIMIT $3)) e \
    WHERE p.kind = 'endpoint' AND ($4::text[] IS NULL OR p.merchant = ANY($4)) \
    AND ($5::text IS NULL OR p.name = $5) ORDER BY e.id DESC LIMIT $3";
/// From place to place through the index: what waits behind the first of a place is not looked at.
const DUE_ENDPOINTS: &str = "WITH RECURSIVE place AS ( \
    (SELECT merchant, endpoint, due_at FROM outgoing_events WHERE due_at IS NOT NULL \
    ORDER BY merchant, endpoint, due_at LIMIT 1) \
    UNION ALL SELECT n.merchant, n.endpoint, n.due_at FROM place p CROSS JOIN LATERAL ( \
    SELECT merchant, endpoint, due_at FROM outgoing_events WHERE due_at IS NOT NULL \
    AND (merchant, endpoint) > (p.merchant, p.endpoint) ORDER BY merchant, endpoint, due_at LIMIT 1) n) \
    SELECT merchant, endpoint FROM place WHERE due_at <= $1 ORDER BY merchant, endpoint";
const DUE_TO: &str = "SELECT id, revision, body FROM outgoing_events \
    WHERE merchant = $1 AND endpoint = $2 AND due_at <= $3 ORDER BY due_at, id LIMIT $4";
const WAITING_FOR: &str = "SELECT id, revision, body FROM outgoing_events \
    WHERE open AND merchant = $1 AND endpoint = $2 AND id > $3 ORDER BY id LIMIT $4";
const COUNTS: &str = "SELECT merchant, endpoint, state, count(*) AS found, min(created_at) AS oldest \
    FROM outgoing_events WHERE open OR failed GROUP BY merchant, endpoint, state ORDER BY merchant, endpoint, state";

pub(super) async fn outgoing_event(client: &Client, merchant: &str, id: EventId) -> DbResult<Option<OutgoingEvent>> {
    let row = first(client, BY_ID, &[&merchant, id.as_uuid()]).await?;
    row.map(|row| client.body(&row, &form::OUTGOING, merchant)).transpose()
}

pub(super) async fn outgoing_events(
    client: &Client,
    filter: &OutgoingFilter,
    before: Option<EventId>,
    most: usize,
) -> DbResult<OutgoingPage> {
    let merchants = filter.merchants.as_ref();
    let merchants = merchants.map(text::kept_all);
    let has_failed = filter.state.contains(&OutgoingState::Failed);
    let has_open = filter.state.iter().any(|state| state.is_open());
    let has_an_index = |state: &OutgoingState| state.is_open() || *state == OutgoingState::Failed;
    let newest = if !filter.state.is_empty() && filter.state.iter().all(has_an_index) {
        Newest {
            sql: STANDING,
            params: vec![&merchants, &filter.endpoint, &has_open, &has_failed],
        }
    } else {
        Newest {
            sql: OF_ENDPOINTS,
            params: vec![&merchants, &filter.endpoint],
        }
    };
    let bounds = bounds(before, filter.newest(), filter.oldest().as_ref(), EventId::as_uuid);
    let matching = |row: &Row| {
        let found: OutgoingEvent = client.body_of_any(row, &form::OUTGOING)?;
        Ok(Some(found).filter(|found| found.matches(filter)))
    };
    let (entries, next) = newest.page(client, bounds, most, matching).await?;
    let next = next.map(EventId::from_uuid);
    Ok(OutgoingPage { entries, next })
}

pub(super) async fn due_endpoints(client: &Client, now: Timestamp) -> DbResult<Vec<(String, String)>> {
    let rows = all(client, DUE_ENDPOINTS, &[&now.as_microsecond()]).await?;
    rows.iter()
        .map(|row| Ok((get(row, "merchant")?, get(row, "endpoint")?)))
        .collect()
}

pub(super) async fn due_to(
    client: &Client,
    merchant: &str,
    endpoint: &str,
    now: Timestamp,
    most: usize,
) -> DbResult<Vec<OutgoingEvent>> {
    let (now, most) = (now.as_microsecond(), limit(most));
    let rows = all(client, DUE_TO, &[&merchant, &endpoint, &now, &most]).await?;
    client.bodies(&rows, &form::OUTGOING, merchant)
}

pub(super) async fn waiting_for(
    client: &Client,
    merchant: &str,
    endpoint: &str,
    after: Option<EventId>,
    most: usize,
) -> DbResult<Vec<OutgoingEvent>> {
    let after = after.map_or(LEAST, |id| *id.as_uuid());
    let rows = all(client, WAITING_FOR, &[&merchant, &endpoint, &after, &limit(most)]).await?;
    client.bodies(&rows, &form::OUTGOING, merchant)
}

pub(super) async fn open_outgoing(client: &Client) -> DbResult<Vec<EventCount<OutgoingState>>> {
    let rows = all(client, COUNTS, &[]).await?;
    let read = |row: &Row| {
        let word: &str = get(row, "state")?;
        let state = OutgoingState::ALL.iter().find(|state| state.as_str() == word);
        Ok(EventCount {
            merchant: get(row, "merchant")?,
            name: get(row, "endpoint")?,
            state: *state.ok_or(DbError::Value("state"))?,
            count: count(row, "found")?,
            oldest: moment(row, "oldest")?,
        })
    };
    rows.iter().map(read).collect()
}
