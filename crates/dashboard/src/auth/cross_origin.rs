//! A form of another site posts nothing here: browsers say where a request comes from.

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a page of another site made the browser ask for a change. What neither says where it comes from is no browser's
/// of today, and the cookie is `SameSite=Strict` besides.
pub(crate) fn is_forged(method: &Method, headers: &HeaderMap) -> bool {
    if method.is_safe() {
        return false;
    }
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        return false;
    };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    match (origin, host) {
        (Some((_scheme, origin)), Some(host)) => !origin.eq_ignore_ascii_case(host),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn is_forged_with(headers: &[(&'static str, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        is_forged(&Method::POST, &map)
    }

    #[test]
    fn only_our_own_pages_may_post() {
        for (headers, forged) in [
            (&[("sec-fetch-site", "same-origin")][..], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("origin", "https://gw.example"), ("host", "gw.example")], false),
            (
                &[("origin", "http://GW.example:8080"), ("host", "gw.example:8080")],
                false,
            ),
            (&[("origin", "https://gw.example:444"), ("host", "gw.example")], true),
            (&[("origin", "https://evil.example"), ("host", "gw.example")], true),
            (&[("origin", "null"), ("host", "gw.example")], true),
            (&[("origin", "https://gw.example")], true),
            (&[("host", "gw.example")], false),
        ] {
            assert_eq!(is_forged_with(headers), forged, "{headers:?}");
        }
        assert!(!is_forged(&Method::GET, &HeaderMap::new()));
    }
}
