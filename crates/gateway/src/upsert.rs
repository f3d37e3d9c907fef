//! `upsert`: one customer from a file or standard input, at a running gateway; what came of it, as a table.

pub(crate) mod problem;
pub(crate) mod table;

use std::process::ExitCode;

use clap::Args;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Deserialize as _;
use upsert_api::{Plan, UpsertAnswer, UpsertProblem};

use crate::api::{self, Answered, Api, Refused};
use crate::import::target::Target;
use crate::{input, output};

#[derive(Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own on the command line"
)]
pub(crate) struct UpsertArguments {
    /// The customer as JSON, the body of POST /v1/customers; "-" for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: String,
    #[command(flatten)]
    target: Target,
    /// The same key again does no work twice
    #[arg(long, value_name = "KEY", conflicts_with = "plan")]
    idempotency_key: Option<String>,
    /// Do not wait for the vendors: return when the gateway has it safe
    #[arg(long = "async", conflicts_with = "plan")]
    respond_async: bool,
    /// Leave out optional members that cannot be read, and say so, instead of refusing the whole
    #[arg(long)]
    lenient: bool,
    /// Call the vendors even if nothing has changed
    #[arg(long)]
    no_cache: bool,
    /// Show what would be sent; nothing is stored and nothing is sent
    #[arg(long)]
    plan: bool,
    /// Print the gateway's answer as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: UpsertArguments) -> anyhow::Result<ExitCode> {
    let outcome = send(&arguments).await;
    let failed = outcome.as_ref().err().and_then(failed_upsert);
    let code = api::told(outcome, arguments.json)?;
    if let Some(failed) = failed.filter(|_| !arguments.json) {
        output::answer(&table::deliveries(&failed))?;
    }
    Ok(code)
}

/// The upsert that vendors refused or failed, which stands beside the problem.
fn failed_upsert(error: &anyhow::Error) -> Option<UpsertAnswer> {
    let refused = error.downcast_ref::<Refused>()?;
    let problem = UpsertProblem::deserialize(&refused.raw).ok()?;
    Some(problem.failed.answer)
}

async fn send(arguments: &UpsertArguments) -> anyhow::Result<ExitCode> {
    let body = input::read(&arguments.file)?;
    let api = Api::new(&arguments.target)?;
    if arguments.plan {
        let request = asked(arguments, api.request(Method::POST, "v1/customers/plan")?);
        let plan: Answered<Plan> = api.answer(request.body(body)).await?;
        output::say(arguments.json, &plan.raw, || table::plan(&plan.value))?;
    } else {
        let request = asked(arguments, api.request(Method::POST, "v1/customers")?);
        let answer: Answered<UpsertAnswer> = api.answer(request.body(body)).await?;
        output::say(arguments.json, &answer.raw, || {
            let (answer, status) = (&answer.value, answer.status);
            format!("{}\n\n{}", headline(answer, status), table::deliveries(answer))
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The request with what was asked for beside the body.
fn asked(arguments: &UpsertArguments, request: RequestBuilder) -> RequestBuilder {
    let headers = [
        ("content-type", Some("application/json")),
        ("idempotency-key", arguments.idempotency_key.as_deref()),
        ("prefer", arguments.respond_async.then_some("respond-async")),
        ("prefer", arguments.lenient.then_some("handling=lenient")),
        ("cache-control", arguments.no_cache.then_some("no-cache")),
    ];
    let given = headers.into_iter().filter_map(|(name, value)| Some((name, value?)));
    given.fold(request, |request, (name, value)| request.header(name, value))
}

/// One line: who, in which version, and how it stands.
fn headline(answer: &UpsertAnswer, status: StatusCode) -> String {
    let new = match status {
        StatusCode::CREATED => ", new",
        StatusCode::ACCEPTED => ", goes on by itself",
        _ => "",
    };
    let (customer, version) = (answer.customer.id, answer.customer.version);
    format!(
        "{customer} version {version}: {}{new} ({})",
        answer.state, answer.upsert_id
    )
}
