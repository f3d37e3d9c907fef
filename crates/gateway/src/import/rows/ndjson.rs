//! Rows of NDJSON: a line each, sent as it stands, so that the gateway judges what was written.

use std::fmt;
use std::io::{self, BufRead, Read as _};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use upsert_api::Link;

use super::NOT_IMPORTED;
use crate::import::links;
use crate::import::refused::Refused;

/// Longer than any line that a gateway takes, unless it is configured far beyond the usual 64 KiB.
const LONGEST: u64 = 800 * 1024;

/// Reads lines; holds one at a time.
pub(super) struct Lines {
    input: Box<dyn BufRead>,
    line: u64,
}

impl Lines {
    pub(super) fn new(input: Box<dyn BufRead>) -> Self {
        Self { input, line: 0 }
    }

    /// The next line that is not empty, and its number.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Result<String, Refused>)>> {
        loop {
            let mut text = Vec::new();
            let read = (&mut self.input).take(LONGEST).read_until(b'\n', &mut text)?;
            if read == 0 {
                return Ok(None);
            }
            self.line += 1;
            let is_whole = text.last() == Some(&b'\n') || (read as u64) < LONGEST;
            if !is_whole {
                pass_over(&mut self.input)?;
                return Ok(Some((self.line, Err(Refused::plain("body_too_large")))));
            }
            if !text.trim_ascii().is_empty() {
                return Ok(Some((self.line, body(&text))));
            }
        }
    }
}

/// Up to the end of a line, without holding it.
fn pass_over(input: &mut dyn BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let (used, is_end) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        input.consume(used);
        if is_end {
            return Ok(());
        }
    }
}

/// As it stands; only what an export or a look at a customer adds is taken out.
fn body(text: &[u8]) -> Result<String, Refused> {
    let text = std::str::from_utf8(text)
        .map_err(|_| Refused::plain("malformed_json"))?
        .trim();
    let Ok(Members(members)) = serde_json::from_str(text) else {
        return Ok(text.to_owned());
    };
    let listed = |name: &str, value: &RawValue| name == "links" && value.get().starts_with('[');
    let is_clean =
        |(name, value): &(String, Box<RawValue>)| !NOT_IMPORTED.contains(&name.as_str()) && !listed(name, value);
    if members.iter().all(is_clean) {
        return Ok(text.to_owned());
    }
    let kept = members
        .iter()
        .filter(|(name, _)| !NOT_IMPORTED.contains(&name.as_str()));
    let written = kept.map(|(name, value)| {
        let links = listed(name, value).then(|| serde_json::from_str::<Vec<Link>>(value.get()));
        let value = match links {
            Some(Ok(links)) => Json::Object(links::live(&links)).to_string(),
            _ => value.get().to_owned(),
        };
        format!("{}:{value}", Json::from(name.as_str()))
    });
    Ok(format!("{{{}}}", written.collect::<Vec<_>>().join(",")))
}

/// The members of an object as they stand: one that is named twice is there twice, for the gateway to refuse.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Vec<(u64, Result<String, Refused>)> {
        let mut lines = Lines::new(Box::new(io::Cursor::new(text.to_vec())));
        std::iter::from_fn(|| lines.next().unwrap()).collect()
    }

    #[test]
    fn lines_are_counted_with_the_empty_ones_and_a_huge_one_is_passed_over() {
        let text = format!(
            "{{\"a\":1}}\n\n{}\n{{\"id\":\"x\",\"version\":3}}",
            "x".repeat(3 * 1024 * 1024)
        );
        assert_eq!(
            all(text.as_bytes()),
            [
                (1, Ok("{\"a\":1}".to_owned())),
                (3, Err(Refused::plain("body_too_large"))),
                (4, Ok("{\"id\":\"x\"}".to_owned()))
            ]
        );
    }

    #[test]
    fn what_a_look_at_a_customer_adds_is_taken_out_and_all_else_stays_as_it_stands() {
        for (line, sent) in [
            (r#"{"a": 1.50, "a":2}"#, r#"{"a": 1.50, "a":2}"#),
            (
                r#"{"version":1,"a":1.50,"a":{"b":1,"b":2}}"#,
                r#"{"a":1.50,"a":{"b":1,"b":2}}"#,
            ),
            (
                r#"{"links":{"rotor":"x"},"updated_at":"t"}"#,
                r#"{"links":{"rotor":"x"}}"#,
            ),
            (
                r#"{"links":[{"connection":"rotor","provider_customer_id":"x","state":"in_sync","shared":false},{"connection":"old","provider_customer_id":"y","state":"superseded","shared":false}]}"#,
                r#"{"links":{"rotor":"x"}}"#,
            ),
            ("[1]", "[1]"),
            ("{not json", "{not json"),
        ] {
            assert_eq!(all(line.as_bytes()), [(1, Ok(sent.to_owned()))]);
        }
        assert_eq!(all(b"\"\xff\""), [(1, Err(Refused::plain("malformed_json")))]);
    }
}
