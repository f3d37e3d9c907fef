//! The one place that writes to the terminal: answers to standard output, complaints to standard error.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use serde::Serialize;
use upsert_core::text::is_plain_line;

/// Prints an answer and a line break. A reader that has gone away (`… | head`) is no failure.
///
/// # Errors
/// Standard output cannot be written to.
pub(crate) fn answer(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{}", shown(text)).and_then(|()| out.flush()) {
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
    answer(&escaped(&format!("{:#}", serde_json::to_value(value)?)))
}

/// Whether a character neither controls nor breaks the line, nor turns the reading direction around.
pub(crate) fn is_plain(character: char) -> bool {
    is_plain_line(character.encode_utf8(&mut [0; 4]))
}

/// The lines of a text without what would steer a terminal, should somebody else's words have come in unseen.
fn shown(text: &str) -> String {
    let replaced = |character: char| match character {
        '\n' | '\t' => character,
        character if is_plain(character) => character,
        _ => ' ',
    };
    text.chars().map(replaced).collect()
}

/// JSON of which every character can be shown: within its texts, where alone they can stand, the others are escaped. It means
/// the same.
fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if character == '\n' || is_plain(character) {
            escaped.push(character);
        } else {
            // None of them needs two of these.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        }
    }
    escaped
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
    let _ = writeln!(io::stderr().lock(), "{}", shown(text));
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

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    const STEERS: &str = "a\u{1b}[2J\u{9b}31m\u{202e}txt\u{2069}\u{7f}\u{2028}\0b\r\n\tc";

    #[test]
    fn what_is_printed_steers_no_terminal_whoever_wrote_it() {
        assert_eq!(shown(STEERS), "a [2J 31m txt    b \n\tc");
    }

    #[test]
    fn json_for_programs_means_the_same_and_steers_no_terminal_either() {
        let value = json!({ "said": STEERS, "\u{202e}name": ["ä🦀"] });
        let printed = escaped(&format!("{value:#}"));
        assert!(printed.chars().all(|one| one == '\n' || is_plain(one)), "{printed:?}");
        assert!(printed.contains("\\u202etxt") && printed.contains("ä🦀"), "{printed}");
        assert_eq!(serde_json::from_str::<Json>(&printed).unwrap(), value);
    }
}
