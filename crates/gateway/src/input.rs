//! What a command reads: a file, or standard input.

use std::io::{self, Read as _};

use anyhow::Context as _;

/// All of a file, or of standard input where it is "-".
///
/// # Errors
/// It cannot be read.
pub(crate) fn read(file: &str) -> anyhow::Result<Vec<u8>> {
    if file != "-" {
        return std::fs::read(file).with_context(|| format!("{file} cannot be read"));
    }
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .context("standard input cannot be read")?;
    Ok(bytes)
}
