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
    match &error.vendor_body {
        None | Some(Json::Null) => {}
        Some(Json::String(text)) => line(shown, 4, &format!("vendor's answer {}", plain(text))),
        Some(document) => line(shown, 4, &format!("vendor's answer {document}")),
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
    for attempt in attempts.iter().filter(|attempt| !attempt.vendor_said.is_empty()) {
        let said = plain(Json::Object(attempt.vendor_said.clone()));
        line(shown, 0, &format!("attempt {}: the vendor said {said}", attempt.number));
    }
}
