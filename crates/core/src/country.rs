//! Countries: from codes and English names to ISO 3166-1 alpha-2.

use std::collections::HashMap;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::text::{LineBreaks, Refused, TextRule, text};

/// Kosovo, which ISO has not assigned; Shopify, Stripe and CLDR use it.
pub const KOSOVO: &str = "XK";
/// Two letters that people and the European Union write for a country that has others.
const OTHER_CODES: &[(&str, &str)] = &[("UK", "GB"), ("EL", "GR")];

/// A country as ISO 3166-1 alpha-2 (or `XK`), from alpha-2, alpha-3, the number or an English name.
///
/// # Errors
/// `invalid_country`, and what refuses any text. A name that several countries have (`Korea`, `Congo`) is none.
pub fn country(raw: &str) -> Result<String, Refused> {
    let given = text(raw, TextRule::new(100, LineBreaks::Refused))?;
    let found = known(&given).or_else(|| said_twice(&given)).map(str::to_owned);
    let detail = "is not a country of ISO 3166-1; send its two-letter code";
    found.ok_or_else(|| Refused::new("invalid_country", detail))
}

fn known(given: &str) -> Option<&'static str> {
    by_code(&given.to_uppercase()).or_else(|| BY_NAME.get(&folded(given)).copied())
}

/// `United States (US)`: one country, twice.
fn said_twice(given: &str) -> Option<&'static str> {
    let (name, other) = given.strip_suffix(')')?.split_once('(')?;
    known(name.trim()).filter(|country| known(other.trim()) == Some(country))
}

fn by_code(upper: &str) -> Option<&'static str> {
    let found = match upper.len() {
        2 if upper == KOSOVO => return Some(KOSOVO),
        2 => {
            let other = OTHER_CODES.iter().find(|(code, _)| *code == upper);
            return match other {
                Some((_, code)) => Some(code),
                None => rust_iso3166::from_alpha2(upper).map(|country| country.alpha2),
            };
        }
        3 if upper == "XKX" => return Some(KOSOVO),
        3 if upper.bytes().all(|byte| byte.is_ascii_digit()) => rust_iso3166::from_numeric_str(upper),
        3 => rust_iso3166::from_alpha3(upper),
        _ => None,
    };
    found.map(|country| country.alpha2)
}

static BY_NAME: LazyLock<HashMap<String, &'static str>> =
    LazyLock::new(|| names().map(|(code, name)| (folded(name), code)).collect());

/// Each code with each of its names.
fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = include_str!("country/names.txt").lines();
    let entries = lines.filter_map(|line| line.split_once(": ").filter(|(code, _)| code.len() == 2));
    entries.flat_map(|(code, names)| names.split("; ").map(move |name| (code, name)))
}

