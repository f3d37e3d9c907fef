//! What is not said by flags is asked for, where somebody is at the terminal.

use std::io::{self, BufRead as _, IsTerminal as _};

use clap::error::ErrorKind;

use super::files::{Connection, Plan};
use super::{InitArguments, Setting, merchant, missing, provider, region};
use crate::arguments::wrong;
use crate::output;

/// What is to be written.
///
/// # Errors
/// Wrong usage: something is not said, and nobody can be asked; a setting of a vendor that is not named.
pub(super) fn complete(arguments: InitArguments) -> anyhow::Result<Plan> {
    let merchant = match arguments.merchant {
        Some(merchant) => merchant,
        None => asked("The merchant's id, such as acme", "--merchant", merchant)?,
    };
    let region = match arguments.region {
        None if can_ask() => asked(
            "Where phone numbers are from, such as US; empty: nowhere in particular",
            "--region",
            |text| {
                if text.is_empty() {
                    Ok(None)
                } else {
                    region(text).map(Some)
                }
            },
        )?,
        region => region,
    };
    let providers = if arguments.providers.is_empty() {
        let registry = upsert_registry::registry();
        let known: Vec<&str> = registry.describe().map(|provider| provider.kind).collect();
        let question = format!("Its vendors, with blanks between: {}", known.join(", "));
        asked(&question, "--provider", several)?
    } else {
        arguments.providers
    };
    let connections = connections(&providers, &arguments.settings)?;
    Ok(Plan {
        folder: arguments.folder,
        bind: arguments.bind,
        store: arguments.store,
        merchant,
        region,
        connections,
        json: arguments.json,
    })
}

fn can_ask() -> bool {
    io::stdin().is_terminal()
}

/// Asks until the answer can be used.
fn asked<T>(question: &str, flag: &str, read: impl Fn(&str) -> Result<T, String>) -> anyhow::Result<T> {
    if !can_ask() {
        return Err(missing(&format!("say it with {flag}: there is no terminal to ask at")));
    }
    loop {
        output::complain(&format!("{question}:"));
        let mut answer = String::new();
        if io::stdin().lock().read_line(&mut answer)? == 0 {
            return Err(missing(&format!("say it with {flag}")));
        }
        match read(answer.trim()) {
            Ok(value) => return Ok(value),
            Err(why) => output::complain(&format!("{}: {why}", answer.trim())),
        }
    }
}

fn several(text: &str) -> Result<Vec<String>, String> {
    let named: Vec<&str> = text.split([' ', ',']).filter(|part| !part.is_empty()).collect();
    if named.is_empty() {
        return Err("name one at least".to_owned());
    }
    named
        .into_iter()
        .map(|name| provider(name).map_err(|why| format!("{name} {why}")))
        .collect()
}

fn connections(providers: &[String], settings: &[Setting]) -> anyhow::Result<Vec<Connection>> {
    let mut connections: Vec<Connection> = Vec::new();
    for provider in providers {
        if connections.iter().any(|connection| connection.provider == *provider) {
            let text =
                format!("--provider {provider} stands twice: add a second connection by hand, with a name of its own");
            return Err(wrong(ErrorKind::ArgumentConflict, text));
        }
        let own = settings.iter().filter(|setting| setting.provider == *provider);
        connections.push(Connection {
            provider: provider.clone(),
            settings: own
                .map(|setting| (setting.name.clone(), setting.value.clone()))
                .collect(),
        });
    }
    match settings.iter().find(|setting| !providers.contains(&setting.provider)) {
        None => Ok(connections),
        Some(other) => {
            let text = format!(
                "--setting {0}.{1}: {0} is not among the vendors",
                other.provider, other.name
            );
            Err(wrong(ErrorKind::ArgumentConflict, text))
        }
    }
}
