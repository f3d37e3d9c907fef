//! Phone numbers: from what people and spreadsheets write to E.164, or a refusal. Never to another number.

use std::sync::LazyLock;

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, PhoneNumberType, Region};

use crate::text::{Refused, is_format, trimmed};

/// The longest text that is read as a number, in characters.
const LONGEST: usize = 64;
/// How many digits a number of the world has, with its calling code (E.164; shorter ones are none that a stranger can call).
const DIGITS: std::ops::RangeInclusive<usize> = 8..=15;
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

/// A number that was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Phone {
    /// The number.
    pub e164: String,
    /// Whether an extension stood behind it, which has no place in E.164.
    pub has_extension: bool,
}

/// A phone number as E.164, from how it is written. `region` (ISO 3166-1 alpha-2) reads numbers that come without a country
/// code.
///
/// A number is taken when its length is possible in its country, assigned or not: lists of ranges lag behind the numbers that
/// people have. With `+` and an assigned calling code even its length is not asked ([`is_likely`] tells).
///
/// # Errors
/// `invalid_phone`, and `empty`, `too_long` as for any text. An extension refuses it: see [`read`].
pub fn phone(raw: &str, region: Option<&str>) -> Result<String, Refused> {
    let read = read(raw, region)?;
    if read.has_extension {
        return Err(extension());
    }
    Ok(read.e164)
}

/// As [`phone`], but an extension is cut off and told.
///
/// # Errors
/// As for [`phone`].
pub fn read(raw: &str, region: Option<&str>) -> Result<Phone, Refused> {
    let given = trimmed(raw);
    if given.is_empty() {
        return Err(Refused::empty());
    }
    if given.chars().count() > LONGEST {
        return Err(Refused::too_long(LONGEST));
    }
    let plain = plain(given)?;
    let (number, has_extension) = without_extension(without_scheme(&plain));
    let region = region.and_then(|region| region.parse::<Region>().ok());
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    if digits == 0 || number.trim().is_empty() {
        return Err(no_number());
    }
    let e164 = if number.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        vanity(number, region)?
    } else {
        dialled(number, region)?
    };
    Ok(Phone { e164, has_extension })
}

/// Why a number with an extension is refused where nothing may be left out.
pub(crate) fn extension() -> Refused {
    Refused::new(
        "invalid_phone",
        "has an extension, which has no place in E.164: leave it out, or keep it in metadata or notes",
    )
}

fn no_number() -> Refused {
    Refused::new("invalid_phone", "is not a phone number")
}

/// Whether our tables think that such a number can exist. One that is unlikely is kept and sent, and identifies nobody.
pub fn is_likely(e164: &str) -> bool {
    let number = PHONE_NUMBER_UTIL.parse(e164, None);
    number.is_ok_and(|number| possible(&number) == Some(NumberLengthType::IsPossible))
}

/// The digits after the calling code.
pub(crate) fn national_digits(e164: &str) -> Option<String> {
    let number = PHONE_NUMBER_UTIL.parse(e164, None).ok()?;
    Some(rlibphonenumber::get_national_significant_number_owned(&number))
}

/// Whether the national number is one digit again and again, which is what people type who do not want to give theirs.
pub fn is_repeated_digit(e164: &str) -> bool {
    let national = national_digits(e164);
    let national = national.as_deref().unwrap_or(e164.trim_start_matches('+'));
    is_one_digit(national)
}

fn is_one_digit(digits: &str) -> bool {
    let mut bytes = digits.bytes();
    bytes
        .next()
        .is_some_and(|first| bytes.len() > 0 && bytes.all(|byte| byte == first))
}

/// A phone number in its country's own notation, from E.164. `None` if it cannot be read.
pub fn national_phone(e164: &str) -> Option<String> {
    let number = PHONE_NUMBER_UTIL.parse(e164, None).ok()?;
    let national = PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::National);
    Some(national.into_owned())
}

/// Reads the phone metadata now, so that no request pays for it.
pub fn warm_up() {
    static WARM: LazyLock<()> = LazyLock::new(|| {
        for (number, region) in [("+12025550123", "US"), ("+442079460000", "GB"), ("0401 234 567", "AU")] {
            let _ = phone(number, Some(region));
        }
    });
    LazyLock::force(&WARM);
}

/// In ASCII: the digits of every script as ours, every dash a hyphen, every blank a blank. What is nobody's digit (marks of
/// direction and of form) is gone.
fn plain(given: &str) -> Result<String, Refused> {
    let mut plain = String::with_capacity(given.len());
    for c in given.chars() {
        match c {
            '\t' | ' '..='~' => plain.push(if c == '\t' { ' ' } else { c }),
            _ if is_format(c) => {}
            _ if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                return Err(Refused::new("control_character", "holds a control character"));
            }
            '\u{ff01}'..='\u{ff5e}' => {
                plain.extend(char::from_u32(u32::from(c) - 0xfee0));
            }
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{30fc}' => plain.push('-'),
            '\u{b7}' | '\u{2022}' | '\u{2219}' | '\u{22c5}' => plain.push('.'),
            _ if c.is_whitespace() => plain.push(' '),
            _ => {
                let digit = PHONE_NUMBER_UTIL.normalize_digits_only(c.encode_utf8(&mut [0; 4]));
                match digit.as_str() {
                    "" => plain.push(c),
                    digit => plain.push_str(digit),
                }
            }
        }
    }
    Ok(plain)
}

