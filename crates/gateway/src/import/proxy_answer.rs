//! Answers that are not the gateway's: a proxy in front of it, or something else at this address. They are told as what they
//! are, with what to do.

use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{StatusCode, Url};
use upsert_api::Problem;

/// The answer to a request that was not taken.
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    /// What it says it is: `text/html`.
    kind: String,
    location: Option<String>,
    /// As the gateway refuses; none: it was not the gateway.
    pub(crate) problem: Option<Problem>,
}

impl Refused {
    pub(crate) fn read(status: StatusCode, headers: &HeaderMap, body: &str) -> Self {
        let text = |name| {
            let value = headers.get(name)?.to_str().ok()?;
            Some(value.split(';').next().unwrap_or_default().trim().to_owned())
        };
        Self {
            status,
            kind: text(CONTENT_TYPE).unwrap_or_else(|| "nothing that says what it is".to_owned()),
            location: headers
                .get(LOCATION)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
            problem: serde_json::from_str(body).ok(),
        }
    }

    /// Whether the same request may be taken later.
    pub(crate) fn is_for_later(&self) -> bool {
        use StatusCode as S;
        let is_busy = matches!(self.status, S::TOO_MANY_REQUESTS | S::REQUEST_TIMEOUT);
        match &self.problem {
            Some(_) => is_busy || self.status.is_server_error(),
            None => {
                is_busy
                    || matches!(
                        self.status,
                        S::BAD_GATEWAY | S::SERVICE_UNAVAILABLE | S::GATEWAY_TIMEOUT
                    )
            }
        }
    }

    /// What it was, and what to do. `bytes`: how long the request was.
    pub(crate) fn told(&self, url: &Url, bytes: usize) -> String {
        let status = self.status;
        if let Some(problem) = &self.problem {
            return format!("{url} answers {status}: {} {}", problem.code, problem.detail);
        }
        let remedy = match status.as_u16() {
            413 => format!(
                "it lets no request of {} KB through: let it take 1 MB (nginx: `client_max_body_size 1m;`)",
                bytes.div_ceil(1000)
            ),
            408 => {
                "it waited for the request no longer: let it wait for 60 s (nginx: `client_body_timeout`)".to_owned()
            }
            502 | 503 => {
                "it finds no gateway behind it: start the gateway, or mend the address that it passes on to".to_owned()
            }
            504 => "it waited for the gateway no longer: let it wait for 60 s (nginx: `proxy_read_timeout`)".to_owned(),
            429 => "it takes no more requests of yours for now".to_owned(),
            300..=399 => match &self.location {
                Some(location) => format!("it leads to {location}: give the address of the gateway itself with --url"),
                None => "give the address of the gateway itself with --url".to_owned(),
            },
            _ => "look whether --url is the gateway's address, with the path that a proxy may put in front".to_owned(),
        };
        format!(
            "{url} answers {status} with {}, which is not the gateway's answer but that of a proxy in front of it, or of \
             something else at this address: {remedy}",
            self.kind
        )
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn a_proxys_answer_is_told_as_what_it_is_with_what_to_do() {
        let url: Url = "http://gw.example/gw".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(LOCATION, HeaderValue::from_static("https://gw.example/"));
        for (status, is_for_later, says) in [
            (413, false, "client_max_body_size 1m"),
            (408, true, "client_body_timeout"),
            (502, true, "start the gateway"),
            (503, true, "start the gateway"),
            (504, true, "proxy_read_timeout"),
            (429, true, "for now"),
            (301, false, "https://gw.example/"),
            (404, false, "--url"),
            (500, false, "--url"),
            (200, false, "--url"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let refused = Refused::read(status, &headers, "<html>Personal Data</html>");
            let told = refused.told(&url, 900_000);
            assert_eq!(refused.is_for_later(), is_for_later, "{status}");
            assert!(
                told.contains(says) && told.contains("proxy") && told.contains("text/html"),
                "{told}"
            );
            assert!(
                told.contains("http://gw.example/gw answers") && !told.contains("Personal"),
                "{told}"
            );
        }
    }

    #[test]
    fn the_gateways_own_refusal_is_told_by_its_code() {
        let url: Url = "http://gw.example/".parse().unwrap();
        let problem = crate::samples::problem(serde_json::json!({ "code": "scope_missing", "detail": "no scope" }));
        let refused = Refused::read(StatusCode::FORBIDDEN, &HeaderMap::new(), &problem.to_string());
        assert!(!refused.is_for_later());
        assert!(
            refused.told(&url, 1).ends_with("403 Forbidden: scope_missing no scope"),
            "{}",
            refused.told(&url, 1)
        );
    }
}
