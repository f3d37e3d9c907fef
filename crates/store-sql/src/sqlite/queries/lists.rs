//! Pages of deliveries and upserts. Merchant, connection and state are found by index; what else is asked for is looked
//! at row by row, and a page that finds little stops after [`MOST_LOOKED_AT`] rows and says where it goes on.

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, params};
use uuid::Uuid;

use upsert_core::{DeliveryId, UpsertId, Word as _};
use upsert_store::{
    Counted, DeliveryFilter, DeliveryPage, DeliveryRecord, DeliveryState, UpsertFilter, UpsertPage, UpsertRecord,
    UpsertState,
};

use super::super::readers::Reader;
use super::super::rows::{DbResult, all, blob, first, record, uuid};
use super::newest::{Newest, Run, bounds};
use super::places::Places;

/// Rows that one page looks at. As many as keep a page well under 50 ms.
pub(super) const MOST_LOOKED_AT: usize = 2_000;

/// Ids that a count goes through where it need not look at the rows.
const MOST_COUNTED: usize = 100_000;

const EVERY_DELIVERY: &str = "SELECT id FROM deliveries WHERE id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";
const OF_CONNECTION: &str = "SELECT id FROM deliveries INDEXED BY deliveries_of_connection \
    WHERE merchant = ?4 AND connection = ?5 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";
const OPEN: &str = "SELECT id FROM deliveries INDEXED BY deliveries_open WHERE open_state IS NOT NULL \
    AND open_state = ?6 AND merchant = ?4 AND connection = ?5 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";
const SET_ASIDE: &str = "SELECT id FROM deliveries INDEXED BY deliveries_set_aside \
    WHERE state IN ('failed', 'discarded', 'superseded') \
    AND state = ?6 AND merchant = ?4 AND connection = ?5 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";
const OF_MERCHANT: &str = "SELECT id FROM upserts INDEXED BY upserts_of_merchant \
    WHERE merchant = ?4 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";
const OF_CUSTOMER: &str = "SELECT id FROM upserts INDEXED BY upserts_of_customer \
    WHERE customer = ?4 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";
const FAILED_UPSERTS: &str = "SELECT id FROM upserts INDEXED BY upserts_failed \
    WHERE state IN ('failed', 'partially_failed') \
    AND merchant = ?4 AND state = ?5 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";
/// Of whichever merchant.
const PENDING_UPSERTS: &str = "SELECT id FROM upserts INDEXED BY upserts_pending WHERE state = 'pending' \
    AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";

const ALL_PLACES: Places = Places {
    next_name: "SELECT merchant, connection FROM deliveries INDEXED BY deliveries_of_connection \
        WHERE merchant = ?1 AND connection > ?2 ORDER BY connection LIMIT 1",
    next_merchant: "SELECT merchant, connection FROM deliveries INDEXED BY deliveries_of_connection \
        WHERE merchant > ?1 ORDER BY merchant, connection LIMIT 1",
};
const OPEN_PLACES: Places = Places {
    next_name: "SELECT merchant, connection FROM deliveries INDEXED BY deliveries_open \
        WHERE open_state IS NOT NULL AND open_state = ?3 AND merchant = ?1 AND connection > ?2 \
        ORDER BY connection LIMIT 1",
    next_merchant: "SELECT merchant, connection FROM deliveries INDEXED BY deliveries_open \
        WHERE open_state IS NOT NULL AND open_state = ?2 AND merchant > ?1 ORDER BY merchant, connection LIMIT 1",
};
pub(super) const SET_ASIDE_PLACES: Places = Places {
    next_name: "SELECT merchant, connection FROM deliveries INDEXED BY deliveries_set_aside \
        WHERE state IN ('failed', 'discarded', 'superseded') AND state = ?3 AND merchant = ?1 AND connection > ?2 \
        ORDER BY connection LIMIT 1",
    next_merchant: "SELECT merchant, connection FROM deliveries INDEXED BY deliveries_set_aside \
        WHERE state IN ('failed', 'discarded', 'superseded') AND state = ?2 AND merchant > ?1 \
        ORDER BY merchant, connection LIMIT 1",
};

impl Reader {
    pub(in super::super) fn deliveries(
        &mut self,
        filter: &DeliveryFilter,
        before: Option<DeliveryId>,
        most: usize,
    ) -> DbResult<DeliveryPage> {
        let Some(runs) = self.runs(filter)? else {
            return Ok(DeliveryPage::default());
        };
        let bounds = bounds(before, filter.newest(), filter.oldest(), DeliveryId::as_uuid);
        let newest = Newest::new(&self.db, runs, bounds, most.saturating_add(1))?;
        let (entries, next) = newest.page(most, MOST_LOOKED_AT, |id| {
            Ok(delivery(&self.db, id)?.filter(|found| found.matches(filter)))
        })?;
        let next = next.map(DeliveryId::from_uuid);
        Ok(DeliveryPage { entries, next })
    }

