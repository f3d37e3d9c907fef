//! Text, e-mail addresses, phone numbers and countries: from what people type to one canonical spelling.

use std::sync::LazyLock;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, Region};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Why a text was refused: a stable code and a sentence that does not repeat the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Stable code.
    pub code: &'static str,
    /// A sentence for people.
    pub detail: String,
}

impl Refused {
    fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }
}

/// What a piece of text may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextRule {
    /// The longest it may be, in characters.
    pub max_chars: usize,
    /// Whether line breaks and tabs are welcome.
    pub multi_line: bool,
}

/// Unicode NFC, trimmed, without control characters, not empty, within the rule's length.
pub fn text(raw: &str, rule: TextRule) -> Result<String, Refused> {
    let trimmed = raw.trim();
    if trimmed.is_empty() {
        return Err(Refused::new(
            "empty",
            "is empty; send null to clear it, or leave it out",
        ));
    }
    if trimmed.chars().any(|c| is_refused_control(c, rule.multi_line)) {
        return Err(Refused::new("control_character", "holds a control character"));
    }
    let normal = match is_nfc_quick(trimmed.chars()) {
        IsNormalized::Yes => trimmed.to_owned(),
        _ => trimmed.nfc().collect(),
    };
    if normal.chars().count() > rule.max_chars {
        return Err(Refused::new(
            "too_long",
            format!("is longer than {} characters", rule.max_chars),
        ));
    }
    Ok(normal)
}

/// Control characters, and the marks that turn the reading direction around: they make a text look like another.
fn is_refused_control(c: char, multi_line: bool) -> bool {
    let direction = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    direction || (c.is_control() && !(multi_line && matches!(c, '\n' | '\r' | '\t')))
}

/// An e-mail address in lower case, its domain in punycode.
pub fn email(raw: &str) -> Result<String, Refused> {
    let refused = || Refused::new("invalid_email", "is not an e-mail address");
    let given = text(
        raw,
        TextRule {
            max_chars: 254,
            multi_line: false,
        },
    )?;
    let (local, domain) = given.rsplit_once('@').ok_or_else(refused)?;
    let domain = if domain.is_ascii() {
        domain.to_lowercase()
    } else {
        idna::domain_to_ascii(domain).map_err(|_| refused())?
    };
    let address = format!("{}@{domain}", local.to_lowercase());
    let options = email_address::Options::default()
        .with_required_tld()
        .without_display_text()
        .without_domain_literal();
    email_address::EmailAddress::parse_with_options(&address, options).map_err(|_| refused())?;
    Ok(address)
}

/// A phone number as E.164. `region` (ISO 3166-1 alpha-2) reads numbers that come without a country code.
///
/// A number is taken when its length is possible in its country. Whether its range has been assigned is not asked:
/// lists of ranges lag behind the numbers that people have.
pub fn phone(raw: &str, region: Option<&str>) -> Result<String, Refused> {
    let given = text(
        raw,
        TextRule {
            max_chars: 64,
            multi_line: false,
        },
    )?;
    let known_region = region.and_then(|region| region.parse::<Region>().ok());
    let number = PHONE_NUMBER_UTIL.parse(&given, known_region).map_err(|_| {
        let detail = if region.is_none() && !given.starts_with('+') {
            "has no country code, and the merchant has no default_region"
        } else {
            "is not a phone number"
        };
        Refused::new("invalid_phone", detail)
    })?;
    if number.extension.is_some() {
        return Err(Refused::new(
            "invalid_phone",
            "has an extension, which has no place in E.164",
        ));
    }
    if !PHONE_NUMBER_UTIL.is_possible_number(&number) {
        return Err(Refused::new(
            "invalid_phone",
            "has a length that no number of its country has",
        ));
    }
    Ok(PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned())
}

/// A phone number in its country's own notation, from E.164. `None` if it cannot be read.
pub fn national_phone(e164: &str) -> Option<String> {
    let number = PHONE_NUMBER_UTIL.parse(e164, None).ok()?;
    Some(
        PHONE_NUMBER_UTIL
            .format(&number, PhoneNumberFormat::National)
            .into_owned(),
    )
}