/// `tel:` of RFC 3966, with whatever stands before the number there.
fn without_scheme(text: &str) -> &str {
    let text = text.trim();
    match text.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("tel:") => text[4..].trim(),
        _ => text,
    }
}

/// The number before `ext. 5`, `x5`, `#5`, `;ext=5` and the like, and whether there was one.
fn without_extension(text: &str) -> (&str, bool) {
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
    let is_number = number.bytes().filter(u8::is_ascii_digit).count() >= 5;
    if is_number && !number.ends_with(|c: char| c.is_alphabetic()) {
        (number, true)
    } else {
        (text, false)
    }
}

/// A number of digits and of what people put between them.
fn dialled(number: &str, region: Option<Region>) -> Result<String, Refused> {
    let number = without_fraction(number.trim())?;
    let is_allowed =
        |c: char| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '/' | '(' | ')' | '[' | ']' | '~' | '+');
    if !number.chars().all(is_allowed) || number.contains("..") || !is_one_number(number) {
        return Err(no_number());
    }
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let opening = number.trim_start_matches(['(', '[', ' ']);
    if let Some(rest) = opening.strip_prefix('+') {
        if rest.contains('+') {
            return Err(no_number());
        }
        return international(&format!("+{}", without_trunk_zero(rest)), &digits);
    }
    if number.contains('+') {
        return Err(no_number());
    }
    if let Some(region) = region
        && let Some(found) = national(number, &digits, region)?
    {
        return Ok(found);
    }
    // Who writes a foreign number begins with 00, or 011 in North America, whatever is dialled where the merchant is.
    for prefix in ["00", "011"] {
        let abroad = digits.strip_prefix(prefix).map(|rest| format!("+{rest}"));
        if let Some(abroad) = abroad
            && let Ok(number) = PHONE_NUMBER_UTIL.parse(&abroad, None)
            && PHONE_NUMBER_UTIL.is_valid_number(&number)
        {
            return Ok(e164(&number));
        }
    }
    Err(match region {
        None => Refused::new(
            "invalid_phone",
            "has no country code, and the merchant has no default_region",
        ),
        Some(_) => Refused::new("invalid_phone", "has a length that no number of its country has"),
    })
}

/// Without the `.0` that a spreadsheet's number ends in. Any other fraction is no number that anybody can call.
fn without_fraction(number: &str) -> Result<&str, Refused> {
    let Some((whole, fraction)) = number.split_once(['.', ',']) else {
        return Ok(number);
    };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let bare = whole.strip_prefix('+').unwrap_or(whole);
    if !is_digits(bare) || !is_digits(fraction) {
        return Ok(number);
    }
    if fraction.bytes().all(|byte| byte == b'0') {
        return Ok(whole);
    }
    // `+1.2025550123` is how registries of domains write numbers (RFC 5733).
    if whole.starts_with('+') && bare.len() <= 3 && number.contains('.') {
        return Ok(number);
    }
    Err(Refused::new(
        "invalid_phone",
        "is a number with a fraction: digits of it are lost",
    ))
}

/// A slash stands between an area code and the rest (`030/123456`), or between two numbers or two endings of one.
fn is_one_number(number: &str) -> bool {
    let mut sides = number.split('/');
    let digits = |side: &str| side.bytes().filter(u8::is_ascii_digit).count();
    match (sides.next().map(digits), sides.next().map(digits), sides.next()) {
        (_, None, _) => true,
        (Some(area), Some(rest), None) => (2..=7).contains(&area) && rest >= 5,
        _ => false,
    }
}

/// `44 (0)20 …`: the zero is dialled only in the country itself.
fn without_trunk_zero(rest: &str) -> String {
    let is_italian = rest.trim_start_matches([' ', '(']).starts_with("39");
    if is_italian {
        rest.to_owned()
    } else {
        rest.replacen("(0)", "", 1)
    }
}

/// With `+`: taken wherever the calling code is assigned.
fn international(number: &str, digits: &str) -> Result<String, Refused> {
    let parsed = PHONE_NUMBER_UTIL
        .parse(number, None)
        .ok()
        .map(without_old_mobile_prefix);
    // Of zeros alone every reading would take one off.
    let is_read = |number: &PhoneNumber| !is_repeated_digit(&e164(number)) || e164(number)[1..] == *digits;
    if let Some(number) = parsed.as_ref().filter(|number| is_read(number))
        && possible(number) == Some(NumberLengthType::IsPossible)
    {
        return Ok(e164(number));
    }
    let is_assigned = !digits.starts_with('0')
        && (1..=3).any(|length| {
            let code = digits.get(..length).and_then(|code| code.parse::<i32>().ok());
            code.is_some_and(|code| PHONE_NUMBER_UTIL.get_region_for_country_code(code).is_some())
        });
    let number: String = number.chars().filter(char::is_ascii_digit).collect();
    if is_assigned && DIGITS.contains(&number.len()) {
        return Ok(format!("+{number}"));
    }
    Err(Refused::new(
        "invalid_phone",
        if is_assigned {
            "has a length that no phone number has"
        } else {
            "has a calling code that no country has"
        },
    ))
}

