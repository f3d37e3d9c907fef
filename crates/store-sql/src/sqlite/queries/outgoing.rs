//! Questions about events that go out, and about endpoints.

use jiff::Timestamp;
use rusqlite::types::Value as SqlValue;
use rusqlite::{Row, params};

use upsert_core::{EventId, Word as _};
use upsert_store::{EndpointRecord, EventCount, OutgoingEvent, OutgoingFilter, OutgoingPage, OutgoingState};

use super::super::readers::Reader;
use super::super::rows::{DbResult, all, blob, first, limit, micros, moment, unsigned};
use super::lists::MOST_LOOKED_AT;
use super::newest::{Newest, Run, bounds};
use super::places::{DuePlaces, Places};
use crate::copy::form::{ENDPOINTS, OUTGOING};

const BY_ID: &str = "SELECT id, revision, body FROM outgoing_events WHERE merchant = ?1 AND id = ?2";

const DUE_ENDPOINTS: DuePlaces = DuePlaces {
    next_name: "SELECT merchant, endpoint, due_at FROM outgoing_events INDEXED BY outgoing_due \
        WHERE due_at IS NOT NULL AND merchant = ?1 AND endpoint > ?2 ORDER BY endpoint, due_at LIMIT 1",
    next_merchant: "SELECT merchant, endpoint, due_at FROM outgoing_events INDEXED BY outgoing_due \
        WHERE due_at IS NOT NULL AND merchant > ?1 AND ?2 >= 0 ORDER BY merchant, endpoint, due_at LIMIT 1",
};
const DUE_TO: &str = "SELECT id, revision, body FROM outgoing_events INDEXED BY outgoing_due \
    WHERE merchant = ?1 AND endpoint = ?2 AND due_at <= ?3 ORDER BY due_at, id LIMIT ?4";
const WAITING_FOR: &str = "SELECT id, revision, body FROM outgoing_events INDEXED BY outgoing_open \
    WHERE open = 1 AND merchant = ?1 AND endpoint = ?2 AND id > ?3 ORDER BY id LIMIT ?4";

/// By endpoint in the index's order, so nothing is sorted: the two states of it are told apart in passing.
const OPEN_BY_ENDPOINT: &str = "SELECT m.name AS merchant, e.name AS endpoint, pending, oldest_pending, retrying, \
    oldest_retrying FROM (SELECT merchant, endpoint, \
    count(*) FILTER (WHERE state = 'pending') AS pending, \
    min(created_at) FILTER (WHERE state = 'pending') AS oldest_pending, \
    count(*) FILTER (WHERE state = 'retrying') AS retrying, \
    min(created_at) FILTER (WHERE state = 'retrying') AS oldest_retrying \
    FROM outgoing_events INDEXED BY outgoing_open WHERE open = 1 GROUP BY merchant, endpoint) o \
    JOIN names m ON m.id = o.merchant JOIN names e ON e.id = o.endpoint";
const FAILED_BY_ENDPOINT: &str = "SELECT m.name AS merchant, e.name AS endpoint, failed, oldest_failed \
    FROM (SELECT merchant, endpoint, count(*) AS failed, min(created_at) AS oldest_failed \
    FROM outgoing_events INDEXED BY outgoing_failed WHERE failed = 1 GROUP BY merchant, endpoint) f \
    JOIN names m ON m.id = f.merchant JOIN names e ON e.id = f.endpoint";

const OF_ENDPOINT: &str = "SELECT id FROM outgoing_events INDEXED BY outgoing_of_endpoint \
    WHERE merchant = ?4 AND endpoint = ?5 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";
const OPEN: &str = "SELECT id FROM outgoing_events INDEXED BY outgoing_open \
    WHERE open = 1 AND merchant = ?4 AND endpoint = ?5 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";
const FAILED: &str = "SELECT id FROM outgoing_events INDEXED BY outgoing_failed \
    WHERE failed = 1 AND merchant = ?4 AND endpoint = ?5 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";

