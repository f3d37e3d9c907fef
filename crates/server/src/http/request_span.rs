//! The span of a request, under OpenTelemetry's names. Never the path or the query: they may hold personal data.

use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::http::uri::Authority;
use actix_web::http::{Uri, Version};

use upsert_app::{Fact, NewSpan, OpenSpan, Origin, Side, Spans, TraceContext, trace_id};
use upsert_core::UpsertId;

use crate::http::metrics::OTHER_METHOD;

/// Of a host, in octets (RFC 1035).
const LONGEST_NAME: usize = 253;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What is known of a request before it is answered.
#[derive(Debug)]
pub(crate) struct Came<'a> {
    /// One of those that we know, or [`OTHER_METHOD`].
    pub(crate) method: &'static str,
    /// The template of its route; none where no route has this path.
    pub(crate) template: Option<&'a str>,
    /// Whether it came encrypted, as far as whoever stands in front says.
    pub(crate) is_https: bool,
    /// Of HTTP.
    pub(crate) version: Version,
    /// Whom the caller meant, as `Host` has it; none where that is no host.
    pub(crate) server: Option<(String, Option<u16>)>,
    /// The caller's, if it is a valid one.
    pub(crate) traceparent: Option<String>,
    /// The caller's, beside such a one and if it is valid itself.
    pub(crate) tracestate: Option<String>,
}

/// The span of a request, if spans are recorded; and what everything that it leads to is a part of.
pub(crate) struct RequestSpan {
    open: Option<Box<dyn OpenSpan>>,
    traceparent: Option<String>,
    tracestate: Option<String>,
}

impl RequestSpan {
    /// What everything that the request leads to is a part of: this span; without one, whatever the caller said.
    pub(crate) fn traceparent(&self) -> Option<&str> {
        self.traceparent.as_deref()
    }

    /// What other systems say of that trace.
    pub(crate) fn tracestate(&self) -> Option<&str> {
        self.tracestate.as_deref()
    }

    /// Of a request that is asked all the time, and about the process alone.
    pub(crate) fn none() -> Self {
        Self {
            open: None,
            traceparent: None,
            tracestate: None,
        }
    }

    pub(crate) fn begin(spans: Option<&dyn Spans>, came: Came<'_>) -> Self {
        let Some(spans) = spans else {
            return Self {
                open: None,
                traceparent: came.traceparent,
                tracestate: came.tracestate,
            };
        };
        // As the conventions have it, an unknown method is called HTTP in a name.
        let verb = if came.method == OTHER_METHOD {
            "HTTP"
        } else {
            came.method
        };
        let name = match came.template {
            Some(template) => format!("{verb} {template}").into(),
            None => verb.into(),
        };
        let caller = TraceContext::of(came.traceparent.as_deref(), came.tracestate.as_deref());
        let mut open = spans.begin(NewSpan {
            name,
            side: Side::Server,
            origin: Origin::child_of(caller),
        });
        open.set("http.request.method", Fact::Text(came.method));
        if let Some(template) = came.template {
            open.set("http.route", Fact::Text(template));
        }
        if let Some((address, port)) = &came.server {
            open.set("server.address", Fact::Text(address));
            if let Some(port) = port {
                open.set("server.port", Fact::Number(i64::from(*port)));
            }
        }
        open.set("url.scheme", Fact::Text(if came.is_https { "https" } else { "http" }));
        open.set("network.protocol.version", Fact::Text(version(came.version)));
        let traceparent = Some(open.traceparent().to_owned());
        Self {
            open: Some(open),
            traceparent,
            tracestate: came.tracestate,
        }
    }

    /// The trace that it is a part of.
    pub(crate) fn trace_id(&self) -> Option<&str> {
        self.traceparent().and_then(trace_id)
    }

