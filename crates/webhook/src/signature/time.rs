//! Signed times: how they are written, and whether they are near enough.

use std::time::Duration;

use jiff::Timestamp;

use super::Forged;

/// Seconds since 1970 have at most so many digits; jiff's last year needs twelve.
const SECONDS: std::ops::RangeInclusive<usize> = 1..=12;
/// Milliseconds since 1970 have this many digits from 2001 to 2286.
const MILLISECONDS: usize = 13;

/// Seconds since 1970, in decimal digits and nothing else.
pub(super) fn seconds(text: &str) -> Option<Timestamp> {
    if !SECONDS.contains(&text.len()) || !is_digits(text) {
        return None;
    }
    Timestamp::from_second(text.parse().ok()?).ok()
}

/// Seconds or milliseconds since 1970, or RFC 3339.
pub(super) fn any(text: &str) -> Option<Timestamp> {
    if !is_digits(text) {
        return text.parse().ok();
    }
    if text.len() == MILLISECONDS {
        return Timestamp::from_millisecond(text.parse().ok()?).ok();
    }
    seconds(text)
}

/// Whether the signed time is near enough to now, before or after.
pub(super) fn near(signed: Timestamp, now: Timestamp, tolerance: Duration) -> Result<(), Forged> {
    if now.duration_since(signed).unsigned_abs() <= tolerance {
        Ok(())
    } else {
        Err(Forged::Stale)
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
