//! `merchants`: those in the store of a running gateway.

mod document;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use reqwest::{Method, RequestBuilder};
use upsert_api::{ListedMerchant, Page, StoredMerchant, Texts};

use crate::api::{self, Api};
use crate::import::target::Target;
use crate::show::{ago, counted, keep_whole, or_dash, plain, table};
use crate::{input, moment, output};

#[derive(Args)]
pub(crate) struct MerchantsArguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List merchants by id
    List(ListArguments),
    /// Show one merchant as JSON; of its secrets only that they are set
    Show(ShowArguments),
    /// Put a merchant, in the place of the one that is there
    #[command(after_help = PUT)]
    Put(PutArguments),
    /// Delete a merchant; what is kept of its customers stays
    Delete(DeleteArguments),
}

const PUT: &str =
    "The file is a merchant's file (TOML), or the same as JSON. A secret in it is { value = \"...\" }, or a
reference. Where the gateway does not allow the reference (`api_merchants_may_refer_to`), --read-secrets
reads it here and sends the secret; the gateway seals it.

Examples:
  upsert-gateway merchants put acme.toml --read-secrets
  upsert-gateway merchants put acme.json --if-generation 3";

#[derive(Args)]
struct ListArguments {
    #[command(flatten)]
    target: Target,
    /// Print JSON: one page, however many it took
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct ShowArguments {
    /// The merchant's id
    id: String,
    #[command(flatten)]
    target: Target,
}

#[derive(Args)]
struct PutArguments {
    /// The merchant's file; "-" for standard input
    file: String,
    /// Read the secrets that references name here, and send them
    #[arg(long)]
    read_secrets: bool,
    #[command(flatten)]
    expected: Expected,
    #[command(flatten)]
    target: Target,
    /// Print the merchant as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct DeleteArguments {
    /// The merchant's id
    id: String,
    /// Only if it has this generation
    #[arg(long, value_name = "N")]
    if_generation: Option<u64>,
    #[command(flatten)]
    target: Target,
}

/// What has to be there.
#[derive(Args)]
struct Expected {
    /// Only if it has this generation
    #[arg(long, value_name = "N")]
    if_generation: Option<u64>,
    /// Only if it is not there yet
    #[arg(long, conflicts_with = "if_generation")]
    if_new: bool,
}

pub(crate) async fn run(arguments: MerchantsArguments) -> anyhow::Result<ExitCode> {
    match arguments.action {
        Action::List(arguments) => api::told(list(&arguments).await, arguments.json),
        Action::Show(arguments) => api::told(show(&arguments).await, false),
        Action::Put(arguments) => api::told(put(&arguments).await, arguments.json),
        Action::Delete(arguments) => api::told(delete(&arguments).await, false),
    }
}

fn path(id: &str) -> String {
    // Whatever is no id finds no merchant; a slash in it would be another path.
    format!("v1/merchants/{}", id.replace(['/', '?', '#', '%'], "_"))
}

async fn list(arguments: &ListArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let page = api.gather("v1/merchants", &Texts::new(), None, None).await?;
    output::say(arguments.json, &page.raw, || shown(&page.value, moment::now()))?;
    Ok(ExitCode::SUCCESS)
}

fn shown(page: &Page<ListedMerchant>, now: Timestamp) -> String {
    if page.data.is_empty() {
        return "No merchant is in the store.".to_owned();
    }
    let mut table = table(&["merchant", "name", "generation", "put"]);
    for merchant in &page.data {
        let served = if merchant.in_file {
            "\nnot served: a file has it"
        } else {
            ""
        };
        table.add_row([
            format!("{}{served}", plain(&merchant.id)),
            or_dash(merchant.name.as_ref()),
            merchant.generation.to_string(),
            format!("{}\nby {}", ago(merchant.put_at, now), plain(&merchant.put_by)),
        ]);
    }
    keep_whole(&mut table, 0, 40);
    let count = counted(page.data.len(), "merchant", "merchants");
    format!("{}\n{count}", table.trim_fmt())
}

async fn show(arguments: &ShowArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let merchant = api.get::<StoredMerchant>(&path(&arguments.id)).await?;
    output::json(&merchant.raw)?;
    Ok(ExitCode::SUCCESS)
}

async fn put(arguments: &PutArguments) -> anyhow::Result<ExitCode> {
    let bytes = input::read(&arguments.file)?;
    let document = document::read(&arguments.file, &bytes, arguments.read_secrets)?;
    let api = Api::new(&arguments.target)?;
    let request = api.request(Method::PUT, &path(&document.id))?;
    let request = if arguments.expected.if_new {
        request.header("if-none-match", "*")
    } else {
        of_generation(request, arguments.expected.if_generation)
    };
    let put = api.answer::<StoredMerchant>(request.json(&document.members)).await?;
    output::say(arguments.json, &put.raw, || {
        let generation = put.value.generation;
        format!("{}: put, generation {generation}", plain(&document.id))
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn delete(arguments: &DeleteArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let request = api.request(Method::DELETE, &path(&arguments.id))?;
    api.done(of_generation(request, arguments.if_generation)).await?;
    output::answer(&format!("{}: deleted", plain(&arguments.id)))?;
    Ok(ExitCode::SUCCESS)
}

fn of_generation(request: RequestBuilder, generation: Option<u64>) -> RequestBuilder {
    match generation {
        Some(generation) => request.header("if-match", format!("\"{generation}\"")),
        None => request,
    }
}
