//! `audit list`: one row an entry, newest first.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde_json::Value as Json;
use upsert_api::{AuditAction, AuditEntry, AuditFilter, Page};

use crate::api::Api;
use crate::arguments::word;
use crate::import::target::Target;
use crate::paging::Paging;
use crate::show::{ago, keep_whole, plain, table};
use crate::{moment, output, paging};

const EXAMPLES: &str = "Examples:
  upsert-gateway audit list --since 2h
  upsert-gateway audit list --merchant acme --action connection.pause,connection.resume
  upsert-gateway audit list --by platform --all --json";

#[derive(Args)]
#[command(after_help = EXAMPLES, mut_arg("merchant", |arg| arg.help("Only about this merchant")))]
pub(super) struct ListArguments {
    /// Only by the key of this name
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Only these, such as connection.pause; several with commas
    #[arg(long, value_name = "ACTION", value_delimiter = ',', value_parser = word::<AuditAction>)]
    action: Vec<AuditAction>,
    /// At this moment or later: RFC 3339, or an age such as 2h
    #[arg(long, value_name = "MOMENT", value_parser = moment::parse)]
    since: Option<Timestamp>,
    /// Before this moment
    #[arg(long, value_name = "MOMENT", value_parser = moment::parse)]
    until: Option<Timestamp>,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    target: Target,
    /// Print JSON: one page, however many it took
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) async fn run(arguments: &ListArguments) -> anyhow::Result<ExitCode> {
    // A merchant that is not configured any more has its entries still: it is a filter here, and nobody to speak for.
    let target = arguments.target.for_nobody();
    let api = Api::new(&target)?;
    let filter = AuditFilter {
        by: arguments.by.clone(),
        merchant: arguments.target.merchant.clone(),
        action: arguments.action.iter().copied().collect(),
        since: arguments.since,
        until: arguments.until,
        ..AuditFilter::default()
    };
    let page = arguments.paging.of(&api, "v1/audit", &filter.texts()).await?;
    output::say(arguments.json, &page.raw, || shown(&page.value, moment::now()))?;
    Ok(ExitCode::SUCCESS)
}

fn shown(page: &Page<AuditEntry>, now: Timestamp) -> String {
    if page.data.is_empty() {
        return "No entry matches.".to_owned();
    }
    let mut table = table(&["entry", "by", "what"]);
    for entry in &page.data {
        let detail = entry.detail.as_ref().map(|detail| format!("\n{}", in_words(detail)));
        table.add_row([
            format!("{}\n{}", entry.number, ago(entry.at, now)),
            plain(&entry.by),
            format!(
                "{} {}{}",
                plain(&entry.action),
                plain(&entry.subject),
                detail.unwrap_or_default()
            ),
        ]);
    }
    keep_whole(&mut table, 1, 30);
    paging::shown(&table, page, "entry", "entries")
}

/// A member a line.
fn in_words(detail: &Json) -> String {
    let value = |value: &Json| plain(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    match detail {
        Json::Object(members) => {
            let lines = members
                .iter()
                .map(|(name, inner)| format!("{}: {}", plain(name), value(inner)));
            lines.collect::<Vec<_>>().join("\n")
        }
        other => value(other),
    }
}
