//! The credentials of a call, taken out of what the vendor says: an answer that failed is kept, and some vendors repeat the
//! headers that they were sent.

use std::collections::BTreeMap;

use http::{HeaderMap, header};
use serde_json::Value as Json;
use url::form_urlencoded::byte_serialize;

use upsert_core::ProviderError;

/// Stands where a credential stood.
const COVERED: &str = "***";

/// The shortest text that is looked for, in bytes. Anything shorter stands in answers by chance.
const SHORTEST: usize = 8;

/// What must not be kept of an answer, in every spelling that is looked for; the longest first. It has no `Debug`.
pub(crate) struct OwnSecrets(Vec<String>);

impl OwnSecrets {
    /// The credentials among these headers: those that are marked as sensitive, and `Authorization` with and without its
    /// scheme.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let secret = |(name, value): &(&header::HeaderName, &header::HeaderValue)| {
            value.is_sensitive() || **name == header::AUTHORIZATION
        };
        let texts = headers
            .iter()
            .filter(secret)
            .filter_map(|(_, value)| value.to_str().ok());
        Self::among(texts.flat_map(|text| {
            let token = text.split_once(' ').map(|(_, token)| token);
            [Some(text), token].into_iter().flatten()
        }))
    }

    /// These, but those that are too short to be looked for.
    pub(crate) fn among<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut found: Vec<String> = texts
            .filter(|text| text.trim().len() >= SHORTEST)
            .flat_map(|text| spellings(text.trim()))
            .collect();
        found.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        found.dedup();
        Self(found)
    }

    /// Everything that an error has of the vendor's words without them.
    pub(crate) fn cover_error(&self, error: &mut ProviderError) {
        let ids = [&mut error.code, &mut error.vendor_request_id];
        for text in ids.into_iter().flatten() {
            self.cover_text(text);
        }
        self.cover_text(&mut error.detail);
        self.cover_text(&mut error.context);
        for field in &mut error.errors {
            self.cover_text(&mut field.vendor_field);
            self.cover_text(&mut field.detail);
        }
        self.cover_answer(&mut error.vendor_headers, error.vendor_body.as_mut());
    }

    /// Headers and body of an answer without them.
    pub(crate) fn cover_answer(&self, headers: &mut BTreeMap<String, String>, body: Option<&mut Json>) {
        for value in headers.values_mut() {
            self.cover_text(value);
        }
        if let Some(body) = body {
            self.cover_json(body);
        }
    }

    fn cover_text(&self, text: &mut String) {
        for secret in &self.0 {
            if text.contains(secret) {
                *text = text.replace(secret, COVERED);
            }
        }
        self.cover_end(text);
    }

    /// The beginning of one, at the end of what was cut by us or on its way.
    fn cover_end(&self, text: &mut String) {
        let whole = text.trim_end_matches('…');
        let beginning_of = |secret: &String| {
            let lengths = (SHORTEST..secret.len()).rev();
            lengths
                .filter_map(|length| secret.get(..length))
                .find(|beginning| whole.ends_with(beginning))
                .map(str::len)
        };
        if let Some(longest) = self.0.iter().filter_map(beginning_of).max() {
            let end = whole.len();
            text.replace_range(end - longest..end, COVERED);
        }
    }

    /// Names of members too.
    fn cover_json(&self, json: &mut Json) {
        match json {
            Json::String(text) => self.cover_text(text),
            Json::Array(items) => items.iter_mut().for_each(|item| self.cover_json(item)),
            Json::Object(members) => {
                let taken = std::mem::take(members);
                members.extend(taken.into_iter().map(|(mut name, mut value)| {
                    self.cover_text(&mut name);
                    self.cover_json(&mut value);
                    (name, value)
                }));
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }
}

/// As it is, as JSON writes it with and without escaped slashes, and as it stands in a URL.
fn spellings(secret: &str) -> [String; 4] {
    let quoted = Json::from(secret).to_string();
    // Between its quotes.
    let in_json = quoted.get(1..quoted.len() - 1).unwrap_or(secret);
    let in_url: String = byte_serialize(secret.as_bytes()).collect();
    [
        secret.to_owned(),
        in_json.to_owned(),
        in_json.replace('/', r"\/"),
        in_url,
    ]
}
