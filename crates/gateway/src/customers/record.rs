//! A customer's fields and links; or several customers, one row each.

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::show::{ago, counted, given, keep_whole, line, list, number, printable, table, text};

/// What is told before the fields, or after them.
const NOT_FIELDS: [&str; 8] = [
    "id",
    "version",
    "merchant_id",
    "created_at",
    "updated_at",
    "links",
    "history",
    "upserts",
];

pub(super) fn text_of(customer: &Json, now: Timestamp) -> String {
    let mut shown = format!(
        "{} of {}, version {}",
        text(customer, "id"),
        text(customer, "merchant_id"),
        number(customer, "version")
    );
    let (made, changed) = (text(customer, "created_at"), text(customer, "updated_at"));
    line(&mut shown, 0, &format!("made {made}, changed {changed}"));
    let mut table = table(&["field", "value"]);
    for (name, value) in customer.as_object().into_iter().flatten() {
        if !NOT_FIELDS.contains(&name.as_str()) {
            add_fields(&mut table, &format!("/{name}"), value);
        }
    }
    shown.push_str("\n\n");
    shown.push_str(&table.trim_fmt());
    shown.push_str("\n\n");
    shown.push_str(&links(list(customer, "links"), now));
    shown
}

/// One row for each value, however deep it stands; what is not set has none.
fn add_fields(table: &mut comfy_table::Table, pointer: &str, value: &Json) {
    match value {
        Json::Null => {}
        Json::Object(members) => {
            for (name, value) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                add_fields(table, &format!("{pointer}/{name}"), value);
            }
        }
        Json::Array(entries) if entries.is_empty() => {}
        Json::Array(entries) => {
            let entries: Vec<String> = entries.iter().map(plain).collect();
            table.add_row([pointer.to_owned(), entries.join(", ")]);
        }
        value => {
            table.add_row([printable(pointer), plain(value)]);
        }
    }
}

fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => printable(text),
        other => other.to_string(),
    }
}

fn links(links: &[Json], now: Timestamp) -> String {
    if links.is_empty() {
        return "It is linked nowhere.".to_owned();
    }
    let mut table = table(&["connection", "link", "vendor id", "delivered"]);
    for link in links {
        let shared = if link["shared"] == true { ", shared" } else { "" };
        table.add_row([
            text(link, "connection"),
            format!("{}{shared}", text(link, "state")),
            text(link, "provider_customer_id"),
            ago(link, "last_delivered_at", now).map_or("-".to_owned(), |ago| format!("{ago} ago")),
        ]);
    }
    keep_whole(&mut table, 2, 40);
    table.trim_fmt()
}

pub(super) fn several(customers: &[Json], has_more: bool) -> String {
    let mut table = table(&["customer", "reference", "name", "email and phone"]);
    for customer in customers {
        let name: Vec<String> = ["given_name", "family_name", "organisation_name"]
            .into_iter()
            .filter_map(|member| given(customer, member))
            .collect();
        let reach: Vec<String> = ["email", "phone"]
            .into_iter()
            .filter_map(|member| given(customer, member))
            .collect();
        table.add_row([
            text(customer, "id"),
            text(customer, "reference"),
            name.join(" "),
            reach.join("\n"),
        ]);
    }
    keep_whole(&mut table, 0, 30);
    let count = counted(
        u64::try_from(customers.len()).unwrap_or(u64::MAX),
        "customer",
        "customers",
    );
    let or_more = if has_more { " or more" } else { "" };
    format!("{count}{or_more} have it; show one by its id:\n{}", table.trim_fmt())
}
