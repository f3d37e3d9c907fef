//! What keeps a spreadsheet from taking a text for a formula or a number: `'0123` and `="0123"`.

use std::borrow::Cow;

/// What a spreadsheet takes for the beginning of a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// The text that a guard stands around; none where there is no guard.
pub(crate) fn unguarded(cell: &str) -> Option<Cow<'_, str>> {
    if let Some(text) = cell.strip_prefix('\'') {
        let guards = |first: char| first.is_ascii_digit() || FORMULA.contains(&first);
        return text.starts_with(guards).then_some(Cow::Borrowed(text));
    }
    let text = cell.strip_prefix("=\"")?.strip_suffix('"')?;
    let is_one_text = text.replace("\"\"", "").find('"').is_none();
    is_one_text.then(|| Cow::Owned(text.replace("\"\"", "\"")))
}

/// Whether this is how spreadsheets show and save a long number: `7.21045E+12`. Of an id that leaves six digits or so. What only
/// looks alike, such as `12e5`, may be an id itself.
pub(crate) fn is_exponential(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.trim().split_once(['e', 'E']) else {
        return false;
    };
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match mantissa.split_once(['.', ',']) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let without_sign = exponent.strip_prefix(['+', '-']);
    let is_marked = fraction.is_some() || without_sign.is_some();
    let is_number = whole.len() == 1 && are_digits(whole) && fraction.is_none_or(are_digits);
    is_marked && is_number && are_digits(without_sign.unwrap_or(exponent))
}

/// The same text for a spreadsheet, with a guard where it needs one. A phone number needs none.
pub(crate) fn guarded(text: &str) -> Cow<'_, str> {
    let is_phone = text
        .strip_prefix('+')
        .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    if (text.starts_with(FORMULA) && !is_phone) || is_exponential(text) {
        Cow::Owned(format!("'{text}"))
    } else if unguarded(text).is_some() {
        // It looks as if it had one, and would lose it.
        Cow::Owned(format!("=\"{}\"", text.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_guard_goes_only_before_what_a_spreadsheet_would_change() {
        for (cell, text) in [
            ("'0123", "0123"),
            ("'7", "7"),
            ("'=1+1", "=1+1"),
            ("'+12025550123", "+12025550123"),
            ("'-5", "-5"),
            ("'@handle", "@handle"),
            ("'\tx", "\tx"),
            ("'\rx", "\rx"),
            ("=\"0123\"", "0123"),
            ("=\"\"", ""),
            ("=\"a \"\"b\"\" c\"", "a \"b\" c"),
            ("'=\"0123\"", "=\"0123\""),
            ("=\"'0123\"", "'0123"),
        ] {
            assert_eq!(unguarded(cell).as_deref(), Some(text), "{cell}");
        }
        for cell in [
            "'s-Hertogenbosch",
            "'t Hooft",
            "''0123",
            "'",
            "",
            "O'Brien",
            "' 0123",
            "0123",
            "=A1",
            "=\"a\"&\"b\"",
            "=\"",
            "= \"0\"",
            "'\u{661}",
            "'n Roux",
        ] {
            assert_eq!(unguarded(cell), None, "{cell}");
        }
    }

    #[test]
    fn a_text_gets_a_guard_where_it_would_be_a_formula_and_a_phone_number_none() {
        for (text, cell) in [
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("-5", "'-5"),
            ("@home", "'@home"),
            ("\tx", "'\tx"),
            ("\rx", "'\rx"),
            ("+1 202", "'+1 202"),
            ("+12025550123", "+12025550123"),
            ("0123", "0123"),
            ("1 Main St", "1 Main St"),
            ("'s-Hertogenbosch", "'s-Hertogenbosch"),
            ("'0123", "=\"'0123\""),
            ("=\"0\"", "'=\"0\""),
            ("7.2E+12", "'7.2E+12"),
            ("7E3", "7E3"),
        ] {
            assert_eq!(guarded(text), cell, "{text}");
        }
    }

    #[test]
    fn a_number_in_exponents_is_known_by_how_spreadsheets_write_it() {
        for text in [
            "7.21045E+12",
            "7,21045E+12",
            "3.97792e10",
            "1E+11",
            "7.210448301122e+12",
            " 1E-5 ",
        ] {
            assert!(is_exponential(text), "{text}");
        }
        for text in [
            "7210448301122",
            "E12",
            "7E",
            "7.E1",
            "1E5",
            "12345e67",
            "83e7",
            "1E+5x",
            "A1E+5",
            "7.2.1E5",
            "72.1E+5",
            "",
            "-7E+5",
            "0e",
            "1E+",
            "cus_1E5",
        ] {
            assert!(!is_exponential(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_guarded_is_the_same_text_again(text in "['=\"+@\\-\t\r 0a]{0,8}|[0-9]{1,2}[.]?[0-9]{0,2}[eE][+]?[0-9]{1,2}|\\PC{0,12}") {
            let cell = guarded(&text);
            let read = unguarded(&cell);
            prop_assert_eq!(read.unwrap_or(Cow::Borrowed(cell.as_ref())), text.as_str());
        }

        #[test]
        fn nothing_that_is_written_is_a_formula(text in "['=\"+@\\-\t\r 0a]{0,8}") {
            let cell = guarded(&text);
            let is_phone = cell.bytes().skip(1).all(|byte| byte.is_ascii_digit());
            let is_text = cell.starts_with("=\"'") && cell.ends_with('"');
            prop_assert!(!cell.starts_with(FORMULA) || is_phone || is_text, "{cell}");
        }
    }
}
