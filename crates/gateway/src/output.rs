//! The one place that writes to the terminal: answers to standard output, complaints to standard error.

use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use serde::Serialize;

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
pub(crate) fn json(value: &impl Serialize) -> io::Result<()> {
    // By way of a value, whose members stand in the order of their names.
    answer(&format!("{:#}", serde_json::to_value(value)?))
}

/// Prints an answer: to programs as JSON, to people as a text.
///
/// # Errors
/// Standard output cannot be written to.
pub(crate) fn say(as_json: bool, value: &impl Serialize, text: impl FnOnce() -> String) -> io::Result<()> {
    if as_json { json(value) } else { answer(&text()) }
}

/// Says what is wrong, or what somebody should know, beside the answer.
pub(crate) fn complain(text: &str) {
    // Where standard error is gone there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Says everything that is wrong, a line each.
pub(crate) fn complain_of(problems: &[impl ToString]) {
    for problem in problems {
        complain(&problem.to_string());
    }
}

/// 0, or 1 where the thing itself failed.
pub(crate) fn exit_code(is_right: bool) -> ExitCode {
    if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
