//! `endpoints`: who is told of events: list, enable, test.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value as Json;
use upsert_api::{Endpoint, EndpointTest, Webhooks};

use crate::api::{self, Answered, Api};
use crate::each::each;
use crate::output;
use crate::place::{DoArguments, ListArguments, Place};
use crate::show::{age, counted, cut, keep_whole, or_dash, place, plain, table};

#[derive(Args)]
pub(crate) struct EndpointsArguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show every endpoint: its state, what waits, what was given up
    List(ListArguments),
    /// Tell an endpoint of events again that was disabled (it answered 410)
    #[command(after_help = "Example:\n  upsert-gateway endpoints enable acme/audit")]
    Enable(DoArguments),
    /// Send an endpoint an event that says nothing, now, and show what it answers
    #[command(after_help = TEST)]
    Test(DoArguments),
}

const TEST: &str = "Example:
  upsert-gateway endpoints test acme/audit

Exit codes: 0 every endpoint took it, 1 one did not, 2 wrong usage.";

pub(crate) async fn run(arguments: EndpointsArguments) -> anyhow::Result<ExitCode> {
    match arguments.action {
        Action::List(list) => api::told(show(&list).await, list.json),
        Action::Enable(arguments) => api::told(enable(&arguments).await, arguments.json),
        Action::Test(arguments) => api::told(test(&arguments).await, arguments.json),
    }
}

async fn show(arguments: &ListArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let webhooks: Answered<Webhooks> = api.get("v1/webhooks").await?;
    output::say(arguments.json, &webhooks.raw["endpoints"], || {
        shown(&webhooks.value.endpoints)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn shown(endpoints: &[Endpoint]) -> String {
    if endpoints.is_empty() {
        return "No endpoint is configured.".to_owned();
    }
    let mut table = table(&["endpoint", "state", "waiting", "dead letters", "last error"]);
    for endpoint in endpoints {
        table.add_row([
            format!(
                "{}\n{}",
                place(&endpoint.merchant_id, &endpoint.name),
                plain(&endpoint.url)
            ),
            endpoint.state.to_string(),
            match endpoint.oldest_waiting_seconds {
                Some(oldest) => format!("{}\nfor {}", endpoint.waiting, age(oldest)),
                None => endpoint.waiting.to_string(),
            },
            endpoint.dead_letters.to_string(),
            cut(&or_dash(endpoint.last_error.as_ref()), 80),
        ]);
    }
    keep_whole(&mut table, 1, 12);
    let count = counted(endpoints.len(), "endpoint", "endpoints");
    format!("{}\n{count}", table.trim_fmt())
}

async fn enable(arguments: &DoArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let enable = async |place: &Place| -> anyhow::Result<(Json, String)> {
        let answer: Answered<Endpoint> = api.post(&place.path("endpoints", "enable")).await?;
        let line = format!("{place}: {}, {} waiting", answer.value.state, answer.value.waiting);
        Ok((answer.raw, line))
    };
    each(&arguments.places, arguments.json, enable).await
}

async fn test(arguments: &DoArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let is_refused = std::cell::Cell::new(false);
    let test = async |place: &Place| -> anyhow::Result<(Json, String)> {
        let answer: Answered<EndpointTest> = api.post(&place.path("endpoints", "test")).await?;
        is_refused.set(is_refused.get() || !answer.value.delivered);
        let line = format!("{place}: {}", answered(&answer.value));
        Ok((answer.raw, line))
    };
    let told = each(&arguments.places, arguments.json, test).await?;
    Ok(if is_refused.get() { ExitCode::FAILURE } else { told })
}

fn answered(test: &EndpointTest) -> String {
    let status = test
        .status
        .map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    let word = if test.delivered {
        "took the test event"
    } else {
        "did not take the test event"
    };
    let why = test.error.as_ref().map(|error| format!(": {}", plain(error)));
    format!("{word} ({status}, {} ms){}", test.duration_ms, why.unwrap_or_default())
}
