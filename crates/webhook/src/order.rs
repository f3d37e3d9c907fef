//! What events of one customer are put in order by: a time or a version.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value as Json;
use strum::{EnumDiscriminants, EnumString, IntoStaticStr, VariantArray};

/// What stands where a source says that its events are ordered by.
#[derive(Debug, Clone, PartialEq, EnumDiscriminants)]
#[strum_discriminants(
    name(OrderBy),
    doc = "Which of the two it is.",
    derive(Serialize, EnumString, IntoStaticStr, VariantArray),
    serde(rename_all = "snake_case"),
    strum(serialize_all = "snake_case")
)]
pub enum OrderKind {
    /// A moment. Times that name no zone are of this one.
    Time {
        /// Such as UTC.
        zone: TimeZone,
    },
    /// A counter or a version: never a time.
    Number,
}

/// The farthest that a clock on earth was ever off UTC, in seconds.
const FARTHEST: i32 = 18 * 3_600;

impl Default for OrderKind {
    fn default() -> Self {
        Self::Time { zone: TimeZone::UTC }
    }
}

impl OrderKind {
    /// The zone of this name: `UTC`, an offset such as `+02:00`, or a name of the IANA's such as `America/New_York`.
    pub fn zone(name: &str) -> Option<TimeZone> {
        let is_posix = name.contains(',') || name.chars().any(char::is_whitespace);
        let zone = DateTimeParser::new().parse_time_zone(name).ok()?;
        let is_near = zone
            .to_fixed_offset()
            .map_or(true, |offset| offset.seconds().abs() <= FARTHEST);
        (!name.is_empty() && !is_posix && is_near).then_some(zone)
    }
}

/// A time or a version, so spelled that the later of two of a kind is the greater text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order(String);

/// How many digits a number may have, and how far its point may be moved.
const MOST_DIGITS: usize = 64;
const FARTHEST_POINT: i64 = 4_000;
/// Added to the place of the point, so that it is never negative and always four digits.
const MIDDLE: i64 = 5_000;

impl Order {
    /// What stands in an event. A moment: RFC 3339, the same without a zone, with a blank for `T`, a date alone, or a number
    /// since 1970, of seconds, milliseconds, microseconds or nanoseconds by its size. A version: a whole or decimal number.
    /// Numbers may be texts.
    pub fn read(value: &Json, kind: &OrderKind) -> Option<Self> {
        let text = match value {
            Json::Number(number) => number.to_string(),
            Json::String(text) => text.trim().to_owned(),
            _ => return None,
        };
        match kind {
            OrderKind::Number => Self::number(&text),
            OrderKind::Time { zone } => match Decimal::read(&text) {
                Some(number) => Self::at(number.since_1970()?),
                None => Self::at(moment(&text, zone)?),
            },
        }
    }

    /// `t2026-11-20T08:15:30.000000000Z`: UTC to the nanosecond. A year before 0 would be longer, and is no RFC 3339.
    pub fn at(moment: Timestamp) -> Option<Self> {
        let spelled = format!("t{moment:.9}");
        (!spelled.starts_with("t-")).then_some(Self(spelled))
    }

