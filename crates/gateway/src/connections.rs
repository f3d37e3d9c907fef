//! `connections`: those of a running gateway: list, pause, resume.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value as Json;
use upsert_api::{Connection, Page};

use crate::api::{self, Answered, Api};
use crate::each::each;
use crate::place::{DoArguments, ListArguments, Place};
use crate::show::connection::{state_of, table_of};
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
    /// Send again: ends a pause, the vendor's `Retry-After`, and the time that a breaker is open for
    #[command(after_help = "Example:\n  upsert-gateway connections resume acme/crm acme/wallet")]
    Resume(DoArguments),
}

pub(crate) async fn run(arguments: ConnectionsArguments) -> anyhow::Result<ExitCode> {
    match arguments.action {
        Action::List(list) => api::told(show(&list).await, list.json),
        Action::Pause(arguments) => api::told(act("pause", &arguments).await, arguments.json),
        Action::Resume(arguments) => api::told(act("resume", &arguments).await, arguments.json),
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

async fn act(verb: &str, arguments: &DoArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    each(&arguments.places, arguments.json, async |place| {
        done(&api, verb, place).await
    })
    .await
}

/// What the gateway said, and the same for people.
async fn done(api: &Api<'_>, verb: &str, place: &Place) -> anyhow::Result<(Json, String)> {
    let answer: Answered<Connection> = api.post(&place.path("connections", verb)).await?;
    let line = format!("{place}: {}", state_of(&answer.value));
    Ok((answer.raw, line))
}
