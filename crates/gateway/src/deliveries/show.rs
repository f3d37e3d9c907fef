//! `deliveries show`: one delivery, why it stands as it does, and its attempts.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value as Json;

use super::filters::delivery_id;
use crate::api::Api;
use crate::import::target::Target;
use crate::output;
use crate::show::{given, line, list, printable, table, text};

const EXAMPLES: &str = "Examples:
  upsert-gateway deliveries show dlv_01KB...
  upsert-gateway deliveries show dlv_01KB... --json";

#[derive(Args)]
#[command(after_help = EXAMPLES, mut_arg("merchant", |arg| arg.help("Only if it is this merchant's")))]
pub(super) struct ShowArguments {
    /// The delivery
    #[arg(value_name = "ID", value_parser = delivery_id)]
    id: String,
    #[command(flatten)]
    target: Target,
    /// Print the gateway's answer as JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) async fn run(arguments: &ShowArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let delivery = api.get(&format!("v1/deliveries/{}", arguments.id), &[]).await?;
    if arguments.json {
        output::json(&delivery)?;
    } else {
        output::answer(&shown(&delivery))?;
    }
    Ok(ExitCode::SUCCESS)
}

const MEMBERS: [(&str, &str); 13] = [
    ("customer", "customer_id"),
    ("upsert", "upsert_id"),
    ("state", "state"),
    ("waits for", "waiting_for"),
    ("outcome", "outcome"),
    ("evidence", "evidence"),
    ("matched by", "matched_by"),
    ("vendor's id", "provider_customer_id"),
    ("superseded by", "superseded_by"),
    ("made at", "created_at"),
    ("due again at", "next_attempt_at"),
    ("ended at", "ended_at"),
    ("attempts", "attempts"),
];

fn shown(delivery: &Json) -> String {
    let mut shown = format!(
        "{} to {}/{} ({})",
        text(delivery, "id"),
        text(delivery, "merchant_id"),
        text(delivery, "connection"),
        text(delivery, "provider")
    );
    for (label, member) in MEMBERS {
        if let Some(value) = given(delivery, member) {
            line(&mut shown, 2, &format!("{label:<14} {value}"));
        }
    }
    fields(&mut shown, &delivery["fields"]);
    for warning in list(delivery, "warnings") {
        let (code, at, detail) = (text(warning, "code"), text(warning, "pointer"), text(warning, "detail"));
        line(&mut shown, 2, &format!("warning        {code} {at}: {detail}"));
    }
    error(&mut shown, &delivery["error"]);
    attempts(&mut shown, list(delivery, "attempt_log"));
    shown
}

/// What the vendor's answer shows of them.
fn fields(shown: &mut String, fields: &Json) {
    for fate in ["confirmed", "unconfirmed"] {
        let pointers: Vec<&str> = list(fields, fate).iter().filter_map(Json::as_str).collect();
        if !pointers.is_empty() {
            line(shown, 2, &format!("{fate:<14} {}", pointers.join(", ")));
        }
    }
    for differs in list(fields, "differs") {
        let (at, kept) = (text(differs, "pointer"), printable(&differs["kept"].to_string()));
        line(shown, 2, &format!("differs        {at}: the vendor keeps {kept}"));
    }
}

fn error(shown: &mut String, error: &Json) {
    if error.is_null() {
        return;
    }
    let (kind, detail) = (text(error, "kind"), text(error, "detail"));
    let code = given(error, "code").map_or_else(String::new, |code| format!(" {code}"));
    line(shown, 2, &format!("error          {kind}{code}: {detail}"));
    for (label, member) in [("HTTP status", "vendor_status"), ("vendor's call", "vendor_request_id")] {
        if let Some(value) = given(error, member) {
            line(shown, 4, &format!("{label} {value}"));
        }
    }
    for place in list(error, "errors") {
        let pointer = given(place, "pointer").unwrap_or_else(|| text(place, "vendor_field"));
        line(shown, 4, &format!("{pointer}: {}", text(place, "detail")));
    }
    if let Some(body) = given(error, "vendor_body") {
        line(shown, 4, &format!("vendor's answer {body}"));
    }
}

fn attempts(shown: &mut String, attempts: &[Json]) {
    if attempts.is_empty() {
        shown.push_str("\n\nNo call was made for it.");
        return;
    }
    let mut table = table(&["attempt", "started", "ended", "result", "HTTP status"]);
    for attempt in attempts {
        let members = ["number", "started_at", "ended_at", "result", "vendor_status"];
        table.add_row(members.map(|member| text(attempt, member)));
    }
    shown.push_str("\n\n");
    shown.push_str(&table.trim_fmt());
    for attempt in attempts {
        let said = attempt["vendor_said"].as_object().filter(|said| !said.is_empty());
        if let Some(said) = said {
            let number = text(attempt, "number");
            let said = printable(&Json::Object(said.clone()).to_string());
            line(shown, 0, &format!("attempt {number}: the vendor said {said}"));
        }
    }
}
