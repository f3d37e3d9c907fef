//! `import`: the customers of a file, over the batch route; can be interrupted and run again.

mod answer;
mod columns;
mod dry_run;
mod progress;
mod rows;
mod send;
mod state;
pub(crate) mod target;
mod work;

use std::fs::{self, File};
use std::io::{self, BufReader, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::error::ErrorKind;
use clap::{Args, ValueEnum};
use data_encoding::HEXLOWER;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::http_client;
use crate::output;
use crate::signals::Signals;
use progress::Progress;
use rows::Rows;
use send::{End, Sender};
use state::State;
use target::Target;
use work::Work;

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
    /// A TOML file that says what the columns of a CSV file are, in its tables columns, constants and defaults, and in ignore
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
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
    let is_stdin = arguments.file == "-";
    let format = format_of(&arguments)?;
    let map = match &arguments.map {
        Some(path) => Some(fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?),
        None => None,
    };
    if arguments.dry_run {
        let bytes = fs::metadata(&arguments.file).ok().filter(fs::Metadata::is_file);
        let progress = Progress::new(bytes.map(|file| file.len()), 0, io::stderr().is_terminal());
        let rows = open_rows(&arguments, format, map.as_deref())?;
        return dry_run::run(&arguments.target, rows, progress, signals, arguments.json).await;
    }
    let (fingerprint, bytes) = if is_stdin {
        (of_nothing_before(), None)
    } else {
        fingerprint(&arguments.file, map.as_deref())?
    };
    let beside = |given: &Option<PathBuf>, ending: &str| {
        let usual = (!is_stdin).then(|| PathBuf::from(format!("{}.{ending}", arguments.file)));
        given.clone().or(usual)
    };
    let state_path = if is_stdin {
        None
    } else {
        beside(&arguments.state, "import-state")
    };
    let refused_path = beside(&arguments.refused, "refused.ndjson");
    let merchant = arguments.target.merchant.as_deref();
    let state = State::open(state_path.as_deref(), &fingerprint, merchant, arguments.restart)?;
    let progress = Progress::new(
        bytes,
        state.tally.accepted + state.tally.refused,
        io::stderr().is_terminal(),
    );
    let rows = open_rows(&arguments, format, map.as_deref())?;
    let mut work = Work::new(rows, state, fingerprint, refused_path.as_deref())?;
    let client = http_client::for_streams()?;
    let mut sender = Sender::new(&arguments.target, client, arguments.wait, signals, progress);
    let ended = sender.send_all(&mut work).await;
    sender.progress.end();
    work.save()?;
    summary(&work, &arguments, refused_path.as_deref())?;
    match ended? {
        End::Interrupted => {
            output::complain("interrupted; the same command goes on from here");
            Ok(ExitCode::FAILURE)
        }
        End::Done if work.state.tally.refused > 0 => Ok(ExitCode::FAILURE),
        End::Done => Ok(ExitCode::SUCCESS),
    }
}

fn format_of(arguments: &ImportArguments) -> anyhow::Result<Format> {
    let usage = |text: &str| clap::Error::raw(ErrorKind::ValueValidation, format!("{text}\n"));
    let by_name = match Path::new(&arguments.file)
        .extension()
        .and_then(|ending| ending.to_str())
    {
        Some("csv") => Some(Format::Csv),
        Some("ndjson" | "jsonl") => Some(Format::Ndjson),
        _ if arguments.file == "-" => Some(Format::Ndjson),
        _ => None,
    };
    let format = arguments.format.or(by_name);
    let format =
        format.ok_or_else(|| usage("the file's name does not say what it is: --format ndjson or --format csv"))?;
    if arguments.map.is_some() && format == Format::Ndjson {
        return Err(usage("--map is for CSV").into());
    }
    Ok(format)
}

fn open_rows(arguments: &ImportArguments, format: Format, map: Option<&str>) -> anyhow::Result<Rows> {
    let input: Box<dyn io::BufRead> = if arguments.file == "-" {
        Box::new(BufReader::new(io::stdin()))
    } else {
        let file = File::open(&arguments.file).with_context(|| format!("{} cannot be read", arguments.file))?;
        Box::new(BufReader::with_capacity(256 * 1024, file))
    };
    match format {
        Format::Ndjson => Ok(Rows::ndjson(input)),
        Format::Csv => Rows::csv(input, map),
    }
}

/// Of the file's content and of what its columns are taken for; and how long it is.
fn fingerprint(file: &str, map: Option<&str>) -> anyhow::Result<(String, Option<u64>)> {
    let mut input = File::open(file).with_context(|| format!("{file} cannot be read"))?;
    let mut hash = Sha256::new();
    let map = map.unwrap_or_default();
    hash.update((map.len() as u64).to_be_bytes());
    hash.update(map);
    let (mut piece, mut bytes) = (vec![0; 256 * 1024], 0);
    loop {
        let read = input
            .read(&mut piece)
            .with_context(|| format!("{file} cannot be read"))?;
        if read == 0 {
            return Ok((HEXLOWER.encode(&hash.finalize()), Some(bytes)));
        }
        hash.update(&piece[..read]);
        bytes += read as u64;
    }
}

/// What comes from standard input is an import of its own each time: it cannot be read twice to see what it is.
fn of_nothing_before() -> String {
    let name = tempfile::Builder::new().prefix("import").rand_bytes(24).tempdir();
    name.map_or_else(
        |_| std::process::id().to_string(),
        |folder| folder.path().display().to_string(),
    )
}

fn summary(work: &Work, arguments: &ImportArguments, refused: Option<&Path>) -> anyhow::Result<()> {
    let tally = &work.state.tally;
    if arguments.json {
        output::json(&json!(tally))?;
        return Ok(());
    }
    let mut text = format!(
        "{} accepted ({} created, {} updated, {} unchanged; {} with deliveries on their way), {} refused",
        tally.accepted, tally.created, tally.updated, tally.unchanged, tally.pending, tally.refused
    );
    if let Some(path) = refused.filter(|_| tally.refused > 0) {
        text = format!("{text}\nwhich and why: {}", path.display());
    }
    output::answer(&text)?;
    Ok(())
}
