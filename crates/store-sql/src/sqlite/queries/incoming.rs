//! Questions about events that came in.

use rusqlite::params;
use rusqlite::types::Value as SqlValue;

use upsert_core::{CustomerId, EventId};
use upsert_store::{EventCount, EventMarks, IncomingEvent, IncomingFilter, IncomingPage, IncomingState};

use super::super::readers::Reader;
use super::super::rows::{DbResult, all, blob, first, moment, unsigned};
use super::lists::MOST_LOOKED_AT;
use super::newest::{Newest, Run, bounds};
use super::places::Places;
use crate::copy::form::{INCOMING, MARKS};
use crate::digest::Kind;

const BY_ID: &str = "SELECT id, revision, body FROM incoming_events WHERE merchant = ?1 AND id = ?2";
const OF_CONTENT: &str = "SELECT id, revision, body FROM incoming_events INDEXED BY incoming_of_content \
    WHERE merchant = ?1 AND source = ?2 AND event_id = ?3 AND content = ?4";
const FAILED_BY_SOURCE: &str = "SELECT m.name AS merchant, s.name AS source, f.failed AS failed, f.oldest AS oldest \
    FROM (SELECT merchant, source, count(*) AS failed, min(received_at) AS oldest FROM incoming_events \
    INDEXED BY incoming_failed WHERE failed = 1 GROUP BY merchant, source) f \
    JOIN names m ON m.id = f.merchant JOIN names s ON s.id = f.source";

const OF_SOURCE: &str = "SELECT id FROM incoming_events INDEXED BY incoming_of_source \
    WHERE merchant = ?4 AND source = ?5 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";
const FAILED: &str = "SELECT id FROM incoming_events INDEXED BY incoming_failed \
    WHERE failed = 1 AND merchant = ?4 AND source = ?5 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";
const OF_CUSTOMER: &str = "SELECT id FROM incoming_events INDEXED BY incoming_of_customer \
    WHERE merchant = ?4 AND customer = ?5 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";
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
    pub(in super::super) fn incoming_event(&mut self, merchant: &str, id: EventId) -> DbResult<Option<IncomingEvent>> {
        match self.names.find(&self.db, merchant)? {
            Some(number) => first(&self.db, BY_ID, params![number, blob(id.as_uuid())], |row| {
                self.body(row, &INCOMING, merchant)
            }),
            None => Ok(None),
        }
    }

    pub(in super::super) fn event_of_source(
        &mut self,
        merchant: &str,
        source: &str,
        event_id: &str,
        content: &str,
    ) -> DbResult<Option<IncomingEvent>> {
        let Some((number, source)) = self.numbers(merchant, source)? else {
            return Ok(None);
        };
        let event_id = self.digests.text(Kind::EventId, event_id);
        let content = self.digests.text(Kind::EventContent, content);
        first(
            &self.db,
            OF_CONTENT,
            params![number, source, event_id, content],
            |row| self.body(row, &INCOMING, merchant),
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
        let (entries, next) = newest.page(most, MOST_LOOKED_AT, |merchant, id| {
            let name = self.names.called(&self.db, merchant)?;
            let found: Option<IncomingEvent> = first(&self.db, BY_ID, params![merchant, blob(id)], |row| {
                self.body(row, &INCOMING, &name)
            })?;
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
            let merchants = self.merchants(wanted)?.into_iter();
            let of_merchant = |merchant| Run::new(OF_CUSTOMER, merchant, [customer.clone()]);
            return Ok(Some(merchants.map(of_merchant).collect()));
        } else if failed_only {
            (FAILED_PLACES, FAILED)
        } else {
            (ALL_PLACES, OF_SOURCE)
        };
        let mut runs = Vec::new();
        self.each_place(places, None, &wanted, |merchant, source| {
            let event_id = filter.event_id.as_ref();
            let event_id = event_id.map(|id| SqlValue::Text(self.digests.text(Kind::EventId, id).into_owned()));
            runs.push(Run::new(
                ids,
                merchant,
                [SqlValue::Integer(source)].into_iter().chain(event_id),
            ));
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

    pub(in super::super) fn event_marks(
        &mut self,
        merchant: &str,
        customer: CustomerId,
        source: &str,
    ) -> DbResult<Option<EventMarks>> {
        let Some((number, source)) = self.numbers(merchant, source)? else {
            return Ok(None);
        };
        let sql = "SELECT customer, source, revision, body FROM event_marks \
                   WHERE merchant = ?1 AND customer = ?2 AND source = ?3";
        first(
            &self.db,
            sql,
            params![number, blob(customer.as_uuid()), source],
            |row| self.body(row, &MARKS, merchant),
        )
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
            (
                OF_CUSTOMER,
                "incoming_of_customer (merchant=? AND customer=? AND id>? AND id<?)",
            ),
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