/// A name as it is compared: small letters without accents, words alone, without `the` and `of`, abbreviations in one form.
fn folded(name: &str) -> String {
    let plain = name
        .nfkd()
        .filter(|c| !is_combining_mark(*c) && !matches!(c, '.' | '\'' | '\u{2019}' | '`'));
    let plain: String = plain.flat_map(char::to_lowercase).collect();
    let plain = plain
        .replace('&', " and ")
        .replace('\u{131}', "i")
        .replace('\u{f8}', "o");
    let words = plain
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !matches!(*word, "" | "the" | "of"));
    let words = words.map(|word| match word {
        "saint" => "st",
        "rep" => "republic",
        "dem" => "democratic",
        word => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_known_by_code_and_number() {
        for given in ["us", "USA", "840", " US ", "\u{202a}US\u{202c}"] {
            assert_eq!(country(given).unwrap(), "US", "{given}");
        }
        for (given, code) in [
            ("UK", "GB"),
            ("EL", "GR"),
            ("XK", "XK"),
            ("xkx", "XK"),
            ("GBR", "GB"),
            ("036", "AU"),
            ("deu", "DE"),
        ] {
            assert_eq!(country(given).unwrap(), code, "{given}");
        }
    }

    #[test]
    fn a_country_is_known_by_its_english_names_and_usual_short_forms() {
        for (given, code) in [
            ("United States", "US"),
            ("United States of America", "US"),
            ("U.S.A.", "US"),
            ("u.s.", "US"),
            ("The United States", "US"),
            ("UNITED KINGDOM", "GB"),
            ("U.K.", "GB"),
            ("Great Britain", "GB"),
            ("England", "GB"),
            ("Netherlands", "NL"),
            ("The Netherlands", "NL"),
            ("Holland", "NL"),
            ("South Korea", "KR"),
            ("Korea, Republic of", "KR"),
            ("Republic of Korea", "KR"),
            ("North Korea", "KP"),
            ("Russia", "RU"),
            ("Russian Federation", "RU"),
            ("Czech Republic", "CZ"),
            ("Czechia", "CZ"),
            ("Ivory Coast", "CI"),
            ("Cote d'Ivoire", "CI"),
            ("C\u{f4}te d\u{2019}Ivoire", "CI"),
            ("Turkey", "TR"),
            ("T\u{fc}rkiye", "TR"),
            ("Turkiye", "TR"),
            ("Vietnam", "VN"),
            ("Viet Nam", "VN"),
            ("Bolivia", "BO"),
            ("Bolivia (Plurinational State of)", "BO"),
            ("Venezuela", "VE"),
            ("Iran", "IR"),
            ("Syria", "SY"),
            ("Laos", "LA"),
            ("Moldova", "MD"),
            ("Tanzania", "TZ"),
            ("Taiwan", "TW"),
            ("Hong Kong", "HK"),
            ("Hong Kong SAR", "HK"),
            ("Macau", "MO"),
            ("Kosovo", "XK"),
            ("Trinidad and Tobago", "TT"),
            ("Trinidad & Tobago", "TT"),
            ("Saint Lucia", "LC"),
            ("St Lucia", "LC"),
            ("Bosnia", "BA"),
            ("Cape Verde", "CV"),
            ("Swaziland", "SZ"),
            ("Burma", "MM"),
            ("Macedonia", "MK"),
            ("Congo-Kinshasa", "CD"),
            ("Democratic Republic of the Congo", "CD"),
            ("Congo, Republic of the", "CG"),
            ("Vatican City", "VA"),
            ("Georgia", "GE"),
            ("Guinea", "GN"),
            ("Equatorial Guinea", "GQ"),
            ("Niger", "NE"),
            ("Nigeria", "NG"),
            ("Palestine", "PS"),
            ("Brunei", "BN"),
            ("UAE", "AE"),
            ("Curacao", "CW"),
            ("Aland Islands", "AX"),
            ("Deutschland", "DE"),
            ("Bahamas, The", "BS"),
            ("The Gambia", "GM"),
            ("Korea, Rep.", "KR"),
            ("Congo, Dem. Rep.", "CD"),
            ("Congo, Rep.", "CG"),
            ("Egypt, Arab Rep.", "EG"),
            ("Iran, Islamic Rep.", "IR"),
            ("Lao PDR", "LA"),
            ("Cote D Ivoire", "CI"),
            ("C\u{f4}te d`Ivoire", "CI"),
            ("Republic of Ireland", "IE"),
            ("Saint Vincent and the Grenadines", "VC"),
            ("United States (US)", "US"),
            ("United Arab Emirates (UAE)", "AE"),
            ("United States of America (USA)", "US"),
            ("Myanmar ( Burma )", "MM"),
            ("Belgique", "BE"),
        ] {
            assert_eq!(country(given).as_deref(), Ok(code), "{given}");
        }
    }

    #[test]
    fn what_no_country_or_several_are_called_is_none() {
        for given in [
            "Atlantis",
            "XX",
            "Korea",
            "Congo",
            "SU",
            "YU",
            "ZZ",
            "EU",
            "European Union",
            "Europe",
            "840.0",
            "Virgin Islands",
            "USB",
            "United",
            "n/a",
            "-",
            "Yugoslavia",
            "999",
            "The",
            "of the",
            "Republic of China",
            "Republic",
            "United States (UK)",
            "Georgia (US)",
            "Channel Islands",
            "Netherlands Antilles",
            "AN",
            "u s a",
            "U",
        ] {
            assert_eq!(country(given).unwrap_err().code, "invalid_country", "{given}");
        }
        assert_eq!(country(" ").unwrap_err().code, "empty");
    }

    #[test]
    fn every_country_is_known_by_each_of_its_names_and_no_name_is_that_of_two() {
        let mut seen: HashMap<String, &str> = HashMap::new();
        for (code, name) in names() {
            assert_eq!(country(code).as_deref(), Ok(code), "{code}");
            assert_eq!(country(name).as_deref(), Ok(code), "{name}");
            let other = seen.insert(folded(name), code);
            assert!(other.is_none_or(|other| other == code), "{name}: {other:?}");
        }
        assert!(seen.len() > 300, "{} names", seen.len());
        // `Congo` is what two countries are called, whatever ISO says.
        for known in rust_iso3166::ALL.iter().filter(|known| known.alpha2 != "CG") {
            assert_eq!(country(known.name).as_deref(), Ok(known.alpha2), "{}", known.name);
        }
    }
}
