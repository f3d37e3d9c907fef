//! Numbers that are written with letters.

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumberType, Region};

use super::spelling::digits_in;
use super::{e164, possible};
use crate::text::Refused;

/// `1-800-FLOWERS`: digits first, then letters that complete a number which anybody may call.
pub(super) fn vanity(number: &str, region: Option<Region>) -> Result<String, Refused> {
    let refused = || Refused::new("invalid_phone", "holds letters: send the number alone");
    let at = number.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(refused)?;
    let (digits, letters) = number.split_at(at);
    if !is_classical(digits, letters) {
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

fn is_classical(digits: &str, letters: &str) -> bool {
    let is_between = |c: char| matches!(c, ' ' | '-' | '.');
    let is_in_digits = |c: char| c.is_ascii_digit() || is_between(c) || matches!(c, '+' | '(' | ')');
    let word: Vec<u8> = letters.bytes().filter(u8::is_ascii_alphabetic).collect();
    // `1-800-555-XXXX` is a number that somebody covered.
    let is_covered = word
        .windows(3)
        .any(|three| three.iter().all(|letter| letter.eq_ignore_ascii_case(&three[0])));
    digits.chars().all(is_in_digits)
        && digits_in(digits) >= 2
        && letters.chars().all(|c| c.is_ascii_alphabetic() || is_between(c))
        && word.len() >= 3
        && !is_covered
}
