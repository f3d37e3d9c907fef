//! `deliveries list`: one row a delivery, newest first.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use upsert_api::{Delivery, ListedDelivery, Page};

use super::filters::Filters;
use crate::api::Api;
use crate::import::target::Target;
use crate::show::delivery::{short_meaning, state};
use crate::show::{ago, counted, cut, keep_whole, place, plain, table};
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
    let filters = arguments.filters.given().texts();
    let page = api
        .gather("v1/deliveries", &filters, arguments.cursor.clone(), most)
        .await?;
    output::say(arguments.json, &page.raw, || shown(&page.value, moment::now()))?;
    Ok(ExitCode::SUCCESS)
}

fn shown(page: &Page<ListedDelivery>, now: Timestamp) -> String {
    if page.data.is_empty() {
        return "No delivery matches.".to_owned();
    }
    let mut table = table(&["delivery", "connection", "state"]);
    for listed in &page.data {
        let delivery = &listed.delivery;
        let place = place(&listed.merchant_id, &delivery.connection);
        table.add_row([
            format!("{}\n{}", delivery.id, listed.customer_id),
            format!("{place}\n{}", ago(listed.created_at, now)),
            how(delivery),
        ]);
    }
    keep_whole(&mut table, 0, 30);
    let count = counted(page.data.len(), "delivery", "deliveries");
    let more = match &page.next_cursor {
        Some(cursor) => format!("; there are more: --all, or --cursor {}", plain(cursor)),
        None => String::new(),
    };
    format!("{}\n{count}{more}", table.trim_fmt())
}

/// How it stands, and why.
fn how(delivery: &Delivery) -> String {
    let mut how = state(delivery);
    if let Some(outcome) = delivery.outcome {
        how = format!("{how}, {outcome}");
    }
    if let Some(error) = &delivery.error {
        let words = plain(&error.detail);
        how = format!("{how}: {}\n{}", short_meaning(error), cut(&words, MOST_WORDS));
    }
    how
}
