//! A refusal (RFC 9457) for people: what, and then each place in the request.

use std::fmt::Write as _;

use reqwest::StatusCode;
use serde_json::Value;

/// The problem on one line, each error and each conflict on a line below.
pub(crate) fn text(problem: &Value, status: StatusCode) -> String {
    let member = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let said = [member(problem, "detail"), member(problem, "title")];
    let said = said
        .iter()
        .find(|text| !text.is_empty())
        .map_or("refused", String::as_str);
    let mut text = format!("{} {}: {said}", status.as_u16(), member(problem, "code"));
    for error in list(problem, "errors") {
        let pointer = member(error, "pointer");
        let pointer = if pointer.is_empty() { "(all of it)" } else { &pointer };
        let _ = write!(
            text,
            "\n  {pointer}: {} ({})",
            member(error, "detail"),
            member(error, "code")
        );
        if let Some(connection) = error.get("connection").and_then(Value::as_str) {
            let _ = write!(text, " for {connection}");
        }
    }
    for conflict in list(problem, "conflicts") {
        let _ = write!(
            text,
            "\n  {}: belongs to {}",
            member(conflict, "pointer"),
            member(conflict, "customer_id")
        );
        if let Some(connection) = conflict.get("connection").and_then(Value::as_str) {
            let _ = write!(text, " at {connection}");
        }
    }
    if member(problem, "code") == "merchant_required" {
        // The API's words name a header, which is a flag here.
        text.push_str("\n  here: --merchant ID");
    }
    text
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_error_stands_with_its_pointer_and_its_connection() {
        let problem = json!({
            "code": "validation_failed", "title": "The request is not valid", "detail": "2 fields are not valid",
            "errors": [
                { "pointer": "/email", "code": "invalid_email", "detail": "has no @", "connection": null },
                { "pointer": "/phone", "code": "required", "detail": "is required", "connection": "payments" },
            ],
        });
        assert_eq!(
            text(&problem, StatusCode::UNPROCESSABLE_ENTITY),
            "422 validation_failed: 2 fields are not valid\n  /email: has no @ (invalid_email)\n  /phone: is required \
             (required) for payments"
        );
    }

    #[test]
    fn where_a_merchant_has_to_be_named_the_flag_is_told() {
        let problem = json!({ "code": "merchant_required", "detail": "say for which in `Merchant-Id`" });
        assert_eq!(
            text(&problem, StatusCode::BAD_REQUEST),
            "400 merchant_required: say for which in `Merchant-Id`\n  here: --merchant ID"
        );
    }

    #[test]
    fn a_conflict_names_whose_it_is() {
        let problem = json!({
            "code": "match_key_collision", "title": "Taken",
            "conflicts": [{ "customer_id": "cus_1", "pointer": "/phone", "connection": "rotor" }],
        });
        let text = text(&problem, StatusCode::CONFLICT);
        assert_eq!(
            text,
            "409 match_key_collision: Taken\n  /phone: belongs to cus_1 at rotor"
        );
    }
}
