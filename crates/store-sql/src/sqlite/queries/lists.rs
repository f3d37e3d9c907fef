//! Pages of deliveries and upserts. Merchant, connection and state are found by index; what else is asked for is looked
//! at row by row, and a page that finds little stops after [`MOST_LOOKED_AT`] rows and says where it goes on.

use rusqlite::params;
use rusqlite::types::Value as SqlValue;
use uuid::Uuid;

use upsert_core::{DeliveryId, UpsertId, Word as _};
use upsert_store::{
    Counted, DeliveryFilter, DeliveryPage, DeliveryRecord, DeliveryState, UpsertFilter, UpsertPage, UpsertRecord,
};

use super::super::readers::Reader;
use super::super::rows::{DbResult, all, blob, each, first, standing_of_upsert, uuid};
use super::newest::{Newest, Run, bounds};
use super::places::{Places, Wanted};
use crate::copy::form::UPSERTS;
use crate::kept::last_of;

/// Rows that one page looks at. As many as keep a page well under 50 ms.
pub(super) const MOST_LOOKED_AT: usize = 2_000;

/// Ids that a count goes through where it need not look at the rows.
const MOST_COUNTED: usize = 100_000;

const OF_CONNECTION: &str = "SELECT id FROM upserts INDEXED BY upserts_at \
    WHERE merchant = ?4 AND connection = ?5 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";
const STANDING: &str = "SELECT id FROM upserts INDEXED BY upserts_standing \
    WHERE standing = ?6 AND merchant = ?4 AND connection = ?5 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";
const OF_UPSERT: &str = "SELECT id FROM upserts \
    WHERE merchant = ?1 AND id > ?2 AND id <= ?3 AND connection IS NOT NULL ORDER BY id";
const UPSERTS_OF_CUSTOMER: &str = "SELECT id FROM upserts INDEXED BY upserts_of WHERE merchant = ?1 AND customer = ?2";
const OF_MERCHANT: &str = "SELECT id FROM upserts \
    WHERE merchant = ?4 AND connection IS NULL AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";
const OF_CUSTOMER: &str = "SELECT id FROM upserts INDEXED BY upserts_of \
    WHERE merchant = ?4 AND customer = ?5 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";
const STANDING_UPSERTS: &str = "SELECT id FROM upserts INDEXED BY upserts_standing \
    WHERE standing = ?5 AND merchant = ?4 AND connection IS NULL AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3";

