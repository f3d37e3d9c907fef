//! The rows of a file, read one at a time.

mod ndjson;

use std::io::Read;

use anyhow::Context as _;
use encoding_rs::Encoding;
use serde::Serialize;
use upsert_settings::ImportMap;

use crate::import::changed::Changed;
use crate::import::columns::{Columns, is_expected};
use crate::import::refused::Refused;
use crate::import::table::{self, Fault, Opened, Table};
use crate::import::text::{Taken, Text};

/// What an export writes and no request takes.
pub(crate) const NOT_IMPORTED: [&str; 4] = ["version", "created_at", "updated_at", "merchant_id"];

/// One row that is not an empty line.
#[derive(Debug)]
pub(crate) struct Row {
    /// Which one, from 1; of NDJSON the line.
    pub(crate) number: u64,
    /// The line of the file where it begins.
    pub(crate) line: u64,
    /// So much of the file had been read with it, in bytes.
    pub(crate) end: u64,
    /// The body to send, on one line; or why there is none.
    pub(crate) body: Result<String, Refused>,
    /// What was changed on the way.
    pub(crate) changed: Changed,
}

/// How a table is read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Manner<'a> {
    pub(crate) encoding: Option<&'static Encoding>,
    pub(crate) delimiter: Option<u8>,
    pub(crate) map: Option<&'a ImportMap>,
    pub(crate) is_lenient: bool,
}

/// What a file was found to be.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Found {
    pub(crate) encoding: &'static str,
    /// None: it is no table.
    pub(crate) delimiter: Option<char>,
    /// Columns that nothing is read from.
    #[serde(rename = "columns_left_out")]
    pub(crate) left_out: Vec<String>,
}

/// Reads rows; holds one at a time.
pub(crate) struct Rows {
    pub(crate) found: Found,
    /// Why nothing was read from there on.
    pub(crate) stopped: Option<Fault>,
    taken: Taken,
    form: Form,
}

#[expect(clippy::large_enum_variant, reason = "there is one of it at a time")]
enum Form {
    Ndjson(ndjson::Lines),
    Csv {
        table: Table<Box<dyn std::io::BufRead>>,
        columns: Columns,
        number: u64,
    },
}

impl Rows {
    pub(crate) fn ndjson(input: Box<dyn Read>, encoding: Option<&'static Encoding>) -> anyhow::Result<Self> {
        let text = Text::open(input, encoding)?;
        Ok(Self {
            found: Found {
                encoding: text.encoding.name(),
                delimiter: None,
                left_out: Vec::new(),
            },
            stopped: None,
            taken: text.taken,
            form: Form::Ndjson(ndjson::Lines::new(text.input)),
        })
    }

    /// # Errors
    /// The header is none, or it and the map do not fit.
    pub(crate) fn csv(input: Box<dyn Read>, manner: Manner<'_>) -> anyhow::Result<Self> {
        let text = Text::open(input, manner.encoding)?;
        let encoding = text.encoding.name();
        let is_known = |name: &str| is_expected(manner.map, name);
        let Opened {
            table,
            header,
            delimiter,
        } = table::open(text.input, encoding, manner.delimiter, &is_known)?;
        let columns = Columns::new(&header, manner.map, manner.is_lenient)?;
        Ok(Self {
            found: Found {
                encoding,
                delimiter: Some(delimiter),
                left_out: columns.left_out.clone(),
            },
            stopped: None,
            taken: text.taken,
            form: Form::Csv {
                table,
                columns,
                number: 0,
            },
        })
    }

    /// The next row; none at the end, and after something from which on nothing can be read: that is a row that is
    /// refused, and stands in `stopped`.
    pub(crate) fn next(&mut self) -> anyhow::Result<Option<Row>> {
        let row = |number, line, body, changed| {
            Some(Row {
                number,
                line,
                end: self.taken.bytes(),
                body,
                changed,
            })
        };
        match &mut self.form {
            Form::Ndjson(lines) => {
                let next = lines.next().context("the file cannot be read")?;
                Ok(next.and_then(|(line, body)| row(line, line, body, Changed::default())))
            }
            Form::Csv { table, columns, number } => {
                let next = table.next().context("the file cannot be read")?;
                *number += u64::from(next.is_some());
                Ok(match next {
                    None => None,
                    Some(Ok(record)) => {
                        let made = record.cells.ok_or_else(|| Refused::plain("body_too_large"));
                        let (body, changed) = match made.and_then(|cells| columns.made(&cells)) {
                            Ok(made) => (Ok(made.body.to_string()), made.changed),
                            Err(refused) => (Err(refused), Changed::default()),
                        };
                        row(*number, record.line, body, changed)
                    }
                    Some(Err(fault)) => {
                        let refused = Refused::whole(fault.code, &fault.detail);
                        let row = row(*number, fault.line, Err(refused), Changed::default());
                        self.stopped = Some(fault);
                        row
                    }
                })
            }
        }
    }
}

impl Found {
    /// For people; none where it is as usual.
    pub(crate) fn text(&self) -> Option<String> {
        let delimiter = match self.delimiter {
            Some('\t') => "tab".to_owned(),
            Some(delimiter) => format!("`{delimiter}`"),
            None if self.encoding == "UTF-8" => return None,
            None => return Some(format!("read as {}", self.encoding)),
        };
        let mut text = format!("read as {}, columns separated by {delimiter}", self.encoding);
        if !self.left_out.is_empty() {
            let names: Vec<String> = self.left_out.iter().map(|name| format!("`{name}`")).collect();
            text = format!("{text}\ncolumns left out: {}", names.join(", "));
        }
        Some(text)
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
