//! Seeds of runs that once failed. They stay in the repository, and the smoke runs them first.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};

/// A run that is done again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// `kills`, `duplicates`, `termination`, `told`, `replicas`, `rolling`, `database`, `hot`, or `points` with the point's name.
    pub run: String,
    /// The seed.
    pub seed: u64,
}

/// The runs that need no further word to be made again; the points have each a name beside.
pub const RUNS: [&str; 8] = [
    "kills",
    "duplicates",
    "termination",
    "told",
    "replicas",
    "rolling",
    "database",
    "hot",
];

/// Reads the file: one run a line, its name and then the seed; what follows a `#` is for people.
///
/// # Errors
/// A line is none.
pub fn parse(text: &str) -> anyhow::Result<Vec<Seed>> {
    let mut seeds = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let (run, seed) = line.rsplit_once(' ').with_context(|| format!("`{line}` has no seed"))?;
        let known = RUNS.contains(&run) || run.starts_with("points ");
        if !known {
            bail!("`{run}` is no run");
        }
        let seed = seed.parse().with_context(|| format!("`{seed}` is no seed"))?;
        seeds.push(Seed {
            run: run.to_owned(),
            seed,
        });
    }
    Ok(seeds)
}

/// Adds a line, unless it is there already.
///
/// # Errors
/// The file cannot be written.
pub fn remember(file: &Path, run: &str, seed: u64) -> anyhow::Result<()> {
    let line = format!("{run} {seed}");
    let text = std::fs::read_to_string(file).unwrap_or_default();
    if text
        .lines()
        .any(|known| known.split('#').next().unwrap_or_default().trim() == line)
    {
        return Ok(());
    }
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    writeln!(file, "{line}")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_run_and_a_seed_and_the_rest_is_for_people() {
        let text = "# failed once\nkills 7 # since then\n\npoints record.after_commit 12\n";
        let seeds = parse(text).unwrap();
        let shown: Vec<_> = seeds.iter().map(|seed| (seed.run.as_str(), seed.seed)).collect();
        assert_eq!(shown, [("kills", 7), ("points record.after_commit", 12)]);
        assert!(parse("kills").is_err() && parse("dance 7").is_err() && parse("kills x").is_err());
    }

    #[test]
    fn what_failed_is_remembered_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("seeds.txt");
        for _ in 0..2 {
            remember(&file, "points a.b", 7).unwrap();
        }
        assert_eq!(std::fs::read_to_string(file).unwrap(), "points a.b 7\n");
    }

    #[test]
    fn the_file_in_the_repository_can_be_read() {
        parse(include_str!("../seeds.txt")).unwrap();
    }
}
