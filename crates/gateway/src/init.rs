//! `init`: a configuration to start from: keys, one merchant, its vendors.

mod ask;
mod files;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clap::error::ErrorKind;
use serde_json::json;
use upsert_settings::{Environment, NewKey, Problem, Secrets, Settings, generate_key, is_name};

use crate::arguments::{CONFIG, wrong};
use crate::output;

use files::Plan;

const EXAMPLES: &str = "Examples:
  upsert-gateway init
  upsert-gateway init --merchant acme --provider rotor --provider april --region US
  upsert-gateway init /etc/upsert-gateway --merchant acme --provider add-update \\
    --setting add-update.merchant_id=m-1

It asks at a terminal for what is not said. It writes into a folder without a gateway.toml alone.
Exit codes: 0 written, 1 it could not be written, 2 wrong usage.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InitArguments {
    /// The folder to write
    #[arg(value_name = "DIR", default_value = CONFIG)]
    folder: PathBuf,
    /// The merchant whose customers they are
    #[arg(long, value_name = "ID", value_parser = merchant)]
    merchant: Option<String>,
    /// A vendor that has its customers; may be repeated
    #[arg(long = "provider", value_name = "NAME", value_parser = provider)]
    providers: Vec<String>,
    /// Where phone numbers without a country code are from: two capital letters
    #[arg(long, value_name = "COUNTRY", value_parser = region)]
    region: Option<String>,
    /// A setting of a vendor's, as PROVIDER.NAME=VALUE; may be repeated
    #[arg(long = "setting", value_name = "SETTING", value_parser = setting)]
    settings: Vec<Setting>,
    /// Where it listens
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    bind: String,
    /// Where it keeps what it knows: sqlite:PATH, or postgres://host/database
    #[arg(long, value_name = "URL", default_value = "sqlite:data/gateway.db")]
    store: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One setting of a vendor's.
#[derive(Debug, Clone)]
struct Setting {
    provider: String,
    name: String,
    value: String,
}

pub(crate) fn run(arguments: InitArguments) -> anyhow::Result<ExitCode> {
    let plan = ask::complete(arguments)?;
    let key = generate_key()?;
    let written = plan.write(&key)?;
    let problems = problems(&plan);
    let shown = json!({
        "folder": plan.folder,
        "files": written,
        "key": key.key,
        "variables": plan.variables(),
        "problems": problems,
    });
    output::say(plan.json, &shown, || text(&plan, &written, &key, &problems))?;
    Ok(ExitCode::SUCCESS)
}

/// What `check` would say of it but for secrets, such as a setting that this vendor needs.
fn problems(plan: &Plan) -> Vec<Problem> {
    match Settings::load(&plan.folder, &Environment::default(), Secrets::Skip) {
        Ok(settings) => upsert_server::check(&settings, upsert_registry::registry()).problems,
        Err(problems) => problems,
    }
}

fn text(plan: &Plan, written: &[PathBuf], key: &NewKey, problems: &[Problem]) -> String {
    let folder = plan.folder.display();
    let mut lines = vec!["Written:".to_owned(), String::new()];
    lines.extend(written.iter().map(|path| format!("  {}", path.display())));
    lines.extend([
        String::new(),
        "Keep the files under secrets/ where you keep secrets, with a copy elsewhere: without its".to_owned(),
        "encryption key a store cannot be read.".to_owned(),
        String::new(),
        "The API key is shown this once; the configuration has its hash alone:".to_owned(),
        String::new(),
        format!("  export UPSERT_GATEWAY_KEY={}", key.key),
        format!("  export UPSERT_GATEWAY_URL=http://{}", plan.bind),
    ]);
    if !problems.is_empty() {
        lines.extend([String::new(), "Still to be put right in it:".to_owned(), String::new()]);
        lines.extend(problems.iter().map(|problem| format!("  {problem}")));
    }
    lines.extend([
        String::new(),
        "Then give the vendors' credentials to the gateway's environment, check, and serve:".to_owned(),
        String::new(),
    ]);
    lines.extend(plan.variables().iter().map(|name| format!("  export {name}=...")));
    lines.extend([
        format!("  upsert-gateway check --config {folder}"),
        format!("  upsert-gateway serve --config {folder}"),
    ]);
    lines.join("\n")
}

fn merchant(text: &str) -> Result<String, String> {
    if is_name(text) {
        Ok(text.to_owned())
    } else {
        Err("an id is 1 to 63 of a-z, 0-9, _ and -, the first a letter or a digit".to_owned())
    }
}

fn provider(text: &str) -> Result<String, String> {
    let registry = upsert_registry::registry();
    if registry.description(text).is_some() {
        return Ok(text.to_owned());
    }
    let known: Vec<&str> = registry.describe().map(|provider| provider.kind).collect();
    Err(format!("is not a provider; known are: {}", known.join(", ")))
}

fn region(text: &str) -> Result<String, String> {
    let is_region = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    if is_region {
        Ok(text.to_owned())
    } else {
        Err("has to be two capital letters, such as US".to_owned())
    }
}

fn setting(text: &str) -> Result<Setting, String> {
    let parts = text
        .split_once('=')
        .and_then(|(path, value)| Some((path.split_once('.')?, value)));
    match parts {
        Some(((provider, name), value)) if is_name(name) => Ok(Setting {
            provider: self::provider(provider)?,
            name: name.to_owned(),
            value: value.to_owned(),
        }),
        _ => Err("has to be PROVIDER.NAME=VALUE, such as add-update.merchant_id=m-1".to_owned()),
    }
}

/// Wrong usage: exit code 2.
fn missing(what: &str) -> anyhow::Error {
    wrong(ErrorKind::MissingRequiredArgument, what)
}
