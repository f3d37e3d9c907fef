//! Vendors' ids of records, as texts.

use serde_json::Value as Json;
use upsert_core::text::is_plain_line;

/// Below this a number that was read as a floating-point one, and perhaps rounded by a last digit, is whole only if it was
/// written so.
const EXACT_BELOW: f64 = 1e15;

/// The text of an id: a text that is not blank as it is, a number as its integer where that is exact (`1022.0`,
/// `7.06e12`). None for anything else: a rounded id is another record's.
pub fn record_id(json: &Json) -> Option<String> {
    match json {
        Json::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Json::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(id), _, _) => Some(id.to_string()),
            (_, Some(id), _) => Some(id.to_string()),
            (_, _, Some(id)) if id.fract() == 0.0 && id.abs() < EXACT_BELOW => Some(format!("{:.0}", id + 0.0)),
            _ => None,
        },
        _ => None,
    }
}

/// The most characters of a vendor's id.
const LONGEST: usize = 255;

/// Whether an id can be kept and shown: not blank, at most 255 characters, and a plain line. Whatever else a vendor gives would
/// fill the store and deceive whoever reads a page.
pub(crate) fn is_fit(id: &str) -> bool {
    !id.trim().is_empty() && id.chars().nth(LONGEST).is_none() && is_plain_line(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_or_controls_is_no_id() {
        let long = "é".repeat(LONGEST);
        for fit in ["CUST-1", " a ", "Ann's 客戶 #1/2", long.as_str()] {
            assert!(is_fit(fit), "{fit}");
        }
        let longer = format!("{long}é");
        let unfit = [
            "",
            " ",
            "a\0",
            "a\nb",
            "\u{7f}",
            "a\u{202e}b",
            "\u{2066}a",
            "a\u{2028}b",
            &longer,
        ];
        for unfit in unfit {
            assert!(!is_fit(unfit), "{unfit:?}");
        }
    }

    #[test]
    fn an_id_is_its_text_or_its_exact_integer_and_nothing_else() {
        for (shown, id) in [
            (r#""CUST-1""#, Some("CUST-1")),
            (r#"" a ""#, Some(" a ")),
            (r#""1022.0""#, Some("1022.0")),
            ("1022", Some("1022")),
            ("1022.0", Some("1022")),
            ("7.06e12", Some("7060000000000")),
            ("-3", Some("-3")),
            ("-3.0", Some("-3")),
            ("-9007199254740993", Some("-9007199254740993")),
            ("-0.0", Some("0")),
            ("18446744073709551615", Some("18446744073709551615")),
            ("999999999999999.0", Some("999999999999999")),
            ("1e15", None),
            ("9007199254740991.0", None),
            ("18446744073709551616", None),
            ("1e300", None),
            ("1022.5", None),
            (r#""""#, None),
            (r#"" ""#, None),
            ("null", None),
            ("true", None),
            ("[1]", None),
            (r#"{"id":1}"#, None),
        ] {
            let json: Json = serde_json::from_str(shown).unwrap();
            assert_eq!(record_id(&json).as_deref(), id, "{shown}");
        }
    }
}