    /// Says how it was answered.
    pub(crate) fn answered(&mut self, status: u16, key: Option<&str>, upsert: Option<UpsertId>) {
        let Some(open) = &mut self.open else { return };
        open.set("http.response.status_code", Fact::Number(i64::from(status)));
        if let Some(key) = key {
            open.set("upsert_gateway.api_key", Fact::Text(key));
        }
        if let Some(upsert) = upsert {
            open.set("upsert_gateway.upsert_id", Fact::Text(&upsert.to_string()));
        }
        if status >= 500 {
            open.set("error.type", Fact::Text(&status.to_string()));
            open.fail();
        }
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}

/// Whom a request is for: the authority of its target (HTTP/2), or else `Host`. Anybody may write anything there: what is no
/// host, or longer than a name may be, is none.
pub(crate) fn server(uri: &Uri, headers: &HeaderMap) -> Option<(String, Option<u16>)> {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let of_host = || host?.parse::<Authority>().ok();
    let authority = uri.authority().cloned().or_else(of_host)?;
    let (name, port) = (authority.host(), authority.port_u16());
    let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    let is_host = (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(is_of_host);
    is_host.then(|| (name.to_ascii_lowercase(), port))
}

/// `traceparent`, if it is a valid one; an invalid one is as good as none (W3C Trace Context):
/// `00-{32 hex}-{16 hex}-{2 hex}` in lower case; of later versions the same part.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(TRACEPARENT)?.to_str().ok()?.trim();
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_something = |part: &str| part.bytes().any(|byte| byte != b'0');
    let is_whole = is_hex(version, 2) && is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2);
    let is_known = version != "ff" && (version != "00" || parts.next().is_none());
    (is_whole && is_known && is_something(trace) && is_something(span)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;
    use std::sync::Arc;

    use actix_web::http::Method;

    use super::*;
    use crate::http::metrics::method_name;

    /// What was begun and said.
    #[derive(Debug, Default, Clone)]
    struct Paper(Arc<Mutex<Vec<String>>>);

    impl Spans for Paper {
        fn begin(&self, span: NewSpan<'_>) -> Box<dyn OpenSpan> {
            self.0.lock().push(span.name.into_owned());
            Box::new(self.clone())
        }
    }

    impl OpenSpan for Paper {
        fn traceparent(&self) -> &'static str {
            ""
        }

        fn set(&mut self, name: &'static str, value: Fact<'_>) {
            if let Fact::Text(text) = value {
                self.0.lock().push(format!("{name}={text}"));
            }
        }

        fn fail(&mut self) {}
    }

    fn said_of(method: &[u8], template: Option<&str>) -> Vec<String> {
        let paper = Paper::default();
        let came = Came {
            method: method_name(&Method::from_bytes(method).unwrap()),
            template,
            is_https: false,
            version: Version::HTTP_11,
            server: None,
            traceparent: None,
            tracestate: None,
        };
        drop(RequestSpan::begin(Some(&paper), came));
        let said = paper.0.lock();
        said.iter().take(2).cloned().collect()
    }

    #[test]
    fn a_made_up_method_is_called_http_and_said_to_be_another() {
        let of_route = said_of(b"BREW", Some("/v1/customers"));
        assert_eq!(of_route, ["HTTP /v1/customers", "http.request.method=_OTHER"]);
        assert_eq!(said_of(b"BREW", None), ["HTTP", "http.request.method=_OTHER"]);
        let known = said_of(b"POST", Some("/v1/customers"));
        assert_eq!(known, ["POST /v1/customers", "http.request.method=POST"]);
    }

    fn given_traceparent(text: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(
            TRACEPARENT,
            actix_web::http::header::HeaderValue::from_str(text).unwrap(),
        );
        super::traceparent(&headers)
    }

    #[test]
    fn a_request_is_for_the_host_that_it_names_and_what_is_no_host_is_not_repeated() {
        let of = |target: &str, host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, header::HeaderValue::from_str(host).unwrap());
            server(&target.parse().unwrap(), &headers)
        };
        let named = |name: &str, port| Some((name.to_owned(), port));
        assert_eq!(of("/x", "Gateway.Example:8443"), named("gateway.example", Some(8443)));
        assert_eq!(of("/x", "[::1]"), named("[::1]", None));
        assert_eq!(of("https://one.example/x", "other.example"), named("one.example", None));
        for odd in ["", "ann@x y", "a%20b", &"a".repeat(254)] {
            assert_eq!(of("/x", odd), None, "{odd}");
        }
    }

    #[test]
    fn only_a_valid_traceparent_is_continued() {
        let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
        for given in [valid, later] {
            assert_eq!(given_traceparent(given).as_deref(), Some(given));
        }
        for given in [
            "",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        ] {
            assert_eq!(given_traceparent(given), None, "{given}");
        }
    }
}
