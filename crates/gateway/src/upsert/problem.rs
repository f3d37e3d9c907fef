//! A refusal (RFC 9457) for people: what, and then each place in the request.

use std::fmt::Write as _;

use upsert_api::{Problem, ProblemCode};

use crate::show::plain;

/// The problem on one line, each error and each conflict on a line below.
pub(crate) fn text(problem: &Problem) -> String {
    let said = if problem.detail.is_empty() {
        &problem.title
    } else {
        &problem.detail
    };
    let mut text = format!("{} {}: {}", problem.status, problem.code, plain(said));
    for error in &problem.errors {
        let pointer = if error.pointer.is_empty() {
            "(all of it)"
        } else {
            &error.pointer
        };
        let (pointer, detail, code) = (plain(pointer), plain(&error.detail), plain(&error.code));
        let _ = write!(text, "\n  {pointer}: {detail} ({code})");
        if let Some(connection) = &error.connection {
            let _ = write!(text, " for {}", plain(connection));
        }
    }
    for conflict in problem.conflicts.iter().flatten() {
        let (pointer, customer) = (plain(&conflict.pointer), conflict.customer_id);
        let _ = write!(text, "\n  {pointer}: belongs to {customer}");
        if let Some(connection) = &conflict.connection {
            let _ = write!(text, " at {}", plain(connection));
        }
    }
    if problem.code == ProblemCode::MerchantRequired {
        // The API's words name a header, which is a flag here.
        text.push_str("\n  here: --merchant ID");
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::samples::{self, CUSTOMER};

    fn told(problem: Json) -> String {
        text(&serde_json::from_value(samples::problem(problem)).unwrap())
    }

    #[test]
    fn every_error_stands_with_its_pointer_and_its_connection() {
        let text = told(json!({ "detail": "2 fields are not valid", "errors": [
            { "pointer": "/email", "code": "invalid_email", "detail": "has no @", "connection": null },
            { "pointer": "/phone", "code": "required", "detail": "is required", "connection": "payments" },
        ] }));
        assert_eq!(
            text,
            "422 validation_failed: 2 fields are not valid\n  /email: has no @ (invalid_email)\n  /phone: is required \
             (required) for payments"
        );
    }

    #[test]
    fn where_a_merchant_has_to_be_named_the_flag_is_told() {
        let text =
            told(json!({ "status": 400, "code": "merchant_required", "detail": "say for which in `Merchant-Id`" }));
        assert_eq!(
            text,
            "400 merchant_required: say for which in `Merchant-Id`\n  here: --merchant ID"
        );
    }

    #[test]
    fn a_conflict_names_whose_it_is() {
        let text = told(
            json!({ "status": 409, "code": "match_key_collision", "title": "Taken", "detail": "",
            "conflicts": [{ "customer_id": CUSTOMER, "pointer": "/phone", "connection": "rotor" }] }),
        );
        assert_eq!(
            text,
            format!("409 match_key_collision: Taken\n  /phone: belongs to {CUSTOMER} at rotor")
        );
    }
}
