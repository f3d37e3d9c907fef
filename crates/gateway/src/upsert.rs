//! `upsert`: one customer from a file or standard input, at a running gateway; what came of it, as a table.

pub(crate) mod problem;
pub(crate) mod table;

use std::io::Read as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;

use crate::http_client;
use crate::import::target::Target;
use crate::output;

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
    let response = send(&arguments, body(&arguments.file)?).await?;
    let status = response.status();
    let text = response.text().await.context("the gateway's answer ended early")?;
    let answer: Value = serde_json::from_str(&text)
        .with_context(|| format!("{} answers {status}, not as the gateway does", arguments.target.url))?;
    if arguments.json {
        output::json(&answer)?;
    } else if !status.is_success() {
        output::complain(&problem::text(&answer, status));
        if answer.get("deliveries").is_some() {
            output::answer(&table::deliveries(&answer))?;
        }
    } else if arguments.plan {
        output::answer(&table::plan(&answer))?;
    } else {
        output::answer(&format!(
            "{}\n\n{}",
            headline(&answer, status),
            table::deliveries(&answer)
        ))?;
    }
    Ok(if status.is_success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn body(file: &str) -> anyhow::Result<Vec<u8>> {
    if file != "-" {
        return std::fs::read(file).with_context(|| format!("{file} cannot be read"));
    }
    let mut body = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut body)
        .context("standard input cannot be read")?;
    Ok(body)
}

async fn send(arguments: &UpsertArguments, body: Vec<u8>) -> anyhow::Result<Response> {
    let path = if arguments.plan {
        "v1/customers/plan"
    } else {
        "v1/customers"
    };
    let mut request = arguments
        .target
        .request(&http_client::for_upserts()?, Method::POST, path)?
        .header(CONTENT_TYPE, "application/json")
        .body(body);
    if let Some(key) = &arguments.idempotency_key {
        request = request.header("idempotency-key", key);
    }
    if arguments.respond_async {
        request = request.header("prefer", "respond-async");
    }
    if arguments.lenient {
        request = request.header("prefer", "handling=lenient");
    }
    if arguments.no_cache {
        request = request.header(CACHE_CONTROL, "no-cache");
    }
    request
        .send()
        .await
        .with_context(|| format!("{} does not answer", arguments.target.url))
}

/// One line: who, in which version, and how it stands.
fn headline(answer: &Value, status: StatusCode) -> String {
    let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
    let version = answer
        .pointer("/customer/version")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    let new = match status {
        StatusCode::CREATED => ", new",
        StatusCode::ACCEPTED => ", goes on by itself",
        _ => "",
    };
    format!(
        "{} version {version}: {}{new} ({})",
        text("/customer/id"),
        text("/state"),
        text("/upsert_id")
    )
}
