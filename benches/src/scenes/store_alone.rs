//! The store without anything around it: what group commit gives beside a transaction each. Measured by the example
//! `commit_rate` of `upsert-store-sql`, which knows the store; its lines are read here.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::sheet::Sheet;

/// Runs the example for so many seconds a line, for the lines with `part` in their names.
///
/// # Errors
/// It fails.
pub async fn play(programs: &Path, folder: &Path, seconds: u64, part: &str) -> anyhow::Result<Sheet> {
    let mut sheet = Sheet::new(
        "The store alone",
        format!("The intent of one new customer for one connection, {seconds} s a line, no HTTP and no vendor."),
        &["", "changesets/s", "CPU µs/changeset", "CPU µs/changeset, database"],
    );
    let example = programs.join("examples/commit_rate");
    if !example.exists() {
        sheet.missing("commit_rate", "it is not built");
        return Ok(sheet);
    }
    let mut command = Command::new(example);
    command
        .arg(folder)
        .arg(seconds.to_string())
        .arg(part)
        .kill_on_drop(true);
    let ended = command.stdin(Stdio::null()).output().await?;
    anyhow::ensure!(ended.status.success(), "commit_rate ended with {}", ended.status);
    sheet.rows = rows(&String::from_utf8_lossy(&ended.stdout));
    Ok(sheet)
}

/// The lines that end in three figures: a name, how many a second, how much CPU, and how much of the database's.
fn rows(text: &str) -> Vec<Vec<String>> {
    let row = |line: &str| {
        let (mut rest, mut figures) = (line, Vec::new());
        for _ in 0..3 {
            let (before, figure) = rest.trim_end().rsplit_once(char::is_whitespace)?;
            figure.parse::<f64>().ok()?;
            figures.insert(0, figure.to_owned());
            rest = before;
        }
        figures.insert(0, rest.trim().to_owned());
        Some(figures)
    };
    text.lines().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_three_figures_is_a_row_and_no_other_is() {
        let text = "fdatasync of 4 KiB: 5000/s\na changeset is 11 writes\n\
                    64 writers, a transaction each             5100            192.5      0.0\n";
        assert_eq!(rows(text), [["64 writers, a transaction each", "5100", "192.5", "0.0"]]);
    }
}
