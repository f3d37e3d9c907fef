//! `customers show`: who somebody is, where the record is linked, and how it came to be.

mod history;
mod record;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

use crate::api::{self, Api};
use crate::deliveries::id;
use crate::import::target::Target;
use crate::show::{list, text};
use crate::{moment, output};

#[derive(Args)]
pub(crate) struct CustomersArguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show a customer, found by id, reference, email or phone
    ///
    /// Email and phone are compared as the gateway keeps them, so any notation finds them. Several that are found are
    /// listed.
    Show(ShowArguments),
}

const EXAMPLES: &str = "Examples:
  upsert-gateway customers show cus_01KB... --merchant acme
  upsert-gateway customers show --phone '(202) 555-0123' --history
  upsert-gateway customers show --reference CUST-123 --json

Exit codes: 0 found, 1 nobody is found, or the gateway refuses, 2 wrong usage.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
struct ShowArguments {
    #[command(flatten)]
    who: Who,
    /// The versions with what changed, and each upsert's deliveries
    #[arg(long)]
    history: bool,
    /// The whole history, not the newest part of it alone
    #[arg(long, requires = "history")]
    all: bool,
    #[command(flatten)]
    target: Target,
    /// Print JSON: the customer as the API has it, with history and upserts in it if they were asked for
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Who {
    /// The gateway's id
    #[arg(value_name = "ID", value_parser = customer_id)]
    id: Option<String>,
    /// The merchant's own id
    #[arg(long)]
    reference: Option<String>,
    /// In any notation
    #[arg(long)]
    email: Option<String>,
    /// In any notation; without a country code it is of the merchant's region
    #[arg(long)]
    phone: Option<String>,
}

fn customer_id(text: &str) -> Result<String, String> {
    id("cus_", text)
}

impl Who {
    fn filter(&self) -> Vec<(&'static str, String)> {
        [
            ("reference", &self.reference),
            ("email", &self.email),
            ("phone", &self.phone),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.clone()?)))
        .collect()
    }
}

pub(crate) async fn run(arguments: CustomersArguments) -> anyhow::Result<ExitCode> {
    let Action::Show(show) = arguments.action;
    api::told(self::show(&show).await, show.json)
}

async fn show(arguments: &ShowArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let id = match &arguments.who.id {
        Some(id) => id.clone(),
        None => {
            let found = api
                .gather("v1/customers", &arguments.who.filter(), None, Some(50))
                .await?;
            match list(&found, "data") {
                [] => return nobody(arguments, &found),
                [one] => text(one, "id"),
                several => return listed(arguments, &found, several),
            }
        }
    };
    let mut customer = api.get(&format!("v1/customers/{id}"), &[]).await?;
    let history = if arguments.history {
        Some(history::read(&api, &id, arguments.all).await?)
    } else {
        None
    };
    if arguments.json {
        if let Some(history) = history {
            customer["history"] = json!({ "data": history.versions, "next_cursor": history.versions_cursor });
            customer["upserts"] = json!({ "data": history.upserts, "next_cursor": history.next_cursor });
        }
        output::json(&customer)?;
    } else {
        let mut shown = record::text_of(&customer, moment::now());
        if let Some(history) = history {
            shown.push_str(&history.text());
        }
        output::answer(&shown)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn nobody(arguments: &ShowArguments, found: &Json) -> anyhow::Result<ExitCode> {
    if arguments.json {
        output::json(found)?;
    } else {
        output::complain("no customer of the merchant has it");
    }
    Ok(ExitCode::FAILURE)
}

fn listed(arguments: &ShowArguments, found: &Json, several: &[Json]) -> anyhow::Result<ExitCode> {
    if arguments.json {
        output::json(found)?;
    } else {
        output::answer(&record::several(several, found["next_cursor"].is_string()))?;
    }
    Ok(ExitCode::SUCCESS)
}
