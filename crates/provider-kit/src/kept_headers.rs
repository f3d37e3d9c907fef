//! The headers of an answer that failed which are kept beside its body: who answered, what the body is, when to come again, and
//! how the vendor's support finds the call.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderValue};
use url::Url;

use upsert_core::text::is_plain_line;

/// Those that are kept. None of them carries a credential, as `Set-Cookie` and `WWW-Authenticate` may.
const KEPT: [&str; 23] = [
    "age",
    "cf-ray",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "ratelimit",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "request-id",
    "retry-after",
    "server",
    "via",
    "x-amz-cf-id",
    "x-amzn-requestid",
    "x-cache",
    "x-correlation-id",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-request-id",
    "x-served-by",
];

/// Where a redirect leads: of it the host is kept, as paths and queries may hold what nobody is to read.
const LOCATION: &str = "location";

/// The longest value, in bytes.
const LONGEST: usize = 256;

/// Those that are there, as plain lines, by their names.
pub(crate) fn kept_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let listed = KEPT.into_iter().map(|name| {
        let values: Vec<_> = headers.get_all(name).iter().map(text).collect();
        (name, values.join(", "))
    });
    let host = headers.get(LOCATION).map(text).and_then(|location| host_of(&location));
    let all = listed.chain(host.map(|host| (LOCATION, host)));
    all.map(|(name, value)| (name.to_owned(), plain(&value)))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// Headers are bytes; those of no text are replaced.
fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// Without what controls or turns the reading direction around, and cut between characters.
fn plain(value: &str) -> String {
    let mut kept = String::new();
    let mut buffer = [0; 4];
    for character in value.trim().chars() {
        let one = character.encode_utf8(&mut buffer);
        if !is_plain_line(one) {
            continue;
        }
        if kept.len() + one.len() > LONGEST {
            break;
        }
        kept.push_str(one);
    }
    kept
}

/// `https://login.vendor.example/…`; none of a place on the same host.
fn host_of(location: &str) -> Option<String> {
    let origin = Url::parse(location).ok()?.origin();
    origin.is_tuple().then(|| format!("{}/…", origin.ascii_serialization()))
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn headers(pairs: &[(&str, &[u8])]) -> HeaderMap {
        let of = |(name, value): &(&str, &[u8])| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_bytes(value).unwrap())
        };
        let mut headers = HeaderMap::new();
        for (name, value) in pairs.iter().map(of) {
            headers.append(name, value);
        }
        headers
    }

    fn kept(pairs: &[(&str, &[u8])]) -> Vec<(String, String)> {
        kept_headers(&headers(pairs)).into_iter().collect()
    }

    fn named(name: &str, value: impl Into<String>) -> Vec<(String, String)> {
        vec![(name.to_owned(), value.into())]
    }

    #[test]
    fn what_tells_of_a_failure_is_kept_and_nothing_that_may_be_a_secret() {
        let all: [(&str, &[u8]); 9] = [
            ("Server", b"nginx"),
            ("Retry-After", b"120"),
            ("CF-Ray", b"8f1-FRA"),
            ("Set-Cookie", b"session=secret"),
            ("WWW-Authenticate", b"Negotiate secret"),
            ("Authorization", b"Bearer secret"),
            ("X-Api-Key", b"secret"),
            ("X-Debug", b"secret"),
            ("Content-Type", b"text/html; charset=utf-8"),
        ];
        let shown = kept(&all);
        let names: Vec<&str> = shown.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["cf-ray", "content-type", "retry-after", "server"]);
        assert!(!format!("{shown:?}").contains("secret"), "{shown:?}");
        assert_eq!(shown[1].1, "text/html; charset=utf-8");
    }

    #[test]
    fn a_value_is_one_plain_line_however_long_or_odd_it_comes() {
        for (given, expected) in [
            (b"a\tb".as_slice(), "ab"),
            ("nginx\u{202e}xnign".as_bytes(), "nginxxnign"),
            (b"n\xffginx", "n\u{fffd}ginx"),
            (b" \t ", ""),
        ] {
            let expected = if expected.is_empty() {
                Vec::new()
            } else {
                named("server", expected)
            };
            assert_eq!(kept(&[("server", given)]), expected, "{given:?}");
        }
        let long = "ä".repeat(4_000);
        assert_eq!(kept(&[("via", long.as_bytes())]), named("via", "ä".repeat(128)));
        assert_eq!(
            kept(&[("via", b"1.1 a"), ("via", b"1.1 b")]),
            named("via", "1.1 a, 1.1 b")
        );
        let thousand: Vec<(String, Vec<u8>)> = (0..1_000)
            .map(|number| (format!("x-{number}"), vec![b'x'; 1_000]))
            .collect();
        let thousand: Vec<(&str, &[u8])> = thousand.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(kept(&thousand), []);
    }

    #[test]
    fn of_a_redirect_the_host_is_kept_and_not_what_its_address_holds() {
        for (given, expected) in [
            (
                "https://user:pass@login.example:8443/a/token?email=ann@x.example#f",
                "https://login.example:8443/…",
            ),
            ("http://vendor.example", "http://vendor.example/…"),
        ] {
            assert_eq!(kept(&[("location", given.as_bytes())]), named("location", expected));
        }
        for given in [
            "/login?token=secret",
            "mailto:ann@x.example",
            "data:text/plain,ann",
            "",
            "//x",
        ] {
            assert_eq!(kept(&[("location", given.as_bytes())]), [], "{given}");
        }
    }
}
