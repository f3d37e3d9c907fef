//! `status`: how a running gateway is, what needs attention first, and the command that puts it right.

mod attention;
mod dead_letters;
mod report;

use std::process::ExitCode;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use upsert_api::{AttentionPage, Connection, Page, ProblemCode, Ready, Webhooks};

use crate::api::{self, Answered, Api, Refused};
use crate::import::target::Target;
use crate::{moment, output};

use dead_letters::DeadLetters;

/// What the command found out.
struct Found {
    url: String,
    version: String,
    ready: Answered<Ready>,
    attention: Answered<AttentionPage>,
    connections: Answered<Page<Connection>>,
    webhooks: Answered<Webhooks>,
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
    let ready = match api.get("readyz").await {
        Ok(ready) => ready,
        Err(error) => return not_ready(&url, error, arguments.json),
    };
    let connections: Answered<Page<Connection>> = api.get("v1/connections").await?;
    let found = Found {
        url,
        version: version(&api).await?,
        ready,
        attention: api.get("v1/attention").await?,
        dead_letters: DeadLetters::read(&api, &connections.value.data).await?,
        connections,
        webhooks: api.get("v1/webhooks").await?,
    };
    output::say(arguments.json, &found.json(), || report::text_of(&found, moment::now()))?;
    let needs_nothing = found.attention.value.data.is_empty();
    Ok(output::exit_code(needs_nothing || !arguments.check))
}

/// Not reached is one thing, reached and not ready another.
fn not_ready(url: &str, error: anyhow::Error, as_json: bool) -> anyhow::Result<ExitCode> {
    let refused = error.downcast::<Refused>()?;
    // A gateway always has this route: what answers is something else, or it is a path too far.
    if refused.problem.code == ProblemCode::NotFound {
        return Err(anyhow::anyhow!(
            "no gateway answers at {url}: it has no {url}/readyz (404)"
        ));
    }
    if as_json {
        output::json(&json!({ "ready": refused.raw }))?;
    } else {
        output::complain(&format!("{url} is reached, but it is not ready: {refused}"));
    }
    Ok(ExitCode::FAILURE)
}

/// The program's description of itself.
#[derive(Deserialize)]
struct Description {
    info: Info,
}

#[derive(Deserialize)]
struct Info {
    version: String,
}

/// Of the program that serves.
async fn version(api: &Api<'_>) -> anyhow::Result<String> {
    let description: Answered<Description> = api.get("openapi.json").await?;
    Ok(description.value.info.version)
}

impl Found {
    fn json(&self) -> Json {
        json!({
            "version": self.version,
            "ready": self.ready.raw,
            "connections": self.connections.raw,
            "webhooks": self.webhooks.raw,
            "dead_letters": self.dead_letters,
            "attention": self.attention.raw["data"],
        })
    }
}
