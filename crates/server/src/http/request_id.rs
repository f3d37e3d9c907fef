//! The name of one request: the caller's if it is sane, else a new one.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// `X-Request-Id`.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const LONGEST: usize = 128;

/// Visible ASCII, at most 128 characters.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// Taken over, or made.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        match headers.get(X_REQUEST_ID) {
            Some(given) if is_sane(given.as_bytes()) => Self(given.clone()),
            _ => Self::made(),
        }
    }

    fn made() -> Self {
        let mut text = [0; uuid::fmt::Simple::LENGTH];
        let text = Uuid::new_v4().simple().encode_lower(&mut text);
        Self(HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("-")))
    }

    /// As a header's value.
    pub(crate) fn value(&self) -> &HeaderValue {
        &self.0
    }

    /// As text.
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or("-")
    }
}

fn is_sane(text: &[u8]) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(X_REQUEST_ID, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        headers
    }

    #[test]
    fn a_sane_request_id_is_taken_over() {
        let longest = "x".repeat(128);
        for sane in ["abc", "0-9/a_B:~", longest.as_str()] {
            assert_eq!(RequestId::of(&with(sane)).as_str(), sane);
        }
    }

    #[test]
    fn one_that_is_long_or_has_spaces_or_no_ascii_is_replaced() {
        let long = "x".repeat(129);
        for odd in ["", "a b", "a\tb", "ä", long.as_str()] {
            let made = RequestId::of(&with(odd));
            assert_ne!(made.as_str(), odd);
            assert_eq!(made.as_str().len(), 32);
        }
    }
}
