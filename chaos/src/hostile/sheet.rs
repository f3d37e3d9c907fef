//! The matrix of attacks and what came of each, for people.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;
use std::{fs, thread};

use anyhow::Context as _;

use crate::hostile::Outcome;

const BEGIN: &str = "<!-- scripts/hostile writes from here -->\n";
const END: &str = "<!-- to here -->\n";
const MIB: u64 = 1 << 20;

/// All outcomes of one gateway, under what holds for all of them.
pub struct Sheet {
    /// How many files it may have open.
    pub files: String,
    /// In the order of the attacks.
    pub outcomes: Vec<Outcome>,
}

/// Text in Markdown.
pub fn written(sheets: &[Sheet], command: &str) -> String {
    let mut text = format!(
        "Measured on {} with {} processors ({}), callers and attackers on the same machine,\nattackers at the lowest priority, by `{command}`.\n",
        jiff::Zoned::now().date(),
        thread::available_parallelism().map_or(0, usize::from),
        processor().unwrap_or_default(),
    );
    for sheet in sheets {
        let _ = write!(
            text,
            "\nOpen files: {}.\n\n| attack | connections | cut within | never cut | memory | callers' p99 before, during, control | calls answered, failed |\n\
             |---|---:|---:|---:|---:|---:|---:|\n",
            sheet.files
        );
        for outcome in &sheet.outcomes {
            let _ = writeln!(
                text,
                "| {} | {} | {:.1} s | {} | +{} MiB | {}, {}, {} | {}, {} |",
                outcome.attack.name(),
                outcome.connections,
                outcome.ended.longest().as_secs_f64(),
                outcome.ended.kept,
                outcome.grown().div_ceil(MIB),
                milliseconds(outcome.p99.0),
                milliseconds(outcome.p99.1),
                outcome.control.map_or_else(|| "–".to_owned(), milliseconds),
                outcome.calls.0,
                outcome.calls.1,
            );
        }
    }
    text
}

/// Puts it where it stood before.
///
/// # Errors
/// The page has no place for it, or cannot be written.
pub fn put(page: &Path, text: &str) -> anyhow::Result<()> {
    let before = fs::read_to_string(page).with_context(|| format!("{} cannot be read", page.display()))?;
    let (head, rest) = before
        .split_once(BEGIN)
        .context("the page has no place for the matrix")?;
    let (_, tail) = rest.split_once(END).context("the place for the matrix has no end")?;
    fs::write(page, format!("{head}{BEGIN}\n{text}\n{END}{tail}"))
        .with_context(|| format!("{} cannot be written", page.display()))
}

fn milliseconds(length: Duration) -> String {
    format!("{:.1} ms", length.as_secs_f64() * 1_000.0)
}

fn processor() -> Option<String> {
    let told = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = told.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(line.trim_start_matches([' ', '\t', ':']).to_owned())
}
