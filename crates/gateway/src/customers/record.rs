//! A customer's fields and links; or several customers, one row each.

use jiff::Timestamp;
use serde_json::Value as Json;
use upsert_api::{Customer, CustomerRecord, Link, LinkedCustomer, Page};

use crate::pointer::escaped;
use crate::show::{ago, counted, keep_whole, line, or_dash, plain, table};

pub(super) fn text_of(LinkedCustomer { record, links }: &LinkedCustomer, now: Timestamp) -> String {
    let mut shown = format!(
        "{} of {}, version {}",
        record.id,
        plain(&record.merchant_id),
        record.version
    );
    let (made, changed) = (record.created_at, record.updated_at);
    line(&mut shown, 0, &format!("made {made}, changed {changed}"));
    format!("{shown}\n\n{}\n\n{}", fields_of(&record.customer), links_of(links, now))
}

fn fields_of(customer: &Customer) -> String {
    let mut table = table(&["field", "value"]);
    // As the API writes them: one row for each value, by its pointer.
    add_fields(&mut table, "", &serde_json::to_value(customer).unwrap_or_default());
    table.trim_fmt()
}

/// One row for each value, however deep it stands; what is not set has none.
fn add_fields(table: &mut comfy_table::Table, pointer: &str, value: &Json) {
    match value {
        Json::Null => {}
        Json::Object(members) => {
            for (name, value) in members {
                add_fields(table, &format!("{pointer}/{}", escaped(name)), value);
            }
        }
        Json::Array(entries) if entries.is_empty() => {}
        Json::Array(entries) => {
            let entries: Vec<String> = entries.iter().map(without_quotes).collect();
            table.add_row([plain(pointer), entries.join(", ")]);
        }
        value => {
            table.add_row([plain(pointer), without_quotes(value)]);
        }
    }
}

fn without_quotes(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), plain)
}

fn links_of(links: &[Link], now: Timestamp) -> String {
    if links.is_empty() {
        return "It is linked nowhere.".to_owned();
    }
    let mut table = table(&["connection", "link", "vendor id", "delivered"]);
    for link in links {
        let shared = if link.shared { ", shared" } else { "" };
        table.add_row([
            plain(&link.connection),
            format!("{}{shared}", link.state),
            or_dash(link.provider_customer_id.as_ref()),
            or_dash(link.last_delivered_at.map(|at| ago(at, now))),
        ]);
    }
    keep_whole(&mut table, 2, 40);
    table.trim_fmt()
}

pub(super) fn several(page: &Page<CustomerRecord>) -> String {
    let mut table = table(&["customer", "reference", "name", "email and phone"]);
    for CustomerRecord { id, customer, .. } in &page.data {
        let name = [&customer.given_name, &customer.family_name, &customer.organisation_name];
        table.add_row([
            id.to_string(),
            or_dash(customer.reference.as_ref()),
            joined(name, " "),
            joined([&customer.email, &customer.phone], "\n"),
        ]);
    }
    keep_whole(&mut table, 0, 30);
    let count = counted(page.data.len(), "customer", "customers");
    let or_more = if page.next_cursor.is_some() { " or more" } else { "" };
    format!("{count}{or_more} have it; show one by its id:\n{}", table.trim_fmt())
}

fn joined<const N: usize>(texts: [&Option<String>; N], between: &str) -> String {
    let texts: Vec<String> = texts.into_iter().flatten().map(plain).collect();
    texts.join(between)
}
