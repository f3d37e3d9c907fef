//! Moments as operators write them: RFC 3339, or an age such as `2h`.

use jiff::{SignedDuration, Timestamp};
use upsert_core::{Clock as _, SystemClock};

/// Now, for ages that people read.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// As somebody writes it.
pub(crate) fn parse(text: &str) -> Result<Timestamp, String> {
    at(text, now())
}

fn at(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    let age = humantime::parse_duration(text)
        .map_err(|_| "a moment is RFC 3339 (2026-01-31T12:00:00Z), or an age such as 2h, 30min or 3days".to_owned())?;
    SignedDuration::try_from(age)
        .ok()
        .and_then(|age| now.checked_sub(age).ok())
        .ok_or_else(|| "is too long ago".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_counts_back_from_now_and_a_time_stands_for_itself() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        for (text, wanted) in [
            ("2h", "2026-01-31T10:00:00Z"),
            ("1day 30min", "2026-01-30T11:30:00Z"),
            ("2026-01-01T00:00:00+01:00", "2025-12-31T23:00:00Z"),
        ] {
            assert_eq!(at(text, now).map(|at| at.to_string()), Ok(wanted.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        for text in ["yesterday", "2", "", "99999999999 years"] {
            assert!(at(text, now).is_err(), "{text}");
        }
    }
}
