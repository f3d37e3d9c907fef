//! What events of one customer are put in order by: a time or a version.

use std::fmt;

use jiff::Timestamp;
use serde_json::Value as Json;

/// A time or a version, so spelled that the later of two of a kind is the greater text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order(String);

/// How many digits a number may have, and how far its point may be moved.
const MOST_DIGITS: usize = 64;
const FARTHEST_POINT: i64 = 4_000;
/// Added to the place of the point, so that it is never negative and always four digits.
const MIDDLE: i64 = 5_000;

impl Order {
    /// RFC 3339 times (any offset), whole or decimal numbers (also as text).
    pub fn read(value: &Json) -> Option<Self> {
        match value {
            Json::Number(number) => Self::number(&number.to_string()),
            Json::String(text) => {
                let text = text.trim();
                Self::number(text).or_else(|| Self::time(text))
            }
            _ => None,
        }
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

    /// When that was, if it is a time: RFC 3339, or a number that reads as seconds or milliseconds since 1970 of this age.
    pub fn moment(&self) -> Option<Timestamp> {
        if let Some(time) = self.0.strip_prefix('t') {
            return time.parse().ok();
        }
        // `n2`, four digits with the place of the point, and the digits.
        let (point, digits) = self.0.strip_prefix("n2")?.split_at_checked(4)?;
        let whole = usize::try_from(point.parse::<i64>().ok()? - MIDDLE).ok()?;
        let padded = format!("{digits:0<13}");
        let number = |places| padded.get(..places).and_then(|text| text.parse::<i64>().ok());
        match whole {
            10 => Timestamp::from_second(number(10)?).ok(),
            13 => Timestamp::from_millisecond(number(13)?).ok(),
            _ => None,
        }
    }

    /// `t2026-11-20T08:15:30.000000000Z`: UTC to the nanosecond. A year before 0 would be longer, and is no RFC 3339.
    fn time(text: &str) -> Option<Self> {
        let has_year = text.as_bytes().first().is_some_and(u8::is_ascii_digit);
        let at: Timestamp = text.parse().ok().filter(|_| has_year)?;
        let spelled = format!("t{at:.9}");
        (!spelled.starts_with("t-")).then_some(Self(spelled))
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
            _ => return f.write_str(self.0.strip_prefix('t').unwrap_or(&self.0)),
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

/// A number as `0.digits` times ten to the `point`; no digits: zero.
struct Decimal {
    negative: bool,
    point: i64,
    digits: String,
}

impl Decimal {
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
mod tests {
    use jiff::SignedDuration;
    use jiff::tz::Offset;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "values are written where they are read")]
    fn read(value: Json) -> Order {
        Order::read(&value).unwrap_or_else(|| panic!("{value} has an order"))
    }

    #[test]
    fn times_are_compared_as_instants_whatever_their_offset() {
        let noon = read(json!("2026-11-20T12:00:00Z"));
        assert_eq!(noon.as_str(), "t2026-11-20T12:00:00.000000000Z");
        assert_eq!(noon, read(json!("2026-11-20T07:00:00-05:00")));
        assert!(noon.is_older_than(&read(json!("2026-11-20T12:00:00.001+00:00"))));
        assert!(read(json!("2026-11-20T13:00:00+02:00")).is_older_than(&noon));
    }

    #[test]
    fn numbers_are_compared_by_value_also_as_text_and_below_zero() {
        let rising = [
            json!("-1e300"),
            json!(-200),
            json!("-12.5"),
            json!(-12),
            json!("-0.001"),
            json!(0),
            json!(0.25),
            json!("1"),
            json!(9),
            json!(10),
            json!("10.5"),
            json!(1_700_000_000_000_u64),
            json!("123456789012345678901234567890"),
        ];
        for pair in rising.windows(2) {
            let (older, newer) = (read(pair[0].clone()), read(pair[1].clone()));
            assert!(older.is_older_than(&newer) && !newer.is_older_than(&older), "{pair:?}");
        }
        for same in ["7", "7.0", "07", "+7", "70e-1", " 7 "] {
            assert_eq!(read(json!(same)), read(json!(7)), "{same}");
        }
        assert_eq!(read(json!("-0")), read(json!(0)));
    }

    #[test]
    fn people_are_shown_a_number_or_a_time() {
        for same in [
            "0",
            "7",
            "-7",
            "700",
            "-12.5",
            "0.001",
            "1763625600412",
            "0.5e-30",
            "0.12e300",
            "2026-11-20T12:00:00.000000000Z",
        ] {
            assert_eq!(read(json!(same)).to_string(), same);
        }
    }

    #[test]
    fn what_is_neither_has_no_order() {
        let long = "9".repeat(70);
        for other in [
            json!(null),
            json!(true),
            json!([1]),
            json!({}),
            json!(""),
            json!("soon"),
            json!("1,5"),
            json!("0x10"),
            json!("1e9999"),
            json!("."),
            json!("-"),
            json!("--1"),
            json!("2026-11-20"),
            json!("2026-11-20T12:00:00"),
            json!("-000001-01-01T00:00:00Z"),
            json!(long),
            json!("1e"),
            json!("NaN"),
            json!("0000-01-01T00:00:00+05:00"),
        ] {
            assert_eq!(Order::read(&other), None, "{other}");
        }
    }

    #[test]
    fn a_time_and_a_version_are_not_compared() {
        let (time, version) = (read(json!("2026-11-20T12:00:00Z")), read(json!(3)));
        assert!(!time.is_older_than(&version) && !version.is_older_than(&time));
    }

    proptest! {
        #[test]
        fn the_order_of_texts_is_the_order_of_whole_numbers(a: i64, b: i64) {
            let (first, second) = (read(json!(a)), read(json!(b.to_string())));
            prop_assert_eq!(first.as_str().cmp(second.as_str()), a.cmp(&b));
        }

        #[test]
        fn the_order_of_texts_is_the_order_of_decimals(a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000, places in 0_u32..8) {
            let text = |n: i64| {
                let scale = 10_i64.pow(places);
                let sign = if n < 0 { "-" } else { "" };
                format!("{sign}{}.{:0width$}", n.abs() / scale, n.abs() % scale, width = places.max(1) as usize)
            };
            let (first, second) = (read(json!(text(a))), read(json!(text(b))));
            prop_assert_eq!(first.as_str().cmp(second.as_str()), a.cmp(&b));
        }

        #[test]
        fn the_order_of_texts_is_the_order_of_instants(
            a in 0_i64..250_000_000_000, b in 0_i64..250_000_000_000, nanos in 0_i32..1_000_000_000, hours in -23_i8..=23,
        ) {
            let at = |seconds| Timestamp::UNIX_EPOCH + SignedDuration::new(seconds, nanos);
            let local = at(b).display_with_offset(Offset::constant(hours)).to_string();
            let (first, second) = (read(json!(at(a).to_string())), read(json!(local)));
            prop_assert_eq!(first.as_str().cmp(second.as_str()), a.cmp(&b));
        }

        #[test]
        fn what_people_are_shown_is_read_as_the_same(digits in "-?[0-9]{1,20}([.][0-9]{1,12})?(e-?[0-9]{1,3})?", seconds in 0_i64..250_000_000_000) {
            let number = read(json!(digits));
            prop_assert_eq!(&read(json!(number.to_string())), &number);
            let time = read(json!(Timestamp::from_second(seconds).unwrap().to_string()));
            prop_assert_eq!(&read(json!(time.to_string())), &time);
        }

        #[test]
        fn no_text_is_too_much(text in ".{0,80}") {
            let _ = Order::read(&json!(text));
        }
    }
}
