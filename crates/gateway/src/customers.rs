//! `customers`: who somebody is, where the record is linked, and how it came to be; and the end of it.

mod history;
mod record;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value as Json;
use upsert_api::{CustomerRecord, Erasure, Left, LinkedCustomer, Page, Texts};
use upsert_core::CustomerId;

use crate::api::{self, Answered, Api};
use crate::import::target::Target;
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
    /// Erase a customer for good: the gateway forgets the person
    #[command(after_help = ERASE)]
    Erase(EraseArguments),
}

const ERASE: &str =
    "Vendors keep what they have. The vendors' ids of their records are shown this once, and kept nowhere: the
certificate has a keyed hash of each.

Examples:
  upsert-gateway customers erase cus_01KB... --merchant acme
  upsert-gateway customers erase cus_01KB... --json > certificate.json

Exit codes: 0 erased, now or before, 1 there is no such customer, or the gateway refuses, 2 wrong usage.";

#[derive(Args)]
struct EraseArguments {
    /// The gateway's id
    id: CustomerId,
    #[command(flatten)]
    target: Target,
    /// Print the certificate as JSON
    #[arg(long)]
    json: bool,
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
    #[arg(value_name = "ID")]
    id: Option<CustomerId>,
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

impl Who {
    fn filter(&self) -> Texts {
        let all = [
            ("reference", &self.reference),
            ("email", &self.email),
            ("phone", &self.phone),
        ];
        all.into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
            .collect()
    }
}

pub(crate) async fn run(arguments: CustomersArguments) -> anyhow::Result<ExitCode> {
    match arguments.action {
        Action::Show(show) => api::told(self::show(&show).await, show.json),
        Action::Erase(erase) => api::told(self::erase(&erase).await, erase.json),
    }
}

async fn erase(arguments: &EraseArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let request = api.request(Method::DELETE, &format!("v1/customers/{}", arguments.id))?;
    let erased: Answered<Erasure> = api.answer(request).await?;
    output::say(arguments.json, &erased.raw, || erasure_text(&erased.value))?;
    Ok(ExitCode::SUCCESS)
}

fn erasure_text(erasure: &Erasure) -> String {
    let mut lines = vec![format!(
        "{} is erased: certificate {}",
        erasure.customer_id, erasure.erasure_id
    )];
    for vendor in &erasure.vendors {
        let id = vendor.provider_customer_id.as_deref();
        let left = match (vendor.left, id) {
            (Left::Nothing, _) => "nothing is left there".to_owned(),
            (Left::Record, Some(id)) => format!("record {id} is left there"),
            (Left::Record, None) => "a record may be left there; its id is not known".to_owned(),
        };
        lines.push(format!("  {}: {left}", vendor.connection));
    }
    match (&erasure.signature, &erasure.public_key) {
        (Some(_), _) => {}
        (None, Some(_)) => lines.push(format!(
            "The certificate is not signed yet: it is once the store has let go of everything (GET /v1/erasures/{}).",
            erasure.erasure_id
        )),
        (None, None) => lines.push("The certificate is not signed: the gateway has no signing key.".to_owned()),
    }
    lines.push(String::new());
    lines.join("\n")
}

async fn show(arguments: &ShowArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let id = match arguments.who.id {
        Some(id) => id,
        None => {
            let filter = arguments.who.filter();
            let found: Answered<Page<CustomerRecord>> = api.gather("v1/customers", &filter, None, Some(50)).await?;
            match found.value.data.as_slice() {
                [] => return nobody(arguments, &found.raw),
                [one] => one.id,
                _ => {
                    output::say(arguments.json, &found.raw, || record::several(&found.value))?;
                    return Ok(ExitCode::SUCCESS);
                }
            }
        }
    };
    let mut customer = api.get::<LinkedCustomer>(&format!("v1/customers/{id}")).await?;
    let mut told = String::new();
    if arguments.history {
        let history = history::read(&api, id, arguments.all).await?;
        told = history.text();
        customer.raw["history"] = history.versions.raw;
        customer.raw["upserts"] = history.upserts.raw;
    }
    output::say(arguments.json, &customer.raw, || {
        record::text_of(&customer.value, moment::now()) + &told
    })?;
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
