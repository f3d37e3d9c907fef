//! What the commands for operators show: tables that fit 80 columns, ages, and texts that cannot steer a terminal.

use std::fmt::Write as _;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Table};
use jiff::Timestamp;
use serde_json::Value as Json;

/// Terminals have at least so many columns; so have pagers and tickets that a table is pasted into.
const WIDTH: u16 = 80;

/// A table that wraps its cells to fit.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
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

pub(crate) fn list<'a>(value: &'a Json, name: &str) -> &'a [Json] {
    value.get(name).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

/// A member as text; a dash where there is none.
pub(crate) fn text(value: &Json, name: &str) -> String {
    given(value, name).unwrap_or_else(|| "-".to_owned())
}

/// A member as text, if it is there.
pub(crate) fn given(value: &Json, name: &str) -> Option<String> {
    match value.get(name)? {
        Json::Null => None,
        Json::String(text) => Some(printable(text)),
        other => Some(other.to_string()),
    }
}

pub(crate) fn number(value: &Json, name: &str) -> u64 {
    value.get(name).and_then(Json::as_u64).unwrap_or_default()
}

/// Vendors and callers wrote some of these texts: none of them moves the cursor or changes colours.
pub(crate) fn printable(text: &str) -> String {
    let replaced = |character: char| if character.is_control() { ' ' } else { character };
    text.chars().map(replaced).collect()
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

/// How long ago a time was that a member says.
pub(crate) fn ago(value: &Json, name: &str, now: Timestamp) -> Option<String> {
    let at: Timestamp = value.get(name)?.as_str()?.parse().ok()?;
    Some(age(now.duration_since(at).as_secs()))
}

/// A time that a member says, to the second, which is as much as anybody reads.
pub(crate) fn moment(value: &Json, name: &str) -> String {
    let said = text(value, name);
    let at = said.parse::<Timestamp>().ok();
    at.and_then(|at| Timestamp::from_second(at.as_second()).ok())
        .map_or(said, |at| at.to_string())
}

/// "1 delivery", "2 deliveries".
pub(crate) fn counted(count: u64, one: &str, several: &str) -> String {
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
    use serde_json::json;

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
    fn a_moment_is_told_to_the_second_and_what_is_none_as_it_is() {
        let value = json!({ "until": "2026-01-31T12:00:00.622263016Z", "opens_at": "soon", "never": null });
        let told = ["until", "opens_at", "never"].map(|name| moment(&value, name));
        assert_eq!(told, ["2026-01-31T12:00:00Z", "soon", "-"]);
    }

    #[test]
    fn no_text_of_somebody_else_steers_the_terminal() {
        let value = json!({ "detail": "red\u{1b}[31m\r\nnext", "none": null });
        assert_eq!(text(&value, "detail"), "red [31m  next");
        assert_eq!(text(&value, "none"), "-");
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