    pub(in super::super) fn count_deliveries(&mut self, filter: &DeliveryFilter, most: usize) -> DbResult<Counted> {
        let mut counted = Counted { count: 0, is_all: true };
        let Some(runs) = self.runs(filter)? else {
            return Ok(counted);
        };
        let by_index = is_decided_by_index(filter);
        let most_looked_at = if by_index { MOST_COUNTED } else { MOST_LOOKED_AT }.max(most);
        let bounds = bounds(None, filter.newest(), filter.oldest(), DeliveryId::as_uuid);
        let mut newest = Newest::new(&self.db, runs, bounds, most.saturating_add(1))?;
        let mut looked_at = 0;
        while let Some(id) = newest.next()? {
            let counts = by_index || delivery(&self.db, &id)?.is_some_and(|found| found.matches(filter));
            if looked_at == most_looked_at || (counts && counted.count == most) {
                counted.is_all = false;
                break;
            }
            looked_at += 1;
            counted.count += usize::from(counts);
        }
        Ok(counted)
    }

    pub(in super::super) fn upserts(
        &mut self,
        filter: &UpsertFilter,
        before: Option<UpsertId>,
        most: usize,
    ) -> DbResult<UpsertPage> {
        let Some(merchant) = self.names.find(&self.db, &filter.merchant)? else {
            return Ok(UpsertPage::default());
        };
        let runs = upsert_runs(filter, merchant);
        let bounds = bounds(before, filter.newest(), filter.oldest(), UpsertId::as_uuid);
        // To tell its connections costs as much again.
        let most_looked_at = MOST_LOOKED_AT / if filter.connection.is_some() { 2 } else { 1 };
        let newest = Newest::new(&self.db, runs, bounds, most.saturating_add(1))?;
        let (entries, next) = newest.page(most, most_looked_at, |id| self.matching_upsert(filter, id))?;
        let next = next.map(UpsertId::from_uuid);
        Ok(UpsertPage { entries, next })
    }

    fn matching_upsert(
        &self,
        filter: &UpsertFilter,
        id: &Uuid,
    ) -> DbResult<Option<(UpsertRecord, Vec<DeliveryRecord>)>> {
        let sql = "SELECT record FROM upserts WHERE id = ?1";
        let upsert: Option<UpsertRecord> = first(&self.db, sql, params![blob(id)], record)?;
        let Some(upsert) = upsert.filter(|upsert| upsert.matches_alone(filter)) else {
            return Ok(None);
        };
        let sql = "SELECT record FROM deliveries WHERE upsert = ?1 ORDER BY id";
        let deliveries: Vec<DeliveryRecord> = all(&self.db, sql, params![blob(id)], record)?;
        let matches = upsert.matches(filter, &deliveries);
        Ok(matches.then_some((upsert, deliveries)))
    }

    /// The narrowest runs in which everything is that matches; none: nothing can.
    fn runs(&mut self, filter: &DeliveryFilter) -> DbResult<Option<Vec<Run>>> {
        if let Some(upsert) = filter.upsert_id {
            return self.of_upserts("upsert = ?1", upsert.as_uuid()).map(Some);
        }
        if let Some(customer) = filter.customer_id {
            let its_own = "upsert IN (SELECT id FROM upserts WHERE customer = ?1)";
            return self.of_upserts(its_own, customer.as_uuid()).map(Some);
        }
        let Some(wanted) = self.wanted(filter.merchants.as_ref(), filter.connection.as_ref())? else {
            return Ok(None);
        };
        let place = |merchant, connection| vec![SqlValue::Integer(merchant), SqlValue::Integer(connection)];
        let mut runs = Vec::new();
        if filter.state.is_empty() || filter.state.contains(&DeliveryState::Succeeded) {
            if wanted.merchants.is_none() && wanted.name.is_none() {
                runs.push(Run::new(EVERY_DELIVERY, Vec::new()));
            } else {
                self.each_place(ALL_PLACES, None, &wanted, |merchant, connection| {
                    runs.push(Run::new(OF_CONNECTION, place(merchant, connection)));
                })?;
            }
            return Ok(Some(runs));
        }
        for state in &filter.state {
            let (places, ids) = if state.has_ended() {
                (SET_ASIDE_PLACES, SET_ASIDE)
            } else {
                (OPEN_PLACES, OPEN)
            };
            let state = state.as_str();
            self.each_place(places, Some(state), &wanted, |merchant, connection| {
                let mut of = place(merchant, connection);
                of.push(SqlValue::Text(state.to_owned()));
                runs.push(Run::new(ids, of));
            })?;
        }
        Ok(Some(runs))
    }