    /// As it is kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What was kept.
    pub fn kept(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether `self` is older than `other`. A time and a version cannot be compared: neither is older.
    pub fn is_older_than(&self, other: &Self) -> bool {
        self.0.as_bytes().first() == other.0.as_bytes().first() && self.0 < other.0
    }

    /// When that was, if it is a time. A number of seconds as small as a counter's compares as what it is, and tells no time.
    pub fn moment(&self) -> Option<Timestamp> {
        const LEAST_SECONDS: i64 = 100_000_000;
        let time: Timestamp = self.0.strip_prefix('t')?.parse().ok()?;
        (time.as_second() >= LEAST_SECONDS).then_some(time)
    }

    /// `n`, then 0, 1 or 2 for less than zero, zero or more; the place of the point; the digits from the first that is not 0
    /// to the last that is not. Of a negative number all digits are turned around, and `~`, greater than any, ends them.
    fn number(text: &str) -> Option<Self> {
        let Decimal {
            negative,
            point,
            digits,
        } = Decimal::read(text)?;
        if digits.is_empty() {
            return Some(Self("n1".to_owned()));
        }
        let spelled = format!("{:04}{digits}", MIDDLE + point);
        Some(Self(if negative {
            format!("n0{}~", turned(&spelled))
        } else {
            format!("n2{spelled}")
        }))
    }

    /// A counter that was read as seconds is shown as what it is.
    fn moment_to(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.strip_prefix('t').unwrap_or(&self.0);
        let counter: Option<Timestamp> = text.parse().ok().filter(|_| self.moment().is_none());
        let Some(counter) = counter else {
            return f.write_str(text);
        };
        let nanos = counter.as_nanosecond();
        let (sign, nanos) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
        let seconds = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
        write!(f, "{sign}{}", seconds.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// For people: the time in UTC, or the number, as `Order::read` reads it again.
impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// More zeros than this say less than an exponent.
        const MOST_ZEROS: i64 = 24;
        let (sign, spelled) = match self.0.get(..2) {
            Some("n0") => ("-", turned(self.0.get(2..).unwrap_or_default().trim_end_matches('~'))),
            Some("n2") => ("", self.0.get(2..).unwrap_or_default().to_owned()),
            Some("n1") => return f.write_str("0"),
            _ => return self.moment_to(f),
        };
        let (place, digits) = spelled.split_at_checked(4).unwrap_or((&spelled, ""));
        let point = place.parse::<i64>().unwrap_or(MIDDLE) - MIDDLE;
        let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or_default());
        let after = i64::try_from(digits.len()).unwrap_or_default() - point;
        match usize::try_from(point) {
            _ if point < -MOST_ZEROS || -after > MOST_ZEROS => write!(f, "{sign}0.{digits}e{point}"),
            Ok(_) if after <= 0 => write!(f, "{sign}{digits}{}", zeros(-after)),
            Ok(at) if at > 0 => match digits.split_at_checked(at) {
                Some((whole, fraction)) => write!(f, "{sign}{whole}.{fraction}"),
                None => write!(f, "{sign}{digits}"),
            },
            _ => write!(f, "{sign}0.{}{digits}", zeros(-point)),
        }
    }
}

/// Each digit as what it lacks to nine.
fn turned(digits: &str) -> String {
    let turn = |digit: u8| char::from(b'9' - digit.saturating_sub(b'0').min(9));
    digits.bytes().map(turn).collect()
}

/// The moment that a text tells of; one that names no zone is of `zone`.
fn moment(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if !text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    // `2026-11-20 08:15:30 +0100`, `… UTC`: some put a blank before the zone.
    let joined = match text.rsplit_once(char::is_whitespace) {
        Some((rest, "UTC" | "GMT" | "Z" | "z")) => format!("{}Z", rest.trim_end()),
        Some((rest, offset)) if offset.starts_with(['+', '-']) => format!("{}{offset}", rest.trim_end()),
        _ => text.to_owned(),
    };
    if let Ok(moment) = joined.parse() {
        return Some(moment);
    }
    let time = text.split_once(['T', 't', ' ']).map_or("", |(_, time)| time);
    let names_no_zone = time.bytes().all(|byte| byte.is_ascii_digit() || b":.,".contains(&byte));
    let local: DateTime = text.parse().ok().filter(|_| names_no_zone)?;
    zone.to_timestamp(local).ok()
}

/// A number as `0.digits` times ten to the `point`; no digits: zero.
struct Decimal {
    negative: bool,
    point: i64,
    digits: String,
}

impl Decimal {
    /// As a length of time since 1970. Seconds have up to 11 digits (until the year 5138), and each smaller unit three more.
    fn since_1970(&self) -> Option<Timestamp> {
        let unit = match self.point {
            ..=11 => 9,
            12..=14 => 6,
            15..=17 => 3,
            18..=20 => 0,
            _ => return None,
        };
        let whole = usize::try_from(self.point + unit).unwrap_or_default();
        let nanos: String = self.digits.chars().chain(std::iter::repeat('0')).take(whole).collect();
        let nanos: i128 = if nanos.is_empty() { 0 } else { nanos.parse().ok()? };
        Timestamp::from_nanosecond(if self.negative { -nanos } else { nanos }).ok()
    }

    fn read(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) || whole.len() + fraction.len() > MOST_DIGITS {
            return None;
        }
        let exponent: i64 = exponent.parse().ok().filter(|n: &i64| n.abs() <= FARTHEST_POINT)?;
        let all = format!("{whole}{fraction}");
        let leading = all.len() - all.trim_start_matches('0').len();
        Some(Self {
            negative,
            point: i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()? + exponent,
            digits: all.trim_matches('0').to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
