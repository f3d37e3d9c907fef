//! Reading back: `GET /customers` and `GET /customers/{id}`, where the id is our `externalId` `[D]`.

use serde_json::Value as Json;

use upsert_core::{CustomerId, Field, ListQuery, Problem, ProviderError, ReadCustomer, ReadPage, Value, WireRequest};
use upsert_provider_kit::{
    HttpReads, Reading, Refusals as _, WireReply, canonical_value, check_query, get, get_with, list_of, page_fields,
    path_segment, record_id, search_parameter, unreadable,
};

use crate::AddUpdate;
use crate::capabilities::EXTERNAL_ID;

/// The most records that the vendor puts on a page `[D]`.
const LONGEST_PAGE: u32 = 100;
/// Where a page's records may stand if it is no bare array: the shape is not documented `[A]`.
const PAGE_MEMBERS: [&str; 4] = ["data", "customers", "items", "results"];

/// The vendor filters by the exact email or externalId alone `[D]`: a `search` with an `@` in it is an email, any other
/// one an externalId. A cursor is the vendor's offset.
impl HttpReads for AddUpdate {
    fn check(&self, query: &ListQuery) -> Result<(), Vec<Problem>> {
        check_query(query, &["search"], offset(query).is_some())
    }

    fn list_request(&self, query: &ListQuery) -> WireRequest {
        let offset = offset(query).unwrap_or_default();
        let place = [
            ("limit", page_length(query).to_string()),
            ("offset", offset.to_string()),
        ];
        let search = search_parameter(query, "email", EXTERNAL_ID);
        get_with("/customers", place.into_iter().chain(search))
    }

    fn decode_list(&self, query: &ListQuery, reply: &WireReply) -> Result<ReadPage, ProviderError> {
        let body = self.accepted(None, reply)?;
        let records = match list_of(&body, &PAGE_MEMBERS) {
            Ok(Some(records)) => records,
            Ok(None) if !may_hold_a_list(&body) => &[],
            Ok(None) => return Err(unreadable(reply, "the body holds no list of records")),
            Err(what) => return Err(unreadable(reply, what)),
        };
        let data = records.iter().map(|record| self.record(record, reply));
        let data = data.collect::<Result<Vec<_>, _>>()?;
        // No total is known: a page that is not full is the last one.
        let count = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let is_full = count >= u64::from(page_length(query));
        let next = offset(query).unwrap_or_default().saturating_add(count);
        Ok(ReadPage {
            data,
            next: is_full.then(|| next.to_string()),
            vendor_fields: page_fields(&body, &PAGE_MEMBERS),
        })
    }

    fn read_request(&self, provider_customer_id: &str) -> WireRequest {
        get(format!("/customers/{}", path_segment(provider_customer_id)))
    }

    fn decode_read(&self, reply: &WireReply) -> Result<Option<ReadCustomer>, ProviderError> {
        if reply.status == 404 {
            return Ok(None);
        }
        let record = self.accepted(None, reply)?;
        self.record(&record, reply).map(Some)
    }
}

impl AddUpdate {
    fn record(&self, record: &Json, reply: &WireReply) -> Result<ReadCustomer, ProviderError> {
        // The vendor does not show of which kind a record is, and it has persons first and foremost.
        let Some(form) = self.capabilities.forms.first() else {
            return Err(unreadable(reply, "there is no table to read it by"));
        };
        let id = record.get(EXTERNAL_ID).and_then(record_id);
        // Made with the gateway's id: the merchant has given no reference.
        let is_ours = id.is_some_and(|id| id.parse::<CustomerId>().is_ok());
        let path = |vendor_field: &str| match vendor_field {
            EXTERNAL_ID if is_ours => String::new(),
            shown => shown.to_owned(),
        };
        let reading = Reading {
            form,
            id: EXTERNAL_ID,
            path: &path,
            translate: &translate,
        };
        Ok(reading.record(record))
    }
}

/// Whether the list may stand in it under a name that is not known: the shape is not documented.
fn may_hold_a_list(body: &Json) -> bool {
    let mut members = body.as_object().into_iter().flatten();
    members.any(|(_, value)| value.is_array() || value.is_object())
}

fn translate(field: Field, json: &Json) -> Option<Value> {
    match (field, json) {
        (Field::Status, Json::Bool(is_active)) => {
            let word = if *is_active { "active" } else { "inactive" };
            Some(Value::Text(word.to_owned()))
        }
        // A number equals its text.
        (Field::Reference, json) => canonical_value(field, &Json::from(record_id(json)?), None),
        _ => canonical_value(field, json, None),
    }
}

fn page_length(query: &ListQuery) -> u32 {
    query.limit.clamp(1, LONGEST_PAGE)
}

/// Where the page starts; none if the cursor is none of ours.
fn offset(query: &ListQuery) -> Option<u64> {
    query.cursor.as_deref().map_or(Some(0), |cursor| cursor.parse().ok())
}