/// Without `+`: the region's lengths decide.
fn national(number: &str, digits: &str, region: Region) -> Result<Option<String>, Refused> {
    let number = number.replace(['[', ']', '~'], " ");
    let parsed = PHONE_NUMBER_UTIL.parse(without_mexican_prefix(&number, digits, region), Some(region));
    let parsed = parsed.ok().map(without_old_mobile_prefix);
    let length = parsed.as_ref().and_then(possible);
    match (parsed, length) {
        (Some(number), Some(NumberLengthType::IsPossible)) => return Ok(Some(e164(&number))),
        // Nobody's number, but what was typed: kept as it is, and nobody is found by it.
        _ if is_one_digit(digits) => {
            let code = PHONE_NUMBER_UTIL
                .get_country_code_for_region(region)
                .unwrap_or_default();
            let number = format!("{code}{digits}");
            if DIGITS.contains(&number.len()) {
                return Ok(Some(format!("+{number}")));
            }
        }
        (_, Some(NumberLengthType::IsPossibleLocalOnly)) => {
            let detail = "has no area code: it can be called from its own area alone";
            return Err(Refused::new("invalid_phone", detail));
        }
        _ => {}
    }
    Ok(None)
}

/// Until 2020 Mexico dialled 044 or 045 before mobile numbers and 01 before others.
fn without_mexican_prefix<'a>(number: &'a str, digits: &'a str, region: Region) -> &'a str {
    let is_whole = |rest: &&str| rest.len() == 10;
    let found = ["044", "045", "01", "1"]
        .iter()
        .find_map(|prefix| digits.strip_prefix(prefix).filter(is_whole));
    match found {
        Some(rest) if region == Region::MX => rest,
        _ => number,
    }
}

/// Mexican mobile numbers had a 1 after the calling code when they were called from abroad, until 2020.
fn without_old_mobile_prefix(mut number: PhoneNumber) -> PhoneNumber {
    const MEXICO: i32 = 52;
    const OLD: u64 = 10_000_000_000;
    if number.country_code == MEXICO && number.national_number / OLD == 1 && number.italian_leading_zero != Some(true) {
        number.national_number %= OLD;
    }
    number
}

/// `1-800-FLOWERS`: digits first, then letters that complete a number which anybody may call.
fn vanity(number: &str, region: Option<Region>) -> Result<String, Refused> {
    let refused = || {
        let detail = "holds letters: send the number alone";
        Refused::new("invalid_phone", detail)
    };
    let at = number.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(refused)?;
    let (digits, letters) = number.split_at(at);
    let is_between = |c: char| matches!(c, ' ' | '-' | '.');
    let is_classical = digits
        .chars()
        .all(|c| c.is_ascii_digit() || is_between(c) || matches!(c, '+' | '(' | ')'))
        && digits.bytes().filter(u8::is_ascii_digit).count() >= 2
        && letters.chars().all(|c| c.is_ascii_alphabetic() || is_between(c))
        && letters.bytes().filter(u8::is_ascii_alphabetic).count() >= 3;
    if !is_classical {
        return Err(refused());
    }
    let dialled = PHONE_NUMBER_UTIL.convert_alpha_characters_in_number(number);
    let number = PHONE_NUMBER_UTIL.parse(&dialled, region).map_err(|_| refused())?;
    let is_for_all = matches!(
        PHONE_NUMBER_UTIL.get_number_type(&number),
        PhoneNumberType::TollFree | PhoneNumberType::PremiumRate | PhoneNumberType::SharedCost | PhoneNumberType::UAN
    );
    // A word behind a number that is whole without it is no part of it.
    let has_all_digits = PHONE_NUMBER_UTIL
        .parse(digits, region)
        .is_ok_and(|number| possible(&number) == Some(NumberLengthType::IsPossible));
    if is_for_all && !has_all_digits {
        Ok(e164(&number))
    } else {
        Err(refused())
    }
}

/// Whether a number of this length can be called from everywhere. Lengths that only numbers of a special kind have count
/// where the number is one of those for sure: an Australian number without its area code is as long as some.
fn possible(number: &PhoneNumber) -> Option<NumberLengthType> {
    let length = PHONE_NUMBER_UTIL.is_possible_number_with_reason(number).ok()?;
    let of_people =
        PHONE_NUMBER_UTIL.is_possible_number_for_type_with_reason(number, PhoneNumberType::FixedLineOrMobile);
    let is_usual = matches!(of_people, Ok(NumberLengthType::IsPossible));
    if length == NumberLengthType::IsPossible && !is_usual && !PHONE_NUMBER_UTIL.is_valid_number(number) {
        return of_people.ok();
    }
    Some(length)
}

fn e164(number: &PhoneNumber) -> String {
    PHONE_NUMBER_UTIL.format(number, PhoneNumberFormat::E164).into_owned()
}

#[cfg(test)]
mod tests;
