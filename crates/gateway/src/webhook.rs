//! `webhook test`: what an event would become and what each vendor would get. Nothing is sent, and no secret is needed.

mod customer;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use upsert_core::{Clock as _, SystemClock};
use upsert_server::{Rehearsal, read_json};
use upsert_settings::{Environment, Problem, Secrets, Settings, WebhookIn};
use upsert_webhook::MapProblem;

use crate::arguments::{CONFIG, wrong};
use crate::{input, output};

use customer::Customer;

#[derive(Args)]
pub(crate) struct WebhookArguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show what an event would become and what each vendor would get
    ///
    /// Reads the configuration without secrets, verifies no signature, knows no customer, and sends nothing. Exits with 0 if
    /// everything is mapped and planned or left out, with 1 if something is refused.
    Test(TestArguments),
}

#[derive(Args)]
struct TestArguments {
    /// The event as JSON, as its sender sends it; "-" for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: String,
    /// The folder with gateway.toml and merchants/
    #[arg(long, value_name = "DIR", default_value = CONFIG)]
    config: PathBuf,
    /// The merchant
    #[arg(long, value_name = "ID")]
    merchant: String,
    /// The source, one of the merchant's [[webhooks.in]]
    #[arg(long, value_name = "NAME")]
    source: String,
    /// Only this customer of an event that carries a list, from 0
    #[arg(long, value_name = "N")]
    index: Option<usize>,
    /// A header of the event, such as "webhook-id: msg_1"; may be repeated
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: WebhookArguments) -> anyhow::Result<ExitCode> {
    let Action::Test(test) = arguments.action;
    let event = input::read(&test.file)?;
    let settings = match Settings::load(&test.config, &Environment::of_process(), Secrets::Skip) {
        Ok(settings) => settings,
        Err(problems) => return misconfigured(&problems, test.json),
    };
    let source = source(&settings, &test)?;
    let rehearsal = match Rehearsal::new(&settings, upsert_registry::registry()) {
        Ok(rehearsal) => rehearsal,
        Err(problems) => return misconfigured(&problems, test.json),
    };
    let mut customers = customers(source, &event, &test)?;
    for customer in &mut customers {
        customer.plan(&rehearsal, &test.merchant, source.handling);
    }
    let is_right = customers.iter().all(Customer::is_right);
    let shown: Vec<Value> = customers.iter().map(|customer| customer.to_json(source)).collect();
    let shown = json!({ "ok": is_right, "merchant": test.merchant, "source": test.source, "customers": shown });
    output::say(test.json, &shown, || report::text(&customers, source))?;
    Ok(output::exit_code(is_right))
}

fn source<'s>(settings: &'s Settings, test: &TestArguments) -> anyhow::Result<&'s WebhookIn> {
    let Some(merchant) = settings.merchant(&test.merchant) else {
        let known = settings.merchants.keys().map(String::as_str);
        return Err(unknown("--merchant", &test.merchant, known));
    };
    let found = merchant.webhooks_in.iter().find(|source| source.source == test.source);
    found.ok_or_else(|| {
        let known = merchant.webhooks_in.iter().map(|source| source.source.as_str());
        unknown("--source", &test.source, known)
    })
}

fn unknown<'k>(argument: &str, written: &str, known: impl Iterator<Item = &'k str>) -> anyhow::Error {
    let known: Vec<&str> = known.collect();
    let known = if known.is_empty() {
        "there is none".to_owned()
    } else {
        known.join(", ")
    };
    let text = format!("{argument} `{written}` is not configured (known: {known})");
    wrong(ErrorKind::ValueValidation, text)
}

fn customers(source: &WebhookIn, event: &[u8], test: &TestArguments) -> anyhow::Result<Vec<Customer>> {
    let header = |name: &str| {
        let found = test.headers.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.clone())
    };
    if event.len() > source.body_limit {
        let detail = format!("an event of this source may have {} bytes", source.body_limit);
        let problem = MapProblem::new(String::new(), "body_too_large", detail);
        return Ok(vec![Customer::unreadable(problem)]);
    }
    let read = read_json(event)
        .map_err(|refusal| anyhow::anyhow!("{} is not JSON that can be taken: {}", test.file, refusal.detail));
    let is_ping = source.ping.as_ref().is_some_and(|ping| match &read {
        Ok(event) => ping.is_said_by(event),
        Err(_) => ping.is_of_type(&header("content-type").unwrap_or_default()),
    });
    if is_ping {
        return Ok(vec![Customer::ping()]);
    }
    let parts = match source.mapping.parts(read?) {
        Ok(parts) => parts,
        Err(problem) => return Ok(vec![Customer::unreadable(problem)]),
    };
    let all = parts.len();
    let customers: Vec<Customer> = parts
        .iter()
        .enumerate()
        .filter(|(place, _)| test.index.is_none_or(|index| index == *place))
        .map(|(_, part)| Customer::read(&source.mapping, part, &header, SystemClock.now()))
        .collect();
    if customers.is_empty() && test.index.is_some() {
        let text = format!("--index: the event carries {all} customers, the first is 0");
        return Err(wrong(ErrorKind::ValueValidation, text));
    }
    Ok(customers)
}

/// As `check` says it.
fn misconfigured(problems: &[Problem], as_json: bool) -> anyhow::Result<ExitCode> {
    if as_json {
        output::json(&json!({ "ok": false, "problems": problems }))?;
    } else {
        output::complain_of(problems);
    }
    Ok(ExitCode::FAILURE)
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        }
        _ => Err("a header is \"NAME: VALUE\"".to_owned()),
    }
}
