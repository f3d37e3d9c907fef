//! The rows of a file, read one at a time.

use std::io::{BufRead, Read};

use anyhow::Context as _;
use serde_json::{Map, Value as Json};

use crate::import::columns::Columns;

/// Longer than any line that a gateway takes, unless it is configured far beyond the usual 64 KiB.
const LONGEST: u64 = 1024 * 1024;

/// What an export writes and no request takes.
pub(crate) const NOT_IMPORTED: [&str; 5] = ["version", "created_at", "updated_at", "merchant_id", "links"];

/// One row that is not empty.
pub(crate) struct Row {
    /// Which one, from 1; of NDJSON the line.
    pub(crate) number: u64,
    /// The line of the file where it begins.
    pub(crate) line: u64,
    /// Its last byte in the file.
    pub(crate) end: u64,
    /// The body to send, on one line; or why there is none.
    pub(crate) body: Result<String, &'static str>,
}

/// Reads rows; holds one at a time.
pub(crate) enum Rows {
    Ndjson {
        input: Box<dyn BufRead>,
        line: u64,
        end: u64,
    },
    Csv {
        reader: Box<csv::Reader<Box<dyn BufRead>>>,
        columns: Columns,
        number: u64,
    },
}

impl Rows {
    pub(crate) fn ndjson(input: Box<dyn BufRead>) -> Self {
        Self::Ndjson { input, line: 0, end: 0 }
    }

    pub(crate) fn csv(input: Box<dyn BufRead>, map: Option<&str>) -> anyhow::Result<Self> {
        let mut reader = csv::ReaderBuilder::new().from_reader(input);
        let headers = reader.headers().context("the first line has no names of columns")?;
        let columns = Columns::new(headers, map)?;
        Ok(Self::Csv {
            reader: Box::new(reader),
            columns,
            number: 0,
        })
    }

    /// The next row; none at the end.
    pub(crate) fn next(&mut self) -> anyhow::Result<Option<Row>> {
        match self {
            Self::Ndjson { input, line, end } => loop {
                let mut text = Vec::new();
                let read = (&mut *input).take(LONGEST).read_until(b'\n', &mut text)?;
                if read == 0 {
                    return Ok(None);
                }
                *line += 1;
                *end += read as u64;
                let is_whole = text.last() == Some(&b'\n') || (read as u64) < LONGEST;
                if !is_whole {
                    *end += pass_over(input)?;
                } else if text.trim_ascii().is_empty() {
                    continue;
                }
                let body = if is_whole {
                    ndjson_body(&text)
                } else {
                    Err("body_too_large")
                };
                return Ok(Some(Row {
                    number: *line,
                    line: *line,
                    end: *end,
                    body,
                }));
            },
            Self::Csv {
                reader,
                columns,
                number,
            } => {
                let mut record = csv::StringRecord::new();
                let read = reader.read_record(&mut record);
                let line = reader.position().line();
                let end = reader.position().byte();
                *number += 1;
                let body = match read {
                    Ok(false) => return Ok(None),
                    Ok(true) => columns.body(&record).map(|body| body.to_string()),
                    Err(error) if error.is_io_error() => return Err(error.into()),
                    Err(_) => Err("malformed_row"),
                };
                let line = record.position().map_or(line, csv::Position::line);
                Ok(Some(Row {
                    number: *number,
                    line,
                    end,
                    body,
                }))
            }
        }
    }
}

/// Up to the end of a line, without holding it; how many bytes that were.
fn pass_over(input: &mut dyn BufRead) -> std::io::Result<u64> {
    let mut passed = 0;
    loop {
        let buffer = input.fill_buf()?;
        let (used, is_end) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        input.consume(used);
        passed += used as u64;
        if is_end {
            return Ok(passed);
        }
    }
}

/// As it stands, so that the gateway judges what was written; only what an export adds is taken out.
fn ndjson_body(text: &[u8]) -> Result<String, &'static str> {
    let text = std::str::from_utf8(text).map_err(|_| "malformed_json")?.trim();
    let parsed: Option<Map<String, Json>> = serde_json::from_str(text).ok();
    match parsed {
        Some(mut members) if NOT_IMPORTED.iter().any(|name| members.contains_key(*name)) => {
            members.retain(|name, _| !NOT_IMPORTED.contains(&name.as_str()));
            Ok(Json::Object(members).to_string())
        }
        _ => Ok(text.to_owned()),
    }
}

/// The row with its idempotency key in front; one that has a key of its own keeps it, and what is no object stays as it
/// is, for the gateway to refuse.
pub(crate) fn with_key(body: &str, key: &str) -> String {
    match body.strip_prefix('{') {
        Some(rest) if !body.contains("\"idempotency_key\"") => {
            let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
            format!("{{\"idempotency_key\":\"{key}\"{comma}{rest}\n")
        }
        _ => format!("{body}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_with_the_empty_ones_and_a_huge_one_is_passed_over() {
        let text = format!(
            "{{\"a\":1}}\n\n{}\n{{\"id\":\"x\",\"version\":3}}",
            "x".repeat(3 * 1024 * 1024)
        );
        let mut rows = Rows::ndjson(Box::new(std::io::Cursor::new(text)));
        let mut all = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            all.push((row.line, row.body));
        }
        assert_eq!(
            all,
            [
                (1, Ok("{\"a\":1}".to_owned())),
                (3, Err("body_too_large")),
                (4, Ok("{\"id\":\"x\"}".to_owned()))
            ]
        );
    }

    #[test]
    fn a_key_is_put_in_unless_the_row_has_one() {
        assert_eq!(with_key("{\"a\":1}", "k"), "{\"idempotency_key\":\"k\",\"a\":1}\n");
        assert_eq!(with_key("{}", "k"), "{\"idempotency_key\":\"k\"}\n");
        assert_eq!(
            with_key("{\"idempotency_key\":\"own\"}", "k"),
            "{\"idempotency_key\":\"own\"}\n"
        );
        assert_eq!(with_key("[1]", "k"), "[1]\n");
    }
}
