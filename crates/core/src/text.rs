//! Text: from what people type to one canonical spelling.

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// Why a text was refused: a stable code and a sentence that does not repeat the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Stable code.
    pub code: &'static str,
    /// A sentence for people.
    pub detail: String,
}

impl Refused {
    pub(crate) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }

    pub(crate) fn empty() -> Self {
        Self::new(EMPTY, "is empty; send null to clear it, or leave it out")
    }

    pub(crate) fn too_long(most: usize) -> Self {
        Self::new("too_long", format!("is longer than {most} characters"))
    }
}

/// The code of a blank text.
pub(crate) const EMPTY: &str = "empty";

/// What becomes of line breaks within a text. At its ends they are trimmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineBreaks {
    /// They are part of it, and so are tabs.
    Kept,
    /// One line is asked for, and what stands in several is put into one with `, ` in between.
    Joined,
    /// They refuse it; where something may be left out, a blank stands in their place.
    Blank,
    /// They refuse it.
    Refused,
}

/// What a piece of text may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextRule {
    /// The longest it may be, in characters.
    pub max_chars: usize,
    /// What becomes of line breaks in it.
    pub line_breaks: LineBreaks,
}

impl TextRule {
    /// So long at the most, and that of line breaks.
    pub const fn new(max_chars: usize, line_breaks: LineBreaks) -> Self {
        Self { max_chars, line_breaks }
    }
}

/// Unicode NFC, without blanks and marks without a shape at its ends, without control characters, not empty, within the
/// rule's length.
///
/// # Errors
/// `empty`, `control_character` or `too_long`.
pub fn text(raw: &str, rule: TextRule) -> Result<String, Refused> {
    let given = trimmed(raw);
    if given.is_empty() {
        return Err(Refused::empty());
    }
    let is_plain = given.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if is_plain {
        return within(given.to_owned(), rule.max_chars);
    }
    let lines = match rule.line_breaks {
        LineBreaks::Joined => match joined(given, ", ") {
            lines if lines.is_empty() => return Err(Refused::empty()),
            lines => lines,
        },
        LineBreaks::Kept => given.to_owned(),
        LineBreaks::Blank | LineBreaks::Refused if given.contains(is_line_break) => {
            let detail = "holds a line break, and is to be one line";
            return Err(Refused::new("control_character", detail));
        }
        LineBreaks::Blank | LineBreaks::Refused => given.to_owned(),
    };
    let is_kept = |c: char| rule.line_breaks == LineBreaks::Kept && (c == '\t' || is_line_break(c));
    if lines.chars().any(|c| is_refused_control(c) && !is_kept(c)) {
        return Err(Refused::new("control_character", "holds a control character"));
    }
    let normal = if is_nfc(&lines) { lines } else { lines.nfc().collect() };
    within(normal, rule.max_chars)
}

fn within(text: String, max_chars: usize) -> Result<String, Refused> {
    let is_too_long = text.chars().nth(max_chars).is_some();
    if is_too_long {
        return Err(Refused::too_long(max_chars));
    }
    Ok(text)
}

/// The lines of a text that say something, with this between them.
pub(crate) fn joined(text: &str, between: &str) -> String {
    // `12 High St,` ends a line where the comma is ours.
    let is_ours = |c: char| (c == ',' && between == ", ") || is_unseen(c);
    let lines = text
        .split(is_line_break)
        .map(|line| trimmed(line).trim_end_matches(is_ours));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(between)
}

/// Without what nobody sees at its ends: blanks of every kind, and marks of direction and form.
pub fn trimmed(raw: &str) -> &str {
    raw.trim_matches(is_unseen)
}

fn is_unseen(c: char) -> bool {
    c.is_whitespace() || is_format(c)
}

/// Characters that have no shape of their own: marks of direction, joiners, variation selectors, the byte order mark.
pub(crate) fn is_format(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e01ef}')
}

pub(crate) fn is_line_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether it is one line as it is read: nothing in it controls, breaks the line or turns the reading direction around.
pub fn is_plain_line(text: &str) -> bool {
    !text.chars().any(is_refused_control)
}

