//! `import`: the customers of a file, over the batch route; can be interrupted and run again.

mod answer;
mod changed;
mod columns;
mod dry_run;
pub(crate) mod guard;
pub(crate) mod links;
mod options;
mod progress;
mod proxy_answer;
#[cfg(test)]
mod ready_maps;
mod refused;
pub(crate) mod rows;
mod send;
mod state;
mod summary;
mod table;
pub(crate) mod target;
mod text;
mod work;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use encoding_rs::Encoding;

use crate::output;
use crate::signals::Signals;
use options::{Options, delimiter};
use progress::Progress;
use send::{End, Sender};
use state::State;
use target::Target;
use text::encoding;
use work::Work;

/// Leave out what cannot be read instead of refusing the row.
const LENIENT: &str = "handling=lenient";

/// An export that went wrong, most likely: nobody imports nothing on purpose.
const NO_ROWS: &str = "there is no row in it, so nothing was imported";

#[derive(Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own on the command line"
)]
pub(crate) struct ImportArguments {
    /// The file; "-" for NDJSON from standard input, which cannot be resumed
    #[arg(value_name = "FILE")]
    file: String,
    #[command(flatten)]
    target: Target,
    /// What the file is; by default its name says it
    #[arg(long, value_name = "FORM", value_enum)]
    format: Option<Format>,
    /// A TOML file that says what the columns of a CSV file are, in the rules of a webhook source; config/imports has some
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
    /// What separates the columns of a CSV file, a character or "tab"; by default its first line says it
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    delimiter: Option<u8>,
    /// What the file's text is, such as windows-1252; by default the mark at its beginning says it, and without one UTF-8
    #[arg(long, value_name = "NAME", value_parser = encoding)]
    encoding: Option<&'static Encoding>,
    /// Leave out optional fields that cannot be read, instead of refusing their rows
    #[arg(long)]
    lenient: bool,
    /// Where to note what was answered; by default beside the file, FILE.import-state
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Where to write which rows were refused, and why; by default FILE.refused.ndjson
    #[arg(long, value_name = "FILE")]
    refused: Option<PathBuf>,
    /// Forget what was answered in an earlier run
    #[arg(long)]
    restart: bool,
    /// Wait for the vendors' answers; by default a row is done when the gateway has it safe
    #[arg(long)]
    wait: bool,
    /// Ask for each row what would become of it, and how long the import will take; nothing is stored, nothing is sent
    #[arg(long, conflicts_with_all = ["state", "refused", "restart", "wait"])]
    dry_run: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One JSON object a line
    Ndjson,
    /// A table, whose first line names the columns
    Csv,
}

pub(crate) async fn run(arguments: ImportArguments) -> anyhow::Result<ExitCode> {
    let signals = Signals::listen()?;
    let options = Options::of(&arguments)?;
    if arguments.dry_run {
        let bytes = fs::metadata(&arguments.file).ok().filter(fs::Metadata::is_file);
        let progress = Progress::new(bytes.map(|file| file.len()), 0);
        let rows = options.rows()?;
        let (target, is_json) = (&arguments.target, arguments.json);
        return dry_run::run(target, rows, progress, signals, arguments.lenient, is_json).await;
    }
    let (fingerprint, bytes) = options.fingerprint()?;
    let beside = |given: &Option<PathBuf>, ending: &str| {
        let usual = (!options.is_stdin()).then(|| PathBuf::from(format!("{}.{ending}", arguments.file)));
        given.clone().or(usual)
    };
    let state_path = beside(&arguments.state, "import-state").filter(|_| !options.is_stdin());
    let refused_path = beside(&arguments.refused, "refused.ndjson");
    let merchant = arguments.target.merchant.as_deref();
    let state = State::open(state_path.as_deref(), &fingerprint, merchant, arguments.restart)?;
    let before = state.tally.answered();
    let progress = Progress::new(bytes, before);
    let rows = options.rows()?;
    let mut work = Work::new(rows, state, fingerprint, refused_path.as_deref())?;
    let mut sender = Sender::new(&arguments.target, preferences(&arguments), signals, progress)?;
    let ended = sender.send_all(&mut work).await;
    sender.progress.end();
    work.save()?;
    output::say(arguments.json, &summary::as_json(&work, before), || {
        summary::text(&work, before, refused_path.as_deref())
    })?;
    let is_interrupted = matches!(ended?, End::Interrupted);
    if is_interrupted {
        output::complain("interrupted; the same command goes on from here");
    }
    if let Some(why) = summary::stop(&work.rows) {
        output::complain(&format!("{}: {why}", arguments.file));
    }
    let is_empty = !is_interrupted && work.rows.stopped.is_none() && work.rows_read == 0;
    if is_empty {
        output::complain(&format!("{}: {NO_ROWS}", arguments.file));
    }
    let is_all_in = !is_interrupted && !is_empty && work.rows.stopped.is_none() && work.state.tally.refused == 0;
    Ok(output::exit_code(is_all_in))
}

/// `Prefer` of the request.
fn preferences(arguments: &ImportArguments) -> Option<String> {
    let all = [
        (!arguments.wait).then_some("respond-async"),
        arguments.lenient.then_some(LENIENT),
    ];
    let all: Vec<&str> = all.into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join(", "))
}
