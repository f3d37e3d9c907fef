//! `Accept-Encoding`, read: how much a client wants which coding (RFC 9110, 12.4.2 and 12.5.3).

use actix_web::http::header::{ACCEPT_ENCODING, HeaderMap};

/// In thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weights {
    /// Of gzip; 0: it is not taken.
    pub(crate) gzip: u16,
    /// Of an answer without a coding; 0: it is not taken; none: it is taken, after whatever is named.
    pub(crate) identity: Option<u16>,
}

/// Of a request. One that says nothing, or nothing that can be read, gets an answer without a coding.
pub(crate) fn weigh(headers: &HeaderMap) -> Weights {
    let (mut gzip, mut identity, mut any) = (None, None, None);
    let values = headers.get_all(ACCEPT_ENCODING).filter_map(|value| value.to_str().ok());
    for (name, weight) in values.flat_map(|value| value.split(',')).filter_map(item) {
        let place = match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => &mut gzip,
            "identity" => &mut identity,
            "*" => &mut any,
            _ => continue,
        };
        place.get_or_insert(weight);
    }
    Weights {
        gzip: gzip.or(any).unwrap_or(0),
        identity: identity.or(any),
    }
}

fn item(item: &str) -> Option<(&str, u16)> {
    let mut parts = item.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let weight = parts.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then_some(value.trim())
    });
    Some((name, weight.map_or(Some(1000), thousandths)?))
}

/// `0`, `1`, and up to three digits behind the point.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = rest.len() <= 3 && rest.bytes().all(|byte| byte.is_ascii_digit());
    let rest: u16 = format!("{rest:0<3}").parse().ok().filter(|_| is_digits)?;
    match (whole, rest) {
        ("0", rest) => Some(rest),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;
    use crate::http::coding::Coding;

    fn wanted(values: &[&'static str]) -> Option<Coding> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_static(value));
        }
        Coding::wanted(&headers)
    }

    #[test]
    fn the_coding_that_is_wanted_most_is_taken_and_none_that_is_refused() {
        let (plain, gzip) = (Some(Coding::Identity), Some(Coding::Gzip { is_needed: false }));
        let gzip_alone = Some(Coding::Gzip { is_needed: true });
        let cases: [(&[&'static str], Option<Coding>); 22] = [
            (&[], plain),
            (&[""], plain),
            (&["gzip"], gzip),
            (&["GZip"], gzip),
            (&["x-gzip"], gzip),
            (&["gzip, deflate, br, zstd"], gzip),
            (&["br", "gzip"], gzip),
            (&["br"], plain),
            (&["*"], gzip),
            (&["gzip;q=0"], plain),
            (&["gzip;q=0.000, *"], plain),
            (&["gzip;q=0.001"], gzip),
            (&["gzip; Q=0.5, identity"], plain),
            (&["gzip, identity;q=0.5"], gzip),
            (&["identity;q=0, gzip;q=0.1"], gzip_alone),
            (&["gzip, *;q=0"], gzip_alone),
            (&["identity, *;q=0"], plain),
            (&["identity;q=0"], None),
            (&["br, identity;q=0"], None),
            (&["*;q=0"], None),
            (&["gzip;q=2"], plain),
            (&["gzip;q=0.1234, identity"], plain),
        ];
        for (values, coding) in cases {
            assert_eq!(wanted(values), coding, "{values:?}");
        }
    }
}
