//! Phone numbers: from what people and spreadsheets write to E.164, or a refusal. Never to another number.

mod spelling;
#[cfg(test)]
mod tests;
mod vanity;

use std::cell::RefCell;
use std::sync::LazyLock;

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, PhoneNumberType, Region};

use self::spelling::{digits_in, one_number, plain, without_extension, without_fraction, without_scheme};
use self::vanity::vanity;
use crate::text::{Refused, trimmed};

/// The longest text that is read as a number, in characters.
const LONGEST: usize = 64;
/// How many digits a number of the world has, with its calling code (E.164; shorter ones are none that a stranger can call).
const DIGITS: std::ops::RangeInclusive<usize> = 8..=15;
/// Argentina's calling code.
const ARGENTINA: i32 = 54;

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
    if digits_in(number) == 0 {
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
    invalid("has an extension, which has no place in E.164: leave it out, or keep it in metadata or notes")
}

fn no_number() -> Refused {
    invalid("is not a phone number")
}

fn invalid(detail: &str) -> Refused {
    Refused::new("invalid_phone", detail)
}

/// Whether our tables think that such a number can exist. One that is unlikely is kept and sent, and identifies nobody.
pub fn is_likely(e164: &str) -> bool {
    thread_local! {
        /// One upsert asks of its number several times in a row, and parsing it is dear.
        static ASKED: RefCell<(String, bool)> = const { RefCell::new((String::new(), false)) };
    }
    ASKED.with_borrow_mut(|(number, answer)| {
        if number != e164 {
            *answer = look_up(e164);
            e164.clone_into(number);
        }
        *answer
    })
}

fn look_up(e164: &str) -> bool {
    let number = PHONE_NUMBER_UTIL.parse(e164, None);
    let digits = e164.trim_start_matches('+');
    number.is_ok_and(|number| matches!(length(&number, digits), Length::Whole(found) if found == e164))
}

/// The digits after the calling code.
pub(crate) fn national_digits(e164: &str) -> Option<String> {
    let number = PHONE_NUMBER_UTIL.parse(e164, None).ok()?;
    Some(rlibphonenumber::get_national_significant_number_owned(&number))
}

