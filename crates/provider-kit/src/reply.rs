//! A vendor's answer, read whole: its text whatever the character set, its JSON, and as much of it as is kept beside our
//! reading.

use std::borrow::Cow;

use bytes::Bytes;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use http::{HeaderMap, header};
use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use upsert_core::VendorSaid;
use upsert_core::text::is_plain_line;

use crate::complaints::cut;
use crate::retry_after::RetryAfter;

/// The longest document of a vendor's that is kept with an error, in bytes of its JSON.
pub const MAX_VENDOR_BODY_BYTES: usize = 4 * 1024;

/// The longest value that is kept of an acceptance, or all that it says beside the record, in bytes of its JSON.
const MAX_ACCEPTED_BYTES: usize = 8 * 1024;

/// Stands where a text was cut.
const CUT: char = '…';

/// A vendor's answer, read whole. `Debug` shows status and size; the body is personal data.
#[derive(Clone, derive_more::Debug)]
#[debug("WireReply({status}, {} bytes)", body.len())]
pub struct WireReply {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// `Retry-After`.
    pub retry_after: RetryAfter,
    /// When our call began, by our clock.
    pub began_at: Timestamp,
    /// The body, at most [`crate::MAX_REPLY_BYTES`].
    pub body: Bytes,
}

impl WireReply {
    /// With this status and JSON body, no headers, to a call at the beginning of 1970: for tests and golden files.
    pub fn of_json(status: u16, body: &Json) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            retry_after: RetryAfter::Absent,
            began_at: Timestamp::UNIX_EPOCH,
            body: Bytes::from(body.to_string()),
        }
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the status is a 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON, with or without a byte order mark and in whatever character set it says; none if it is none.
    pub fn json(&self) -> Option<Json> {
        let (text, is_whole) = self.decoded();
        serde_json::from_str(&text).ok().filter(|_| is_whole)
    }

    /// The body as text; what is no character of its set is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        self.decoded().0
    }

    /// The body as it is kept beside our reading: its JSON; as a text where it is none or too long, cut visibly; none
    /// where there is no body.
    pub fn vendor_body(&self) -> Option<Json> {
        let json = self.json();
        if let Some(json) = json.filter(|json| json.to_string().len() <= MAX_VENDOR_BODY_BYTES) {
            return Some(json);
        }
        let text = self.text();
        let text = text.trim();
        (!text.is_empty()).then(|| Json::String(cut_to_fit(text, MAX_VENDOR_BODY_BYTES)))
    }

    /// What it says beside the record: its status, and those of these members that are in the body.
    pub fn said(&self, body: &Json, members: &[&str]) -> VendorSaid {
        let there = members.iter().filter_map(|name| {
            let value = body.get(*name).filter(|value| !value.is_null())?;
            Some(((*name).to_owned(), value.clone()))
        });
        VendorSaid {
            status: Some(self.status),
            members: there.collect::<Map<_, _>>(),
        }
    }

    /// The text, and whether every byte of it was understood. UTF-8 goes before the name of another set: JSON is UTF-8,
    /// and a text of another set that happens to be UTF-8 hardly exists.
    fn decoded(&self) -> (Cow<'_, str>, bool) {
        let named = self.charset();
        let is_wide = |set: &&Encoding| *set == UTF_16LE || *set == UTF_16BE;
        let set = match Encoding::for_bom(&self.body) {
            Some((set, _)) => set,
            None => match named.filter(is_wide) {
                Some(set) => set,
                None if std::str::from_utf8(&self.body).is_ok() => UTF_8,
                None => named.unwrap_or(UTF_8),
            },
        };
        let (text, had_errors) = set.decode_with_bom_removal(&self.body);
        (text, !had_errors)
    }

    fn charset(&self) -> Option<&'static Encoding> {
        let content_type = self.header(header::CONTENT_TYPE.as_str())?;
        content_type.split(';').skip(1).find_map(|parameter| {
            let (name, label) = parameter.split_once('=')?;
            let label = label.trim().trim_matches('"');
            let is_charset = name.trim().eq_ignore_ascii_case("charset");
            Encoding::for_label(label.as_bytes()).filter(|_| is_charset)
        })
    }
}

/// A value of an acceptance as it is kept: as a text, cut visibly, where it is too long.
pub(crate) fn kept(json: Json) -> Json {
    let text = json.to_string();
    if text.len() <= MAX_ACCEPTED_BYTES {
        return json;
    }
    let text = match &json {
        Json::String(text) => text,
        _ => &text,
    };
    Json::String(cut_to_fit(text, MAX_ACCEPTED_BYTES))
}

