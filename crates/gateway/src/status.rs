//! `status`: how a running gateway is, what needs attention first, and the command that puts it right.

mod attention;
mod dead_letters;
mod report;

use std::process::ExitCode;

use clap::Args;
use reqwest::StatusCode;
use serde_json::{Value as Json, json};

use crate::api::{self, Api, Refused};
use crate::import::target::Target;
use crate::{moment, output};

use attention::Attention;
use dead_letters::DeadLetters;

/// What the command found out.
struct Found {
    url: String,
    version: String,
    ready: Json,
    connections: Json,
    webhooks: Json,
    dead_letters: Vec<DeadLetters>,
}

const EXAMPLES: &str = "Examples:
  upsert-gateway status
  upsert-gateway status --merchant acme
  upsert-gateway status --check || page-somebody

Exit codes: 0 it is ready (with --check: and nothing needs attention), 1 it cannot be
reached, is not ready, or refuses (with --check: or something needs attention), 2 wrong usage.";

#[derive(Args)]
#[command(after_help = EXAMPLES, mut_arg("merchant", |arg| arg.help("Only this merchant's")))]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    target: Target,
    /// Exit with 1 if anything needs attention; for scripts and monitoring
    #[arg(long)]
    check: bool,
    /// Print JSON: the answers of the API, and what needs attention
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: StatusArguments) -> anyhow::Result<ExitCode> {
    let outcome = show(&arguments).await;
    api::told(outcome, arguments.json)
}

async fn show(arguments: &StatusArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let url = arguments.target.url.as_str().trim_end_matches('/').to_owned();
    let ready = match api.get("readyz", &[]).await {
        Ok(ready) => ready,
        Err(error) => return not_ready(&url, error, arguments.json),
    };
    let connections = api.get("v1/connections", &[]).await?;
    let found = Found {
        url,
        version: version(&api).await?,
        ready,
        dead_letters: DeadLetters::read(&api, &connections).await?,
        connections,
        webhooks: api.get("v1/webhooks", &[]).await?,
    };
    let attention = attention::of(&found);
    if arguments.json {
        output::json(&as_json(&found, &attention))?;
    } else {
        output::answer(&report::text_of(&found, &attention, moment::now()))?;
    }
    let is_well = attention.is_empty() || !arguments.check;
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Not reached is one thing, reached and not ready another.
fn not_ready(url: &str, error: anyhow::Error, as_json: bool) -> anyhow::Result<ExitCode> {
    let refused = error.downcast::<Refused>()?;
    // A gateway always has this route: what answers is something else, or it is a path too far.
    if refused.status == StatusCode::NOT_FOUND {
        return Err(anyhow::anyhow!(
            "no gateway answers at {url}: it has no {url}/readyz (404)"
        ));
    }
    if as_json {
        output::json(&json!({ "ready": refused.problem }))?;
    } else {
        output::complain(&format!("{url} is reached, but it is not ready: {refused}"));
    }
    Ok(ExitCode::FAILURE)
}

/// Of the program that serves, which its description of itself says.
async fn version(api: &Api<'_>) -> anyhow::Result<String> {
    let description = api.get("openapi.json", &[]).await?;
    Ok(description["info"]["version"].as_str().unwrap_or("?").to_owned())
}

fn as_json(found: &Found, attention: &[Attention]) -> Json {
    json!({
        "version": found.version,
        "ready": found.ready,
        "connections": found.connections,
        "webhooks": found.webhooks,
        "dead_letters": found.dead_letters.iter().map(DeadLetters::to_json).collect::<Vec<_>>(),
        "attention": attention.iter().map(Attention::to_json).collect::<Vec<_>>(),
    })
}