/// Whether the national number is one digit again and again, which is what people type who do not want to give theirs.
pub fn is_repeated_digit(e164: &str) -> bool {
    // The end of the national number is the end of the number: most need not be parsed.
    if !is_one_digit(&e164[e164.len().saturating_sub(2)..]) {
        return false;
    }
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

/// A number of digits and of what people put between them.
fn dialled(number: &str, region: Option<Region>) -> Result<String, Refused> {
    let number = without_fraction(number.trim())?;
    one_number(number)?;
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    if number.contains('+') {
        let abroad = number.replacen("(0)", "", 1);
        let abroad: String = abroad.chars().filter(char::is_ascii_digit).collect();
        return international(&digits, (abroad != digits).then_some(&abroad));
    }
    if let Some(region) = region
        && let Some(found) = national(&digits, region)?
    {
        return Ok(found);
    }
    // Who writes a foreign number begins with 00, or 011 in North America, whatever is dialled where the merchant is.
    for prefix in ["00", "011"] {
        if let Some(abroad) = digits.strip_prefix(prefix)
            && let Some(number) = with_code(abroad)
            && PHONE_NUMBER_UTIL.is_valid_number(&number)
            && let Length::Whole(found) = length(&number, abroad)
        {
            return Ok(found);
        }
    }
    Err(invalid(match region {
        None => "has no country code, and the merchant has no default_region",
        Some(_) => "has a length that no number of its country has",
    }))
}

/// With `+`: taken wherever the calling code is assigned. Where `(0)` stands in it, which is dialled in the country alone,
/// these are the digits without that, and the tables tell whether it is part of the number, as in Italy.
fn international(digits: &str, without_zero: Option<&String>) -> Result<String, Refused> {
    let mut read = Vec::with_capacity(1);
    for typed in std::iter::once(digits).chain(without_zero.map(String::as_str)) {
        if let Some(number) = with_code(typed)
            && let Length::Whole(found) = length(&number, typed)
        {
            read.push((number, found));
        }
    }
    if without_zero.is_some()
        && let Some(valid) = read
            .iter()
            .position(|(number, _)| PHONE_NUMBER_UTIL.is_valid_number(number))
    {
        read.swap(0, valid);
    }
    if let Some((_, found)) = read.into_iter().next() {
        return Ok(found);
    }
    let is_assigned = !digits.starts_with('0')
        && (1..=3).any(|length| {
            let code = digits.get(..length).and_then(|code| code.parse::<i32>().ok());
            code.is_some_and(|code| PHONE_NUMBER_UTIL.get_region_for_country_code(code).is_some())
        });
    if is_assigned && without_zero.is_none() && DIGITS.contains(&digits.len()) {
        return Ok(format!("+{digits}"));
    }
    Err(invalid(if is_assigned {
        "has a length that no phone number has"
    } else {
        "has a calling code that no country has"
    }))
}

/// Without `+`: the region's lengths decide.
fn national(digits: &str, region: Region) -> Result<Option<String>, Refused> {
    let mexican = (region == Region::MX).then(|| without_mexican_prefix(digits.strip_prefix("52").unwrap_or(digits)));
    let dialled = mexican.flatten().unwrap_or(digits);
    let parsed = PHONE_NUMBER_UTIL.parse(dialled, Some(region));
    match parsed.map(|number| length(&number, digits)) {
        Ok(Length::Whole(found)) => Ok(Some(found)),
        // Nobody's number, but what was typed: kept as it is, and nobody is found by it.
        _ if is_one_digit(digits) => {
            let code = PHONE_NUMBER_UTIL.get_country_code_for_region(region);
            // As whoever reads it once more will: a 1 that is dialled before a number in North America is its calling code.
            Ok(international(&format!("{}{digits}", code.unwrap_or_default()), None).ok())
        }
        Ok(Length::Local) => Err(invalid("has no area code: it can be called from its own area alone")),
        _ => Ok(None),
    }
}

/// Digits that begin with a calling code.
fn with_code(digits: &str) -> Option<PhoneNumber> {
    let dialled = match digits.strip_prefix("52").and_then(without_mexican_prefix) {
        Some(national) => format!("+52{national}"),
        None => format!("+{digits}"),
    };
    PHONE_NUMBER_UTIL.parse(&dialled, None).ok()
}

/// Until 2020 Mexico dialled 044 or 045 before mobile numbers and 01 before others, and from abroad a 1 before mobile ones.
fn without_mexican_prefix(national: &str) -> Option<&str> {
    let mut prefixes = ["044", "045", "01", "1"].iter();
    prefixes.find_map(|prefix| national.strip_prefix(prefix).filter(|rest| rest.len() == 10))
}

/// What the tables say of a number.
enum Length {
    /// It can be called from everywhere.
    Whole(String),
    /// It can be called from its own area.
    Local,
    /// No number is as long.
    Impossible,
}

/// What the tables say of a number that was read out of these digits.
fn length(number: &PhoneNumber, typed: &str) -> Length {
    match possible(number) {
        Some(NumberLengthType::IsPossible) => {
            let e164 = e164(number);
            // Where all of a country has one area code, the tables add it. That is knowledge of theirs, and nobody wrote it.
            if !adds_no_digit(number, typed) {
                Length::Local
            } else if e164.len() > 1 + DIGITS.end() || !is_settled(&e164, typed) {
                Length::Impossible
            } else {
                Length::Whole(e164)
            }
        }
        Some(NumberLengthType::IsPossibleLocalOnly) => Length::Local,
        None => Length::Impossible,
    }
}

/// Whether it reads as itself. Of several zeros behind a calling code each reading takes one off.
fn is_settled(e164: &str, typed: &str) -> bool {
    let digits = e164.trim_start_matches('+');
    digits == typed || with_code(digits).is_some_and(|again| self::e164(&again) == e164)
}

/// Whether every digit after the calling code is one that was typed, in that order. The 9 of Argentine mobiles stands for the
/// 15 that is dialled in the country.
fn adds_no_digit(number: &PhoneNumber, typed: &str) -> bool {
    let national = rlibphonenumber::get_national_significant_number_owned(number);
    let national = match number.country_code {
        ARGENTINA => national.strip_prefix('9').unwrap_or(&national),
        _ => &national,
    };
    let mut typed = typed.chars();
    national.chars().all(|wanted| typed.any(|digit| digit == wanted))
}

/// Whether a number of this length can be called from everywhere. Lengths that only numbers of a special kind have count
/// where the number is one of those for sure: an Australian number without its area code is as long as some.
fn possible(number: &PhoneNumber) -> Option<NumberLengthType> {
    // 15 is dialled between an Argentine area code and the number, and no area has it.
    if number.country_code == ARGENTINA && number.national_number / 100_000_000 == 15 {
        return Some(NumberLengthType::IsPossibleLocalOnly);
    }
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
