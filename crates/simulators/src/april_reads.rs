//! April's reads: a bare array without a total, and one customer in a single-key object. Their fields are assumed to be
//! those of the write with the ids and a stamp.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::april::April;
use crate::april_answers::{ORGANISATION, refusal};
use crate::clock::iso_millis;
use crate::record::Record;
use crate::wire::{Call, Reply};

const NAMES: [&str; 3] = ["givenName", "familyName", "organisationName"];

/// `GET /customers`. Sorting is by creation alone.
pub(crate) fn list(april: &April, merchants: &[String], call: &Call<'_>) -> Result<Reply, Reply> {
    let refuse = |detail: &str| refusal(400, Some(detail));
    let limit = call
        .number("limit", 20, 1..=500)
        .ok_or_else(|| refuse("limit: 1 to 500"))?;
    let page = call
        .number("page", 1, 1..=usize::MAX / 500)
        .ok_or_else(|| refuse("page: 1 or more"))?;
    let (after, before) = (moment(call, "createdAfter")?, moment(call, "createdBefore")?);
    let merchant = call.header("merchant-id");
    let one_of = |name: &str, value: &str| {
        let wanted = call.parameters(name);
        wanted.is_empty() || wanted.contains(&value)
    };
    let mut found = april.records.select(|record| {
        may_read(merchants, record)
            && merchant.is_none_or(|merchant| record.account == merchant)
            && one_of("merchantId", &record.account)
            && one_of("emailAddress", record.text("emailAddress"))
            && one_of("customerId", &record.id)
            && call.parameter("name").is_none_or(|name| record.mentions(name, &NAMES))
            && after.is_none_or(|after| record.created_at >= after)
            && before.is_none_or(|before| record.created_at <= before)
    });
    match call.parameter("sort") {
        None | Some("createdAt") => {}
        Some("-createdAt") => found.reverse(),
        Some(_) => return Err(refuse("sort: createdAt or -createdAt")),
    }
    let shape = if april.rules.wrapped_items { wrapped } else { flat };
    let shown: Vec<Value> = found.iter().skip((page - 1) * limit).take(limit).map(shape).collect();
    Ok(Reply::json(200, &json!(shown)))
}

/// `GET /customers/{customerId}`.
pub(crate) fn one(april: &April, merchants: &[String], id: &str) -> Result<Reply, Reply> {
    let found = april.records.get(id, |record| may_read(merchants, record));
    found
        .as_ref()
        .map(|record| Reply::json(200, &wrapped(record)))
        .ok_or_else(|| refusal(404, None))
}

fn may_read(merchants: &[String], record: &Record) -> bool {
    merchants.is_empty() || merchants.contains(&record.account)
}

fn moment(call: &Call<'_>, name: &str) -> Result<Option<Timestamp>, Reply> {
    let parsed = call.parameter(name).map(str::parse).transpose();
    parsed.map_err(|_| refusal(400, Some(&format!("{name}: expected a date-time"))))
}

/// A record as the list shows it.
pub(crate) fn flat(record: &Record) -> Value {
    let mut fields = record.fields.clone();
    fields.insert("customerId".to_owned(), json!(record.id));
    fields.insert("merchantId".to_owned(), json!(record.account));
    fields.insert("createdAt".to_owned(), json!(iso_millis(record.created_at)));
    Value::Object(fields)
}

fn wrapped(record: &Record) -> Value {
    let name = if record.kind == ORGANISATION {
        "OrganisationCustomer"
    } else {
        "ConsumerCustomer"
    };
    json!({ name: flat(record) })
}
