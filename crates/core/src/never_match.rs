//! Values that recognise nobody: what people type who do not want to give theirs, and numbers that are most likely cut.

use std::fmt;

use crate::email::email;
use crate::matching::IdentifierKind;
use crate::phone;
use crate::receipt::WarningCode;

/// The word for phones whose national number is one digit again and again.
const REPEATED_DIGIT: &str = "repeated-digit";

/// A merchant's placeholders. They are kept as data; they are no identifiers and no match keys.
#[derive(Clone, PartialEq, Eq)]
pub struct NeverMatch {
    email: Vec<EmailPattern>,
    phone: Vec<PhonePattern>,
}

#[derive(Clone, PartialEq, Eq)]
enum EmailPattern {
    Exactly(String),
    /// Whatever stands before this domain.
    At(String),
}

#[derive(Clone, PartialEq, Eq)]
enum PhonePattern {
    RepeatedDigit,
    Exactly(String),
    /// Digits that are no whole number: of whatever number ends in them after its calling code.
    National(String),
}

/// Repeated digits alone.
impl Default for NeverMatch {
    fn default() -> Self {
        Self {
            email: Vec::new(),
            phone: vec![PhonePattern::RepeatedDigit],
        }
    }
}

/// Leaves the values out: they may be somebody's after all.
impl fmt::Debug for NeverMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (emails, phones) = (self.email.len(), self.phone.len());
        write!(f, "NeverMatch({emails} emails, {phones} phones)")
    }
}

/// Why a value recognises nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// The merchant lists it.
    Placeholder,
    /// A phone number of a length that no number of its country has.
    Unlikely,
}

impl Unfit {
    /// The warning that it carries.
    pub const fn warning(self) -> WarningCode {
        match self {
            Self::Placeholder => WarningCode::Placeholder,
            Self::Unlikely => WarningCode::UnlikelyPhone,
        }
    }

    /// A sentence for people.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Placeholder => "is a placeholder (`never_match`): it is kept, and recognises nobody",
            Self::Unlikely => {
                "has a length that no number of its country is known to have: it is kept, and recognises nobody"
            }
        }
    }
}

impl NeverMatch {
    /// Of what a merchant lists. Phones are read by its region.
    ///
    /// # Errors
    /// For each entry that means nothing: its kind, its place, and why.
    pub fn new(
        email: &[String],
        phone: &[String],
        region: Option<&str>,
    ) -> Result<Self, Vec<(IdentifierKind, usize, &'static str)>> {
        let mut wrong = Vec::new();
        let mut read = Self {
            email: Vec::new(),
            phone: Vec::new(),
        };
        for (place, entry) in email.iter().enumerate() {
            match email_pattern(entry) {
                Ok(pattern) => read.email.push(pattern),
                Err(why) => wrong.push((IdentifierKind::Email, place, why)),
            }
        }
        for (place, entry) in phone.iter().enumerate() {
            match phone_pattern(entry, region) {
                Ok(pattern) => read.phone.push(pattern),
                Err(why) => wrong.push((IdentifierKind::Phone, place, why)),
            }
        }
        if wrong.is_empty() { Ok(read) } else { Err(wrong) }
    }

    /// Why this canonical value recognises nobody, if it does not. A reference always does.
    pub fn unfit(&self, kind: IdentifierKind, value: &str) -> Option<Unfit> {
        match kind {
            IdentifierKind::Reference => None,
            IdentifierKind::Email => {
                let domain = value.rsplit_once('@').map(|(_, domain)| domain);
                let is_listed = self.email.iter().any(|pattern| match pattern {
                    EmailPattern::Exactly(listed) => listed == value,
                    EmailPattern::At(listed) => domain == Some(listed),
                });
                is_listed.then_some(Unfit::Placeholder)
            }
            IdentifierKind::Phone => {
                let is_listed = self.phone.iter().any(|pattern| match pattern {
                    PhonePattern::RepeatedDigit => phone::is_repeated_digit(value),
                    PhonePattern::Exactly(listed) => listed == value,
                    PhonePattern::National(listed) => {
                        value.ends_with(listed.as_str()) && phone::national_digits(value).as_deref() == Some(listed)
                    }
                });
                if is_listed {
                    Some(Unfit::Placeholder)
                } else {
                    (!phone::is_likely(value)).then_some(Unfit::Unlikely)
                }
            }
        }
    }
}

fn email_pattern(entry: &str) -> Result<EmailPattern, &'static str> {
    if let Some(domain) = entry.trim().strip_prefix("*@") {
        let address = email(&format!("anybody@{domain}"));
        let address = address.map_err(|_| "has no domain after `*@`")?;
        return Ok(EmailPattern::At(address.trim_start_matches("anybody@").to_owned()));
    }
    email(entry)
        .map(EmailPattern::Exactly)
        .map_err(|_| "is neither an e-mail address nor `*@` and a domain")
}

