//! Reading back: `GET /customers` and `GET /customers/{id}` `[S2]`. The record that they show is not the one that is
//! written: the property's address is nested, and billing address and service are missing.

use serde_json::{Map, Value as Json};
use url::form_urlencoded::{Serializer, byte_serialize};

use upsert_core::canonicalise::canonical_text;
use upsert_core::field::Rule;
use upsert_core::text::{LineBreaks, TextRule, text};
use upsert_core::{
    Customer, CustomerPatch, Field, FieldMap, Form, ListQuery, Patch, Problem, ProviderError, ReadCustomer, ReadPage,
    StateAtVendor, Value, WireRequest,
};
use upsert_provider_kit::{HttpReads, WireReply, at_path, unreadable};

use crate::Rotor;
use crate::decode::{VendorSaid, meaning, object};

/// The most records that one page holds `[S2]`.
const MOST_PER_PAGE: u32 = 1_000;

const TAG: TextRule = TextRule {
    max_chars: 100,
    line_breaks: LineBreaks::Refused,
};

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
        pairs.append_pair("limit", &query.limit.clamp(1, MOST_PER_PAGE).to_string());
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
        let body = answer(reply)?;
        let Some(Json::Array(records)) = body.get("data") else {
            return Err(not_understood(reply, "it has no list of data"));
        };
        let data = records
            .iter()
            .map(|record| read(&self.form, record).ok_or_else(|| not_understood(reply, "a record has no id")))
            .collect::<Result<Vec<_>, _>>()?;
        let has_more = body.get("pagination").and_then(|pagination| pagination.get("has_more"));
        // An empty page that promises more would be asked for again for ever.
        let goes_on = has_more.and_then(Json::as_bool).unwrap_or(false) && !data.is_empty();
        let next = page(query).filter(|_| goes_on).and_then(|page| page.checked_add(1));
        Ok(ReadPage {
            data,
            next: next.map(|page| page.to_string()),
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
        let body = Json::Object(answer(reply)?);
        let record = body.get("data").unwrap_or(&body);
        read(&self.form, record)
            .map(Some)
            .ok_or_else(|| not_understood(reply, "it has no record with an id"))
    }
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

fn get(path: String) -> WireRequest {
    WireRequest {
        method: "GET".to_owned(),
        path,
        body: Json::Null,
    }
}

fn answer(reply: &WireReply) -> Result<Map<String, Json>, ProviderError> {
    if reply.is_success() {
        return object(reply).map_err(of_read);
    }
    let said = VendorSaid::of(reply);
    Err(said.explain(of_read(meaning(reply, &said))))
}

fn not_understood(reply: &WireReply, what: &str) -> ProviderError {
    of_read(unreadable(reply, what))
}

/// Reading writes nothing, so no outcome is in doubt.
fn of_read(mut error: ProviderError) -> ProviderError {
    error.state = StateAtVendor::Unchanged;
    error.detail = error.detail.replace("; whether it wrote is not known", "");
    error
}

/// A record in our words; none without an id.
fn read(form: &Form, record: &Json) -> Option<ReadCustomer> {
    let id = record.get("id")?.as_str().filter(|id| !id.trim().is_empty())?;
    let mut patch = CustomerPatch::default();
    let mut unreadable = Vec::new();
    let region = region(record);
    for map in &form.fields {
        match value(map, record, region.as_deref()) {
            Some(Read::Value(value)) => drop(patch.fields.insert(map.field, Patch::Set(value))),
            Some(Read::Nothing) => {}
            None => unreadable.push(map.field.pointer().to_owned()),
        }
    }
    Some(ReadCustomer {
        provider_customer_id: id.to_owned(),
        // The merge gives it a kind: an organisation is a company's name without a person's.
        customer: Customer::default().merged(&patch),
        unreadable,
    })
}

enum Read {
    Value(Value),
    Nothing,
}

/// What the record shows of a field; none if it does not show it, or not in a form that can be understood.
fn value(map: &FieldMap, record: &Json, region: Option<&str>) -> Option<Read> {
    if !map.readable {
        return None;
    }
    match (map.field.rule(), shown(map.vendor_field, record)) {
        (_, None | Some(Json::Null)) => Some(Read::Nothing),
        (Rule::Tags, Some(Json::Array(tags))) => {
            let tags = tags.iter().map(|tag| text(tag.as_str()?, TAG).ok());
            tags.collect::<Option<_>>().map(|tags| Read::Value(Value::Tags(tags)))
        }
        (Rule::Tags, Some(_)) => None,
        (_, Some(Json::String(raw))) if raw.trim().is_empty() => Some(Read::Nothing),
        (_, Some(Json::String(raw))) => {
            let canonical = canonical_text(map.field, raw, region).ok()?;
            Some(Read::Value(Value::Text(canonical)))
        }
        (_, Some(_)) => None,
    }
}

/// Where a read record has what is written as `vendor_field`.
fn shown<'a>(vendor_field: &str, record: &'a Json) -> Option<&'a Json> {
    match vendor_field.strip_prefix("property_") {
        Some(part) => at_path(record, &format!("address/{part}")),
        None => at_path(record, vendor_field),
    }
}

/// Numbers without a country code are read as those of the country where the property lies.
fn region(record: &Json) -> Option<String> {
    let country = shown("property_country", record)?.as_str()?;
    canonical_text(Field::PropertyCountry, country, None).ok()
}
