//! Reading back: `GET /customers` and `GET /customers/{id}`, where the id is our `externalId` `[D]`.

use serde_json::Value as Json;

use upsert_core::canonicalise::canonical_text;
use upsert_core::{CustomerId, Field, ListQuery, Problem, ProviderError, ReadCustomer, ReadPage, Value, WireRequest};
use upsert_provider_kit::{
    HttpReads, WireReply, canonical_value, path_segment, path_with_query, read_back, unknown_filters, unreadable,
};

use crate::AddUpdate;
use crate::capabilities::EXTERNAL_ID;
use crate::decode::record_id;
use crate::refusal::refusal;

/// The most records that the vendor puts on a page `[D]`.
const LONGEST_PAGE: u32 = 100;
/// Where a page's records may stand if it is no bare array: the shape is not documented `[A]`.
const PAGE_MEMBERS: [&str; 4] = ["data", "customers", "items", "results"];

/// The vendor filters by the exact email or externalId alone `[D]`: a `search` with an `@` in it is an email, any other
/// one an externalId. A cursor is the vendor's offset.
impl HttpReads for AddUpdate {
    fn check(&self, query: &ListQuery) -> Result<(), Vec<Problem>> {
        let mut problems = unknown_filters(query, &["search"]);
        if offset(query).is_none() {
            problems.push(Problem::new("cursor", "invalid_cursor", "is not a cursor of this list"));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn list_request(&self, query: &ListQuery) -> WireRequest {
        let limit = page_length(query).to_string();
        let offset = offset(query).unwrap_or_default().to_string();
        let mut parameters = vec![("limit", limit.as_str()), ("offset", offset.as_str())];
        let email;
        if let Some(search) = query.search.as_deref().map(str::trim) {
            if search.contains('@') {
                email = canonical_text(Field::Email, search, None).unwrap_or_else(|_| search.to_owned());
                parameters.push(("email", &email));
            } else {
                parameters.push((EXTERNAL_ID, search));
            }
        }
        get(path_with_query("/customers", parameters))
    }

    fn decode_list(&self, query: &ListQuery, reply: &WireReply) -> Result<ReadPage, ProviderError> {
        if !reply.is_success() {
            return Err(refusal(&self.capabilities, None, reply));
        }
        let body: Json = serde_json::from_slice(&reply.body).map_err(|_| unreadable(reply, "the body is not JSON"))?;
        let records = body
            .as_array()
            .or_else(|| PAGE_MEMBERS.iter().find_map(|name| body.get(name)?.as_array()))
            .ok_or_else(|| unreadable(reply, "the body holds no list of records"))?;
        let data = records
            .iter()
            .map(|record| self.record(record, reply))
            .collect::<Result<Vec<_>, _>>()?;
        // No total is known: a page that is not full is the last one.
        let count = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let is_full = count >= u64::from(page_length(query));
        let next = offset(query).unwrap_or_default().saturating_add(count);
        Ok(ReadPage {
            data,
            next: is_full.then(|| next.to_string()),
        })
    }

    fn read_request(&self, provider_customer_id: &str) -> WireRequest {
        get(format!("/customers/{}", path_segment(provider_customer_id)))
    }

    fn decode_read(&self, reply: &WireReply) -> Result<Option<ReadCustomer>, ProviderError> {
        if reply.status == 404 {
            return Ok(None);
        }
        if !reply.is_success() {
            return Err(refusal(&self.capabilities, None, reply));
        }
        let record = serde_json::from_slice(&reply.body).map_err(|_| unreadable(reply, "the body is not JSON"))?;
        self.record(&record, reply).map(Some)
    }
}

impl AddUpdate {
    fn record(&self, record: &Json, reply: &WireReply) -> Result<ReadCustomer, ProviderError> {
        let id = record_id(record).ok_or_else(|| unreadable(reply, "a record has no externalId"))?;
        // The vendor does not show of which kind a record is, and it has persons first and foremost.
        let Some(form) = self.capabilities.forms.first() else {
            return Err(unreadable(reply, "there is no table to read it by"));
        };
        let mut shown = record.clone();
        if id.parse::<CustomerId>().is_ok()
            && let Some(members) = shown.as_object_mut()
        {
            // Made with the gateway's id: the merchant has given no reference.
            members.remove(EXTERNAL_ID);
        }
        let (customer, unreadable) = read_back(form, &shown, &translate);
        Ok(ReadCustomer {
            provider_customer_id: id.to_owned(),
            customer,
            unreadable,
        })
    }
}

fn translate(field: Field, json: &Json) -> Option<Value> {
    match (field, json) {
        (Field::Status, Json::Bool(is_active)) => {
            let word = if *is_active { "active" } else { "inactive" };
            Some(Value::Text(word.to_owned()))
        }
        _ => canonical_value(field, json),
    }
}

fn page_length(query: &ListQuery) -> u32 {
    query.limit.clamp(1, LONGEST_PAGE)
}

/// Where the page starts; none if the cursor is none of ours.
fn offset(query: &ListQuery) -> Option<u64> {
    query.cursor.as_deref().map_or(Some(0), |cursor| cursor.parse().ok())
}

fn get(path: String) -> WireRequest {
    WireRequest {
        method: "GET".to_owned(),
        path,
        body: Json::Null,
    }
}
