//! Requests and their paths: percent-encoding of what stands in them.

use std::fmt::Write as _;

use serde_json::Value as Json;
use url::form_urlencoded;

use upsert_core::WireRequest;

/// Asks for what is at a path.
pub fn get(path: String) -> WireRequest {
    WireRequest {
        method: "GET".to_owned(),
        path,
        body: Json::Null,
    }
}

/// Asks for what is at a path, with these query parameters, in this order.
pub fn get_with<'a>(path: &str, parameters: impl IntoIterator<Item = (&'a str, String)>) -> WireRequest {
    let parameters: Vec<_> = parameters.into_iter().collect();
    let parameters = parameters.iter().map(|(name, value)| (*name, value.as_str()));
    get(path_with_query(path, parameters))
}

/// Sends a body to a path.
pub fn post(path: &str, body: impl Into<Json>) -> WireRequest {
    WireRequest {
        method: "POST".to_owned(),
        path: path.to_owned(),
        body: body.into(),
    }
}

/// A text as one segment of a path: everything but RFC 3986's unreserved characters is percent-encoded.
pub fn path_segment(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => segment.push(char::from(byte)),
            // Writing to a text cannot fail.
            _ => drop(write!(segment, "%{byte:02X}")),
        }
    }
    segment
}

/// A path with these query parameters, in this order.
pub fn path_with_query<'a>(path: &str, parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_segment_or_a_parameter_is_encoded() {
        assert_eq!(path_segment("CUST-1_a.b~"), "CUST-1_a.b~");
        assert_eq!(path_segment("a/b?c#d e%\u{e9}"), "a%2Fb%3Fc%23d%20e%25%C3%A9");
        assert_eq!(
            path_with_query("/customers", [("email", "a+b@x.com"), ("q", "a&b=c")]),
            "/customers?email=a%2Bb%40x.com&q=a%26b%3Dc"
        );
        assert_eq!(path_with_query("/customers", []), "/customers");
    }
}
