use jiff::SignedDuration;
use jiff::tz::Offset;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn time() -> OrderKind {
    OrderKind::default()
}

#[expect(clippy::needless_pass_by_value, reason = "values are written where they are read")]
fn at(value: Json) -> Order {
    Order::read(&value, &time()).unwrap_or_else(|| panic!("{value} is a moment"))
}

#[expect(clippy::needless_pass_by_value, reason = "values are written where they are read")]
fn number(value: Json) -> Order {
    Order::read(&value, &OrderKind::Number).unwrap_or_else(|| panic!("{value} is a number"))
}

#[test]
fn every_spelling_of_a_moment_is_that_moment() {
    let noon = "t2026-11-20T12:00:00.000000000Z";
    for spelled in [
        json!("2026-11-20T12:00:00Z"),
        json!("2026-11-20T07:00:00-05:00"),
        json!("2026-11-20T12:00:00"),
        json!("2026-11-20 12:00:00"),
        json!(" 2026-11-20 12:00:00.000 "),
        json!("2026-11-20t12:00:00z"),
        json!("2026-11-20 12:00:00Z"),
        json!("2026-11-20 12:00:00 UTC"),
        json!("2026-11-20 13:00:00 +0100"),
        json!("2026-11-20T13:00:00+0100"),
        json!("2026-11-20T12:00:00.000000Z"),
        json!("20261120T120000Z"),
        json!("2026-11-20T12:00"),
        json!(1_795_176_000),
        json!("1795176000"),
        json!(1_795_176_000.0),
        json!(1_795_176_000_000_u64),
        json!(1_795_176_000_000_000_u64),
        json!(1_795_176_000_000_000_000_u64),
        json!("1795176000.000"),
        json!("1.795176e9"),
    ] {
        assert_eq!(at(spelled.clone()).as_str(), noon, "{spelled}");
    }
    assert_eq!(at(json!("2026-11-20")).as_str(), "t2026-11-20T00:00:00.000000000Z");
    assert_eq!(
        at(json!("1795176000.000200")).as_str(),
        "t2026-11-20T12:00:00.000200000Z"
    );
    assert_eq!(at(json!("1795176000412")).as_str(), "t2026-11-20T12:00:00.412000000Z");
    assert_eq!(at(json!(0)).as_str(), "t1970-01-01T00:00:00.000000000Z");
    assert_eq!(at(json!(-1.5)).as_str(), "t1969-12-31T23:59:58.500000000Z");
}

#[test]
fn all_spellings_compare_with_each_other() {
    let rising = [
        json!("2026-11-19"),
        json!("2026-11-20"),
        json!("2026-11-20 11:59:59"),
        json!(1_795_176_000),
        json!("2026-11-20T07:00:00.001-05:00"),
        json!(1_795_176_000_002_u64),
        json!("2026-11-20T12:00:00.003"),
        json!(1_795_176_000_004_000_u64),
        json!(1_795_176_000_005_000_000_u64),
        json!("2026-11-20T12:00:01Z"),
        json!("2026-11-21"),
        json!("2062-01-01T00:00:00"),
    ];
    for pair in rising.windows(2) {
        let (older, newer) = (at(pair[0].clone()), at(pair[1].clone()));
        assert!(older.is_older_than(&newer) && !newer.is_older_than(&older), "{pair:?}");
    }
}

#[test]
fn a_time_without_a_zone_is_of_the_source_s() {
    for (zone, spelled, moment) in [
        ("UTC", "2026-07-01 12:00:00", "2026-07-01T12:00:00Z"),
        ("+02:00", "2026-07-01 12:00:00", "2026-07-01T10:00:00Z"),
        ("-05:30", "2026-07-01T12:00:00", "2026-07-01T17:30:00Z"),
        ("+1000", "2026-07-01", "2026-06-30T14:00:00Z"),
        ("America/New_York", "2026-07-01T12:00:00", "2026-07-01T16:00:00Z"),
        ("America/New_York", "2026-12-01T12:00:00", "2026-12-01T17:00:00Z"),
        ("Australia/Sydney", "2026-01-15", "2026-01-14T13:00:00Z"),
        ("Asia/Kolkata", "2026-01-15 00:00", "2026-01-14T18:30:00Z"),
        ("Europe/Berlin", "2026-07-01T12:00:00Z", "2026-07-01T12:00:00Z"),
        ("Europe/Berlin", "1782907200", "2026-07-01T12:00:00Z"),
        // On the night when clocks are put back it is the first of the two.
        ("Europe/Berlin", "2026-10-25 02:30:00", "2026-10-25T00:30:00Z"),
    ] {
        let zone = OrderKind::zone(zone).unwrap_or_else(|| panic!("{zone} is a zone"));
        let read = Order::read(&json!(spelled), &OrderKind::Time { zone });
        assert_eq!(read, Order::at(moment.parse().unwrap()), "{spelled}");
    }
    for none in ["", "Nowhere/City", "+25:00", "noon", "EST5EDT,M3.2.0,M11.1.0", "2026"] {
        assert_eq!(OrderKind::zone(none), None, "{none}");
    }
}

#[test]
fn what_tells_no_moment_is_not_read_as_one() {
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
        json!("--1"),
        json!("20/11/2026"),
        json!("11-20-2026"),
        json!("2026-13-01"),
        json!("2026-11-31"),
        json!("2026-11-20T25:00:00"),
        json!("2026-11-20T12:00:00 CEST"),
        json!("2026-11-20T12:00:00+99:00"),
        json!("12:00:00"),
        json!("-000001-01-01T00:00:00Z"),
        json!("9".repeat(70)),
        json!("9".repeat(21)),
        json!("NaN"),
        json!("0000-01-01T00:00:00+05:00"),
    ] {
        assert_eq!(Order::read(&other, &time()), None, "{other}");
    }
}

