//! `events`: those that came in and those that go out: list, show, replay, discard.

mod act;
mod list;
mod which;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value as Json;
use upsert_api::Direction;
use upsert_core::EventId;

use crate::api::{self, Answered, Api};
use crate::arguments::word;
use crate::deed::Deed;
use crate::import::target::Target;
use crate::output;

use act::DoArguments;
use list::ListArguments;

#[derive(Args)]
pub(crate) struct EventsArguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List events, newest first
    List(Box<ListArguments>),
    /// Show one event as JSON, with what it says as long as that is kept
    Show(ShowArguments),
    /// Take dead letters that came in once more, or send those that go out again
    ///
    /// Each is named, or all that match the filters are meant (--matching).
    #[command(after_help = REPLAY)]
    Replay(Box<DoArguments>),
    /// Give dead letters up
    ///
    /// Each is named, or all that match the filters are meant (--matching; it needs a filter).
    #[command(after_help = DISCARD)]
    Discard(Box<DoArguments>),
}

const REPLAY: &str = "Examples:
  upsert-gateway events replay in evt_01KB...
  upsert-gateway events replay in evt_01KB... --customer cus_01KB...
  upsert-gateway events replay out --matching --endpoint audit --yes

Exit codes: 0 all were replayed, 1 some were refused or nothing could be done, 2 wrong usage
(--matching asks at a terminal, and needs --yes anywhere else).";

const DISCARD: &str = "Examples:
  upsert-gateway events discard in evt_01KB...
  upsert-gateway events discard in --matching --source shop --until 30days --dry-run

Exit codes: 0 all were discarded, 1 some were refused or nothing could be done, 2 wrong usage
(--matching asks at a terminal, and needs --yes anywhere else).";

#[derive(Args)]
struct ShowArguments {
    /// in: it came in; out: it goes out
    #[arg(value_name = "in|out", value_parser = word::<Direction>)]
    direction: Direction,
    /// The event, `evt_…`
    #[arg(value_name = "ID")]
    id: EventId,
    #[command(flatten)]
    target: Target,
}

pub(crate) async fn run(arguments: EventsArguments) -> anyhow::Result<ExitCode> {
    match arguments.action {
        Action::List(list) => api::told(list::run(&list).await, list.json),
        Action::Show(arguments) => api::told(show(&arguments).await, false),
        Action::Replay(arguments) => api::told(act::run(Deed::Replay, &arguments).await, arguments.json),
        Action::Discard(arguments) => api::told(act::run(Deed::Discard, &arguments).await, arguments.json),
    }
}

async fn show(arguments: &ShowArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let path = format!("v1/events/{}/{}", arguments.direction, arguments.id);
    let event: Answered<Json> = api.get(&path).await?;
    output::json(&event.raw)?;
    Ok(ExitCode::SUCCESS)
}
