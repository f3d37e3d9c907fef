//! `Retry-After`, in seconds or as an HTTP date (RFC 9110, section 10.2.3).

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// Longer waits than a day are cut to one: a vendor that asks for more is probed again then.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

const HTTP_DATE: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);

/// How long from `now`. A date in the past asks for no wait; what cannot be read is none.
pub fn parse_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if value.bytes().all(|b| b.is_ascii_digit()) && !value.is_empty() {
        let seconds = value.parse::<u64>().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds.min(LONGEST.as_secs())));
    }
    // A wrong weekday does not make the moment less clear.
    let date = HTTP_DATE.parse_timestamp(value).ok()?;
    let wait = Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO);
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_dates_and_nonsense_are_told_apart() {
        let now: Timestamp = "1994-11-06T08:49:00Z".parse().unwrap();
        let seconds = |s| Some(Duration::from_secs(s));
        assert_eq!(parse_retry_after("7", now), seconds(7));
        assert_eq!(parse_retry_after("0", now), seconds(0));
        assert_eq!(parse_retry_after("1000000000000000000000000", now), seconds(86_400));
        assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), seconds(37));
        assert_eq!(parse_retry_after("Sun, 06 Nov 1984 08:49:37 GMT", now), seconds(0));
        assert_eq!(parse_retry_after("Sun, 06 Nov 2094 08:49:37 GMT", now), seconds(86_400));
        for nonsense in ["", "-1", "soon", "1.5"] {
            assert_eq!(parse_retry_after(nonsense, now), None, "{nonsense}");
        }
    }
}
