//! Questions about events that came in.

use rusqlite::params;
use rusqlite::types::Value as SqlValue;

use upsert_core::{CustomerId, EventId};
use upsert_store::{EventCount, EventMarks, IncomingEvent, IncomingFilter, IncomingPage, IncomingState};

use super::super::readers::Reader;
use super::super::rows::{DbResult, all, blob, first, moment, record, unsigned};
use super::lists::MOST_LOOKED_AT;
use super::newest::{Newest, Run, bounds};
use super::places::Places;

const BY_ID: &str = "SELECT record FROM incoming_events WHERE id = ?1";
const OF_CONTENT: &str = "SELECT record FROM incoming_events INDEXED BY incoming_of_content \
    WHERE merchant = ?1 AND source = ?2 AND event_id = ?3 AND content = ?4";
const FAILED_BY_SOURCE: &str = "SELECT m.name AS merchant, s.name AS source, f.failed AS failed, f.oldest AS oldest \
    FROM (SELECT merchant, source, count(*) AS failed, min(received_at) AS oldest FROM incoming_events \
    INDEXED BY incoming_failed WHERE failed = 1 GROUP BY merchant, source) f \
    JOIN names m ON m.id = f.merchant JOIN names s ON s.id = f.source";

const EVERY_EVENT: &str = "SELECT id FROM incoming_events WHERE id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";
const OF_SOURCE: &str = "SELECT id FROM incoming_events INDEXED BY incoming_of_source \
    WHERE merchant = ?4 AND source = ?5 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";
const FAILED: &str = "SELECT id FROM incoming_events INDEXED BY incoming_failed \
    WHERE failed = 1 AND merchant = ?4 AND source = ?5 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";
const OF_CUSTOMER: &str = "SELECT id FROM incoming_events INDEXED BY incoming_of_customer \
    WHERE customer = ?4 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";
/// One for each content that came under it.
const WITH_EVENT_ID: &str = "SELECT id FROM incoming_events INDEXED BY incoming_of_sender \
    WHERE merchant = ?4 AND source = ?5 AND event_id = ?6 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";

const ALL_PLACES: Places = Places {
    next_name: "SELECT merchant, source FROM incoming_events INDEXED BY incoming_of_source \
        WHERE merchant = ?1 AND source > ?2 ORDER BY source LIMIT 1",
    next_merchant: "SELECT merchant, source FROM incoming_events INDEXED BY incoming_of_source \
        WHERE merchant > ?1 ORDER BY merchant, source LIMIT 1",
};
const FAILED_PLACES: Places = Places {
    next_name: "SELECT merchant, source FROM incoming_events INDEXED BY incoming_failed \
        WHERE failed = 1 AND merchant = ?1 AND source > ?2 ORDER BY source LIMIT 1",
    next_merchant: "SELECT merchant, source FROM incoming_events INDEXED BY incoming_failed \
        WHERE failed = 1 AND merchant > ?1 ORDER BY merchant, source LIMIT 1",
};

impl Reader {
    pub(in super::super) fn incoming_event(&mut self, id: EventId) -> DbResult<Option<IncomingEvent>> {
        first(&self.db, BY_ID, params![blob(id.as_uuid())], record)
    }

    pub(in super::super) fn event_of_source(
        &mut self,
        merchant: &str,
        source: &str,
        event_id: &str,
        content: &str,
    ) -> DbResult<Option<IncomingEvent>> {
        let Some((merchant, source)) = self.numbers(merchant, source)? else {
            return Ok(None);
        };
        first(
            &self.db,
            OF_CONTENT,
            params![merchant, source, event_id, content],
            record,
        )
    }

    pub(in super::super) fn incoming_events(
        &mut self,
        filter: &IncomingFilter,
        before: Option<EventId>,
        most: usize,
    ) -> DbResult<IncomingPage> {
        let Some(runs) = self.incoming_runs(filter)? else {
            return Ok(IncomingPage::default());
        };
        let bounds = bounds(before, filter.newest(), filter.oldest(), EventId::as_uuid);
        let newest = Newest::new(&self.db, runs, bounds, most.saturating_add(1))?;
        let (entries, next) = newest.page(most, MOST_LOOKED_AT, |id| {
            let found: Option<IncomingEvent> = first(&self.db, BY_ID, params![blob(id)], record)?;
            Ok(found.filter(|found| found.matches(filter)))
        })?;
        let next = next.map(EventId::from_uuid);
        Ok(IncomingPage { entries, next })
    }

