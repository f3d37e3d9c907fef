//! `connections`: those of a running gateway: list, pause, resume, try.

use std::cell::Cell;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value as Json;
use upsert_api::{Connection, Page, ResumedConnection, Trial, TriedConnection};

use crate::api::{self, Answered, Api};
use crate::each::each;
use crate::place::{DoArguments, ListArguments, Place};
use crate::show::connection::{state_of, table_of};
use crate::show::{cut, plain};
use crate::{moment, output};

#[derive(Args)]
pub(crate) struct ConnectionsArguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show every connection: its state, what waits, what is left of the day
    List(ListArguments),
    /// Send nothing to a vendor until it is resumed; what is accepted meanwhile waits
    #[command(after_help = "Example:\n  upsert-gateway connections pause acme/crm")]
    Pause(DoArguments),
    /// Send again: ends a pause, the vendor's `Retry-After`, and the time that a breaker is open for; one call goes first, and its
    /// answer is told
    #[command(after_help = "Example:\n  upsert-gateway connections resume acme/crm acme/wallet")]
    Resume(DoArguments),
    /// Call a vendor once, now, with the delivery that has waited longest (or a read), and show what it answers
    #[command(after_help = TRY)]
    Try(DoArguments),
}

const TRY: &str =
    "Whatever an open breaker, the vendor's `Retry-After` or its refusal of the credentials say; not where the
connection is paused by hand, or the day's calls are used up. If the vendor is there, what waits goes out.

Example:
  upsert-gateway connections try acme/crm

Exit codes: 0 every vendor took it, 1 one did not, 2 wrong usage.";

pub(crate) async fn run(arguments: ConnectionsArguments) -> anyhow::Result<ExitCode> {
    match arguments.action {
        Action::List(list) => api::told(show(&list).await, list.json),
        Action::Pause(arguments) => api::told(pause(&arguments).await, arguments.json),
        Action::Resume(arguments) => api::told(resume(&arguments).await, arguments.json),
        Action::Try(arguments) => api::told(try_now(&arguments).await, arguments.json),
    }
}

async fn show(arguments: &ListArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let connections: Answered<Page<Connection>> = api.get("v1/connections").await?;
    output::say(arguments.json, &connections.raw, || {
        table_of(&connections.value.data, moment::now())
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn pause(arguments: &DoArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let pause = async |place: &Place| -> anyhow::Result<(Json, String)> {
        let answer: Answered<Connection> = api.post(&place.path("connections", "pause")).await?;
        let line = format!("{place}: {}", state_of(&answer.value));
        Ok((answer.raw, line))
    };
    each(&arguments.places, arguments.json, pause).await
}

async fn resume(arguments: &DoArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let resume = async |place: &Place| -> anyhow::Result<(Json, String)> {
        let answer: Answered<ResumedConnection> = api.post(&place.path("connections", "resume")).await?;
        let resumed = &answer.value;
        let first_call = match &resumed.trial {
            Some(trial) => told(trial),
            None => plain(resumed.first_call()),
        };
        let line = format!("{place}: {}\n  {first_call}", state_of(&resumed.connection));
        Ok((answer.raw, line))
    };
    each(&arguments.places, arguments.json, resume).await
}

async fn try_now(arguments: &DoArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let is_refused = Cell::new(false);
    let try_now = async |place: &Place| -> anyhow::Result<(Json, String)> {
        let answer: Answered<TriedConnection> = api.post(&place.path("connections", "try")).await?;
        let trial = &answer.value.trial;
        is_refused.set(is_refused.get() || trial.error.is_some());
        let line = format!("{place}: {}", told(trial));
        Ok((answer.raw, line))
    };
    let told = each(&arguments.places, arguments.json, try_now).await?;
    Ok(if is_refused.get() { ExitCode::FAILURE } else { told })
}

/// What the vendor answered and what follows, with the beginning of its own words where it failed.
fn told(trial: &Trial) -> String {
    let error = trial.error.as_ref().filter(|error| !error.detail.is_empty());
    let words = error.map(|error| format!("\n  its words: {}", cut(&plain(&error.detail), 200)));
    format!("{}{}", plain(&trial.detail), words.unwrap_or_default())
}
