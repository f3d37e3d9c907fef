use proptest::prelude::*;

use super::*;

fn becomes(rows: &[(&str, &str, &str)]) {
    let mut wrong = Vec::new();
    for (raw, region, expected) in rows {
        let found = phone(raw, (!region.is_empty()).then_some(region));
        if found.as_deref() != Ok(expected) {
            wrong.push(format!("{raw:?} ({region}) is {found:?}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_refused(rows: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (raw, region) in rows {
        let found = phone(raw, (!region.is_empty()).then_some(region));
        if found.as_ref().map_err(|refused| refused.code) != Err("invalid_phone") {
            wrong.push(format!("{raw:?} ({region}) is {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_phone_number_is_read_by_the_merchants_region() {
    becomes(&[
        ("(202) 555-0123", "US", "+12025550123"),
        ("202.555.0123", "US", "+12025550123"),
        ("1-202-555-0123", "US", "+12025550123"),
        ("0401 234 567", "AU", "+61401234567"),
        ("61401234567", "AU", "+61401234567"),
        ("+61 401 234 567", "", "+61401234567"),
        ("+49 1234567890123", "", "+491234567890123"),
        ("030 123456", "DE", "+4930123456"),
        ("030/123456", "DE", "+4930123456"),
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("06 1234 5678", "IT", "+390612345678"),
        ("020 7946 0000", "GB", "+442079460000"),
        ("6123 4567", "SG", "+6561234567"),
        ("(03) 9123 4567", "AU", "+61391234567"),
    ]);
    is_refused(&[
        ("0401 234 567", ""),
        ("12", "US"),
        ("call me", "US"),
        ("n/a", "US"),
        ("-", "US"),
        ("+", "US"),
        ("()", "US"),
        ("++1 202 555 0123", "US"),
        ("+1 202+5550123", "US"),
        ("202 555 0123+", "US"),
        ("jo@example.com", "US"),
    ]);
    assert_eq!(
        phone("0401 234 567", None).unwrap_err().detail,
        "has no country code, and the merchant has no default_region"
    );
    assert_eq!(national_phone("+12025550123").unwrap(), "(202) 555-0123");
    assert_eq!(national_phone("nobody"), None);
}

#[test]
fn a_number_is_as_long_as_any_in_its_country_and_never_longer_than_fifteen_digits() {
    becomes(&[
        ("030 12345678901", "DE", "+493012345678901"),
        // Numbers of services have lengths of their own.
        ("1300 123 456", "AU", "+611300123456"),
        ("13 12 34", "AU", "+61131234"),
        ("962 147 0369", "CZ", "+4209621470369"),
    ]);
    is_refused(&[("030 123456789012", "DE"), ("13 123 456", "AU")]);
}

#[test]
fn a_spreadsheets_float_is_its_number_and_any_other_fraction_is_none() {
    becomes(&[
        ("401234567.0", "AU", "+61401234567"),
        ("401234567.00", "AU", "+61401234567"),
        ("401234567,0", "AU", "+61401234567"),
        ("61401234567.0", "AU", "+61401234567"),
        ("+61401234567.0", "", "+61401234567"),
        ("2025550123.0", "US", "+12025550123"),
        ("12025550123.0", "US", "+12025550123"),
        ("7911123456.0", "GB", "+447911123456"),
        ("612345678.0", "FR", "+33612345678"),
        (" 401234567.0 ", "AU", "+61401234567"),
        ("+1.2025550123", "AU", "+12025550123"),
        ("0401234567.0", "AU", "+61401234567"),
        ("030123456.0", "DE", "+4930123456"),
        ("401234567.000000", "AU", "+61401234567"),
        ("0401234567.00", "AU", "+61401234567"),
        ("1234567.0", "DE", "+491234567"),
        ("+353.861234567", "", "+353861234567"),
        ("01.23.45.67.00", "FR", "+33123456700"),
        ("0401234567.", "AU", "+61401234567"),
    ]);
    is_refused(&[
        ("401234567.5", "AU"),
        ("401234567.10", "AU"),
        ("40123456.7", "AU"),
        ("202555.0123", "US"),
        ("401234567,5", "AU"),
        ("401.234567", "AU"),
        ("401,234,567", "AU"),
        ("0.401234567", "AU"),
        ("401234567.0.5", "AU"),
        ("+61401234567.5", ""),
        ("30 123456.0", "DE"),
        ("030 12345.0", "DE"),
        ("030123.000", "DE"),
        ("0301234.000", "DE"),
        ("401 234 567.0", "AU"),
        ("401.234.567.0", "AU"),
        ("01 23 45 67.00", "FR"),
        ("030.0000", "DE"),
        ("123456.0", "DE"),
    ]);
}

#[test]
fn a_number_in_exponents_has_lost_its_digits() {
    is_refused(&[
        ("6.1401E10", "AU"),
        ("6,1401E+10", "DE"),
        ("6.1401e10", "AU"),
        ("6.1401E+10", "AU"),
        ("6.14E10", "AU"),
        ("4E8", "AU"),
        ("4.01234567E8", "AU"),
        ("+6.1401234567E10", "AU"),
        ("2.03E+09", "US"),
        ("1E+11", "US"),
    ]);
}

#[test]
fn words_are_never_keypad_digits() {
    is_refused(&[
        ("030 123456 privat", "DE"),
        ("privat 030 123456", "DE"),
        ("030 123456 (B\u{fc}ro)", "DE"),
        ("202-555-0123 home", "US"),
        ("202-555-0123 mobile", "US"),
        ("cell: 202-555-0123", "US"),
        ("202-555-HOME", "US"),
        ("0401 234 567 Jo", "AU"),
        ("0401 234 567 work", "AU"),
        ("tel 0401234567", "AU"),
        ("2O25550123", "US"),
        ("+1 202 555 O123", "US"),
        ("+49 30 123456 privat", "DE"),
        ("unknown", "US"),
        ("1-555-012 cell", "US"),
        ("FLOWERS", "US"),
        ("800", "US"),
        ("800-FLOWERSX", "US"),
        ("1-800-FLOWERS-1", "US"),
        ("1-800-356-9377 FLOWERS", "US"),
        ("1-800-356-93AB", "US"),
        ("1-800-XXX-XXXX", "US"),
        ("1-800-555-XXXX", "US"),
        ("1-800-555-xxxx", "US"),
        ("1-800-NNN-NNNN", "US"),
        ("0800 1234 privat", "DE"),
        ("0800 1234567 privat", "DE"),
        ("8-FLOWERS", "US"),
        ("1-888-35-FLOWE x5", "US"),
        ("1-800-FLO(WERS)", "US"),
        ("1/800-FLOWERS", "US"),
    ]);
}

#[test]
fn a_vanity_number_is_read_in_its_classical_form() {
    becomes(&[
        ("1-800-FLOWERS", "US", "+18003569377"),
        ("1-800-flowers", "US", "+18003569377"),
        ("800-FLOWERS", "US", "+18003569377"),
        ("(800) FLOWERS", "US", "+18003569377"),
        ("+1 800 FLOWERS", "AU", "+18003569377"),
        ("+1-888-GO-FEDEX", "US", "+18884633339"),
        ("1 877 CALL NOW", "US", "+18772255669"),
        ("1800 FLOWER", "AU", "+611800356937"),
        ("1300 FLOWER", "AU", "+611300356937"),
        ("0800 FLOWERS", "GB", "+448003569377"),
        ("13 CABS", "AU", "+61132227"),
        ("1-800-356-9FLO", "US", "+18003569356"),
    ]);
}

#[test]
fn a_number_without_its_area_code_is_nobodys() {
    is_refused(&[
        ("555-0123", "US"),
        ("5550123", "US"),
        ("555 0123", "CA"),
        ("1234 5678", "AU"),
        ("91234567", "AU"),
        ("7946 0000", "GB"),
        ("123456", "NZ"),
        ("12345", "US"),
        ("4321-1234", "AR"),
        ("911", "US"),
        ("228 1234", "BB"),
        ("886377", "SM"),
        ("15 2345 6789", "AR"),
    ]);
    assert!(phone("555-0123", Some("US")).unwrap_err().detail.contains("area code"));
}

#[test]
fn old_prefixes_of_mobiles_are_taken_off_or_put_where_they_belong() {
    becomes(&[
        ("+5215512345678", "MX", "+525512345678"),
        ("+52 1 55 1234 5678", "US", "+525512345678"),
        ("+52 55 1234 5678", "MX", "+525512345678"),
        ("5215512345678", "MX", "+525512345678"),
        ("044 55 1234 5678", "MX", "+525512345678"),
        ("045 55 1234 5678", "MX", "+525512345678"),
        ("01 55 1234 5678", "MX", "+525512345678"),
        ("1 55 1234 5678", "MX", "+525512345678"),
        ("55 1234 5678", "MX", "+525512345678"),
        ("011 15-2345-6789", "AR", "+5491123456789"),
        ("+54 9 11 2345 6789", "AR", "+5491123456789"),
        ("+54 11 15 2345 6789", "AR", "+5491123456789"),
        ("+521234567890", "MX", "+521234567890"),
        ("+52 01 55 1234 5678", "MX", "+525512345678"),
        ("+52 044 55 1234 5678", "US", "+525512345678"),
        ("00 52 1 55 1234 5678", "DE", "+525512345678"),
        ("52 55 1234 5678", "MX", "+525512345678"),
        ("(11) 15-2345-6789", "AR", "+5491123456789"),
        ("+54 (0)11 15 2345 6789", "US", "+5491123456789"),
    ]);
}

#[test]
fn marks_without_a_shape_are_nobodys_digits() {
    let rows: Vec<String> = [
        "\u{202a}+1 202 555 0123\u{202c}",
        "\u{2068}+1 202 555 0123\u{2069}",
        "\u{2066}+12025550123",
        "+1\u{200b}202\u{200b}5550123",
        "\u{feff}+12025550123",
        "+12025550123\u{fe0d}",
        "+1\u{fe0f}2025550123",
        "\u{200e}+1 202 555 0123\u{200f}",
        "+1\u{a0}202\u{a0}555\u{202f}0123",
        "+1\u{ad}202\u{ad}5550123",
        "+1 202\u{2011}555\u{2013}0123",
        "\u{ff0b}\u{ff11} \u{ff12}\u{ff10}\u{ff12} \u{ff15}\u{ff15}\u{ff15} \u{ff10}\u{ff11}\u{ff12}\u{ff13}",
        "+\u{661} \u{662}\u{660}\u{662} \u{665}\u{665}\u{665} \u{660}\u{661}\u{662}\u{663}",
        "+1\u{2060}2025550123",
        "\u{e0020}+12025550123",
        "+1\t202\t5550123",
        "+1\u{b7}202\u{b7}555\u{b7}0123",
        "tel:+1-202-555-0123",
        "TEL:+12025550123",
        "(+1) 202 555 0123",
        "+(1) 202 555 0123",
    ]
    .map(str::to_owned)
    .to_vec();
    for raw in rows {
        assert_eq!(phone(&raw, Some("AU")).as_deref(), Ok("+12025550123"), "{raw:?}");
    }
    is_refused(&[("+1 202 555 012\u{b3}", "US"), ("+1 202 555 012\u{2462}", "US")]);
    assert_eq!(
        phone("+1 202 555 0123\n+1 202 555 0124", None).unwrap_err().code,
        "control_character"
    );
    assert_eq!(phone("\u{202a} \u{202c}", None).unwrap_err().code, "empty");
    assert_eq!(phone(&"1".repeat(65), None).unwrap_err().code, "too_long");
    let longest = format!("+1{}2025550123", " ".repeat(52));
    assert_eq!(phone(&longest, None).as_deref(), Ok("+12025550123"));
}

#[test]
fn a_number_with_a_calling_code_is_kept_though_its_length_is_unlikely() {
    for (raw, kept) in [
        ("+1234567890", "+1234567890"),
        ("+15550123", "+15550123"),
        ("+1 202 555 01234", "+120255501234"),
        ("+61 4012 3456", "+6140123456"),
        ("+44 20 7946", "+44207946"),
        ("+33 6 12 34 56 7", "+3361234567"),
        ("+52 155 1234", "+521551234"),
        ("+378 886377", "+378886377"),
        ("+54 15 2345 6789", "+541523456789"),
        ("+1 202 555 0123 5", "+120255501235"),
        ("+65 6123 45678", "+65612345678"),
        ("+34 612 345 67", "+3461234567"),
        ("+123456789012345", "+123456789012345"),
    ] {
        assert_eq!(phone(raw, Some("US")).as_deref(), Ok(kept), "{raw}");
        assert!(!is_likely(kept), "{raw}");
        assert_eq!(phone(kept, None).as_deref(), Ok(kept), "{raw}");
    }
    assert!(is_likely("+12025550123") && is_likely("+61401234567") && !is_likely("nobody"));
    is_refused(&[
        ("+1234567", "US"),
        ("+1234567890123456", "US"),
        ("+999 123 456 789", "US"),
        ("+210 1234 5678", "US"),
        ("+0 202 555 0123", "US"),
        ("+12 34", "US"),
        ("+44 (0)20 7946", "GB"),
        ("+49 123 456 789 012 34", "DE"),
        ("0123456789012345", "DE"),
        ("+1 202 555 \u{2022}123", "US"),
        // Without the plus the region's lengths decide.
        ("1234567890", "AU"),
        ("123456789", "US"),
        ("20255501234", "US"),
        ("0401 234 5678", "AU"),
    ]);
}

#[test]
fn an_extension_is_told_and_never_part_of_the_number() {
    for raw in [
        "+1 202 555 0123 ext. 5",
        "+1 202 555 0123 ext 5",
        "+1 202 555 0123 EXT5",
        "+1 202 555 0123 extension 5",
        "+1 202 555 0123 x5",
        "+1 202 555 0123x5",
        "+1 202 555 0123 X 5",
        "+1 202 555 0123 #5",
        "+1 202 555 0123, ext. 1234",
        "+1 202 555 0123;ext=5",
        "tel:+1-202-555-0123;ext=5",
        "+1 202 555 0123 ext: 5",
        "+1 202 555 0123 extn 5",
        "+1 202 555 0123 x1234567",
    ] {
        let found = read(raw, None).unwrap_or_else(|refused| panic!("{raw}: {refused:?}"));
        assert_eq!(
            (found.e164.as_str(), found.has_extension),
            ("+12025550123", true),
            "{raw}"
        );
        let refused = phone(raw, None).unwrap_err();
        assert!(
            refused.code == "invalid_phone" && refused.detail.contains("extension"),
            "{raw}: {refused:?}"
        );
    }
    is_refused(&[
        ("x5", "US"),
        ("ext. 5", "US"),
        ("123 x5", "US"),
        ("1234 x5", "DE"),
        ("+1 202 555 0123 x12345678", "US"),
        ("+1 202 555 0123 fax5", "US"),
        ("#1234567", "US"),
    ]);
    // Too little stands before it to be a number, or it is the end of a word: then it is no extension.
    for (raw, detail) in [
        ("1234 x5", "holds letters: send the number alone"),
        ("+1 202 555 0123 fax5", "holds letters: send the number alone"),
    ] {
        assert_eq!(phone(raw, Some("DE")).unwrap_err().detail, detail, "{raw}");
    }
}

#[test]
fn two_numbers_are_not_one() {
    is_refused(&[
        ("020 7946 0000 / 020 7946 0001", "GB"),
        ("020 7946 0000/1", "GB"),
        ("+44 20 7946 0000/0001", "GB"),
        ("+1 202..555 0123", "US"),
        ("030 123456/57", "DE"),
        ("030 123456 / 57", "DE"),
        ("+49 30 123456/57", "DE"),
        ("020 7946 0000, 020 7946 0001", "GB"),
        ("020 7946 0000; 020 7946 0001", "GB"),
        ("020 7946 0000 or 020 7946 0001", "GB"),
        ("020 7946 0000 & 020 7946 0001", "GB"),
        ("+44 20 7946 0000 +44 20 7946 0001", "GB"),
        ("030/1234/5678", "DE"),
        ("030 123456~57", "DE"),
        ("030 1234-", "DE"),
        ("030 123456 -", "DE"),
        ("030 123456/", "DE"),
        ("/030 123456", "DE"),
        ("-401234567", "AU"),
        (".0401234567", "AU"),
        ("1/234567", "DE"),
        ("030/1234", "DE"),
        ("12345678/12345", "DE"),
    ]);
    becomes(&[
        ("030 / 123456", "DE", "+4930123456"),
        ("+49 30/123456", "US", "+4930123456"),
        ("02234/12345", "DE", "+49223412345"),
        ("030/12345", "DE", "+493012345"),
        ("+49 39999/12345", "DE", "+493999912345"),
        ("02/123.45.67", "BE", "+3221234567"),
    ]);
}

#[test]
fn a_foreign_number_is_read_with_the_prefix_that_people_dial() {
    becomes(&[
        ("0044 20 7946 0000", "DE", "+442079460000"),
        ("0044 20 7946 0000", "US", "+442079460000"),
        ("0044 20 7946 0000", "AU", "+442079460000"),
        ("0044 20 7946 0000", "", "+442079460000"),
        ("011 44 20 7946 0000", "US", "+442079460000"),
        ("011 44 20 7946 0000", "GB", "+442079460000"),
        ("0011 44 20 7946 0000", "AU", "+442079460000"),
        ("+44 (0)20 7946 0000", "US", "+442079460000"),
        ("+44(0)20 7946 0000", "GB", "+442079460000"),
        ("+49 (0) 30 123456", "US", "+4930123456"),
        ("+61 (0)401 234 567", "US", "+61401234567"),
        ("+44 020 7946 0958", "US", "+442079460958"),
        ("+39 06 1234 5678", "US", "+390612345678"),
        ("+39 (0)6 1234 5678", "US", "+390612345678"),
        ("+225 (0)7 07 12 34 56", "FR", "+2250707123456"),
        ("+352 (0)621 123 456", "FR", "+352621123456"),
        ("+34 (0)612 345 678", "FR", "+34612345678"),
        ("+1 (0) 202 555 0123", "US", "+12025550123"),
        ("00 1 202 555 0123", "GB", "+12025550123"),
    ]);
}

#[test]
fn one_digit_again_and_again_is_kept_as_data() {
    for (raw, region, kept) in [
        ("9999999999", "US", "+19999999999"),
        ("000-000-0000", "US", "+10000000000"),
        ("(000) 000-0000", "CA", "+10000000000"),
        ("1111111111", "US", "+11111111111"),
        ("11111111111", "US", "+11111111111"),
        ("+1 999 999 9999", "", "+19999999999"),
        ("5555555555", "US", "+15555555555"),
    ] {
        assert_eq!(
            phone(raw, Some(region).filter(|region| !region.is_empty())).as_deref(),
            Ok(kept),
            "{raw}"
        );
    }
    for (raw, region) in [
        ("0000000000", "AU"),
        ("0000000000", "DE"),
        ("000000000", "GB"),
        ("99999999", "SG"),
        ("0000000", "US"),
    ] {
        let kept = phone(raw, Some(region)).unwrap_or_else(|refused| panic!("{raw}: {refused:?}"));
        assert!(is_repeated_digit(&kept), "{raw}: {kept}");
        assert_eq!(phone(&kept, None).as_deref(), Ok(kept.as_str()), "{raw}");
    }
    is_refused(&[("0", "US"), ("000", "US"), ("9999", "US")]);
    assert!(!is_repeated_digit("+12025550123") && !is_repeated_digit("") && !is_repeated_digit("+9"));
}

#[test]
fn one_digit_again_and_again_stays_as_it_is_in_every_country() {
    let letters = || (b'A'..=b'Z').map(char::from);
    let regions = letters().flat_map(|one| letters().map(move |other| format!("{one}{other}")));
    let regions: Vec<String> = regions.filter(|region| region.parse::<Region>().is_ok()).collect();
    assert!(regions.len() > 200);
    for region in &regions {
        for digit in ['0', '1', '2', '9'] {
            for length in 6..=13 {
                let raw: String = std::iter::repeat_n(digit, length).collect();
                if let Ok(once) = phone(&raw, Some(region)) {
                    assert_eq!(phone(&once, None).as_ref(), Ok(&once), "{raw} ({region})");
                    let is_nobodys = is_repeated_digit(&once) || !is_likely(&once);
                    assert!(is_nobodys, "{raw} ({region}) is {once}");
                }
            }
        }
    }
}

#[test]
fn zeros_behind_a_calling_code_are_not_taken_off_one_by_one() {
    for raw in [
        "+49000001",
        "+490000012345",
        "+4900000000",
        "+33000000012",
        "+61000412345678",
        "+44000020794601",
    ] {
        let once = phone(raw, Some("US"));
        let kept = once.as_ref().unwrap();
        assert_eq!(phone(kept, None), once, "{raw} is {kept}");
        assert_eq!(kept, raw, "it is kept as it was typed");
    }
}

/// Whether `inner` is `outer` with some of its characters left out.
fn is_within(inner: &str, outer: &str) -> bool {
    let mut outer = outer.chars();
    inner.chars().all(|wanted| outer.any(|c| c == wanted))
}

proptest! {
    #[test]
    fn no_accepted_number_has_digits_that_were_not_in_the_text(
        raw in "[+]?[0-9 ().\\-/]{4,22}([.]0)?|[0-9]{7,13}|[+][0-9]{7,16}|[0-9]{3}[ -]?[0-9]{3,4}[ -]?[0-9]{4}( ?[a-zA-Z#]{1,4} ?[0-9]{0,4})?",
        region in prop::sample::select(vec!["US", "AU", "DE", "GB", "FR", "IT", "MX", "SG", "JP", "NZ", "BR", "IN", "BB", "SM", "CI", "RU", "HU"]),
    ) {
        if let Ok(found) = read(&raw, Some(region)) {
            let digits: String = raw.chars().filter(char::is_ascii_digit).collect();
            let code = PHONE_NUMBER_UTIL.get_country_code_for_region(region.parse().unwrap()).unwrap().to_string();
            let kept = &found.e164[1..];
            let national = kept.strip_prefix(&code).unwrap_or(kept);
            prop_assert!(is_within(kept, &digits) || is_within(national, &digits), "{} is {}", raw, found.e164);
        }
    }

    #[test]
    fn a_canonical_number_stays_as_it_is_wherever_it_is_read(
        raw in "[+]?[0-9 ().-]{4,22}|[+][0-9]{7,16}|[+]?(1|7|33|36|39|44|49|52|54|61|64|81|225)?[0168]{0,6}[0-9]{3,9}|\\PC{0,20}",
        region in prop::sample::select(vec!["US", "AU", "DE", "GB", "AR", "MX", "IT", "RU", "HU"]),
    ) {
        if let Ok(once) = phone(&raw, Some(region)) {
            prop_assert_eq!(phone(&once, None), Ok(once.clone()));
            prop_assert_eq!(phone(&once, Some("AU")), Ok(once.clone()));
            prop_assert_eq!(phone(&once, Some("US")), Ok(once.clone()));
        }
    }
}
