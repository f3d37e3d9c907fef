//! `deliveries`: dead letters and everything else that goes to vendors: list, show, replay, discard.

mod all_matching;
mod filters;
mod list;
mod named;
mod show;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, Subcommand};
use upsert_core::DeliveryId;

use crate::api;
use crate::arguments::wrong;
use crate::deed::Deed;
use crate::import::target::Target;

use filters::Filters;
use list::ListArguments;
use show::ShowArguments;

#[derive(Args)]
pub(crate) struct DeliveriesArguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List deliveries, newest first
    List(Box<ListArguments>),
    /// Show one delivery, the vendor's words and its attempts
    Show(ShowArguments),
    /// Send the customers' current state in the place of deliveries that have failed
    ///
    /// Each is named, or all that match the filters are meant (--matching). Several of one customer at one connection
    /// become one call.
    #[command(after_help = REPLAY)]
    Replay(Box<DoArguments>),
    /// Give deliveries up: what they would have brought is not wanted there until it changes again
    ///
    /// Each is named, or all that match the filters are meant (--matching; unless --state says otherwise, those that have
    /// failed). What still waits can be discarded too.
    #[command(after_help = DISCARD)]
    Discard(Box<DoArguments>),
}

const REPLAY: &str = "Examples:
  upsert-gateway deliveries replay dlv_01KB...
  upsert-gateway deliveries replay --matching --merchant acme --connection crm --dry-run
  upsert-gateway deliveries replay --matching --error-kind rejected --since 2h --yes

Exit codes: 0 all were replayed, 1 some were refused or nothing could be done, 2 wrong usage
(--matching asks at a terminal, and needs --yes anywhere else).";

const DISCARD: &str = "Examples:
  upsert-gateway deliveries discard dlv_01KB...
  upsert-gateway deliveries discard --matching --connection crm --error-code E1 --dry-run
  upsert-gateway deliveries discard --matching --connection crm --until 30days --yes

Exit codes: 0 all were discarded, 1 some were refused or nothing could be done, 2 wrong usage
(--matching asks at a terminal, and needs --yes anywhere else).";

#[derive(Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own on the command line"
)]
#[command(mut_arg("merchant", |arg| arg.help("Only this merchant's")))]
struct DoArguments {
    /// The deliveries; needed unless --matching says which
    #[arg(value_name = "ID")]
    ids: Vec<DeliveryId>,
    /// All that match the filters, after a count and a yes
    #[arg(long, conflicts_with = "ids")]
    matching: bool,
    #[command(flatten)]
    filters: Filters,
    /// Do not ask; needed where nobody is at a terminal
    #[arg(long)]
    yes: bool,
    /// Only say how many match
    #[arg(long, requires = "matching")]
    dry_run: bool,
    #[command(flatten)]
    target: Target,
    /// Print the gateway's answers as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: DeliveriesArguments) -> anyhow::Result<ExitCode> {
    match arguments.action {
        Action::List(list) => api::told(list::run(&list).await, list.json),
        Action::Show(show) => api::told(show::run(&show).await, show.json),
        Action::Replay(arguments) => act(Deed::Replay, &arguments).await,
        Action::Discard(arguments) => act(Deed::Discard, &arguments).await,
    }
}

async fn act(deed: Deed, arguments: &DoArguments) -> anyhow::Result<ExitCode> {
    let outcome = if arguments.matching {
        all_matching::run(deed, arguments).await
    } else if arguments.ids.is_empty() {
        let text = format!(
            "say which: ids (deliveries {} ID...), or --matching for all that match the filters",
            deed.verb()
        );
        Err(wrong(ErrorKind::MissingRequiredArgument, text))
    } else if arguments.filters.given().is_narrowed() {
        let text = "filters stand beside --matching alone, not beside ids";
        Err(wrong(ErrorKind::ArgumentConflict, text))
    } else {
        named::run(deed, arguments).await
    };
    api::told(outcome, arguments.json)
}