fn phone_pattern(entry: &str, region: Option<&str>) -> Result<PhonePattern, &'static str> {
    if entry.trim() == REPEATED_DIGIT {
        return Ok(PhonePattern::RepeatedDigit);
    }
    if let Ok(e164) = phone::phone(entry, region) {
        return Ok(PhonePattern::Exactly(e164));
    }
    let digits: String = entry.chars().filter(char::is_ascii_digit).collect();
    let is_in_number = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '(' | ')' | '+' | '/');
    if entry.chars().all(is_in_number) && digits.len() >= 3 {
        Ok(PhonePattern::National(digits))
    } else {
        Err("is neither a phone number nor `repeated-digit`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(email: &[&str], phone: &[&str]) -> NeverMatch {
        let owned = |list: &[&str]| list.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>();
        NeverMatch::new(&owned(email), &owned(phone), Some("US")).unwrap()
    }

    fn phone_unfit(never: &NeverMatch, raw: &str, region: &str) -> Option<Unfit> {
        let e164 = phone::phone(raw, Some(region)).unwrap_or_else(|refused| panic!("{raw}: {refused:?}"));
        never.unfit(IdentifierKind::Phone, &e164)
    }

    #[test]
    fn one_digit_again_and_again_recognises_nobody_however_it_is_written() {
        let never = NeverMatch::default();
        for (raw, region) in [
            ("9999999999", "US"),
            ("000-000-0000", "US"),
            ("(111) 111-1111", "US"),
            ("+1 999 999 9999", "AU"),
            ("1 222 222 2222", "US"),
            ("0000000000", "AU"),
            ("00000000", "SG"),
            ("+44 7777 777777", "GB"),
            ("+61 444 444 444", "AU"),
            ("5555555555", "MX"),
            ("+49 0000000000", "DE"),
        ] {
            assert_eq!(phone_unfit(&never, raw, region), Some(Unfit::Placeholder), "{raw}");
        }
        for (raw, region) in [
            ("(202) 555-0123", "US"),
            ("0401 234 567", "AU"),
            ("+1 999 999 9998", "US"),
        ] {
            assert_eq!(phone_unfit(&never, raw, region), None, "{raw}");
        }
    }

    #[test]
    fn a_number_of_a_length_that_its_country_does_not_have_recognises_nobody() {
        let never = listed(&[], &[]);
        assert_eq!(phone_unfit(&never, "+1234567890", "US"), Some(Unfit::Unlikely));
        assert_eq!(phone_unfit(&never, "+15550123", "US"), Some(Unfit::Unlikely));
        assert_eq!(phone_unfit(&never, "+19999999999", "US"), None);
    }

    #[test]
    fn listed_values_are_compared_as_they_are_canonicalised() {
        let never = listed(
            &["Test@Example.com", "*@EXAMPLE.invalid"],
            &["(202) 555-0100", "+61 401 234 567", "0123"],
        );
        for (kind, value, expected) in [
            (IdentifierKind::Email, "test@example.com", true),
            (IdentifierKind::Email, "anna@example.invalid", true),
            (IdentifierKind::Email, "anna@sub.example.invalid", false),
            (IdentifierKind::Email, "anna@example.com", false),
            (IdentifierKind::Phone, "+12025550100", true),
            (IdentifierKind::Phone, "+61401234567", true),
            (IdentifierKind::Phone, "+12025550101", false),
            (IdentifierKind::Phone, "+442025550100", false),
            (IdentifierKind::Phone, "+10123", true),
            (IdentifierKind::Reference, "test@example.com", false),
        ] {
            assert_eq!(
                never.unfit(kind, value) == Some(Unfit::Placeholder),
                expected,
                "{value}"
            );
        }
    }

    #[test]
    fn an_entry_that_means_nothing_is_named() {
        let entries = |list: &[&str]| list.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>();
        let wrong = NeverMatch::new(
            &entries(&["a@b.co", "*@", "nobody"]),
            &entries(&["repeated-digit", "repeated", "12", "123"]),
            None,
        );
        let places: Vec<(IdentifierKind, usize)> = wrong
            .unwrap_err()
            .into_iter()
            .map(|(kind, place, _)| (kind, place))
            .collect();
        let expected = [
            (IdentifierKind::Email, 1),
            (IdentifierKind::Email, 2),
            (IdentifierKind::Phone, 1),
            (IdentifierKind::Phone, 2),
        ];
        assert_eq!(places, expected);
    }

    #[test]
    fn who_is_recognised_by_nothing_is_told_why() {
        for (unfit, warning, word) in [
            (Unfit::Placeholder, WarningCode::Placeholder, "placeholder"),
            (Unfit::Unlikely, WarningCode::UnlikelyPhone, "length"),
        ] {
            assert_eq!(unfit.warning(), warning);
            assert!(unfit.detail().contains(word));
        }
    }
}
