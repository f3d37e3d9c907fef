//! Reading back: `GET /customers` and `GET /customers/{id}` `[S2]`. The record that they show is not the one that is
//! written: the property's address is nested, and billing address and service are missing.

use serde_json::Value as Json;
use url::form_urlencoded::{Serializer, byte_serialize};

use upsert_core::canonicalise::canonical_text;
use upsert_core::{
    Customer, CustomerPatch, Field, Form, ListQuery, Patch, Problem, ProviderError, ReadCustomer, ReadPage, WireRequest,
};
use upsert_provider_kit::{
    HttpReads, Reading, WireReply, at_path, canonical_value, get, list_of, page_fields, unreadable,
};

use crate::Rotor;
use crate::decode::object;

/// The most records that one page holds `[S2]`.
const MOST_PER_PAGE: u32 = 1_000;

/// The member that holds a page's records; like all of them it is optional `[S2]`.
const LIST: [&str; 1] = ["data"];

impl HttpReads for Rotor {
    fn check(&self, query: &ListQuery) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        let mut refuse = |name: &str, detail: &str| problems.push(Problem::new(name, "invalid_value", detail));
        if !matches!(query.status.as_deref(), None | Some("active" | "inactive")) {
            refuse("status", "has to be one of: active, inactive");
        }
        if query.tags.iter().any(|tag| tag.contains(',')) {
            refuse("tag", "holds a comma, which parts one tag from the next at Rotor");
        }
        if page(query).is_none() {
            refuse("cursor", "is not one that this connection gave");
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn list_request(&self, query: &ListQuery) -> WireRequest {
        let mut pairs = Serializer::new(String::new());
        pairs.append_pair("page", &page(query).unwrap_or(1).to_string());
        pairs.append_pair("limit", &page_length(query).to_string());
        for (name, value) in [("search", &query.search), ("status", &query.status)] {
            if let Some(value) = value {
                pairs.append_pair(name, value);
            }
        }
        if !query.tags.is_empty() {
            pairs.append_pair("tags", &query.tags.join(","));
        }
        if let Some(archived) = query.archived {
            pairs.append_pair("archived", if archived { "true" } else { "false" });
        }
        // `%20` is a space to every server, `+` only to most.
        get(format!("/customers?{}", pairs.finish().replace('+', "%20")))
    }

    fn decode_list(&self, query: &ListQuery, reply: &WireReply) -> Result<ReadPage, ProviderError> {
        let body = Json::Object(object(self, None, reply)?);
        let records = list_of(&body, &LIST).map_err(|what| unreadable(reply, what))?;
        let data: Vec<_> = records
            .unwrap_or_default()
            .iter()
            .map(|it| read(&self.form, it))
            .collect();
        // An empty page that promises more would be asked for again for ever.
        let goes_on = has_more(query, &body).map_err(|what| unreadable(reply, what))? && !data.is_empty();
        let next = page(query).filter(|_| goes_on).and_then(|page| page.checked_add(1));
        Ok(ReadPage {
            data,
            next: next.map(|page| page.to_string()),
            vendor_fields: page_fields(&body, &LIST),
        })
    }

    fn read_request(&self, provider_customer_id: &str) -> WireRequest {
        let mut segment = byte_serialize(provider_customer_id.as_bytes())
            .collect::<String>()
            .replace('+', "%20");
        // URLs resolve these two away, however they are written, and so would ask for another resource.
        if matches!(segment.as_str(), "." | "..") {
            segment = segment.replace('.', "%252E");
        }
        get(format!("/customers/{segment}"))
    }

    fn decode_read(&self, reply: &WireReply) -> Result<Option<ReadCustomer>, ProviderError> {
        if reply.status == 404 {
            return Ok(None);
        }
        let body = Json::Object(object(self, None, reply)?);
        let record = body.get("data").unwrap_or(&body);
        Ok(Some(read(&self.form, record)))
    }
}

/// Whether there are more pages; what cannot be read is not no. Where only the total is told, it tells that too.
fn has_more(query: &ListQuery, body: &Json) -> Result<bool, &'static str> {
    match (at_path(body, "pagination/has_more"), at_path(body, "pagination/total")) {
        (Some(Json::Bool(has_more)), _) => Ok(*has_more),
        (None | Some(Json::Null), None | Some(Json::Null)) => Ok(false),
        (None | Some(Json::Null), Some(total)) => {
            let shown = u64::from(page(query).unwrap_or(1)) * u64::from(page_length(query));
            let total = total.as_u64().ok_or("the total of its records cannot be read")?;
            Ok(total > shown)
        }
        (Some(_), _) => Err("whether there are more pages cannot be read"),
    }
}

fn page_length(query: &ListQuery) -> u32 {
    query.limit.clamp(1, MOST_PER_PAGE)
}

/// The page that a query asks for, from 1; none if its cursor is not one of ours.
fn page(query: &ListQuery) -> Option<u32> {
    match query.cursor.as_deref() {
        None => Some(1),
        Some(cursor) => cursor
            .parse::<u32>()
            .ok()
            .filter(|page| *page > 0 && page.to_string() == cursor),
    }
}

/// A record in our words. Where it shows the property it is nested; the merge gives it a kind: an organisation is a
/// company's name without a person's.
fn read(form: &Form, record: &Json) -> ReadCustomer {
    let region = region(record);
    let mut read = Reading {
        form,
        id: "id",
        path: &path,
        translate: &|field, json| canonical_value(field, json, region.as_deref()),
    }
    .record(record);
    let fields = read.customer.fields();
    let patch = CustomerPatch {
        fields: fields
            .map(|(field, value)| (field, Patch::Set(value.clone())))
            .collect(),
        ..CustomerPatch::default()
    };
    read.customer = Customer::default().merged(&patch);
    read
}

/// Where a read record has what is written as `vendor_field`.
fn path(vendor_field: &str) -> String {
    match vendor_field.strip_prefix("property_") {
        Some(part) => format!("address/{part}"),
        None => vendor_field.to_owned(),
    }
}

/// Numbers without a country code are read as those of the country where the property lies.
fn region(record: &Json) -> Option<String> {
    let country = at_path(record, "address/country")?.as_str()?;
    canonical_text(Field::PropertyCountry, country, None).ok()
}
