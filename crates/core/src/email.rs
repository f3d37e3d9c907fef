//! E-mail addresses.

use crate::text::{LineBreaks, Refused, TextRule, is_format, text};

const RULE: TextRule = TextRule::new(254, LineBreaks::Refused);

/// An e-mail address in lower case, its domain in punycode. `mailto:` before it and angle brackets around it are none of it.
///
/// # Errors
/// `invalid_email`, and what refuses any text.
pub fn email(raw: &str) -> Result<String, Refused> {
    let refused = || Refused::new("invalid_email", "is not an e-mail address");
    let given = text(raw, RULE)?;
    let given = bare(&given).replace('\u{ff20}', "@");
    // What nobody sees within an address would make it another one.
    if given.chars().any(is_format) {
        return Err(refused());
    }
    let (local, domain) = given.rsplit_once('@').ok_or_else(refused)?;
    let domain = if domain.is_ascii() {
        domain.to_lowercase()
    } else {
        idna::domain_to_ascii(domain).map_err(|_| refused())?
    };
    if !is_host(&domain) {
        return Err(refused());
    }
    let address = format!("{}@{domain}", local.to_lowercase());
    // A domain is longer in punycode than it was typed.
    if address.chars().nth(RULE.max_chars).is_some() {
        return Err(Refused::too_long(RULE.max_chars));
    }
    let options = email_address::Options::default()
        .with_required_tld()
        .without_display_text()
        .without_domain_literal();
    email_address::EmailAddress::parse_with_options(&address, options).map_err(|_| refused())?;
    Ok(address)
}

/// Letters, digits and hyphens between dots, and no number at the end: `mailto:` may bring more, and addresses of machines are
/// nobody's.
fn is_host(domain: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let last = domain.rsplit('.').next().unwrap_or_default();
    domain.bytes().all(is_allowed) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

fn bare(given: &str) -> &str {
    let given = match given.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
        Some(inner) => inner.trim(),
        None => given,
    };
    match given.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => given[7..].trim(),
        _ => given,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_email_is_lower_case_with_its_domain_in_punycode() {
        assert_eq!(email(" John.Doe+x@EXAMPLE.com ").unwrap(), "john.doe+x@example.com");
        assert_eq!(email("jo@B\u{fc}cher.example").unwrap(), "jo@xn--bcher-kva.example");
    }

    #[test]
    fn what_is_written_around_an_email_is_none_of_it() {
        for around in [
            "\u{202a}jo@example.com\u{202c}",
            "\u{feff}jo@example.com",
            "jo@example.com\u{200b}",
            "\u{a0}jo@example.com\u{a0}",
            "\u{2068}jo@example.com\u{2069}",
            "jo@example.com\u{fe0f}",
            "mailto:jo@example.com",
            "MAILTO: jo@example.com",
            "<jo@example.com>",
            "jo\u{ff20}example.com",
            "jo@example.com\r\n",
            "jo@EXAMPLE\u{3002}com",
            "<mailto:jo@example.com>",
            "< jo@example.com >",
        ] {
            assert_eq!(email(around).unwrap(), "jo@example.com", "{around:?}");
        }
    }

    #[test]
    fn what_is_no_email_is_said_to_be_none() {
        for bad in [
            "x",
            "x@",
            "@x.com",
            "a b@x.com",
            "a@localhost",
            "John <a@x.com>",
            "a@[127.0.0.1]",
            "a@@x.com",
            "a@x.com, b@x.com",
            "a@x.com;b@x.com",
            "a@x.com,",
            "a@x..com",
            "j\u{200b}o@x.com",
            "mailto:",
            "mailto:jo@x.com?subject=hello",
            "mailto:jo@x.com,jo@y.com",
            "jo@x.com jo@y.com",
            "jo@123.123.123.123",
            "jo@x_y.com",
            "jo@x.com.",
            "'jo@x.com'",
            "jo@x.com (home)",
            "jo at x.com",
            "<jo@x.com",
            "n/a",
        ] {
            assert_eq!(email(bad).unwrap_err().code, "invalid_email", "{bad}");
        }
        assert_eq!(
            email(&format!("{}@x.com", "a".repeat(249))).unwrap_err().code,
            "too_long"
        );
        // Within the limit as it is typed, and beyond it in punycode, which is what would be kept.
        let typed = format!("a@{}com", "\u{4e00}\u{4e8c}\u{4e09}\u{56db}.".repeat(20));
        assert!(typed.chars().count() < 254);
        assert_eq!(email(&typed).unwrap_err().code, "too_long");
    }

    proptest! {
        #[test]
        fn what_was_canonicalised_once_stays_as_it_is(raw in "\\PC{0,40}|[a-zA-Z.+]{1,8}@[a-zA-ZéüİŞ.]{1,8}[.][a-zA-Z]{2,3}") {
            if let Ok(once) = email(&raw) {
                prop_assert_eq!(email(&once), Ok(once.clone()));
            }
        }
    }
}
