//! Deliveries and plans as tables, one row a connection, warnings below.

use std::fmt::Write as _;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, ContentArrangement, Table};
use serde_json::Value;

/// What came of each delivery.
pub(super) fn deliveries(answer: &Value) -> String {
    let mut table = table(&[
        "connection",
        "state",
        "outcome",
        "evidence",
        "matched by",
        "vendor id",
        "fields",
    ]);
    let mut notes = String::new();
    for delivery in list(answer, "deliveries") {
        table.add_row([
            text(delivery, "connection"),
            state(delivery),
            text(delivery, "outcome"),
            text(delivery, "evidence"),
            text(delivery, "matched_by"),
            text(delivery, "provider_customer_id"),
            fields(delivery),
        ]);
        note_differences(&mut notes, delivery);
        note_warnings(&mut notes, delivery);
        note_error(&mut notes, delivery);
    }
    note_ignored(&mut notes, answer);
    format!("{}{notes}", table.trim_fmt())
}

/// What was left out.
fn note_ignored(notes: &mut String, answer: &Value) {
    for ignored in list(answer, "ignored") {
        let of = |name: &str| text(ignored, name);
        let _ = write!(notes, "\nleft out {}: {} ({})", of("pointer"), of("detail"), of("code"));
    }
}

/// What would be sent to each connection.
pub(crate) fn plan(answer: &Value) -> String {
    let mut table = table(&["connection", "action", "match key", "request"]);
    let mut notes = String::new();
    for row in list(answer, "connections") {
        let request = row.get("request").filter(|request| request.is_object());
        let line = request.map_or("-".to_owned(), |request| {
            format!("{} {}", text(request, "method"), text(request, "path"))
        });
        table.add_row([text(row, "connection"), text(row, "action"), match_key(row), line]);
        if let Some(body) = request
            .and_then(|request| request.get("body"))
            .filter(|body| !body.is_null())
        {
            let _ = write!(notes, "\n{} would get: {body}", text(row, "connection"));
        }
        note_warnings(&mut notes, row);
        for refusal in list(row, "refusals") {
            let (at, detail) = (text(refusal, "pointer"), text(refusal, "detail"));
            let _ = write!(notes, "\n{}: refuses {at}: {detail}", text(row, "connection"));
        }
    }
    note_ignored(&mut notes, answer);
    format!("{}{notes}", table.trim_fmt())
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header.iter().map(Cell::new));
    table
}

fn state(delivery: &Value) -> String {
    let state = text(delivery, "state");
    match text(delivery, "waiting_for").as_str() {
        "-" => state,
        waiting_for => format!("{state} for {waiting_for}"),
    }
}

fn fields(delivery: &Value) -> String {
    let count = |name: &str| list(&delivery["fields"], name).len();
    let shown = ["confirmed", "differs", "unconfirmed"]
        .into_iter()
        .filter(|name| count(name) > 0)
        .map(|name| format!("{} {name}", count(name)));
    let shown: Vec<String> = shown.collect();
    if shown.is_empty() {
        "-".to_owned()
    } else {
        shown.join(", ")
    }
}

fn note_differences(notes: &mut String, delivery: &Value) {
    for difference in list(&delivery["fields"], "differs") {
        let (at, kept) = (text(difference, "pointer"), &difference["kept"]);
        let _ = write!(
            notes,
            "\n{}: {at} differs: the vendor keeps {kept}",
            text(delivery, "connection")
        );
    }
}

fn note_warnings(notes: &mut String, row: &Value) {
    for warning in list(row, "warnings") {
        let (code, at) = (text(warning, "code"), text(warning, "pointer"));
        let _ = write!(
            notes,
            "\n{}: {code} {at}: {}",
            text(row, "connection"),
            text(warning, "detail")
        );
    }
}

fn note_error(notes: &mut String, delivery: &Value) {
    let error = &delivery["error"];
    if error.is_null() {
        return;
    }
    let (kind, code) = (text(error, "kind"), text(error, "code"));
    let _ = write!(
        notes,
        "\n{}: {kind} {code}: {}",
        text(delivery, "connection"),
        text(error, "detail")
    );
    for place in list(error, "errors") {
        let _ = write!(notes, "\n  {}: {}", text(place, "pointer"), text(place, "detail"));
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A text member; a dash where there is none.
fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or("-").to_owned()
}

fn match_key(row: &Value) -> String {
    match &row["match_key"] {
        Value::String(key) => key.clone(),
        key => text(key, "kind"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_waits_differs_or_failed_is_said_below_the_table() {
        let answer = json!({ "deliveries": [
            { "connection": "rotor", "state": "waiting", "waiting_for": "quota", "fields": {
                "confirmed": [], "differs": [{ "pointer": "/email", "kept": "old@x.example" }], "unconfirmed": ["/phone"] } },
            { "connection": "payments", "state": "failed", "error": { "kind": "rejected", "code": "E1",
                "detail": "no", "errors": [{ "pointer": "/phone", "detail": "too short" }] } },
        ] });
        let text = deliveries(&answer);
        for wanted in [
            "waiting for quota",
            "1 differs, 1 unconfirmed",
            "\nrotor: /email differs: the vendor keeps \"old@x.example\"",
            "\npayments: rejected E1: no\n  /phone: too short",
        ] {
            assert!(text.contains(wanted), "no `{wanted}` in:\n{text}");
        }
    }

    #[test]
    fn a_plan_that_refuses_says_where_and_why() {
        let answer = json!({ "connections": [{ "connection": "payments", "request": null, "refusals": [
            { "pointer": "/email", "detail": "is required" }] }] });
        let text = plan(&answer);
        assert!(text.ends_with("\npayments: refuses /email: is required"), "{text}");
    }
}