#[test]
fn versions_are_compared_by_value_also_as_text_and_below_zero() {
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
        let (older, newer) = (number(pair[0].clone()), number(pair[1].clone()));
        assert!(older.is_older_than(&newer) && !newer.is_older_than(&older), "{pair:?}");
    }
    for same in ["7", "7.0", "07", "+7", "70e-1", " 7 "] {
        assert_eq!(number(json!(same)), number(json!(7)), "{same}");
    }
    assert_eq!(number(json!("-0")), number(json!(0)));
    let same = (number(json!(7)), number(json!("7.0")));
    assert!(!same.0.is_older_than(&same.1) && !same.1.is_older_than(&same.0));
    // 64 digits are read, before and behind the point, and not one more.
    let digits = |count: usize| format!("1.{}", "3".repeat(count - 1));
    assert!(number(json!(digits(63))).is_older_than(&number(json!(digits(64)))));
    assert_eq!(Order::read(&json!(digits(65)), &OrderKind::Number), None);
    assert_eq!(Order::read(&json!("3".repeat(70)), &OrderKind::Number), None);
    for time in ["2026-11-20", "2026-11-20T12:00:00Z", "12:00"] {
        assert_eq!(Order::read(&json!(time), &OrderKind::Number), None, "{time}");
    }
    // What would be seconds and milliseconds of one moment are two versions.
    assert!(number(json!(1_795_176_000)).is_older_than(&number(json!(1_795_176_000_000_u64))));
    assert_eq!(number(json!(1_795_176_000)).moment(), None);
}

#[test]
fn a_moment_is_told_of_a_time_and_not_of_a_counter() {
    assert_eq!(at(json!(1_795_176_000)).moment(), "2026-11-20T12:00:00Z".parse().ok());
    assert_eq!(at(json!(7)).moment(), None);
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
    ] {
        assert_eq!(number(json!(same)).to_string(), same);
    }
    let noon = "2026-11-20T12:00:00.000000000Z";
    assert_eq!(at(json!(noon)).to_string(), noon);
    for counter in ["0", "7", "-7", "700", "-12.5", "0.001", "99999999"] {
        assert_eq!(at(json!(counter)).to_string(), counter);
    }
}

#[test]
fn a_time_and_a_version_are_not_compared() {
    let (time, version) = (at(json!("2026-11-20T12:00:00Z")), number(json!(3)));
    assert!(!time.is_older_than(&version) && !version.is_older_than(&time));
}

proptest! {
    #[test]
    fn the_order_of_texts_is_the_order_of_whole_numbers(a: i64, b: i64) {
        let (first, second) = (number(json!(a)), number(json!(b.to_string())));
        prop_assert_eq!(first.as_str().cmp(second.as_str()), a.cmp(&b));
    }

    #[test]
    fn the_order_of_texts_is_the_order_of_decimals(a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000, places in 0_u32..8) {
        let text = |n: i64| {
            let scale = 10_i64.pow(places);
            let sign = if n < 0 { "-" } else { "" };
            format!("{sign}{}.{:0width$}", n.abs() / scale, n.abs() % scale, width = places.max(1) as usize)
        };
        let (first, second) = (number(json!(text(a))), number(json!(text(b))));
        prop_assert_eq!(first.as_str().cmp(second.as_str()), a.cmp(&b));
    }

    #[test]
    fn the_order_of_texts_is_the_order_of_instants(
        a in 0_i64..250_000_000_000, b in 0_i64..250_000_000_000, nanos in 0_i32..1_000_000_000, hours in -23_i8..=23,
    ) {
        let moment = |seconds| Timestamp::UNIX_EPOCH + SignedDuration::new(seconds, nanos);
        let local = moment(b).display_with_offset(Offset::constant(hours)).to_string();
        let (first, second) = (at(json!(moment(a).to_string())), at(json!(local)));
        prop_assert_eq!(first.as_str().cmp(second.as_str()), a.cmp(&b));
    }

    #[test]
    fn a_moment_is_the_same_in_every_unit(millis in 100_000_000_000_i64..4_000_000_000_000) {
        let text = Timestamp::from_millisecond(millis).unwrap().to_string();
        let same = at(json!(text));
        prop_assert_eq!(&same, &at(json!(millis)));
        prop_assert_eq!(&same, &at(json!(millis * 1_000)));
        prop_assert_eq!(&same, &at(json!(millis * 1_000_000)));
        prop_assert_eq!(&same, &at(json!(format!("{}.{:03}", millis / 1_000, millis % 1_000))));
        prop_assert_eq!(&same, &at(json!(text.trim_end_matches('Z').replace('T', " "))));
    }

    #[test]
    fn what_people_are_shown_is_read_as_the_same(digits in "-?[0-9]{1,20}([.][0-9]{1,12})?(e-?[0-9]{1,3})?", seconds in 0_i64..250_000_000_000) {
        let version = number(json!(digits));
        prop_assert_eq!(&number(json!(version.to_string())), &version);
        let time = at(json!(Timestamp::from_second(seconds).unwrap().to_string()));
        prop_assert_eq!(&at(json!(time.to_string())), &time);
    }

    #[test]
    fn no_text_is_too_much(text in ".{0,80}") {
        let _ = Order::read(&json!(text), &time());
        let _ = Order::read(&json!(text), &OrderKind::Number);
    }
}
