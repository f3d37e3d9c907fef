//! What the commands show: tables, ages, and texts that cannot steer a terminal.

pub(crate) mod connection;
pub(crate) mod delivery;

use std::fmt::{Display, Write as _};

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Table};
use jiff::Timestamp;

use crate::output::is_plain;

/// Terminals have at least so many columns; so have pagers and tickets that a table is pasted into.
const WIDTH: u16 = 80;

/// A table that wraps its cells to fit.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = wide_table(header);
    table
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH);
    table
}

/// A table that is as wide as what stands in it.
pub(crate) fn wide_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header.iter().map(Cell::new));
    table
}

/// For columns of ids and names, which nobody can copy once they are broken; those too long to leave room are broken.
pub(crate) fn keep_whole(table: &mut Table, column: usize, most: u16) {
    let width = table.column_max_content_widths().get(column).copied();
    if let (Some(width), Some(column)) = (width, table.column_mut(column))
        && width <= most
    {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
}

/// Vendors and callers wrote some of these texts: none of them moves the cursor, changes colours, begins a line of its own or
/// turns the reading direction around.
pub(crate) fn plain(value: impl Display) -> String {
    let replaced = |character: char| if is_plain(character) { character } else { ' ' };
    value.to_string().chars().map(replaced).collect()
}

/// What a merchant has, by its name, such as `acme/crm`.
pub(crate) fn place(merchant: &str, name: &str) -> String {
    format!("{}/{}", plain(merchant), plain(name))
}

/// A dash where there is none.
pub(crate) fn or_dash(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), plain)
}

/// The first so many characters.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// So many seconds in the largest unit that fits.
pub(crate) fn age(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7_199 => format!("{} min", seconds / 60),
        seconds @ 7_200..=172_799 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// How long ago that was.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    format!("{} ago", age(now.duration_since(at).as_secs()))
}

/// "1 delivery", "2 deliveries".
pub(crate) fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// Sentences in lines that fit, the first of them after a prefix and the others below its end.
pub(crate) fn wrapped(prefix: &str, text: &str) -> String {
    let indent = prefix.chars().count();
    let (mut shown, mut column) = (prefix.to_owned(), indent);
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column > indent && column + 1 + width > usize::from(WIDTH) {
            let _ = write!(shown, "\n{:indent$}", "");
            column = indent;
        } else if column > indent {
            shown.push(' ');
            column += 1;
        }
        shown.push_str(word);
        column += width;
    }
    shown
}

/// Adds a line that is indented.
pub(crate) fn line(text: &mut String, indent: usize, line: &str) {
    let _ = write!(text, "\n{:indent$}{line}", "");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_the_largest_unit_that_says_enough() {
        let ages = [-5, 0, 119, 120, 7_199, 7_200, 172_799, 172_800].map(age);
        assert_eq!(
            ages,
            ["0 s", "0 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 days"]
        );
    }

    #[test]
    fn no_text_of_somebody_else_steers_the_terminal() {
        let detail = "red\u{1b}[31m\r\nnext";
        assert_eq!(plain(detail), "red [31m  next");
        assert_eq!(or_dash(Some(detail)), "red [31m  next");
        assert_eq!(or_dash(None::<&str>), "-");
        assert_eq!(
            plain("a\u{9b}31m\u{202e}txt.exe\u{2066}\u{2028}b\u{7f}"),
            "a 31m txt.exe  b "
        );
        // Letters of every script, and what joins them, stay.
        assert_eq!(plain("سلام 👩‍🚀"), "سلام 👩‍🚀");
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("grün", 3), "grü…");
        assert_eq!(cut("grün", 4), "grün");
    }

    #[test]
    fn sentences_are_wrapped_between_words_below_their_beginning() {
        let text = wrapped("1. ", &"word ".repeat(30));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(
            lines[0].starts_with("1. word") && lines[1].starts_with("   word"),
            "{text}"
        );
        assert!(
            lines.iter().all(|line| line.len() <= 80 && !line.ends_with(' ')),
            "{text}"
        );
    }

    #[test]
    fn a_table_fits_eighty_columns_and_breaks_no_id() {
        let id = "dlv_01jd0000000000000000000000";
        let mut table = table(&["delivery", "why"]);
        table.add_row([id.to_owned(), "word ".repeat(60)]);
        keep_whole(&mut table, 0, 30);
        let text = table.trim_fmt();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains(id), "{text}");
    }
}