const ALL_PLACES: Places = Places {
    next_name: "SELECT merchant, endpoint FROM outgoing_events INDEXED BY outgoing_of_endpoint \
        WHERE merchant = ?1 AND endpoint > ?2 ORDER BY endpoint LIMIT 1",
    next_merchant: "SELECT merchant, endpoint FROM outgoing_events INDEXED BY outgoing_of_endpoint \
        WHERE merchant > ?1 ORDER BY merchant, endpoint LIMIT 1",
};
const OPEN_PLACES: Places = Places {
    next_name: "SELECT merchant, endpoint FROM outgoing_events INDEXED BY outgoing_open \
        WHERE open = 1 AND merchant = ?1 AND endpoint > ?2 ORDER BY endpoint LIMIT 1",
    next_merchant: "SELECT merchant, endpoint FROM outgoing_events INDEXED BY outgoing_open \
        WHERE open = 1 AND merchant > ?1 ORDER BY merchant, endpoint LIMIT 1",
};
const FAILED_PLACES: Places = Places {
    next_name: "SELECT merchant, endpoint FROM outgoing_events INDEXED BY outgoing_failed \
        WHERE failed = 1 AND merchant = ?1 AND endpoint > ?2 ORDER BY endpoint LIMIT 1",
    next_merchant: "SELECT merchant, endpoint FROM outgoing_events INDEXED BY outgoing_failed \
        WHERE failed = 1 AND merchant > ?1 ORDER BY merchant, endpoint LIMIT 1",
};

impl Reader {
    pub(in super::super) fn outgoing_event(&mut self, merchant: &str, id: EventId) -> DbResult<Option<OutgoingEvent>> {
        match self.names.find(&self.db, merchant)? {
            Some(number) => first(&self.db, BY_ID, params![number, blob(id.as_uuid())], |row| {
                self.body(row, &OUTGOING, merchant)
            }),
            None => Ok(None),
        }
    }

    pub(in super::super) fn outgoing_events(
        &mut self,
        filter: &OutgoingFilter,
        before: Option<EventId>,
        most: usize,
    ) -> DbResult<OutgoingPage> {
        let Some(runs) = self.outgoing_runs(filter)? else {
            return Ok(OutgoingPage::default());
        };
        let bounds = bounds(before, filter.newest(), filter.oldest(), EventId::as_uuid);
        let newest = Newest::new(&self.db, runs, bounds, most.saturating_add(1))?;
        let (entries, next) = newest.page(most, MOST_LOOKED_AT, |merchant, id| {
            let name = self.names.called(&self.db, merchant)?;
            let found: Option<OutgoingEvent> = first(&self.db, BY_ID, params![merchant, blob(id)], |row| {
                self.body(row, &OUTGOING, &name)
            })?;
            Ok(found.filter(|found| found.matches(filter)))
        })?;
        let next = next.map(EventId::from_uuid);
        Ok(OutgoingPage { entries, next })
    }

    /// The narrowest runs in which everything is that matches; none: nothing can.
    fn outgoing_runs(&mut self, filter: &OutgoingFilter) -> DbResult<Option<Vec<Run>>> {
        let Some(wanted) = self.wanted(filter.merchants.as_ref(), filter.endpoint.as_ref())? else {
            return Ok(None);
        };
        let has_failed = filter.state.contains(&OutgoingState::Failed);
        let has_open = filter.state.iter().any(|state| state.is_open());
        let has_an_index = |state: &OutgoingState| state.is_open() || *state == OutgoingState::Failed;
        let mut parts = Vec::new();
        if !filter.state.is_empty() && filter.state.iter().all(has_an_index) {
            parts.extend(has_failed.then_some((FAILED_PLACES, FAILED)));
            parts.extend(has_open.then_some((OPEN_PLACES, OPEN)));
        } else {
            parts.push((ALL_PLACES, OF_ENDPOINT));
        }
        let mut runs = Vec::new();
        for (places, ids) in parts {
            self.each_place(places, None, &wanted, |merchant, endpoint| {
                runs.push(Run::new(ids, merchant, [SqlValue::Integer(endpoint)]));
            })?;
        }
        Ok(Some(runs))
    }

    pub(in super::super) fn due_endpoints(&mut self, now: Timestamp) -> DbResult<Vec<(String, String)>> {
        self.due_places(DUE_ENDPOINTS, now)
    }

    pub(in super::super) fn due_to(
        &mut self,
        merchant: &str,
        endpoint: &str,
        now: Timestamp,
        most: usize,
    ) -> DbResult<Vec<OutgoingEvent>> {
        let Some((number, endpoint)) = self.numbers(merchant, endpoint)? else {
            return Ok(Vec::new());
        };
        let params = params![number, endpoint, micros(now), limit(most)];
        all(&self.db, DUE_TO, params, |row| self.body(row, &OUTGOING, merchant))
    }