const ALL_PLACES: Places = Places {
    next_name: "SELECT merchant, connection FROM upserts INDEXED BY upserts_at \
        WHERE merchant = ?1 AND connection > ?2 ORDER BY connection LIMIT 1",
    next_merchant: "SELECT merchant, connection FROM upserts INDEXED BY upserts_at \
        WHERE connection IS NOT NULL AND merchant > ?1 ORDER BY merchant, connection LIMIT 1",
};
pub(super) const STANDING_PLACES: Places = Places {
    next_name: "SELECT merchant, connection FROM upserts INDEXED BY upserts_standing \
        WHERE standing = ?3 AND merchant = ?1 AND connection > ?2 ORDER BY connection LIMIT 1",
    next_merchant: "SELECT merchant, connection FROM upserts INDEXED BY upserts_standing \
        WHERE standing = ?2 AND merchant > ?1 ORDER BY merchant, connection LIMIT 1",
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
        let (entries, next) = newest.page(most, MOST_LOOKED_AT, |merchant, id| {
            Ok(self.delivery_at(merchant, id)?.filter(|found| found.matches(filter)))
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
        while let Some((merchant, id)) = newest.next()? {
            let counts = by_index
                || self
                    .delivery_at(merchant, &id)?
                    .is_some_and(|found| found.matches(filter));
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
        let (entries, next) = newest.page(most, most_looked_at, |merchant, id| {
            self.matching_upsert(filter, merchant, id)
        })?;
        let next = next.map(UpsertId::from_uuid);
        Ok(UpsertPage { entries, next })
    }

    fn matching_upsert(
        &self,
        filter: &UpsertFilter,
        merchant: i64,
        id: &Uuid,
    ) -> DbResult<Option<(UpsertRecord, Vec<DeliveryRecord>)>> {
        let found = self.upsert_at(merchant, id, |upsert| upsert.matches_alone(filter))?;
        Ok(found.filter(|(upsert, deliveries)| upsert.matches(filter, deliveries)))
    }

    /// The narrowest runs in which everything is that matches; none: nothing can.
    fn runs(&mut self, filter: &DeliveryFilter) -> DbResult<Option<Vec<Run>>> {
        let Some(wanted) = self.wanted(filter.merchants.as_ref(), filter.connection.as_ref())? else {
            return Ok(None);
        };
        if filter.upsert_id.is_some() || filter.customer_id.is_some() {
            return self.of_one(filter, wanted).map(Some);
        }
        let connection = |connection| SqlValue::Integer(connection);
        let mut runs = Vec::new();
        if filter.state.is_empty() || filter.state.contains(&DeliveryState::Succeeded) {
            self.each_place(ALL_PLACES, None, &wanted, |merchant, name| {
                runs.push(Run::new(OF_CONNECTION, merchant, [connection(name)]));
            })?;
            return Ok(Some(runs));
        }
        for state in &filter.state {
            let state = state.as_str();
            self.each_place(STANDING_PLACES, Some(state), &wanted, |merchant, name| {
                let of = [connection(name), SqlValue::Text(state.to_owned())];
                runs.push(Run::new(STANDING, merchant, of));
            })?;
        }
        Ok(Some(runs))
    }

    /// An upsert's or a customer's, at each merchant that is wanted: few enough to be put in order here.
    fn of_one(&self, filter: &DeliveryFilter, wanted: Wanted) -> DbResult<Vec<Run>> {
        let mut runs = Vec::new();
        for merchant in self.merchants(wanted)? {
            let upserts = match (filter.upsert_id, filter.customer_id) {
                (Some(upsert), _) => vec![*upsert.as_uuid()],
                (None, Some(customer)) => {
                    let params = params![merchant, blob(customer.as_uuid())];
                    all(&self.db, UPSERTS_OF_CUSTOMER, params, |row| uuid(row, "id"))?
                }
                (None, None) => Vec::new(),
            };
            let mut ids = Vec::new();
            for upsert in upserts {
                let last = last_of(&upsert);
                let params = params![merchant, blob(&upsert), blob(&last)];
                ids.extend(all(&self.db, OF_UPSERT, params, |row| uuid(row, "id"))?);
            }
            ids.sort_unstable_by(|one, other| other.cmp(one));
            runs.push(Run::known(merchant, ids));
        }
        Ok(runs)
    }
}

fn upsert_runs(filter: &UpsertFilter, merchant: i64) -> Vec<Run> {
    if let Some(customer) = filter.customer_id {
        let customer = SqlValue::Blob(customer.as_uuid().as_bytes().to_vec());
        return vec![Run::new(OF_CUSTOMER, merchant, [customer])];
    }
    let standings: Option<Vec<_>> = filter.state.iter().map(|state| standing_of_upsert(*state)).collect();
    match standings.filter(|standings| !standings.is_empty()) {
        Some(standings) => {
            let standing = |standing: &str| Run::new(STANDING_UPSERTS, merchant, [SqlValue::Text(standing.to_owned())]);
            standings.into_iter().map(standing).collect()
        }
        None => vec![Run::new(OF_MERCHANT, merchant, [])],
    }
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

impl Reader {
    /// An upsert that is wanted and, right behind it, its deliveries.
    pub(in super::super) fn upsert_at(
        &self,
        merchant: i64,
        id: &Uuid,
        is_wanted: impl Fn(&UpsertRecord) -> bool,
    ) -> DbResult<Option<(UpsertRecord, Vec<DeliveryRecord>)>> {
        let sql = "SELECT connection IS NULL AS is_upsert, id, revision, body FROM upserts \
                   WHERE merchant = ?1 AND id >= ?2 AND id <= ?3 ORDER BY id";
        let name = self.names.called(&self.db, merchant)?;
        let mut found: Option<(UpsertRecord, Vec<DeliveryRecord>)> = None;
        each(&self.db, sql, params![merchant, blob(id), blob(&last_of(id))], |row| {
            match &mut found {
                Some((_, deliveries)) => deliveries.push(self.body(row, &UPSERTS, &name)?),
                // Whoever asks may have the id of a delivery.
                None if row.get("is_upsert")? => {
                    let upsert = self.body(row, &UPSERTS, &name)?;
                    found = Some((upsert, Vec::new())).filter(|(found, _)| is_wanted(found));
                }
                None => {}
            }
            Ok(found.is_some())
        })?;
        Ok(found)
    }

    pub(super) fn delivery_at(&self, merchant: i64, id: &Uuid) -> DbResult<Option<DeliveryRecord>> {
        let sql = "SELECT id, revision, body FROM upserts WHERE merchant = ?1 AND id = ?2 AND connection IS NOT NULL";
        let name = self.names.called(&self.db, merchant)?;
        first(&self.db, sql, params![merchant, blob(id)], |row| {
            self.body(row, &UPSERTS, &name)
        })
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
                OF_CONNECTION,
                "upserts_at (merchant=? AND connection=? AND id>? AND id<?)",
            ),
            (
                STANDING,
                "upserts_standing (standing=? AND merchant=? AND connection=? AND id>? AND id<?)",
            ),
            (OF_CUSTOMER, "upserts_of (merchant=? AND customer=? AND id>? AND id<?)"),
            (UPSERTS_OF_CUSTOMER, "upserts_of (merchant=? AND customer=?)"),
            (
                STANDING_UPSERTS,
                "upserts_standing (standing=? AND merchant=? AND connection=? AND id>? AND id<?)",
            ),
        ] {
            let plan = plan(sql);
            assert!(plan.contains(index) && plan.contains("COVERING"), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
        for sql in [OF_MERCHANT, OF_UPSERT] {
            let plan = plan(sql);
            assert!(
                plan.contains("PRIMARY KEY (merchant=? AND id>? AND id<?)") && !plan.contains("TEMP B-TREE"),
                "{plan}"
            );
        }
    }

    #[test]
    fn the_next_place_is_one_step_in_the_index() {
        for (places, index, state) in [
            (ALL_PLACES, "upserts_at", ""),
            (STANDING_PLACES, "upserts_standing", "standing=? AND "),
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
