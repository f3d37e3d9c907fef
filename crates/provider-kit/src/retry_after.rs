//! `Retry-After`, in seconds or as an HTTP date (RFC 9110, section 10.2.3).

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};
use jiff::Timestamp;

/// Longer waits than a day are cut to one: a vendor that asks for more is probed again then.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// What an answer says of the time to wait. One that cannot be read is another thing than none: the vendor asks for a
/// wait all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RetryAfter {
    /// It says nothing.
    #[default]
    Absent,
    /// It says something that cannot be understood for sure.
    Unreadable,
    /// So long from now; at most a day. A date in the past asks for no wait.
    Wait(Duration),
}

impl RetryAfter {
    /// What these headers say at this time. Several of them are none that can be understood.
    pub fn of(headers: &HeaderMap, now: Timestamp) -> Self {
        let mut values = headers.get_all(header::RETRY_AFTER).iter();
        match (values.next(), values.next()) {
            (None, _) => Self::Absent,
            (Some(value), None) => value
                .to_str()
                .ok()
                .and_then(|value| parse_retry_after(value, now))
                .map_or(Self::Unreadable, Self::Wait),
            (Some(_), Some(_)) => Self::Unreadable,
        }
    }

    /// How long, if that is known.
    pub fn wait(self) -> Option<Duration> {
        match self {
            Self::Wait(wait) => Some(wait),
            Self::Absent | Self::Unreadable => None,
        }
    }
}

/// How long from `now`: seconds, a fraction of one rounded up, or any of the three forms of an HTTP date.
fn parse_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let wait = match seconds(value) {
        Some(seconds) => Duration::from_secs(seconds),
        None => {
            let then = httpdate::parse_http_date(value).ok()?;
            then.duration_since(SystemTime::from(now)).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST))
}

/// Digits, and perhaps a fraction that rounds up: no vendor is asked again too early.
fn seconds(value: &str) -> Option<u64> {
    let (whole, fraction) = match value.split_once('.') {
        Some((whole, fraction)) if is_digits(fraction) => (whole, fraction),
        Some(_) => return None,
        None => (value, ""),
    };
    if !is_digits(whole) {
        return None;
    }
    let begun = fraction.bytes().any(|digit| digit != b'0');
    // So long a number that it is no `u64` is longer than a day too.
    let whole = whole.parse::<u64>().unwrap_or(u64::MAX);
    Some(whole.saturating_add(u64::from(begun)))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn said(values: &[&[u8]]) -> RetryAfter {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::RETRY_AFTER, HeaderValue::from_bytes(value).unwrap());
        }
        RetryAfter::of(&headers, "1994-11-06T08:49:00Z".parse().unwrap())
    }

    #[test]
    fn a_time_to_wait_is_seconds_or_any_form_of_an_http_date() {
        for (value, seconds) in [
            ("7", 7),
            ("0", 0),
            (" 12\t", 12),
            ("007", 7),
            ("1.5", 2),
            ("0.001", 1),
            ("3.000", 3),
            ("86399.1", 86_400),
            ("86400", 86_400),
            ("86401", 86_400),
            ("1000000000000000000000000", 86_400),
            ("18446744073709551615.5", 86_400),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 37),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 37),
            ("Sun Nov  6 08:49:37 1994", 37),
            ("Sun, 06 Nov 1994 08:49:00 GMT", 0),
            ("Tue, 06 Nov 1984 08:49:37 GMT", 0),
            ("Mon, 07 Nov 1994 08:48:59 GMT", 86_399),
            ("Fri, 06 Nov 2093 08:49:37 GMT", 86_400),
        ] {
            let wait = Duration::from_secs(seconds);
            assert_eq!(said(&[value.as_bytes()]), RetryAfter::Wait(wait), "{value}");
            assert_eq!(said(&[value.as_bytes()]).wait(), Some(wait), "{value}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_there_all_the_same() {
        for value in [
            "",
            " ",
            "-1",
            "soon",
            "1, 1",
            "1;2",
            "+5",
            "1e3",
            ".5",
            "5.",
            "1.5.0",
            "1,5",
            "0x10",
            "PT5S",
            "5s",
            "Sun, 06 Nov 1994",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "1994-11-06T08:49:37Z",
            "Sun, 31 Feb 1994 25:49:37 GMT",
        ] {
            assert_eq!(said(&[value.as_bytes()]), RetryAfter::Unreadable, "{value}");
            assert_eq!(said(&[value.as_bytes()]).wait(), None, "{value}");
        }
        assert_eq!(said(&["\u{661}".as_bytes()]), RetryAfter::Unreadable);
        assert_eq!(said(&[b"\xff"]), RetryAfter::Unreadable);
        assert_eq!(said(&[b"1", b"1"]), RetryAfter::Unreadable);
        assert_eq!(said(&[]), RetryAfter::Absent);
        assert_eq!(RetryAfter::default().wait(), None);
    }
}
