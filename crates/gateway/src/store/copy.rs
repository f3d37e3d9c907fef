//! `store copy`: a whole store into an empty one, resumable, and compared in the end.

use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use secrecy::ExposeSecret as _;
use serde_json::{Value as Json, json};
use upsert_settings::{Environment, StoreUrl};
use upsert_store_sql::copy::{Compared, Copied, CopyOrder, Location, copy};

use super::progress::Progress;
use crate::moment;
use crate::output::{complain, exit_code, say};
use crate::show::{counted, table};

const EXAMPLES: &str = "Example:
  upsert-gateway store copy --from sqlite:data/gateway.db --to postgres://gateway@db.example.com/gateway

A URL with a password stands in UPSERT_GATEWAY_COPY_FROM or UPSERT_GATEWAY_COPY_TO: others can read a command line.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CopyArguments {
    /// The store that is copied: sqlite:PATH or postgres://HOST/DATABASE
    #[arg(long, value_name = "URL", env = "UPSERT_GATEWAY_COPY_FROM", hide_env_values = true, value_parser = url)]
    from: StoreUrl,
    /// The empty store that it is copied to
    #[arg(long, value_name = "URL", env = "UPSERT_GATEWAY_COPY_TO", hide_env_values = true, value_parser = url)]
    to: StoreUrl,
    /// Rows in one transaction
    #[arg(long, value_name = "N", default_value_t = CopyOrder::USUAL_BATCH, hide = true)]
    batch: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn url(text: &str) -> Result<StoreUrl, String> {
    text.parse()
}

pub(super) async fn run(arguments: CopyArguments) -> anyhow::Result<ExitCode> {
    let environment = Environment::of_process();
    upsert_core::crash_point::arm(environment.get(upsert_core::crash_point::VARIABLE));
    let order = CopyOrder {
        from: location(&arguments.from),
        to: location(&arguments.to),
        from_shown: arguments.from.to_string(),
        batch: arguments.batch,
    };
    let began = Instant::now();
    let mut progress = Progress::new();
    let mut tell = |step| {
        progress.show(step);
        ControlFlow::Continue(())
    };
    let copied = copy(&order, &moment::now, &mut tell).await;
    progress.end();
    let copied = copied?;
    let seconds = began.elapsed().as_secs_f64();
    say(arguments.json, &as_json(&copied, seconds), || as_text(&copied, seconds))?;
    if !copied.is_same() {
        complain(
            "upsert-gateway: the stores differ, so no gateway starts on the new one. Somebody has worked with the old or the new \
             one meanwhile: stop every gateway on them, and copy once more into an empty store",
        );
    }
    Ok(exit_code(copied.is_same()))
}

fn location(url: &StoreUrl) -> Location {
    match url {
        StoreUrl::Sqlite(path) => Location::Sqlite(path.clone()),
        StoreUrl::Postgres(url) => Location::Postgres(url.expose_secret().to_owned()),
    }
}

fn as_json(copied: &Copied, seconds: f64) -> Json {
    let thing = |of: &Compared| {
        json!({
            "thing": of.thing,
            "from": of.from,
            "to": of.to,
            "from_digest": hex(of.from_digest),
            "to_digest": hex(of.to_digest),
            "same": of.is_same(),
        })
    };
    json!({
        "same": copied.is_same(),
        "rows": copied.rows,
        "rows_before": copied.before,
        "seconds": seconds,
        "things": copied.compared.iter().map(thing).collect::<Vec<_>>(),
    })
}

fn as_text(copied: &Copied, seconds: f64) -> String {
    let mut table = table(&["what", "old store", "new store", "digest"]);
    for of in &copied.compared {
        let digest = if of.is_same() {
            hex(of.from_digest)
        } else {
            "DIFFERENT".to_owned()
        };
        table.add_row([of.thing.to_owned(), of.from.to_string(), of.to.to_string(), digest]);
    }
    let rows = usize::try_from(copied.rows).unwrap_or(usize::MAX);
    let earlier = if copied.before > 0 {
        format!(", {} by earlier runs", copied.before)
    } else {
        String::new()
    };
    let end = if copied.is_same() {
        "Both stores hold the same. Name the new one in `[store] url`, and serve the old one no more."
    } else {
        "The stores differ."
    };
    format!(
        "{}\n\n{} copied{earlier}, in {seconds:.1} s. {end}",
        table.trim_fmt(),
        counted(rows, "row", "rows")
    )
}

fn hex(digest: u128) -> String {
    format!("{digest:032x}")
}
