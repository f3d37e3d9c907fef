//! `tracestate`, beside a `traceparent` that is continued: what other systems of tracing say of the trace, passed on as it is (W3C
//! Trace Context).

use std::collections::BTreeSet;

use actix_web::http::header::{HeaderMap, HeaderName};

const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// As much as everybody has to pass on, in characters.
const LONGEST: usize = 512;
const MOST_MEMBERS: usize = 32;
const LONGEST_PART: usize = 256;

/// What stands there, as one list without blanks between its members; none where there is nothing, or anything that the
/// standard does not know: then the trace goes on without it.
pub(crate) fn tracestate(headers: &HeaderMap) -> Option<String> {
    let mut members = Vec::new();
    for value in headers.get_all(TRACESTATE) {
        let listed = value
            .to_str()
            .ok()?
            .split(',')
            .map(|member| member.trim_matches([' ', '\t']));
        members.extend(listed.filter(|member| !member.is_empty()));
    }
    let keys: Option<BTreeSet<&str>> = members.iter().map(|member| key_of(member)).collect();
    let are_apart = keys.is_some_and(|keys| keys.len() == members.len());
    let whole = members.join(",");
    let fits = !members.is_empty() && members.len() <= MOST_MEMBERS && whole.len() <= LONGEST;
    (are_apart && fits).then_some(whole)
}

/// The key of a member that is well formed.
fn key_of(member: &str) -> Option<&str> {
    let (key, value) = member.split_once('=')?;
    let is_of_key = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(&byte);
    let begins = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_of_value = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'=';
    let is_key = key.len() <= LONGEST_PART && key.bytes().all(is_of_key) && key.as_bytes().first().is_some_and(begins);
    let is_value = (1..=LONGEST_PART).contains(&value.len()) && value.bytes().all(is_of_value);
    (is_key && is_value).then_some(key)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn given(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(TRACESTATE, HeaderValue::from_str(value).unwrap());
        }
        tracestate(&headers)
    }

    fn members(count: usize) -> String {
        (0..count)
            .map(|number| format!("k{number}=v"))
            .collect::<Vec<_>>()
            .join(",")
    }

    #[test]
    fn a_valid_list_is_passed_on_in_its_order_from_however_many_headers() {
        for (values, expected) in [
            (vec!["congo=t61rcWkgMzE"], "congo=t61rcWkgMzE"),
            (
                vec!["rojo=00f0, congo=t61r ,,", "fw529a3039@dt=FfAf"],
                "rojo=00f0,congo=t61r,fw529a3039@dt=FfAf",
            ),
            (vec!["0a=a b:c;d/e"], "0a=a b:c;d/e"),
        ] {
            assert_eq!(given(&values).as_deref(), Some(expected), "{values:?}");
        }
        let most = members(32);
        assert_eq!(given(&[&most]), Some(most));
        let longest = format!("a={},b={}", "x".repeat(256), "y".repeat(251));
        assert_eq!(longest.len(), 512);
        assert_eq!(given(&[&longest]), Some(longest));
    }

    #[test]
    fn what_the_standard_does_not_know_is_passed_over() {
        let (many, long) = (members(33), format!("a={},b={}", "x".repeat(256), "y".repeat(252)));
        let (key, value) = (format!("{}=v", "k".repeat(257)), format!("k={}", "v".repeat(257)));
        for invalid in [
            "", ",", "no", "=v", "k=", "K=v", "_k=v", "k=a=b", "k=v,k=w", "k=v,no", "k k=v", &many, &long, &key, &value,
        ] {
            assert_eq!(given(&[invalid]), None, "{invalid}");
        }
        assert_eq!(given(&[]), None);
        let mut bytes = HeaderMap::new();
        bytes.append(TRACESTATE, HeaderValue::from_bytes(b"k=\xff").unwrap());
        assert_eq!(tracestate(&bytes), None);
    }
}
