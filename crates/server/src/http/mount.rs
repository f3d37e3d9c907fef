//! Under which path the public sees the gateway. A proxy may leave its prefix on (`[server] base_path`) or take it off and
//! say so (`X-Forwarded-Prefix`). Routes know nothing of it: it is taken off before they are looked for, and is put back
//! where an answer names a path.

use actix_web::dev::ServiceRequest;
use actix_web::http::Uri;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::uri::PathAndQuery;
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpRequest};

use upsert_settings::{BasePath, TrustedProxies};

use crate::net::connections::Guest;
use crate::state::State;

const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// Takes the prefix off the path, and notes with the request under which one its sender sees the gateway. A path without
/// the prefix is taken too: life signs and metrics are asked for beside the proxy.
pub(crate) fn settle(request: &mut ServiceRequest) -> BasePath {
    let Some(state) = request.app_data::<Data<State>>() else {
        return BasePath::default();
    };
    let configured = state.served.load().base_path.clone();
    if !configured.is_empty()
        && let Some(uri) = without(&configured, request.uri())
    {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
    let base = forwarded(request).unwrap_or(configured);
    if !base.is_empty() {
        request.extensions_mut().insert(base.clone());
    }
    base
}

/// Under which path the sender of this request sees the gateway.
pub(crate) fn of(request: &HttpRequest) -> BasePath {
    request.extensions().get::<BasePath>().cloned().unwrap_or_default()
}

/// Leads a path of the gateway's own back to where the sender sees it.
pub(crate) fn lead_back(headers: &mut HeaderMap, base: &BasePath) {
    if base.is_empty() {
        return;
    }
    let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    let own = location.filter(|path| path.starts_with('/') && !path.starts_with("//"));
    if let Some(Ok(value)) = own.map(|path| HeaderValue::try_from(base.at(path))) {
        headers.insert(header::LOCATION, value);
    }
}

fn without(base: &BasePath, uri: &Uri) -> Option<Uri> {
    let rest = base.below(uri.path())?;
    let path = match uri.query() {
        Some(query) => PathAndQuery::try_from(format!("{rest}?{query}")),
        None => PathAndQuery::try_from(rest),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path.ok()?);
    Uri::from_parts(parts).ok()
}

/// What a proxy that is trusted says it took off.
fn forwarded(request: &ServiceRequest) -> Option<BasePath> {
    if !request.headers().contains_key(X_FORWARDED_PREFIX) {
        return None;
    }
    let guest = request.request().conn_data::<Guest>()?;
    said(request.headers(), guest.connection.peer, &guest.proxies())
}

/// The last one counts: whatever stands before it, anybody can have written.
fn said(headers: &HeaderMap, peer: std::net::IpAddr, proxies: &TrustedProxies) -> Option<BasePath> {
    if !proxies.covers(peer) {
        return None;
    }
    let last = headers.get_all(X_FORWARDED_PREFIX).last()?.to_str().ok()?;
    BasePath::parse(last.rsplit(',').next()?).filter(|base| !base.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::connections::trusted;

    #[test]
    fn the_last_prefix_of_a_trusted_proxy_counts_and_nobody_elses() {
        let proxies = trusted("10.0.0.1");
        let prefix = |peer: &str, values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(X_FORWARDED_PREFIX, HeaderValue::from_static(value));
            }
            said(&headers, peer.parse().unwrap(), &proxies).map(|base| base.as_str().to_owned())
        };
        assert_eq!(prefix("10.0.0.1", &["/gw/"]).as_deref(), Some("/gw"));
        assert_eq!(prefix("10.0.0.1", &["/evil", "/gw"]).as_deref(), Some("/gw"));
        assert_eq!(prefix("10.0.0.1", &["/evil, /gw"]).as_deref(), Some("/gw"));
        for (peer, values) in [
            ("10.0.0.2", &["/gw"][..]),
            ("10.0.0.1", &["//evil.example"]),
            ("10.0.0.1", &["/\"><script>"]),
            ("10.0.0.1", &["/"]),
            ("10.0.0.1", &[]),
        ] {
            assert_eq!(prefix(peer, values), None, "{peer} {values:?}");
        }
    }

    #[test]
    fn a_prefix_is_taken_off_a_path_and_its_query_stays() {
        let base = BasePath::parse("/gw").unwrap();
        let of = |uri: &'static str| without(&base, &Uri::from_static(uri)).map(|uri| uri.to_string());
        assert_eq!(of("/gw/ops?a=/gw/b").as_deref(), Some("/ops?a=/gw/b"));
        assert_eq!(of("/gw").as_deref(), Some("/"));
        assert_eq!(of("http://host/gw/livez").as_deref(), Some("http://host/livez"));
        assert_eq!(of("/gwx"), None);
    }

    #[test]
    fn only_a_path_of_our_own_is_led_back() {
        let base = BasePath::parse("/gw").unwrap();
        for (location, led) in [
            ("/ops", "/gw/ops"),
            ("//elsewhere.example/", "//elsewhere.example/"),
            ("https://elsewhere.example/", "https://elsewhere.example/"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::LOCATION, HeaderValue::from_static(location));
            lead_back(&mut headers, &base);
            assert_eq!(headers.get(header::LOCATION).unwrap(), led);
        }
    }
}
