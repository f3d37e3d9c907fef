//! `deliveries show`: one delivery, why it stands as it does, and its attempts.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value as Json;
use upsert_api::{Attempt, DeliveryError, WholeDelivery};
use upsert_core::{DeliveryId, FieldOutcomes};

use crate::api::Api;
use crate::import::target::Target;
use crate::output;
use crate::show::delivery::meaning;
use crate::show::{line, or_dash, place, plain, table};

const EXAMPLES: &str = "Examples:
  upsert-gateway deliveries show dlv_01KB...
  upsert-gateway deliveries show dlv_01KB... --json";

#[derive(Args)]
#[command(after_help = EXAMPLES, mut_arg("merchant", |arg| arg.help("Only if it is this merchant's")))]
pub(super) struct ShowArguments {
    /// The delivery
    #[arg(value_name = "ID")]
    id: DeliveryId,
    #[command(flatten)]
    target: Target,
    /// Print the gateway's answer as JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) async fn run(arguments: &ShowArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let delivery = api.get(&format!("v1/deliveries/{}", arguments.id)).await?;
    output::say(arguments.json, &delivery.raw, || shown(&delivery.value))?;
    Ok(ExitCode::SUCCESS)
}

/// Each with its label; what is not there is not told.
fn members(WholeDelivery { listed, .. }: &WholeDelivery) -> [(&'static str, Option<String>); 13] {
    let delivery = &listed.delivery;
    [
        ("customer", Some(listed.customer_id.to_string())),
        ("upsert", Some(listed.upsert_id.to_string())),
        ("state", Some(delivery.state.to_string())),
        ("waits for", delivery.waiting_for.map(plain)),
        ("outcome", delivery.outcome.map(plain)),
        ("evidence", delivery.evidence.map(plain)),
        ("matched by", delivery.matched_by.map(plain)),
        ("vendor's id", delivery.provider_customer_id.as_ref().map(plain)),
        ("superseded by", delivery.superseded_by.map(plain)),
        ("made at", Some(listed.created_at.to_string())),
        ("due again at", delivery.next_attempt_at.map(plain)),
        ("ended at", listed.ended_at.map(plain)),
        ("attempts", Some(delivery.attempts.to_string())),
    ]
}

fn shown(whole: &WholeDelivery) -> String {
    let delivery = &whole.listed.delivery;
    let mut shown = format!(
        "{} to {} ({})",
        delivery.id,
        place(&whole.listed.merchant_id, &delivery.connection),
        plain(&delivery.provider)
    );
    for (label, value) in members(whole) {
        if let Some(value) = value {
            line(&mut shown, 2, &format!("{label:<14} {value}"));
        }
    }
    fields(&mut shown, &delivery.fields);
    for warning in &delivery.warnings {
        let (code, at, detail) = (warning.code, plain(&warning.pointer), plain(&warning.detail));
        line(&mut shown, 2, &format!("warning        {code} {at}: {detail}"));
    }
    if let Some(failure) = &delivery.error {
        error(&mut shown, failure);
    }
    attempts(&mut shown, &whole.attempt_log);
    shown
}

/// What the vendor's answer shows of them.
fn fields(shown: &mut String, fields: &FieldOutcomes) {
    for (fate, pointers) in [("confirmed", &fields.confirmed), ("unconfirmed", &fields.unconfirmed)] {
        if !pointers.is_empty() {
            line(shown, 2, &format!("{fate:<14} {}", plain(pointers.join(", "))));
        }
    }
    for differs in &fields.differs {
        let (at, kept) = (plain(&differs.pointer), plain(&differs.kept));
        line(shown, 2, &format!("differs        {at}: the vendor keeps {kept}"));
    }
}

fn error(shown: &mut String, error: &DeliveryError) {
    let detail = plain(&error.detail);
    line(shown, 2, &format!("error          {}: {detail}", meaning(error)));
    if let Some(status) = error.vendor_status {
        line(shown, 4, &format!("HTTP status {status}"));
    }
    if let Some(call) = &error.vendor_request_id {
        line(shown, 4, &format!("vendor's call {}", plain(call)));
    }
    for place in &error.errors {
        let at = plain(place.pointer.as_ref().unwrap_or(&place.vendor_field));
        line(shown, 4, &format!("{at}: {}", plain(&place.detail)));
    }
    for (name, value) in &error.vendor_headers {
        line(shown, 4, &format!("{}: {}", plain(name), plain(value)));
    }
    let body = match &error.vendor_body {
        None | Some(Json::Null) => return,
        Some(Json::String(text)) => text.clone(),
        Some(document) => document.to_string(),
    };
    line(shown, 4, "vendor's answer");
    for part in body.lines() {
        line(shown, 6, plain(part).trim_end());
    }
}

fn attempts(shown: &mut String, attempts: &[Attempt]) {
    if attempts.is_empty() {
        shown.push_str("\n\nNo call was made for it.");
        return;
    }
    let mut table = table(&["attempt", "started", "ended", "result", "HTTP status"]);
    for attempt in attempts {
        table.add_row([
            attempt.number.to_string(),
            attempt.started_at.to_string(),
            or_dash(attempt.ended_at),
            or_dash(attempt.result.as_ref()),
            or_dash(attempt.vendor_status),
        ]);
    }
    shown.push_str("\n\n");
    shown.push_str(&table.trim_fmt());
    for attempt in attempts {
        let answered = attempt.error.as_ref().and_then(DeliveryError::first_line);
        let said = if attempt.vendor_said.is_empty() {
            answered
        } else {
            Some(Json::Object(attempt.vendor_said.clone()).to_string())
        };
        if let Some(said) = said {
            let (number, said) = (attempt.number, plain(said));
            line(shown, 0, &format!("attempt {number}: the vendor said {said}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::samples::{self, whole};

    #[test]
    fn what_the_vendor_answered_is_shown_line_by_line_and_steers_no_terminal() {
        let page = "<h1>Sorry\u{202e}</h1>\r\n\u{1b}[2J\u{0}gone";
        let failed = |body: Json| {
            samples::error(json!({ "kind": "transient", "vendor_status": 502, "vendor_body": body,
                "vendor_headers": { "server": "ngi\u{9b}nx", "retry-after": "120" } }))
        };
        let text = |body: Json| {
            let attempt = json!({ "number": 1, "started_at": "2026-01-01T00:00:00Z", "result": "transient",
                "vendor_status": 502, "vendor_said": {}, "error": failed(body.clone()) });
            let listed = json!({ "id": samples::DELIVERY, "connection": "crm", "provider": "rotor", "required": true,
                "state": "failed", "attempts": 1, "duration_ms": 1, "warnings": [], "error": failed(body),
                "fields": { "confirmed": [], "differs": [], "unconfirmed": [] }, "merchant_id": "acme",
                "customer_id": samples::CUSTOMER, "upsert_id": samples::UPSERT, "created_at": "2026-01-01T00:00:00Z",
                "attempt_log": [attempt] });
            shown(&whole(listed, json!({})))
        };
        let told = text(json!(page));
        let headers = "    HTTP status 502\n    retry-after: 120\n    server: ngi nx\n";
        assert!(told.contains(headers), "{told}");
        assert!(
            told.contains("    vendor's answer\n      <h1>Sorry </h1>\n       [2J gone\n"),
            "{told:?}"
        );
        assert!(told.ends_with("\nattempt 1: the vendor said Sorry"), "{told}");
        let told = text(json!({ "code": "E\u{202e}1" }));
        assert!(told.contains("vendor's answer\n      {\"code\":\"E 1\"}"), "{told}");
        assert!(!text(Json::Null).contains("vendor's answer"));
    }
}
