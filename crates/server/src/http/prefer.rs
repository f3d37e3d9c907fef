//! `Prefer` (RFC 7240): what a client would like, in one header or several. A preference that is not understood is none,
//! and of one that is given more than once the first counts.

use actix_web::http::header::{HeaderMap, HeaderName};

use upsert_core::{Handling, Word as _};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const RESPOND_ASYNC: &str = "respond-async";
const HANDLING: &str = "handling";

/// The preferences that this gateway knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Preferences {
    /// `respond-async`.
    pub(crate) respond_async: bool,
    /// `handling=strict` or `handling=lenient`, if one of them stands there.
    pub(crate) handling: Option<Handling>,
}

impl Preferences {
    /// Of a request.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut all: Vec<(String, String)> = Vec::new();
        for value in headers.get_all(PREFER).filter_map(|value| value.to_str().ok()) {
            for (name, value) in split(value, ',').filter_map(preference) {
                if !all.iter().any(|(known, _)| *known == name) {
                    all.push((name, value));
                }
            }
        }
        let value_of = |wanted: &str| {
            all.iter()
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value.as_str())
        };
        let handling = [Handling::Strict, Handling::Lenient];
        let is_asked =
            |handling: &Handling| value_of(HANDLING).is_some_and(|value| value.eq_ignore_ascii_case(handling.as_str()));
        Self {
            respond_async: value_of(RESPOND_ASYNC).is_some(),
            handling: handling.into_iter().find(is_asked),
        }
    }

    /// `Preference-Applied`: those that held. `is_async`: whether the first is one of them.
    pub(crate) fn applied(self, is_async: bool) -> Option<String> {
        let respond_async = (self.respond_async && is_async).then(|| RESPOND_ASYNC.to_owned());
        let handling = self
            .handling
            .map(|handling| format!("{HANDLING}={}", handling.as_str()));
        let held: Vec<String> = respond_async.into_iter().chain(handling).collect();
        (!held.is_empty()).then(|| held.join(", "))
    }
}

/// Name and value; the parameters behind a semicolon are nobody's here. An empty value is none.
fn preference(item: &str) -> Option<(String, String)> {
    let own = split(item, ';').next()?;
    let (name, value) = own.split_once('=').unwrap_or((own, ""));
    let name = name.trim();
    let is_token = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    is_token.then(|| (name.to_ascii_lowercase(), unquoted(value.trim())))
}

/// At each separator that stands outside of quotation marks.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |character| {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ => return character == separator && !is_quoted,
        }
        false
    })
}

fn unquoted(value: &str) -> String {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner else {
        return value.to_owned();
    };
    let mut read = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => read.extend(characters.next()),
            other => read.push(other),
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn read(values: &[&str]) -> Preferences {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(PREFER, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        Preferences::of(&headers)
    }

    #[test]
    fn handling_is_read_however_it_is_spelled() {
        let (lenient, strict) = (Some(Handling::Lenient), Some(Handling::Strict));
        let cases: [(&[&str], Option<Handling>); 24] = [
            (&["handling=lenient"], lenient),
            (&["handling=strict"], strict),
            (&["Handling=Lenient"], lenient),
            (&["HANDLING = LENIENT"], lenient),
            (&["handling=\"lenient\""], lenient),
            (&["handling=\"len\\ient\""], lenient),
            (&["respond-async, handling=lenient"], lenient),
            (&["respond-async", "wait=5, handling=lenient"], lenient),
            (&["handling=lenient; foo=\"a, handling=strict\""], lenient),
            (&["foo; handling=lenient"], None),
            (&["foo=\"a, handling=lenient\""], None),
            (&["foo=\"a\\\", handling=lenient\""], None),
            (&["foo=\"a;b\", handling=lenient"], lenient),
            (&["handling=lenient, handling=strict"], lenient),
            (&["handling=strict", "handling=lenient"], strict),
            (&["handling=relaxed, handling=lenient"], None),
            (&["handling, handling=lenient"], None),
            (&["handling=\"\", handling=lenient"], None),
            (&[",, ,handling=lenient,"], lenient),
            (&["handling=lenients"], None),
            (&["\"handling\"=lenient"], None),
            (&["handlings=lenient"], None),
            (&["handling=lenient=strict"], None),
            (&[""], None),
        ];
        for (given, handling) in cases {
            assert_eq!(read(given).handling, handling, "{given:?}");
        }
    }

    #[test]
    fn respond_async_is_found_among_others_and_otherwise_passed_over() {
        let found: [&[&str]; 5] = [
            &["respond-async"],
            &["wait=10, respond-async"],
            &["Respond-Async; foo=\"bar\""],
            &["a,respond-async ,b"],
            &["x", "respond-async"],
        ];
        for given in found {
            assert!(read(given).respond_async, "{given:?}");
        }
        for given in [
            "",
            "respond-asynchronously",
            "return=minimal",
            "\"respond-async\"",
            ",,;=ä",
        ] {
            assert!(!read(&[given]).respond_async, "{given}");
        }
    }

    #[test]
    fn what_held_is_told_and_nothing_else() {
        let both = read(&["respond-async, handling=lenient, wait=3"]);
        assert_eq!(both.applied(true).as_deref(), Some("respond-async, handling=lenient"));
        assert_eq!(both.applied(false).as_deref(), Some("handling=lenient"));
        assert_eq!(
            read(&["handling=strict"]).applied(true).as_deref(),
            Some("handling=strict")
        );
        assert_eq!(read(&["respond-async"]).applied(false), None);
        assert_eq!(read(&["handling=odd"]).applied(true), None);
    }
}
