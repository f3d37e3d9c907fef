//! `check`: every problem of the configuration, with file and line; warnings apart.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use upsert_server::Checked;
use upsert_settings::{Environment, Problem, Secrets, Settings};

use crate::arguments::CONFIG;
use crate::output;
use crate::show::counted;

#[derive(Args)]
pub(crate) struct CheckArguments {
    /// The folder with gateway.toml and merchants/
    #[arg(long, value_name = "DIR", default_value = CONFIG)]
    config: PathBuf,
    /// Do not look for secrets: check their references in form alone
    #[arg(long)]
    offline: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let secrets = if arguments.offline {
        Secrets::Skip
    } else {
        Secrets::Resolve
    };
    let (checked, settings) = match Settings::load(&arguments.config, &Environment::of_process(), secrets) {
        Ok(settings) => {
            let checked = upsert_server::check(&settings, upsert_registry::registry());
            (checked, Some(settings))
        }
        Err(problems) => {
            let warnings = Vec::new();
            (Checked { problems, warnings }, None)
        }
    };
    let is_right = checked.problems.is_empty();
    let shown = json!({ "ok": is_right, "problems": checked.problems, "warnings": checked.warnings });
    output::say(arguments.json, &shown, || text(&checked, settings.as_ref(), arguments))?;
    Ok(output::exit_code(is_right))
}

fn text(checked: &Checked, settings: Option<&Settings>, arguments: &CheckArguments) -> String {
    let mut lines: Vec<String> = checked.problems.iter().map(Problem::to_string).collect();
    lines.extend(checked.warnings.iter().map(|warning| format!("warning: {warning}")));
    let folder = arguments.config.display();
    lines.push(match (checked.problems.len(), settings) {
        (0, Some(settings)) => {
            let connections: usize = settings
                .merchants
                .values()
                .map(|merchant| merchant.connections.len())
                .sum();
            let skipped = if arguments.offline {
                "; secrets were not looked for"
            } else {
                ""
            };
            format!(
                "{folder}: {}, {}: no problem{skipped}",
                counted(settings.merchants.len(), "merchant", "merchants"),
                counted(connections, "connection", "connections")
            )
        }
        (problems, _) => format!("{folder}: {}", counted(problems, "problem", "problems")),
    });
    lines.join("\n")
}