    /// Few enough to be put in order here.
    fn of_upserts(&self, which: &str, id: &Uuid) -> DbResult<Vec<Run>> {
        let sql = format!("SELECT id FROM deliveries WHERE {which}");
        let mut ids = all(&self.db, &sql, params![blob(id)], |row| uuid(row, "id"))?;
        ids.sort_unstable_by(|one, other| other.cmp(one));
        Ok(vec![Run::known(ids)])
    }
}

fn upsert_runs(filter: &UpsertFilter, merchant: i64) -> Vec<Run> {
    if let Some(customer) = filter.customer_id {
        let customer = SqlValue::Blob(customer.as_uuid().as_bytes().to_vec());
        return vec![Run::new(OF_CUSTOMER, vec![customer])];
    }
    if filter.state.iter().eq([&UpsertState::Pending]) {
        return vec![Run::new(PENDING_UPSERTS, Vec::new())];
    }
    let merchant = SqlValue::Integer(merchant);
    let has_failed = |state: &UpsertState| matches!(state, UpsertState::Failed | UpsertState::PartiallyFailed);
    if !filter.state.is_empty() && filter.state.iter().all(has_failed) {
        let in_state = |state: &UpsertState| vec![merchant.clone(), SqlValue::Text(state.as_str().to_owned())];
        let states = filter.state.iter();
        return states.map(|state| Run::new(FAILED_UPSERTS, in_state(state))).collect();
    }
    vec![Run::new(OF_MERCHANT, vec![merchant])]
}

/// Whether all that the runs have matches.
fn is_decided_by_index(filter: &DeliveryFilter) -> bool {
    let by_state = DeliveryFilter {
        merchants: filter.merchants.clone(),
        connection: filter.connection.clone(),
        state: filter.state.clone(),
        ..DeliveryFilter::default()
    };
    *filter == by_state && !filter.state.contains(&DeliveryState::Succeeded)
}

fn delivery(db: &Connection, id: &Uuid) -> DbResult<Option<DeliveryRecord>> {
    let sql = "SELECT record FROM deliveries WHERE id = ?1";
    first(db, sql, params![blob(id)], record)
}

#[cfg(test)]
mod tests {
    use super::super::plan;
    use super::*;

    #[test]
    fn every_run_is_read_from_where_it_ended_without_sorting_and_without_its_rows() {
        for (sql, index) in [
            (
                OF_CONNECTION,
                "deliveries_of_connection (merchant=? AND connection=? AND id>? AND id<?)",
            ),
            (
                OPEN,
                "deliveries_open (open_state=? AND merchant=? AND connection=? AND id>? AND id<?)",
            ),
            (
                SET_ASIDE,
                "deliveries_set_aside (state=? AND merchant=? AND connection=? AND id>? AND id<?)",
            ),
            (OF_MERCHANT, "upserts_of_merchant (merchant=? AND id>? AND id<?)"),
            (OF_CUSTOMER, "upserts_of_customer (customer=? AND id>? AND id<?)"),
            (
                FAILED_UPSERTS,
                "upserts_failed (merchant=? AND state=? AND id>? AND id<?)",
            ),
        ] {
            let plan = plan(sql);
            assert!(plan.contains(index) && plan.contains("COVERING"), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
        let plan = plan(EVERY_DELIVERY);
        assert!(
            plan.contains("PRIMARY KEY (id>? AND id<?)") && !plan.contains("TEMP B-TREE"),
            "{plan}"
        );
    }

    #[test]
    fn the_next_place_is_one_step_in_the_index() {
        for (places, index, state) in [
            (ALL_PLACES, "deliveries_of_connection", ""),
            (OPEN_PLACES, "deliveries_open", "open_state=? AND "),
            (SET_ASIDE_PLACES, "deliveries_set_aside", "state=? AND "),
        ] {
            for (sql, columns) in [
                (places.next_name, "merchant=? AND connection>?"),
                (places.next_merchant, "merchant>?"),
            ] {
                let plan = plan(sql);
                let step = format!("COVERING INDEX {index} ({state}{columns})");
                assert!(plan.contains(&step) && !plan.contains("TEMP B-TREE"), "{plan}");
            }
        }
    }
}
