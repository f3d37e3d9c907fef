//! Personal data, for those who may not see it.

use serde_json::Value as Json;

use upsert_app::is_plain;

/// Stands for a value that may not be shown.
pub(crate) const MASK: &str = "•••";

/// Fields that say nothing of a person.
const OPEN: [&str; 3] = ["/kind", "/status", "/verified"];

/// The members of these have names that the merchant thought of.
const NAMED_BY_MERCHANT: [&str; 2] = ["/metadata/", "/provider_fields/"];

/// The text, or what stands for it.
pub(crate) fn shown(text: &str, sees_people: bool) -> String {
    if sees_people { text.to_owned() } else { MASK.to_owned() }
}

/// Covers a text, if there is one.
pub(crate) fn cover(text: &mut Option<String>) {
    if let Some(text) = text {
        MASK.clone_into(text);
    }
}

/// Covers a vendor's code or id, unless it is a word such as programs have: vendors put sentences there too.
pub(crate) fn cover_sentence(code: &mut Option<String>) {
    if code.as_deref().is_some_and(|code| !is_plain(code)) {
        cover(code);
    }
}

/// Covers a pointer as far as it is in the merchant's own words.
pub(crate) fn cover_pointer(pointer: &mut String) {
    let ends = NAMED_BY_MERCHANT.iter();
    if let Some(end) = ends.filter_map(|base| Some(pointer.find(base)? + base.len())).min() {
        pointer.truncate(end);
        pointer.push_str(MASK);
    }
}

/// Covers the value of a field, unless it says nothing of a person. That there is none stays to be seen.
pub(crate) fn cover_value(pointer: &str, value: &mut Json) {
    if !(OPEN.contains(&pointer) || value.is_null()) {
        *value = Json::from(MASK);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_says_something_of_a_person_is_covered() {
        for (pointer, value, covered) in [
            ("/given_name", json!("Ada"), json!(MASK)),
            ("/tags", json!(["vip"]), json!(MASK)),
            ("/notifications/email", json!(true), json!(MASK)),
            ("/given_name", json!(null), json!(null)),
            ("/kind", json!("person"), json!("person")),
            ("/verified", json!(true), json!(true)),
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
            ("Ada Lee is known", MASK),
            ("a@x.example", MASK),
        ] {
            let mut code = Some(code.to_owned());
            cover_sentence(&mut code);
            assert_eq!(code.as_deref(), Some(covered));
        }
    }

    #[test]
    fn names_that_the_merchant_thought_of_are_covered() {
        for (pointer, covered) in [
            ("/metadata/gate code", "/metadata/•••"),
            ("/provider_fields/rotor/nick", "/provider_fields/•••"),
            ("/data/customer/metadata/gate code", "/data/customer/metadata/•••"),
            ("/addresses/billing/line1", "/addresses/billing/line1"),
        ] {
            let mut pointer = pointer.to_owned();
            cover_pointer(&mut pointer);
            assert_eq!(pointer, covered);
        }
    }
}
