use serde_json::json;

use super::*;

#[test]
fn values_are_hidden_and_the_shape_stays() {
    let sent = json!({
        "name": "Ann",
        "age": 41,
        "tags": ["vip", "", null, [1.5]],
        "address": { "city": "Oslo", "verified": true, "more": {}, "none": [] },
    });
    let shown = json!({
        "name": "•••",
        "age": "•••",
        "tags": ["•••", "", null, ["•••"]],
        "address": { "city": "•••", "verified": "•••", "more": {}, "none": [] },
    });
    assert_eq!(masked(&sent), shown);
    assert_eq!(masked(&json!("a@example.com")), json!("•••"));
    assert_eq!(masked(&Json::Null), Json::Null);
}

#[test]
fn names_that_are_no_words_of_a_program_are_hidden_and_so_are_those_that_the_merchant_thought_of() {
    let sent = json!({
        "metadata": { "gate code": "1", "inner": { "deep": [{ "deeper": true }] } },
        "provider_fields": { "rotor": {} },
        "by_mail": { "ann@example.com": 1, "+12025550123": 2, "2025550123": 3, "line1": false },
    });
    let shown = json!({
        "metadata": { "•••": { "•••": [{ "•••": "•••" }] } },
        "provider_fields": { "•••": {} },
        "by_mail": { "•••": "•••", "line1": "•••" },
    });
    assert_eq!(masked(&sent), shown);
    assert_eq!(
        masked_wholly(&json!({ "a": [null, true] })),
        json!({ "a": ["•••", "•••"] })
    );
}

#[test]
fn what_says_something_of_a_person_is_covered() {
    for (pointer, value, covered) in [
        ("/given_name", json!("Ada"), json!(MASK)),
        ("/tags", json!(["vip"]), json!(MASK)),
        ("/notifications/email", json!(true), json!(MASK)),
        ("/given_name", json!(null), json!(null)),
        ("/kind", json!("person"), json!(MASK)),
        ("/verified", json!(true), json!(MASK)),
        ("/notifications", json!({ "email": false }), json!({ "email": MASK })),
        (
            "",
            json!({ "status": "active", "email": null }),
            json!({ "status": MASK, "email": null }),
        ),
        ("/provider_fields/crm/kind", json!("vip"), json!(MASK)),
    ] {
        let mut value = value;
        cover_value(pointer, &mut value);
        assert_eq!(value, covered, "{pointer}");
    }
}

#[test]
fn a_code_stays_and_a_sentence_does_not() {
    for (code, covered) in [
        ("INVALID_FIELD", "INVALID_FIELD"),
        ("E400123", "E400123"),
        (
            "7f0c3a52-0d0b-4c53-9c1f-2b6a1de0c9a4",
            "7f0c3a52-0d0b-4c53-9c1f-2b6a1de0c9a4",
        ),
        ("12025550123", MASK),
        ("202-555-0123", MASK),
        ("Ada Lee is known", MASK),
        ("a@x.example", MASK),
    ] {
        let mut shown = Some(code.to_owned());
        cover_code(&mut shown);
        assert_eq!(shown.as_deref(), Some(covered));
        assert_eq!(is_code(code), code == covered);
    }
    let mut none = None;
    cover_code(&mut none);
    assert_eq!(none, None);
}

#[test]
fn a_code_is_no_longer_than_a_name_of_a_field() {
    assert!(is_code(&"a".repeat(64)));
    assert!(!is_code(&"a".repeat(65)));
}

#[test]
fn so_many_digits_as_a_phone_number_may_have_make_no_code_without_a_letter() {
    for (text, is_one) in [
        ("12345", true),
        ("123456", false),
        ("a123456", true),
        ("12-34-56", false),
        ("", true),
    ] {
        assert_eq!(is_code(text), is_one, "{text}");
    }
}

#[test]
fn names_that_the_merchant_thought_of_are_covered() {
    for (pointer, covered) in [
        ("/metadata/gate code", "/metadata/•••"),
        ("/provider_fields/rotor/nick", "/provider_fields/•••"),
        ("/data/customer/metadata/gate code", "/data/customer/metadata/•••"),
        ("/addresses/billing/line1", "/addresses/billing/line1"),
        ("/custom/ann@x.example/0", "/custom/•••/0"),
        ("/custom/gate~1code", "/custom/•••"),
        ("/metadata", "/metadata"),
        ("/metadata/old_metadata", "/metadata/•••"),
        ("/provider_fields/rotor/metadata", "/provider_fields/•••"),
        ("", ""),
    ] {
        let mut pointer = pointer.to_owned();
        cover_pointer(&mut pointer);
        assert_eq!(pointer, covered);
    }
}

#[test]
fn within_a_value_names_that_others_thought_of_are_covered_too() {
    for (pointer, value, covered) in [
        (
            "/provider_fields/crm",
            json!({ "nick": "Annie" }),
            json!({ MASK: MASK }),
        ),
        (
            "/provider_fields",
            json!({ "crm": { "nick": null } }),
            json!({ MASK: { MASK: null } }),
        ),
        ("/metadata", json!({ "gate code": "1" }), json!({ MASK: MASK })),
        (
            "/custom",
            json!({ "ann@x.example": { "line1": 1 } }),
            json!({ MASK: { "line1": MASK } }),
        ),
        (
            "/custom",
            json!({ "12025550123": true, "line1": false }),
            json!({ MASK: MASK, "line1": MASK }),
        ),
    ] {
        let mut value = value;
        cover_value(pointer, &mut value);
        assert_eq!(value, covered, "{pointer}");
    }
}

#[test]
fn words_that_are_not_there_are_not_covered() {
    let mut words = String::new();
    cover_words(&mut words);
    assert_eq!(words, "");
    let mut nothing = Json::Null;
    cover_json(&mut nothing);
    assert_eq!(nothing, Json::Null);
}
