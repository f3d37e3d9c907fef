//! The one place that writes to the terminal: answers to standard output, complaints to standard error.

use std::io::{self, ErrorKind, Write as _};

/// Prints an answer and a line break. A reader that has gone away (`… | head`) is no failure.
///
/// # Errors
/// Standard output cannot be written to.
pub(crate) fn answer(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Prints a value as JSON for programs.
///
/// # Errors
/// Standard output cannot be written to.
pub(crate) fn json(value: &serde_json::Value) -> io::Result<()> {
    answer(&format!("{value:#}"))
}

/// Says what is wrong, or what somebody should know, beside the answer.
pub(crate) fn complain(text: &str) {
    // Where standard error is gone there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "{text}");
}