/// Control characters, and the marks that turn the reading direction around: they make a text look like another.
fn is_refused_control(c: char) -> bool {
    let direction = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    direction || c.is_control() || is_line_break(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE: TextRule = TextRule {
        max_chars: 255,
        line_breaks: LineBreaks::Refused,
    };

    fn with(line_breaks: LineBreaks) -> TextRule {
        TextRule { line_breaks, ..LINE }
    }

    #[test]
    fn text_is_trimmed_and_composed() {
        assert_eq!(text("  Ame\u{301}lie ", LINE).unwrap(), "Am\u{e9}lie");
        assert_eq!(text("a\u{7}b", LINE).unwrap_err().code, "control_character");
        assert_eq!(text("a\tb", LINE).unwrap_err().code, "control_character");
        assert_eq!(text("a\u{202e}b", LINE).unwrap_err().code, "control_character");
        assert_eq!(text(" \t ", LINE).unwrap_err().code, "empty");
        assert_eq!(text(&"x".repeat(255), LINE).unwrap().len(), 255);
        assert_eq!(text(&"x".repeat(256), LINE).unwrap_err().code, "too_long");
        assert_eq!(text(&"\u{e9}".repeat(255), LINE).unwrap().chars().count(), 255);
        assert_eq!(text(&"\u{e9}".repeat(256), LINE).unwrap_err().code, "too_long");
    }

    #[test]
    fn what_nobody_sees_is_taken_off_the_ends() {
        for unseen in [
            "\u{feff}", "\u{200b}", "\u{200e}", "\u{200f}", "\u{202a}", "\u{202c}", "\u{2068}", "\u{2069}", "\u{fe0f}",
            "\u{a0}", "\u{3000}", "\u{ad}", "\u{2060}", "\n", "\t", "\u{2028}",
        ] {
            assert_eq!(
                text(&format!("{unseen}Ann{unseen}"), LINE).unwrap(),
                "Ann",
                "{unseen:?}"
            );
            assert_eq!(text(unseen, LINE).unwrap_err().code, "empty", "{unseen:?}");
        }
        assert_eq!(text("A\u{200d}B", LINE).unwrap(), "A\u{200d}B");
    }

    #[test]
    fn lines_are_kept_joined_or_refused_as_the_rule_says() {
        for line_break in [
            "\n", "\r\n", "\r", "\n\n", " \n ", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}",
        ] {
            let given = format!("12 High St{line_break}Flat 3");
            assert_eq!(
                text(&given, with(LineBreaks::Joined)).unwrap(),
                "12 High St, Flat 3",
                "{line_break:?}"
            );
            assert_eq!(
                text(&given, with(LineBreaks::Refused)).unwrap_err(),
                Refused::new("control_character", "holds a line break, and is to be one line"),
                "{line_break:?}"
            );
            assert_eq!(
                text(&given, with(LineBreaks::Blank)).unwrap_err().code,
                "control_character",
                "{line_break:?}"
            );
            assert_eq!(joined(&given, " "), "12 High St Flat 3");
        }
        assert_eq!(
            text("12 High St,\nFlat 3", with(LineBreaks::Joined)).unwrap(),
            "12 High St, Flat 3"
        );
        assert_eq!(joined("a,\nb", " "), "a, b");
        for (given, expected) in [
            ("12 High St,\n,\n , ,\nFlat 3,", "12 High St, Flat 3"),
            ("12 High St\nFlat 3\u{a0},", "12 High St, Flat 3"),
            (",\n12 High St\n,", "12 High St"),
        ] {
            let read = text(given, with(LineBreaks::Joined)).unwrap();
            assert_eq!(read, expected, "{given:?}");
            assert_eq!(text(&read, with(LineBreaks::Joined)).unwrap(), expected);
        }
        assert_eq!(text(",\n,", with(LineBreaks::Joined)), Err(Refused::empty()));
        assert_eq!(text("a\n\tb", with(LineBreaks::Kept)).unwrap(), "a\n\tb");
        assert_eq!(
            text("a\u{7}b", with(LineBreaks::Kept)).unwrap_err().code,
            "control_character"
        );
    }

    proptest! {
        #[test]
        fn what_was_canonicalised_once_stays_as_it_is(raw in "(\\PC|[a, \u{a0}\n\r\t\u{85}\u{2028}]){0,40}", rule in 0..4usize) {
            let rules = [LineBreaks::Kept, LineBreaks::Joined, LineBreaks::Blank, LineBreaks::Refused];
            if let Ok(once) = text(&raw, with(rules[rule])) {
                prop_assert_eq!(text(&once, with(rules[rule])), Ok(once.clone()));
            }
        }
    }
}
