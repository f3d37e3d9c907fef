//! Personal data, for those who may not see it.

use serde_json::Value as Json;

/// What stands in the place of a value.
pub const MASK: &str = "•••";
/// The members of these have names that the merchant thought of, or a vendor who may have named them after what it was sent.
const NAMED_BY_OTHERS: [&str; 3] = ["metadata", "provider_fields", "vendor_body"];
/// Fields that say nothing of a person.
const OPEN: [&str; 3] = ["/kind", "/status", "/verified"];
/// No vendor's name of a field is longer.
const LONGEST_NAME: usize = 64;
/// So many may be a phone number.
const MOST_DIGITS: usize = 6;

/// The same with every value hidden. Members' names, lengths of lists, null and empty texts stay: they are of the vendor's
/// making, and say what was sent without saying whose it is. Names that others thought of are hidden too.
pub(crate) fn masked(value: &Json) -> Json {
    walk(value, false, |leaf| match leaf {
        Json::String(text) if text.is_empty() => leaf.clone(),
        Json::Null => leaf.clone(),
        _ => Json::from(MASK),
    })
}

/// The same with every value hidden, whatever it is: of what somebody else sent, nobody knows what a true or a null says.
pub(crate) fn masked_wholly(value: &Json) -> Json {
    walk(value, false, |_leaf| Json::from(MASK))
}

/// `is_others`: whether the members' names are somebody's own words.
fn walk(value: &Json, is_others: bool, leaf: fn(&Json) -> Json) -> Json {
    match value {
        Json::Object(members) => {
            let hidden = members.iter().map(|(name, member)| {
                let shown = if is_others || !is_plain(name) { MASK } else { name };
                let is_others = is_others || NAMED_BY_OTHERS.contains(&name.as_str());
                (shown.to_owned(), walk(member, is_others, leaf))
            });
            Json::Object(hidden.collect())
        }
        Json::Array(items) => Json::Array(items.iter().map(|item| walk(item, is_others, leaf)).collect()),
        other => leaf(other),
    }
}

/// Whether it is a word such as programs have. An e-mail address or a phone number that stands as a name is none.
fn is_plain(name: &str) -> bool {
    is_word(name) && digits(name) < MOST_DIGITS
}

/// Whether it may be a code or an id: a word with any number of digits beside its letters.
pub(crate) fn is_code(text: &str) -> bool {
    is_word(text) && (digits(text) < MOST_DIGITS || text.bytes().any(|byte| byte.is_ascii_alphabetic()))
}

fn is_word(text: &str) -> bool {
    let is_of_a_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    text.len() <= LONGEST_NAME && text.bytes().all(is_of_a_word)
}

fn digits(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

/// Covers a text, if there is one.
pub fn cover(text: &mut Json) {
    if !text.is_null() {
        *text = Json::from(MASK);
    }
}

/// Covers somebody's code or id, unless it looks like one: vendors put sentences there too.
pub(crate) fn cover_code(code: &mut Json) {
    if !code.as_str().is_none_or(is_code) {
        cover(code);
    }
}

/// Covers a pointer as far as it is in the merchant's own words, and names that are no words of a program.
pub fn cover_pointer(pointer: &mut String) {
    let mut covered = String::with_capacity(pointer.len());
    let mut names = pointer.split('/').skip(1).peekable();
    while let Some(name) = names.next() {
        let is_plain = is_plain(&name.replace("~1", "/").replace("~0", "~"));
        covered.push('/');
        covered.push_str(if is_plain { name } else { MASK });
        if NAMED_BY_OTHERS.contains(&name) && names.peek().is_some() {
            covered.push('/');
            covered.push_str(MASK);
            break;
        }
    }
    *pointer = covered;
}

/// Whether the field says nothing of a person.
pub(crate) fn is_open(pointer: &str) -> bool {
    OPEN.contains(&pointer)
}

/// Covers the value of a field, and those within it, unless it says nothing of a person. That there is none stays to be
/// seen.
pub fn cover_value(pointer: &str, value: &mut Json) {
    match value {
        Json::Object(members) => {
            for (name, inner) in members {
                cover_value(&format!("{pointer}/{name}"), inner);
            }
        }
        value => {
            if !is_open(pointer) {
                cover(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
            ("/kind", json!("person"), json!("person")),
            ("/verified", json!(true), json!(true)),
            ("/notifications", json!({ "email": false }), json!({ "email": MASK })),
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
            let mut code = json!(code);
            cover_code(&mut code);
            assert_eq!(code, covered);
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
}