/// What a vendor said beside the record as it is kept: texts are plain lines, and all of it together is no longer than one
/// document may be. What has no place any more is left out.
pub(crate) fn said_as_kept(members: Map<String, Json>) -> Map<String, Json> {
    // The braces.
    let mut left = MAX_ACCEPTED_BYTES - 2;
    let as_kept = members.into_iter().filter_map(|(name, value)| {
        let value = match value {
            Json::String(text) => Json::String(one_line(&text)),
            Json::Array(_) | Json::Object(_) => Json::String(one_line(&value.to_string())),
            plain => plain,
        };
        // The colon and the comma.
        let length = Json::from(&*name).to_string().len() + value.to_string().len() + 2;
        left = left.checked_sub(length)?;
        Some((name, value))
    });
    as_kept.collect()
}

/// As much of a text as is handed on, without what would deceive whoever reads it.
fn one_line(text: &str) -> String {
    let mut buffer = [0; 4];
    let plain = cut(text);
    plain
        .chars()
        .filter(|one| is_plain_line(one.encode_utf8(&mut buffer)))
        .collect()
}

/// The beginning of a text, so long that as JSON it has no more than so many bytes.
fn cut_to_fit(text: &str, most: usize) -> String {
    let length_of = |text: &str| Json::from(text).to_string().len();
    if length_of(text) <= most {
        return text.to_owned();
    }
    // Two for the quotes.
    let mut left = most - 2 - CUT.len_utf8();
    let mut kept = String::new();
    let mut buffer = [0; 4];
    for character in text.chars() {
        let length = length_of(character.encode_utf8(&mut buffer)) - 2;
        if length > left {
            break;
        }
        left -= length;
        kept.push(character);
    }
    kept.push(CUT);
    kept
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn reply(content_type: Option<&str>, body: impl Into<Vec<u8>>) -> WireReply {
        let mut reply = WireReply::of_json(400, &Json::Null);
        if let Some(content_type) = content_type {
            let value = HeaderValue::from_str(content_type).unwrap();
            reply.headers.insert(header::CONTENT_TYPE, value);
        }
        reply.body = Bytes::from(body.into());
        reply
    }

    fn wide(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn json_is_read_in_whatever_character_set_it_comes() {
        let text = r#"{"name":"Zoë"}"#;
        let latin = "{\"name\":\"Zo\u{eb}\"}"
            .chars()
            .map(|c| u8::try_from(u32::from(c)).unwrap());
        let latin: Vec<u8> = latin.collect();
        let marked = |mark: &[u8], body: Vec<u8>| [mark.to_vec(), body].concat();
        for (name, read) in [
            ("nothing said", reply(None, text)),
            ("said", reply(Some("application/json; charset=utf-8"), text)),
            ("a mark", reply(None, marked(b"\xef\xbb\xbf", text.into()))),
            (
                "quoted",
                reply(Some("application/json; Charset=\"ISO-8859-1\""), latin.clone()),
            ),
            (
                "a parameter before",
                reply(Some("text/plain; v=1; charset=windows-1252"), latin.clone()),
            ),
            (
                "wrongly named",
                reply(Some("application/json; charset=iso-8859-1"), text),
            ),
            ("unheard of", reply(Some("application/json; charset=x-nobody"), text)),
            (
                "wide, little",
                reply(Some("application/json; charset=utf-16le"), wide(text, u16::to_le_bytes)),
            ),
            (
                "wide, big",
                reply(Some("application/json; charset=utf-16be"), wide(text, u16::to_be_bytes)),
            ),
            (
                "wide, marked",
                reply(None, marked(b"\xff\xfe", wide(text, u16::to_le_bytes))),
            ),
            (
                "wide, marked big",
                reply(None, marked(b"\xfe\xff", wide(text, u16::to_be_bytes))),
            ),
        ] {
            assert_eq!(read.json(), Some(json!({ "name": "Zoë" })), "{name}");
            assert_eq!(read.text(), text, "{name}");
        }
        // A wide text of plain letters is UTF-8 too, with a nothing after each of them.
        for (set, bytes) in [("le", u16::to_le_bytes as fn(u16) -> [u8; 2]), ("be", u16::to_be_bytes)] {
            let read = reply(
                Some(&format!("application/json; charset=utf-16{set}")),
                wide("[\"Ann\"]", bytes),
            );
            assert_eq!(read.json(), Some(json!(["Ann"])), "{set}");
        }
        // Nothing names its set, and it is no UTF-8: a guess would be another name.
        for unnamed in [
            reply(None, latin.clone()),
            reply(Some("text/plain; format=iso-8859-1"), latin),
        ] {
            assert_eq!(unnamed.json(), None);
            assert_eq!(unnamed.text(), "{\"name\":\"Zo\u{fffd}\"}");
        }
    }

    #[test]
    fn a_vendors_document_is_kept_as_json_else_as_text_and_cut_visibly() {
        assert_eq!(reply(None, r#"{"a":[1]}"#).vendor_body(), Some(json!({ "a": [1] })));
        assert_eq!(
            reply(None, " <h1>Bad</h1>\n").vendor_body(),
            Some(json!("<h1>Bad</h1>"))
        );
        assert_eq!(reply(None, " \n").vendor_body(), None);
        assert_eq!(reply(None, "").vendor_body(), None);
        // Two quotes are of its length.
        for (length, cut) in [(4_094, false), (4_095, true), (20_000, true)] {
            for text in ["x".repeat(length), Json::from("x".repeat(length)).to_string()] {
                let kept = reply(None, text).vendor_body().unwrap();
                assert_eq!(kept.as_str().unwrap().ends_with('…'), cut, "{length}");
                // Nothing is left out for which there would be room.
                let length = length.min(MAX_VENDOR_BODY_BYTES - 2) + 2;
                assert_eq!(kept.to_string().len(), length);
            }
        }
        for awkward in ["\"\\\n", "ä", "\u{1}", "🦀"] {
            let kept = reply(None, awkward.repeat(9_000)).vendor_body().unwrap().to_string();
            assert!(
                (MAX_VENDOR_BODY_BYTES - 8..=MAX_VENDOR_BODY_BYTES).contains(&kept.len()),
                "{awkward:?}"
            );
        }
        let long = json!({ "message": "no", "more": "y".repeat(9_000) });
        let kept = reply(None, long.to_string()).vendor_body().unwrap();
        assert!(kept.as_str().unwrap().starts_with("{\"message\":\"no\""));
    }

    #[test]
    fn what_an_answer_says_beside_the_record_is_its_status_and_the_members_that_are_there() {
        let body = json!({ "message": "Done", "createdAt": null, "email": "a@b.example" });
        let said = WireReply::of_json(201, &body).said(&body, &["message", "createdAt", "updatedAt"]);
        assert_eq!(said.status, Some(201));
        assert_eq!(Json::Object(said.members.clone()), json!({ "message": "Done" }));
        assert_eq!(format!("{said:?}"), r#"VendorSaid(Some(201), ["message"])"#);
    }

    #[test]
    fn what_is_kept_of_an_answer_is_bounded_and_its_texts_are_plain_lines() {
        assert_eq!(kept(json!({ "a": "two\nlines" })), json!({ "a": "two\nlines" }));
        for long in [json!("x".repeat(20_000)), json!({ "deep": ["y".repeat(20_000)] })] {
            let kept = kept(long);
            assert!(kept.as_str().unwrap().ends_with('…'));
            assert_eq!(kept.to_string().len(), MAX_ACCEPTED_BYTES);
        }
        let said = json!({
            "message": "Do\u{202e}ne\n", "long": "é".repeat(2_000), "deep": { "a": [1, "\u{2066}"] }, "count": 7, "is_new": true,
        });
        let Json::Object(said) = said else { unreachable!() };
        let kept = Json::Object(said_as_kept(said));
        let expected = json!({
            "message": "Done", "long": "é".repeat(1_000), "deep": r#"{"a":[1,""]}"#, "count": 7, "is_new": true,
        });
        assert_eq!(kept, expected);
        let many = (0..50).map(|number| (format!("name{number}"), json!("🦀".repeat(2_000))));
        let kept = said_as_kept(many.collect());
        assert_eq!(kept.len(), 2);
        assert!(Json::Object(kept).to_string().len() <= MAX_ACCEPTED_BYTES);
    }

    #[test]
    fn the_body_of_an_answer_never_shows_in_debug() {
        let reply = reply(Some("text/plain"), "canary");
        assert_eq!(format!("{reply:?}"), "WireReply(400, 6 bytes)");
        assert_eq!(reply.header("content-type"), Some("text/plain"));
        assert_eq!(reply.header("etag"), None);
        for (status, is_success) in [(199, false), (200, true), (299, true), (300, false)] {
            assert_eq!(
                WireReply::of_json(status, &Json::Null).is_success(),
                is_success,
                "{status}"
            );
        }
    }
}
