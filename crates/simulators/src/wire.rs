//! One HTTP exchange as a vendor's rules see it.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::web::{Bytes, Query};
use serde_json::{Map, Value};

use crate::record::Written;
use crate::rewrites::Rewrites;

/// A request, read as a whole.
pub(crate) struct Call<'a> {
    request: &'a HttpRequest,
    segments: Vec<String>,
    query: Vec<(String, String)>,
    body: Bytes,
    rewrites: Arc<Rewrites>,
}

impl<'a> Call<'a> {
    /// Reads path and query; `prefix` is taken off the path where it is there.
    pub(crate) fn new(request: &'a HttpRequest, prefix: &str, body: Bytes, rewrites: Arc<Rewrites>) -> Self {
        let path = request.uri().path();
        let path = path.strip_prefix(prefix).unwrap_or(path);
        let segments = path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
        Self {
            request,
            segments,
            query: pairs(request.query_string()),
            body,
            rewrites,
        }
    }

    /// Puts the vendor's form in place of what was sent. Gives the fields that the answer shows as sent all the same.
    pub(crate) fn rewrite(&self, body: &mut Map<String, Value>) -> Map<String, Value> {
        self.rewrites.apply(body)
    }

    /// Method and decoded path segments, to be matched on.
    pub(crate) fn route(&self) -> (&str, Vec<&str>) {
        (
            self.request.method().as_str(),
            self.segments.iter().map(String::as_str).collect(),
        )
    }

    /// A header that is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.request.headers().get(name)?.to_str().ok()
    }

    /// The token of `Authorization: Bearer`.
    pub(crate) fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    /// The first value of a query parameter; an empty one counts as absent.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters(name).into_iter().next()
    }

    /// All values of a repeated query parameter (`a=1&a=2` or `a[]=1&a[]=2`).
    pub(crate) fn parameters(&self, name: &str) -> Vec<&str> {
        let named = |key: &str| key.strip_suffix("[]").unwrap_or(key) == name;
        self.query
            .iter()
            .filter(|(key, value)| named(key) && !value.is_empty())
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// A whole number among the query parameters: `default` when absent, `None` when it is not in `range`.
    pub(crate) fn number(&self, name: &str, default: usize, range: std::ops::RangeInclusive<usize>) -> Option<usize> {
        match self.parameter(name) {
            None => Some(default),
            Some(text) => text.parse().ok().filter(|number| range.contains(number)),
        }
    }

    /// The body as a JSON object, or what is wrong with it.
    pub(crate) fn object(&self) -> Result<Map<String, Value>, &'static str> {
        if !self
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/json"))
        {
            return Err("Content-Type must be application/json");
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err("the body must be a JSON object"),
            Err(_) => Err("the body is not JSON"),
        }
    }
}

/// What a vendor answers, and what it wrote before.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) written: Option<Written>,
}

impl Reply {
    /// An answer with a JSON body.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            body: body.to_string(),
            written: None,
        }
    }

    /// Notes what was written.
    pub(crate) fn with_write(self, written: Written) -> Self {
        Self {
            written: Some(written),
            ..self
        }
    }
}

fn pairs(query: &str) -> Vec<(String, String)> {
    if query.is_empty() {
        return Vec::new();
    }
    Query::<Vec<(String, String)>>::from_query(query)
        .map(Query::into_inner)
        .unwrap_or_default()
}

/// Percent-decodes a path segment. The query decoder does it, once `+`, which is itself in a path, is hidden from it.
fn decoded(segment: &str) -> String {
    if !segment.contains('%') {
        return segment.to_owned();
    }
    let query = format!(
        "segment={}",
        segment.replace('+', "%2B").replace('&', "%26").replace(';', "%3B")
    );
    pairs(&query)
        .into_iter()
        .next()
        .map_or_else(|| segment.to_owned(), |(_, value)| value)
}
