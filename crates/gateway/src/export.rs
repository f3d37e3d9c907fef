//! `export`: all customers of a merchant with their links, in a form that `import` reads.

mod out;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::Method;
use upsert_api::{CustomerRecord, LARGEST_PAGE, LinkedCustomer, Page};

use crate::api::{self, Answered, Api};
use crate::import::Format;
use crate::import::target::Target;
use crate::output::complain;
use crate::private;
use out::Out;

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
    api::told(export(&arguments).await, false)
}

/// The first one says what it is for, so that the gateway's audit trail tells of it.
async fn page(api: &Api<'_>, cursor: Option<&str>) -> anyhow::Result<Page<CustomerRecord>> {
    let request = api
        .request(Method::GET, "v1/customers")?
        .query(&[("limit", LARGEST_PAGE)]);
    let request = match cursor {
        Some(cursor) => request.query(&[("cursor", cursor)]),
        None => request.header("audit-as", "export"),
    };
    Ok(api.answer(request).await?.value)
}

async fn export(arguments: &ExportArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let out: Box<dyn Write> = match &arguments.out {
        Some(path) => Box::new(private::create(path).with_context(|| format!("{} cannot be written", path.display()))?),
        None => Box::new(io::stdout()),
    };
    let mut out = Out::new(arguments.format, out)?;
    let (mut cursor, mut count) = (None::<String>, 0_u64);
    loop {
        let page = page(&api, cursor.as_deref()).await?;
        let paths = page.data.iter();
        let paths = paths.map(|customer: &CustomerRecord| format!("v1/customers/{}", customer.id));
        let customers: Vec<Answered<LinkedCustomer>> = stream::iter(paths)
            .map(async |path| api.get(&path).await)
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        for customer in &customers {
            out.write(&customer.raw, &customer.value.links)?;
            count += 1;
        }
        cursor = page.next_cursor;
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
