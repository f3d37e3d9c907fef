//! A yes before much is done at once.

use std::io::{self, BufRead as _, IsTerminal as _};

use clap::error::ErrorKind;

use crate::arguments::wrong;
use crate::output;

/// Whoever cannot be asked has to have said it: before anything is asked of the gateway.
///
/// # Errors
/// Wrong usage: nobody is at a terminal, and nothing was said beforehand.
pub(crate) fn or_said(beforehand: bool) -> anyhow::Result<()> {
    if beforehand || io::stdin().is_terminal() {
        return Ok(());
    }
    let text = "--matching without a terminal to ask at needs --yes (or --dry-run)";
    Err(wrong(ErrorKind::MissingRequiredArgument, text))
}

/// Asks, such as "Replay them?"; anything but a yes is a no.
///
/// # Errors
/// Standard input cannot be read.
pub(crate) fn is_wanted(verb: &str) -> io::Result<bool> {
    output::complain(&format!("{} them? [y/N]", capital(verb)));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_ascii_uppercase() + rest
}