    pub(in super::super) fn waiting_for_endpoint(
        &mut self,
        merchant: &str,
        endpoint: &str,
        after: Option<EventId>,
        most: usize,
    ) -> DbResult<Vec<OutgoingEvent>> {
        let Some((number, endpoint)) = self.numbers(merchant, endpoint)? else {
            return Ok(Vec::new());
        };
        let after = after.map_or(Vec::new(), |id| id.as_uuid().as_bytes().to_vec());
        let params = params![number, endpoint, after, limit(most)];
        all(&self.db, WAITING_FOR, params, |row| self.body(row, &OUTGOING, merchant))
    }

    pub(in super::super) fn open_outgoing(&mut self) -> DbResult<Vec<EventCount<OutgoingState>>> {
        let open = all(&self.db, OPEN_BY_ENDPOINT, [], |row| {
            Ok([
                counted(row, OutgoingState::Pending, ("pending", "oldest_pending"))?,
                counted(row, OutgoingState::Retrying, ("retrying", "oldest_retrying"))?,
            ])
        })?;
        let failed = all(&self.db, FAILED_BY_ENDPOINT, [], |row| {
            counted(row, OutgoingState::Failed, ("failed", "oldest_failed"))
        })?;
        let mut counts: Vec<_> = open.into_iter().flatten().chain(failed).flatten().collect();
        counts.sort_by(|one, other| {
            let place = (&one.merchant, &one.name, one.state.as_str());
            place.cmp(&(&other.merchant, &other.name, other.state.as_str()))
        });
        Ok(counts)
    }

    pub(in super::super) fn endpoints(&mut self) -> DbResult<Vec<EndpointRecord>> {
        let sql = "SELECT merchant, endpoint, revision, body FROM endpoints";
        let read = |row: &Row<'_>| self.body_of_any(row, &ENDPOINTS);
        let mut found: Vec<EndpointRecord> = all(&self.db, sql, [], read)?;
        found.sort_by(|one, other| (&one.merchant, &one.endpoint).cmp(&(&other.merchant, &other.endpoint)));
        Ok(found)
    }
}

/// None: there is none in this state.
fn counted(
    row: &Row<'_>,
    state: OutgoingState,
    (count, oldest): (&'static str, &'static str),
) -> DbResult<Option<EventCount<OutgoingState>>> {
    let count = unsigned(row, count)?;
    if count == 0 {
        return Ok(None);
    }
    Ok(Some(EventCount {
        merchant: row.get("merchant")?,
        name: row.get("endpoint")?,
        state,
        count,
        oldest: moment(row, oldest)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::plan;
    use super::*;

    #[test]
    fn every_run_is_read_from_where_it_ended_without_sorting_and_without_its_rows() {
        for (sql, index) in [
            (
                OF_ENDPOINT,
                "outgoing_of_endpoint (merchant=? AND endpoint=? AND id>? AND id<?)",
            ),
            (OPEN, "outgoing_open (merchant=? AND endpoint=? AND id>? AND id<?)"),
            (FAILED, "outgoing_failed (merchant=? AND endpoint=? AND id>? AND id<?)"),
            (ALL_PLACES.next_name, "outgoing_of_endpoint (merchant=? AND endpoint>?)"),
            (ALL_PLACES.next_merchant, "outgoing_of_endpoint (merchant>?)"),
            (OPEN_PLACES.next_name, "outgoing_open (merchant=? AND endpoint>?)"),
            (OPEN_PLACES.next_merchant, "outgoing_open (merchant>?)"),
            (FAILED_PLACES.next_name, "outgoing_failed (merchant=? AND endpoint>?)"),
            (FAILED_PLACES.next_merchant, "outgoing_failed (merchant>?)"),
            (DUE_ENDPOINTS.next_name, "outgoing_due (merchant=? AND endpoint>?)"),
            (DUE_ENDPOINTS.next_merchant, "outgoing_due (merchant>?)"),
        ] {
            let plan = plan(sql);
            assert!(plan.contains(index) && plan.contains("COVERING"), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
    }

    #[test]
    fn what_is_to_be_sent_is_found_without_what_has_ended() {
        for (sql, step) in [
            (DUE_TO, "outgoing_due (merchant=? AND endpoint=? AND due_at<?)"),
            (WAITING_FOR, "outgoing_open (merchant=? AND endpoint=? AND id>?)"),
            (
                OPEN_BY_ENDPOINT,
                "SCAN outgoing_events USING COVERING INDEX outgoing_open",
            ),
            (
                FAILED_BY_ENDPOINT,
                "SCAN outgoing_events USING COVERING INDEX outgoing_failed",
            ),
        ] {
            let plan = plan(sql);
            assert!(plan.contains(step) && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
