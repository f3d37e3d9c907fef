//! `export`: all customers of a merchant with their links, in a form that `import` reads.

mod out;

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::{Client, Method};
use serde_json::Value as Json;

use crate::http_client;
use crate::import::Format;
use crate::import::target::Target;
use crate::output::complain;
use out::Out;

/// The most that a page holds.
const PAGE: &str = "200";
/// Customers that are asked for at once: the list has no links.
const AT_ONCE: usize = 8;

#[derive(Args)]
pub(crate) struct ExportArguments {
    #[command(flatten)]
    target: Target,
    /// Where to write; standard output if not given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// In which form
    #[arg(long, value_name = "FORM", value_enum, default_value = "ndjson")]
    format: Format,
}

pub(crate) async fn run(arguments: ExportArguments) -> anyhow::Result<ExitCode> {
    let client = http_client::for_upserts()?;
    let out: Box<dyn Write> = match &arguments.out {
        Some(path) => Box::new(File::create(path).with_context(|| format!("{} cannot be written", path.display()))?),
        None => Box::new(io::stdout()),
    };
    let mut out = Out::new(arguments.format, out)?;
    let (mut cursor, mut count) = (None, 0_u64);
    loop {
        let mut query = vec![("limit", PAGE.to_owned())];
        query.extend(cursor.map(|cursor: String| ("cursor", cursor)));
        let page = get(&arguments.target, &client, "v1/customers", &query).await?;
        let ids: Vec<String> = page["data"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|customer| customer["id"].as_str().map(str::to_owned))
            .collect();
        let customers: Vec<Json> = stream::iter(ids)
            .map(|id| {
                let (target, client) = (&arguments.target, &client);
                async move { get(target, client, &format!("v1/customers/{id}"), &[]).await }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        for customer in &customers {
            out.write(customer)?;
            count += 1;
        }
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    out.end()?;
    if arguments.out.is_some() {
        complain(&format!("{count} customers"));
    }
    Ok(ExitCode::SUCCESS)
}

async fn get(target: &Target, client: &Client, path: &str, query: &[(&str, String)]) -> anyhow::Result<Json> {
    let request = target.request(client, Method::GET, path)?.query(query);
    let response = request
        .send()
        .await
        .with_context(|| format!("{} does not answer", target.url))?;
    let status = response.status();
    let body: Json = response
        .json()
        .await
        .with_context(|| format!("{} answers {status}", target.url))?;
    if !status.is_success() {
        bail!(
            "{} answers {status}: {}",
            target.url,
            body["detail"].as_str().unwrap_or_default()
        );
    }
    Ok(body)
}