    /// The narrowest runs in which everything is that matches; none: nothing can.
    fn incoming_runs(&mut self, filter: &IncomingFilter) -> DbResult<Option<Vec<Run>>> {
        let Some(wanted) = self.wanted(filter.merchants.as_ref(), filter.source.as_ref())? else {
            return Ok(None);
        };
        let failed_only = filter.state.iter().eq([&IncomingState::Failed]);
        let (places, ids) = if filter.event_id.is_some() {
            (ALL_PLACES, WITH_EVENT_ID)
        } else if let Some(customer) = &filter.customer_id {
            let customer = SqlValue::Blob(blob(customer.as_uuid()).to_vec());
            return Ok(Some(vec![Run::new(OF_CUSTOMER, vec![customer])]));
        } else if failed_only {
            (FAILED_PLACES, FAILED)
        } else if wanted.merchants.is_none() && wanted.name.is_none() {
            return Ok(Some(vec![Run::new(EVERY_EVENT, Vec::new())]));
        } else {
            (ALL_PLACES, OF_SOURCE)
        };
        let mut runs = Vec::new();
        self.each_place(places, None, &wanted, |merchant, source| {
            let mut of = vec![SqlValue::Integer(merchant), SqlValue::Integer(source)];
            of.extend(filter.event_id.clone().map(SqlValue::Text));
            runs.push(Run::new(ids, of));
        })?;
        Ok(Some(runs))
    }

    pub(in super::super) fn failed_incoming(&mut self) -> DbResult<Vec<EventCount<IncomingState>>> {
        let mut counts = all(&self.db, FAILED_BY_SOURCE, [], |row| {
            Ok(EventCount {
                merchant: row.get("merchant")?,
                name: row.get("source")?,
                state: IncomingState::Failed,
                count: unsigned(row, "failed")?,
                oldest: moment(row, "oldest")?,
            })
        })?;
        counts.sort_by(|one, other| (&one.merchant, &one.name).cmp(&(&other.merchant, &other.name)));
        Ok(counts)
    }

    pub(in super::super) fn event_marks(&mut self, customer: CustomerId, source: &str) -> DbResult<Option<EventMarks>> {
        let Some(source) = self.names.find(&self.db, source)? else {
            return Ok(None);
        };
        let sql = "SELECT record FROM event_marks WHERE customer = ?1 AND source = ?2";
        first(&self.db, sql, params![blob(customer.as_uuid()), source], record)
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan;
    use super::*;

    #[test]
    fn every_run_is_read_from_where_it_ended_without_sorting_and_without_its_rows() {
        for (sql, index) in [
            (
                OF_SOURCE,
                "incoming_of_source (merchant=? AND source=? AND id>? AND id<?)",
            ),
            (FAILED, "incoming_failed (merchant=? AND source=? AND id>? AND id<?)"),
            (OF_CUSTOMER, "incoming_of_customer (customer=? AND id>? AND id<?)"),
            (
                WITH_EVENT_ID,
                "incoming_of_sender (merchant=? AND source=? AND event_id=?",
            ),
            (ALL_PLACES.next_name, "incoming_of_source (merchant=? AND source>?)"),
            (ALL_PLACES.next_merchant, "incoming_of_source (merchant>?)"),
            (FAILED_PLACES.next_name, "incoming_failed (merchant=? AND source>?)"),
            (FAILED_PLACES.next_merchant, "incoming_failed (merchant>?)"),
        ] {
            let plan = plan(sql);
            assert!(plan.contains(index) && plan.contains("COVERING"), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
        let plan = plan(EVERY_EVENT);
        assert!(
            plan.contains("PRIMARY KEY (id>? AND id<?)") && !plan.contains("TEMP B-TREE"),
            "{plan}"
        );
    }

    #[test]
    fn an_event_is_found_by_its_senders_id_and_dead_letters_are_counted_in_their_index() {
        let found = plan(OF_CONTENT);
        assert!(
            found.contains("incoming_of_content (merchant=? AND source=? AND event_id=? AND content=?)"),
            "{found}"
        );
        let counted = plan(FAILED_BY_SOURCE);
        assert!(
            counted.contains("SCAN incoming_events USING COVERING INDEX incoming_failed"),
            "{counted}"
        );
        assert!(!counted.contains("TEMP B-TREE"), "{counted}");
    }
}
