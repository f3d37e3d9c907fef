//! What a caller wishes for in headers. Preferences are read leniently: one that is not understood is none.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::{FromRequest, HttpRequest};

use crate::http::middleware;
use crate::http::prefer::Preferences;
use crate::http::problem::Problem;

const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
const LONGEST_KEY: usize = 255;

/// The wishes of one request.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// `Idempotency-Key`, unquoted.
    pub(crate) idempotency_key: Option<String>,
    /// `Prefer`.
    pub(crate) prefers: Preferences,
    /// `Cache-Control: no-cache`.
    pub(crate) force: bool,
    /// What it leads to is a part of this, as a `traceparent`: of the request's own span, or else the caller's.
    pub(crate) traceparent: Option<String>,
    /// What other systems say of that trace.
    pub(crate) tracestate: Option<String>,
}

impl FromRequest for Wishes {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let (traceparent, tracestate) = (middleware::traceparent(request), middleware::tracestate(request));
        ready(Self::of(request.headers()).map(|wishes| Self {
            traceparent,
            tracestate,
            ..wishes
        }))
    }
}

impl Wishes {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        Ok(Self {
            idempotency_key: idempotency_key(headers)?,
            prefers: Preferences::of(headers),
            force: wants_fresh(headers),
            traceparent: None,
            tracestate: None,
        })
    }
}

/// Whether `Cache-Control: no-cache` stands there.
pub(crate) fn wants_fresh(headers: &HeaderMap) -> bool {
    lists(headers, &header::CACHE_CONTROL, "no-cache")
}

/// Whether a comma-separated header names this token, whatever parameters or values it has.
fn lists(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| {
            let item = item.split([';', '=']).next().unwrap_or_default();
            item.trim().eq_ignore_ascii_case(token)
        })
}

/// Bare or quoted (with `\"` and `\\` in it), 1 to 255 visible ASCII characters.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut all = headers.get_all(IDEMPOTENCY_KEY);
    let Some(first) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        return Err(Problem::invalid_header(IDEMPOTENCY_KEY, "is given more than once"));
    }
    let text = first.to_str().unwrap_or("\u{7f}").trim();
    let key = match text.strip_prefix('"') {
        Some(rest) => unquoted(rest)
            .ok_or_else(|| Problem::invalid_header(IDEMPOTENCY_KEY, "has a quotation mark that is not closed"))?,
        None => text.to_owned(),
    };
    if is_idempotency_key(&key) {
        Ok(Some(key))
    } else {
        let detail = "has to be 1 to 255 visible ASCII characters";
        Err(Problem::invalid_header(IDEMPOTENCY_KEY, detail))
    }
}

/// 1 to 255 visible ASCII characters.
pub(crate) fn is_idempotency_key(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_graphic()) && (1..=LONGEST_KEY).contains(&key.len())
}

/// What stands before the closing quotation mark, which has to be the end.
fn unquoted(rest: &str) -> Option<String> {
    let mut key = String::with_capacity(rest.len());
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return characters.as_str().is_empty().then_some(key),
            '\\' => key.push(characters.next()?),
            character => key.push(character),
        }
    }
}

/// Whether an answer of this media type will do. No `Accept` means that anything will.
pub(crate) fn accepts(headers: &HeaderMap, media: &str) -> bool {
    let mut ranges = headers
        .get_all(header::ACCEPT)
        .flat_map(|value| value.to_str().unwrap_or("*/*").split(','))
        .map(str::trim)
        .filter(|range| !range.is_empty())
        .peekable();
    ranges.peek().is_none() || ranges.any(|range| covers(range, media))
}

fn covers(range: &str, wanted: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    let is_refused = parts.any(|parameter| {
        let quality = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="));
        quality.is_some_and(|quality| quality.trim().parse() == Ok(0.0_f32))
    });
    let wanted = ["*/*", "application/*", wanted];
    !is_refused && wanted.iter().any(|wanted| media.eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn headers(name: &str, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(HeaderName::try_from(name).unwrap(), value);
        }
        headers
    }

    #[test]
    fn an_idempotency_key_may_be_bare_or_quoted() {
        let longest = "k".repeat(255);
        let quoted = format!("\"{longest}\"");
        for (given, key) in [
            ("abc", "abc"),
            ("\"abc\"", "abc"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            (r#"a"b"#, r#"a"b"#),
            (longest.as_str(), longest.as_str()),
            (quoted.as_str(), longest.as_str()),
        ] {
            let read = idempotency_key(&headers(IDEMPOTENCY_KEY, &[given])).unwrap();
            assert_eq!(read.as_deref(), Some(key));
        }
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn any_other_idempotency_key_is_refused() {
        let long = "k".repeat(256);
        for given in ["", "\"\"", "a b", "\"a", "\"a\"b", "\"a\\", "ä", "a\tb", long.as_str()] {
            assert!(
                idempotency_key(&headers(IDEMPOTENCY_KEY, &[given])).is_err(),
                "{given:?}"
            );
        }
        assert!(idempotency_key(&headers(IDEMPOTENCY_KEY, &["a", "a"])).is_err());
    }

    #[test]
    fn a_fresh_call_is_asked_for_by_no_cache() {
        assert!(wants_fresh(&headers("cache-control", &["max-age=0, No-Cache"])));
        assert!(!wants_fresh(&headers("cache-control", &["no-store"])));
    }

    #[test]
    fn json_is_acceptable_where_a_range_covers_it() {
        for given in [
            "*/*",
            "application/json",
            "text/html, application/*;q=0.5",
            "Application/JSON; q=1",
            "",
        ] {
            assert!(accepts(&headers("accept", &[given]), "application/json"), "{given}");
        }
        for given in ["text/html", "application/json;q=0", "application/xml, text/*"] {
            assert!(!accepts(&headers("accept", &[given]), "application/json"), "{given}");
        }
        assert!(accepts(&HeaderMap::new(), "application/json"));
    }
}
