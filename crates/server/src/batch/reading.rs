//! One line as a request: its body, and the idempotency key in it.

use serde_json::Value as Json;
use serde_json::error::Category;

use upsert_app::{ProblemCode, Refusal};
use upsert_core::Problem as Wrong;

use crate::batch::lines::Cut;
use crate::headers::is_idempotency_key;
use crate::strict_json::Strict;

const KEY: &str = "idempotency_key";

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) body: Json,
    pub(crate) idempotency_key: Option<String>,
}

/// Reads a line. Whether it is a valid upsert is for the application to say.
pub(crate) fn read(line: Cut, limit: usize) -> Result<Asked, Refusal> {
    let text = match line {
        Cut::Line(text) => text,
        Cut::TooLong => {
            let detail = format!("a line may have {limit} bytes");
            return Err(Refusal::new(ProblemCode::BodyTooLarge, detail));
        }
        Cut::BrokenOff => {
            let detail = "the body broke off within this line";
            return Err(Refusal::new(ProblemCode::MalformedJson, detail));
        }
    };
    let Strict(mut body) = serde_json::from_slice(&text).map_err(|error| malformed(&error))?;
    let key = body.as_object_mut().and_then(|members| members.remove(KEY));
    let idempotency_key = match key {
        None | Some(Json::Null) => None,
        Some(Json::String(key)) if is_idempotency_key(&key) => Some(key),
        Some(Json::String(_)) => {
            return Err(wrong_key(
                "invalid_value",
                "has to be 1 to 255 visible ASCII characters",
            ));
        }
        Some(_) => return Err(wrong_key("invalid_type", "has to be a string")),
    };
    Ok(Asked { body, idempotency_key })
}

fn wrong_key(code: &str, detail: &str) -> Refusal {
    Refusal::invalid(vec![Wrong::new("/idempotency_key", code, detail)])
}

/// Says where, never what: the content is personal data.
fn malformed(error: &serde_json::Error) -> Refusal {
    let what = match error.classify() {
        Category::Eof => "the line ends before the JSON does",
        Category::Data => "the line names a member twice in one object",
        _ => "the line is not valid JSON",
    };
    Refusal::new(ProblemCode::MalformedJson, format!("{what}: column {}", error.column()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::web::Bytes;
    use serde_json::json;

    fn line(text: &[u8]) -> Result<Asked, Refusal> {
        read(Cut::Line(Bytes::copy_from_slice(text)), 100)
    }

    #[test]
    fn the_key_is_taken_out_of_the_body() {
        let asked = line(br#"{"reference":"R","idempotency_key":"k-1"}"#).unwrap();
        assert_eq!(asked.body, json!({ "reference": "R" }));
        assert_eq!(asked.idempotency_key.as_deref(), Some("k-1"));
        assert_eq!(line(br#"{"idempotency_key":null}"#).unwrap().idempotency_key, None);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_refused_without_its_words() {
        for text in [
            &b"{\"email\":\"secret@x.example\""[..],
            b"secret",
            b"{\"email\":\"secret\xff\"}",
            b"{\"email\":\"secret\",\"email\":\"secret\"}",
            b"{} {\"email\":\"secret\"}",
        ] {
            let refused = line(text).unwrap_err();
            assert_eq!(refused.code, ProblemCode::MalformedJson);
            assert!(!refused.detail.contains("secret"), "{}", refused.detail);
        }
        for text in [
            &br#"{"idempotency_key":""}"#[..],
            br#"{"idempotency_key":"a b"}"#,
            br#"{"idempotency_key":1}"#,
        ] {
            let refused = line(text).unwrap_err();
            assert_eq!(
                (refused.code, refused.errors[0].pointer.as_str()),
                (ProblemCode::ValidationFailed, "/idempotency_key")
            );
        }
        assert_eq!(read(Cut::TooLong, 4).unwrap_err().code, ProblemCode::BodyTooLarge);
        assert_eq!(read(Cut::BrokenOff, 4).unwrap_err().code, ProblemCode::MalformedJson);
    }
}
