//! `export`: all customers of a merchant with their links, in a form that `import` reads.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::{Client, Method};
use serde_json::Value as Json;

use upsert_core::Field;

use crate::http_client;
use crate::import::Format;
use crate::import::target::Target;
use crate::output::complain;

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

enum Out {
    Ndjson(BufWriter<Box<dyn Write>>),
    Csv(Box<csv::Writer<Box<dyn Write>>>),
}

impl Out {
    fn new(format: Format, out: Box<dyn Write>) -> anyhow::Result<Self> {
        if format == Format::Ndjson {
            return Ok(Self::Ndjson(BufWriter::new(out)));
        }
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(columns().map(|pointer| pointer.trim_start_matches('/').replace('/', ".")))?;
        Ok(Self::Csv(Box::new(writer)))
    }

    fn write(&mut self, customer: &Json) -> anyhow::Result<()> {
        match self {
            Self::Ndjson(out) => writeln!(out, "{}", without_nulls(customer))?,
            Self::Csv(writer) => {
                let cell = |pointer: &str| cell(customer.pointer(pointer).unwrap_or(&Json::Null));
                writer.write_record(columns().map(cell))?;
            }
        }
        Ok(())
    }

    fn end(self) -> anyhow::Result<()> {
        match self {
            Self::Ndjson(mut out) => out.flush()?,
            Self::Csv(mut writer) => writer.flush()?,
        }
        Ok(())
    }
}

/// The fields, and what only an export has.
fn columns() -> impl Iterator<Item = &'static str> {
    let fields = Field::ALL.iter().map(|field| field.pointer());
    ["/id"].into_iter().chain(fields).chain(["/provider_fields", "/links"])
}

/// As `import` reads it; a list of texts without a `;` is joined by that.
fn cell(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Array(items) if items.is_empty() => String::new(),
        Json::Object(members) if members.is_empty() => String::new(),
        Json::Array(items)
            if items
                .iter()
                .all(|item| item.as_str().is_some_and(|text| !text.contains([';', '[']))) =>
        {
            items.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(";")
        }
        other => other.to_string(),
    }
}

/// A `null` in a request clears, and refuses where there is nothing that may be cleared: what is not there stays out.
fn without_nulls(value: &Json) -> Json {
    match value {
        Json::Object(members) => members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), without_nulls(value)))
            .collect(),
        other => other.clone(),
    }
}
