//! JSON in which no object names a member twice. Parsers differ over which of the two counts, so one of them would be
//! lost without a word.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Number, Value as Json};

use upsert_api::ProblemCode;

use crate::problem::Refusal;

/// Reads a request's body, a line of a batch, an event. A byte order mark before it is nobody's data.
///
/// # Errors
/// 400 `malformed_json`. Says where, never what: the content is personal data.
pub fn read_json(text: &[u8]) -> Result<Json, Refusal> {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    serde_json::from_slice(text.strip_prefix(MARK).unwrap_or(text))
        .map(|Strict(json)| json)
        .map_err(|error| malformed(&error))
}

fn malformed(error: &serde_json::Error) -> Refusal {
    let what = match error.classify() {
        Category::Eof => "the body ends before the JSON does",
        Category::Data => "the body names a member twice in one object",
        _ => "the body is not valid JSON",
    };
    let detail = format!("{what}: line {}, column {}", error.line(), error.column());
    Refusal::new(ProblemCode::MalformedJson, detail)
}

/// A value that was read so.
#[derive(Debug)]
struct Strict(Json);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reading).map(Self)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = Map::new();
        while let Some((name, Strict(value))) = members.next_entry::<String, Strict>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is named twice"));
            }
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Json, serde_json::Error> {
        serde_json::from_str(text).map(|Strict(json)| json)
    }

    #[test]
    fn what_names_each_member_once_is_read_as_ever() {
        for text in [
            r#"{"a":null,"b":[true,-1,18446744073709551615,1.5e3,"é\n",{}],"c":{"a":{"a":[]}}}"#,
            r#"[{"a":1},{"a":1}]"#,
            r#""x""#,
            "0",
        ] {
            assert_eq!(
                read(text).unwrap(),
                serde_json::from_str::<Json>(text).unwrap(),
                "{text}"
            );
        }
    }

    #[test]
    fn a_byte_order_mark_is_taken_once_and_before_everything_alone() {
        let read = |text: &str| read_json(text.as_bytes()).ok();
        for body in ["{}", " [1]", "\"x\"", "null"] {
            assert_eq!(read(&format!("\u{feff}{body}")), read(body), "{body}");
        }
        for wrong in [
            "\u{feff}\u{feff}{}",
            " \u{feff}{}",
            "{}\u{feff}",
            "\u{feff}",
            "{\u{feff}}",
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_member_named_twice_is_refused_at_any_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":[{"y":{"a":null,"b":1,"a":2}}]}"#,
        ] {
            assert!(read(text).unwrap_err().is_data(), "{text}");
        }
        assert!(read(&"[".repeat(200)).is_err(), "depth is bounded");
    }
}
