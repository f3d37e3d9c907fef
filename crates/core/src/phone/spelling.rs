//! How phone numbers are written: signs of every script, words before and behind them, fractions, several in one field.

use std::ops::RangeInclusive;

use rlibphonenumber::PHONE_NUMBER_UTIL;

use super::no_number;
use crate::text::{Refused, is_format};

/// What people put before an extension, the longer word first.
const EXTENSION_WORDS: &[&str] = &[
    "extension",
    "extensión",
    "extn",
    "ext",
    "anexo",
    "interno",
    "int",
    "доб",
    "x",
    "#",
];
/// The most digits of an extension.
const LONGEST_EXTENSION: usize = 7;
/// How many digits stand before the slash of `030/123456`, the prefix for abroad counted.
const AREA_DIGITS: RangeInclusive<usize> = 2..=7;
/// The fewest digits of a number that a spreadsheet made a fraction of.
const SHORTEST_WHOLE: usize = 7;

/// In ASCII: the digits of every script as ours, every dash a hyphen, every blank a blank. What is nobody's digit (marks of
/// direction and of form) is gone.
pub(super) fn plain(given: &str) -> Result<String, Refused> {
    // Most are so already.
    if given.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(given.to_owned());
    }
    let mut plain = String::with_capacity(given.len());
    for c in given.chars() {
        match c {
            '\t' => plain.push(' '),
            _ if is_format(c) => {}
            _ if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                return Err(Refused::new("control_character", "holds a control character"));
            }
            '\u{ff01}'..='\u{ff5e}' => plain.extend(char::from_u32(u32::from(c) - 0xfee0)),
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{30fc}' => plain.push('-'),
            '\u{b7}' => plain.push('.'),
            _ if c.is_whitespace() => plain.push(' '),
            _ => match PHONE_NUMBER_UTIL.normalize_digits_only(c.encode_utf8(&mut [0; 4])) {
                digit if digit.is_empty() => plain.push(c),
                digit => plain.push_str(&digit),
            },
        }
    }
    Ok(plain)
}

/// `tel:` of RFC 3966, with whatever stands before the number there.
pub(super) fn without_scheme(text: &str) -> &str {
    let text = text.trim();
    match text.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("tel:") => text[4..].trim(),
        _ => text,
    }
}

/// The number before `ext. 5`, `x5`, `#5`, `;ext=5` and the like, and whether there was one.
pub(super) fn without_extension(text: &str) -> (&str, bool) {
    let text = text.trim();
    let digits = text.trim_end_matches('#').trim_end();
    let rest = digits.trim_end_matches(|c: char| c.is_ascii_digit());
    let length = digits.len() - rest.len();
    if !(1..=LONGEST_EXTENSION).contains(&length) {
        return (text, false);
    }
    let rest = rest.trim_end_matches([' ', '.', ':', '=', '-']);
    let lower = rest.to_lowercase();
    let word = EXTENSION_WORDS.iter().find(|word| lower.ends_with(**word));
    // Lower case may have another length in bytes; then it is none of ours.
    let Some(before) = word.and_then(|word| rest.get(..rest.len().checked_sub(word.len())?)) else {
        return (text, false);
    };
    let number = before.trim_end_matches([' ', ',', ';', '.', '-', '(']);
    let is_number = digits_in(number) >= 5;
    if is_number && !number.ends_with(char::is_alphabetic) {
        (number, true)
    } else {
        (text, false)
    }
}

/// Without the `.0` that a spreadsheet's number ends in. Any other fraction is no number that anybody can call, and where a
/// zero at the end may be a fraction or a digit nobody can tell.
pub(super) fn without_fraction(number: &str) -> Result<&str, Refused> {
    let Some((whole, fraction)) = number.rsplit_once(['.', ',']) else {
        return Ok(number);
    };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(fraction) {
        return Ok(number);
    }
    let bare = whole.strip_prefix('+').unwrap_or(whole);
    let is_single = !whole.contains(['.', ',']);
    let refused = || {
        let detail = "is a number with a fraction: digits of it may be lost";
        Err(Refused::new("invalid_phone", detail))
    };
    if is_digits(bare) {
        let is_zero = fraction.bytes().all(|byte| byte == b'0');
        // `+1.2025550123` is how registries of domains write numbers (RFC 5733).
        if whole.starts_with('+') && bare.len() <= 3 {
            return Ok(number);
        }
        // What begins with 0 was no number to the spreadsheet, and what follows then may be a group of digits.
        let is_float = is_zero && bare.len() >= SHORTEST_WHOLE && (!bare.starts_with('0') || fraction.len() <= 2);
        return if is_float { Ok(whole) } else { refused() };
    }
    if fraction == "0" || (fraction == "00" && is_single) {
        return refused();
    }
    Ok(number)
}

/// Digits and what people put between them, of one number and whole.
pub(super) fn one_number(number: &str) -> Result<(), Refused> {
    let is_allowed = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '/' | '(' | ')' | '[' | ']' | '+');
    // `030 1234-` goes on somewhere else, and `-401234567` is a sum.
    let is_whole = !number.starts_with(['-', '/', '.', ')', ']']) && !number.ends_with(['-', '/', '(', '[']);
    let plus = number.trim_start_matches(['(', '[', ' ']);
    let has_one_plus = !plus.strip_prefix('+').unwrap_or(plus).contains('+');
    if number.chars().all(is_allowed)
        && is_whole
        && has_one_plus
        && !number.contains("..")
        && is_one_side_or_area(number)
    {
        Ok(())
    } else {
        Err(no_number())
    }
}

/// A slash stands between an area code and the rest (`030/123456`), or between two numbers or two endings of one.
fn is_one_side_or_area(number: &str) -> bool {
    let mut sides = number.split('/');
    match (sides.next().map(digits_in), sides.next().map(digits_in), sides.next()) {
        (_, None, _) => true,
        (Some(area), Some(rest), None) => AREA_DIGITS.contains(&area) && rest >= 5,
        _ => false,
    }
}

/// How many digits there are.
pub(super) fn digits_in(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}
