//! `deliveries list`: one row a delivery, newest first.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use upsert_api::{Delivery, ListedDelivery, Page};

use super::filters::Filters;
use crate::api::Api;
use crate::import::target::Target;
use crate::paging::Paging;
use crate::show::delivery::{short_meaning, state};
use crate::show::{ago, cut, keep_whole, place, plain, table};
use crate::{moment, output, paging};

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
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    target: Target,
    /// Print JSON: one page, however many it took
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) async fn run(arguments: &ListArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let filters = arguments.filters.given().texts();
    let page = arguments.paging.of(&api, "v1/deliveries", &filters).await?;
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
    paging::shown(&table, page, "delivery", "deliveries")
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
        if let Some(said) = error.first_line() {
            how = format!("{how}\nit said: {}", plain(said));
        }
    }
    how
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::samples;

    #[test]
    fn a_failed_one_shows_the_first_line_of_what_the_vendor_said() {
        let failed = |body: &str| {
            let error =
                samples::error(json!({ "kind": "transient", "code": null, "vendor_status": 502, "vendor_body": body }));
            how(&samples::delivery(json!({ "state": "failed", "error": error })))
        };
        assert_eq!(
            failed("<title>502 Bad Gateway</title>"),
            "failed: transient\nno\nit said: 502 Bad Gateway"
        );
        assert_eq!(
            failed("\u{1b}[31m\u{202e}down\nfor long"),
            "failed: transient\nno\nit said: [31mdown"
        );
        assert_eq!(failed(" "), "failed: transient\nno");
    }
}
