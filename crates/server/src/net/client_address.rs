//! Whose request it is: the address at the other end of the connection, unless a proxy that is trusted says for whom it
//! speaks.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{self, HeaderMap, HeaderName};
use upsert_settings::TrustedProxies;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The client's address: the last one in `X-Forwarded-For` that is no trusted proxy's, or in `Forwarded` where the other is
/// not there. Whatever stands before it, anybody can have written. None: the proxy does not say.
pub(crate) fn client_address(headers: &HeaderMap, peer: IpAddr, proxies: &TrustedProxies) -> Option<IpAddr> {
    if !proxies.covers(peer) {
        return Some(peer);
    }
    let listed = if headers.contains_key(X_FORWARDED_FOR) {
        items(headers, &X_FORWARDED_FOR).map(address).collect::<Vec<_>>()
    } else {
        let said = items(headers, &header::FORWARDED).map(|item| address(member(item, "for")?));
        said.collect()
    };
    for address in listed.into_iter().rev() {
        match address {
            Some(address) if proxies.covers(address) => {}
            // What cannot be read was not written by a proxy of ours.
            other => return other,
        }
    }
    None
}

/// Whether it came encrypted, as far as a proxy that is trusted says.
pub(crate) fn is_https(headers: &HeaderMap, peer: Option<IpAddr>, proxies: &TrustedProxies) -> bool {
    if !peer.is_some_and(|peer| proxies.covers(peer)) {
        return false;
    }
    let said = items(headers, &X_FORWARDED_PROTO).last().or_else(|| {
        let items = items(headers, &header::FORWARDED);
        items.last().and_then(|item| member(item, "proto"))
    });
    said.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
}

fn items<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let texts = headers.get_all(name).map(|value| value.to_str().unwrap_or("?"));
    texts.flat_map(|text| text.split(',')).map(str::trim)
}

/// A member of an element of `Forwarded`, without its quotes.
fn member<'a>(item: &'a str, name: &str) -> Option<&'a str> {
    item.split(';').find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim().trim_matches('"'))
    })
}

/// With or without a port, and brackets around IPv6.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let parsed = bare
        .parse()
        .or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    parsed.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;
    use crate::net::connections::trusted;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    fn client(peer: &str, pairs: &[(&'static str, &'static str)]) -> Option<String> {
        let proxies = trusted("10.0.0.0/8");
        let client = client_address(&headers(pairs), peer.parse().unwrap(), &proxies);
        client.map(|address| address.to_string())
    }

    #[test]
    fn what_is_forwarded_counts_from_proxies_that_are_trusted_alone() {
        let claims = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")];
        assert_eq!(client("203.0.113.9", &claims).as_deref(), Some("203.0.113.9"));
        assert_eq!(client("10.0.0.1", &claims).as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn the_last_address_that_is_no_proxy_counts_and_nothing_before_it() {
        for (pairs, wanted) in [
            (
                &[("x-forwarded-for", "1.1.1.1, 192.0.2.1, 10.2.3.4")][..],
                Some("192.0.2.1"),
            ),
            (
                &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "192.0.2.1")],
                Some("192.0.2.1"),
            ),
            (&[("x-forwarded-for", "192.0.2.1:4711")], Some("192.0.2.1")),
            (&[("x-forwarded-for", "[2001:db8::1]:4711")], Some("2001:db8::1")),
            (&[("x-forwarded-for", "2001:db8::1")], Some("2001:db8::1")),
            (&[("x-forwarded-for", "1.1.1.1, unknown")], None),
            (&[("x-forwarded-for", "10.2.3.4")], None),
            (
                &[("forwarded", "for=1.1.1.1, for=\"[2001:db8::1]:47\";proto=https")],
                Some("2001:db8::1"),
            ),
            (&[("forwarded", "proto=https")], None),
            (
                &[("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "192.0.2.1")],
                Some("192.0.2.1"),
            ),
            (&[], None),
        ] {
            assert_eq!(client("10.0.0.1", pairs).as_deref(), wanted, "{pairs:?}");
        }
    }

    #[test]
    fn whether_it_was_encrypted_is_for_a_trusted_proxy_to_say() {
        let proxies = trusted("10.0.0.1");
        let is_https = |peer: &str, pairs: &[(&'static str, &'static str)]| {
            super::is_https(&headers(pairs), peer.parse().ok(), &proxies)
        };
        assert!(is_https("10.0.0.1", &[("x-forwarded-proto", "https")]));
        assert!(is_https("10.0.0.1", &[("forwarded", "for=192.0.2.1;proto=HTTPS")]));
        assert!(!is_https("10.0.0.1", &[("x-forwarded-proto", "https, http")]));
        assert!(!is_https("10.0.0.2", &[("x-forwarded-proto", "https")]));
        assert!(!is_https("10.0.0.1", &[]));
    }
}