/// A country as ISO 3166-1 alpha-2, from alpha-2, alpha-3, the number or the English name.
pub fn country(raw: &str) -> Result<String, Refused> {
    let given = text(
        raw,
        TextRule {
            max_chars: 100,
            multi_line: false,
        },
    )?;
    let upper = given.to_uppercase();
    let found = match upper.len() {
        2 => rust_iso3166::from_alpha2(&upper),
        3 if upper.bytes().all(|b| b.is_ascii_digit()) => rust_iso3166::from_numeric_str(&upper),
        3 => rust_iso3166::from_alpha3(&upper),
        _ => rust_iso3166::ALL
            .iter()
            .find(|country| country.name.eq_ignore_ascii_case(&given))
            .copied(),
    };
    found.map(|country| country.alpha2.to_owned()).ok_or_else(|| {
        Refused::new(
            "invalid_country",
            "is not a country of ISO 3166-1; send its two-letter code",
        )
    })
}

/// Whether a two-letter region is one that phone numbers can be read by.
pub fn is_phone_region(region: &str) -> bool {
    rust_iso3166::from_alpha2(region).is_some()
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE: TextRule = TextRule {
        max_chars: 255,
        multi_line: false,
    };

    #[test]
    fn text_is_trimmed_and_composed() {
        assert_eq!(text("  Ame\u{301}lie ", LINE).unwrap(), "Am\u{e9}lie");
        assert_eq!(text("a\u{7}b", LINE).unwrap_err().code, "control_character");
        assert_eq!(text("a\u{202e}b", LINE).unwrap_err().code, "control_character");
        assert_eq!(text(" \t ", LINE).unwrap_err().code, "empty");
        assert_eq!(text(&"x".repeat(256), LINE).unwrap_err().code, "too_long");
    }

    #[test]
    fn line_breaks_are_welcome_in_notes_alone() {
        assert_eq!(text("a\nb", LINE).unwrap_err().code, "control_character");
        assert_eq!(
            text(
                "a\n\tb",
                TextRule {
                    multi_line: true,
                    ..LINE
                }
            )
            .unwrap(),
            "a\n\tb"
        );
    }

    #[test]
    fn an_email_is_lower_case_with_its_domain_in_punycode() {
        assert_eq!(email(" John.Doe+x@EXAMPLE.com ").unwrap(), "john.doe+x@example.com");
        assert_eq!(email("jo@B\u{fc}cher.example").unwrap(), "jo@xn--bcher-kva.example");
        for bad in [
            "x",
            "x@",
            "@x.com",
            "a b@x.com",
            "a@localhost",
            "John <a@x.com>",
            "a@[127.0.0.1]",
            "a@@x.com",
        ] {
            assert_eq!(email(bad).unwrap_err().code, "invalid_email", "{bad}");
        }
    }

    #[test]
    fn a_phone_number_is_read_by_the_merchants_region() {
        assert_eq!(phone("(202) 555-0123", Some("US")).unwrap(), "+12025550123");
        assert_eq!(phone("0401 234 567", Some("AU")).unwrap(), "+61401234567");
        assert_eq!(phone("+61 401 234 567", None).unwrap(), "+61401234567");
        assert_eq!(phone("0401 234 567", None).unwrap_err().code, "invalid_phone");
        assert_eq!(phone("12", Some("US")).unwrap_err().code, "invalid_phone");
        assert_eq!(phone("call me", Some("US")).unwrap_err().code, "invalid_phone");
        assert_eq!(
            phone("+1 202 555 0123 ext. 5", Some("US")).unwrap_err().code,
            "invalid_phone"
        );
        assert_eq!(national_phone("+12025550123").unwrap(), "(202) 555-0123");
    }

    #[test]
    fn a_country_is_known_by_code_number_and_name() {
        for given in ["us", "USA", "840", " US "] {
            assert_eq!(country(given).unwrap(), "US", "{given}");
        }
        assert_eq!(country("Canada").unwrap(), "CA");
        assert_eq!(country("Atlantis").unwrap_err().code, "invalid_country");
        assert_eq!(country("XX").unwrap_err().code, "invalid_country");
    }

    proptest! {
        #[test]
        fn what_was_canonicalised_once_stays_as_it_is(raw in "\\PC{0,40}") {
            if let Ok(once) = text(&raw, LINE) {
                prop_assert_eq!(text(&once, LINE), Ok(once.clone()));
            }
            if let Ok(once) = email(&raw) {
                prop_assert_eq!(email(&once), Ok(once.clone()));
            }
        }

        #[test]
        fn a_canonical_phone_number_needs_no_region_any_more(area in 201u32..989, line in 0u32..10_000) {
            let raw = format!("({area}) 555-{line:04}");
            if let Ok(once) = phone(&raw, Some("US")) {
                prop_assert_eq!(phone(&once, None), Ok(once.clone()));
                prop_assert_eq!(phone(&once, Some("AU")), Ok(once.clone()));
            }
        }
    }
}
