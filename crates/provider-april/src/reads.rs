//! Reading back: `GET /customers` and `GET /customers/{customerId}` `[D]`, with a marketplace key.

use serde_json::Value as Json;

use upsert_core::{
    Customer, Field, Kind, ListQuery, Problem, ProviderError, ReadCustomer, ReadPage, Unreadable, Value, WireRequest,
    Word as _,
};
use upsert_provider_kit::{
    HttpReads, Reading, Refusals as _, WireReply, canonical_value, check_query, get, get_with, path_segment,
    search_parameter, unreadable,
};

use crate::April;
use crate::decode::{MERCHANT, other_merchant, text};

/// The most records that April puts on a page `[D]`.
const LONGEST_PAGE: u32 = 500;

/// April filters by email address, or by a name (first, last or organisation's) `[D]`: a `search` with an `@` in it is
/// an email address. A cursor is April's page, counted from 1.
impl HttpReads for April {
    fn check(&self, query: &ListQuery) -> Result<(), Vec<Problem>> {
        check_query(query, &["search"], page(query).is_some())
    }

    fn list_request(&self, query: &ListQuery) -> WireRequest {
        let page = page(query).unwrap_or(1);
        let place = [("limit", page_length(query).to_string()), ("page", page.to_string())];
        let search = search_parameter(query, "emailAddress", "name");
        get_with("/customers", place.into_iter().chain(search))
    }

    fn decode_list(&self, query: &ListQuery, reply: &WireReply) -> Result<ReadPage, ProviderError> {
        let body = self.accepted(None, reply)?;
        let records = body
            .as_array()
            .ok_or_else(|| unreadable(reply, "the body is no list"))?;
        let data = records.iter().map(|record| self.record(record, reply));
        let data = data.collect::<Result<Vec<_>, _>>()?;
        // No total is known: a page that is not full is the last one.
        let is_full = u32::try_from(data.len()).is_ok_and(|count| count >= page_length(query));
        let next = page(query).unwrap_or(1).saturating_add(1);
        Ok(ReadPage {
            data,
            next: is_full.then(|| next.to_string()),
            ..ReadPage::default()
        })
    }

    fn read_request(&self, provider_customer_id: &str) -> WireRequest {
        get(format!("/customers/{}", path_segment(provider_customer_id)))
    }

    fn decode_read(&self, reply: &WireReply) -> Result<Option<ReadCustomer>, ProviderError> {
        if reply.status == 404 {
            return Ok(None);
        }
        let shown = self.accepted(None, reply)?;
        if self.is_of_another_merchant(unwrapped(&shown).1) {
            return Err(other_merchant(reply));
        }
        self.record(&shown, reply).map(Some)
    }
}

impl April {
    fn record(&self, shown: &Json, reply: &WireReply) -> Result<ReadCustomer, ProviderError> {
        let (wrapper, record) = unwrapped(shown);
        if self.is_of_another_merchant(record) {
            return Ok(not_ours(record));
        }
        let kind = if wrapper.is_some_and(|name| name.contains("Organisation"))
            || text(record, "organisationName").is_some()
        {
            Kind::Organisation
        } else {
            Kind::Person
        };
        let Some(form) = self.capabilities.form(kind) else {
            return Err(unreadable(reply, "there is no table to read it by"));
        };
        let reading = Reading {
            form,
            id: "customerId",
            path: &str::to_owned,
            translate: &|field, json| canonical_value(field, json, None),
        };
        let mut read = reading.record(record);
        if record.is_object() {
            read.customer.set(Field::Kind, Value::Text(kind.as_str().to_owned()));
        }
        Ok(read)
    }
}

/// A record of another merchant costs its place in the list, and nothing more of it is shown.
fn not_ours(record: &Json) -> ReadCustomer {
    let whose = record.get(MERCHANT).cloned().unwrap_or_default();
    ReadCustomer {
        provider_customer_id: None,
        customer: Customer::default(),
        unreadable: vec![Unreadable::new("/merchant_id", whose)],
        vendor_fields: serde_json::Map::new(),
    }
}

/// April wraps other things it shows in an object of one member `[D]`; whether it wraps customers is not known.
fn unwrapped(shown: &Json) -> (Option<&str>, &Json) {
    match shown.as_object().filter(|members| members.len() == 1) {
        Some(members) => members
            .iter()
            .find(|(_, inner)| inner.is_object())
            .map_or((None, shown), |(name, inner)| (Some(name.as_str()), inner)),
        None => (None, shown),
    }
}

fn page_length(query: &ListQuery) -> u32 {
    query.limit.clamp(1, LONGEST_PAGE)
}

/// The page that is asked for; none if the cursor is none of ours.
fn page(query: &ListQuery) -> Option<u32> {
    match query.cursor.as_deref() {
        None => Some(1),
        Some(cursor) => cursor.parse().ok().filter(|page| *page > 0),
    }
}
