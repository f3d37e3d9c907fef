//! `deliveries list`: one row a delivery, newest first.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde_json::Value as Json;

use super::filters::Filters;
use crate::api::Api;
use crate::import::target::Target;
use crate::show::{ago, counted, cut, given, keep_whole, list, table, text};
use crate::{moment, output};

/// More of the vendor's words stand in `deliveries show`.
const MOST_WORDS: usize = 80;

const EXAMPLES: &str = "Examples:
  upsert-gateway deliveries list --state failed
  upsert-gateway deliveries list --merchant acme --connection crm --error-kind rejected --since 2h
  upsert-gateway deliveries list --state waiting --all --json";

#[derive(Args)]
#[command(after_help = EXAMPLES, mut_arg("merchant", |arg| arg.help("Only this merchant's")))]
pub(super) struct ListArguments {
    #[command(flatten)]
    filters: Filters,
    /// How many at the most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// All that match
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Go on where a list ended before (its next_cursor)
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    #[command(flatten)]
    target: Target,
    /// Print JSON: one page, however many it took
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) async fn run(arguments: &ListArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let most = (!arguments.all).then(|| usize::try_from(arguments.limit).unwrap_or(usize::MAX));
    let filters = arguments.filters.given();
    let page = api
        .gather("v1/deliveries", &filters, arguments.cursor.clone(), most)
        .await?;
    if arguments.json {
        output::json(&page)?;
    } else {
        output::answer(&shown(&page, moment::now()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(page: &Json, now: Timestamp) -> String {
    let deliveries = list(page, "data");
    if deliveries.is_empty() {
        return "No delivery matches.".to_owned();
    }
    let mut table = table(&["delivery", "connection", "state"]);
    for delivery in deliveries {
        let age = ago(delivery, "created_at", now).map_or_else(String::new, |ago| format!("\n{ago} ago"));
        table.add_row([
            format!("{}\n{}", text(delivery, "id"), text(delivery, "customer_id")),
            format!(
                "{}/{}{age}",
                text(delivery, "merchant_id"),
                text(delivery, "connection")
            ),
            state(delivery),
        ]);
    }
    keep_whole(&mut table, 0, 30);
    let count = u64::try_from(deliveries.len()).unwrap_or(u64::MAX);
    let count = counted(count, "delivery", "deliveries");
    let more = match given(page, "next_cursor") {
        Some(cursor) => format!("; there are more: --all, or --cursor {cursor}"),
        None => String::new(),
    };
    format!("{}\n{count}{more}", table.trim_fmt())
}

/// How it stands, and why.
fn state(delivery: &Json) -> String {
    let mut state = text(delivery, "state");
    if let Some(waiting_for) = given(delivery, "waiting_for") {
        state = format!("{state} for {waiting_for}");
    }
    if let Some(outcome) = given(delivery, "outcome") {
        state = format!("{state}, {outcome}");
    }
    let error = &delivery["error"];
    if error.is_null() {
        return state;
    }
    let kind = text(error, "kind");
    // Some vendors' codes say no more than what they mean.
    let code = given(error, "code").filter(|code| *code != kind);
    let code = code.map_or_else(String::new, |code| format!(" {code}"));
    let words = cut(&text(error, "detail"), MOST_WORDS);
    format!("{state}: {kind}{code}\n{words}")
}
