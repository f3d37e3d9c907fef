//! Personal data for those who may not see it.

use serde_json::Value as Json;

/// What stands in the place of a value.
const MASK: &str = "•••";
/// The members of these have names that the merchant thought of.
const NAMED_BY_MERCHANT: [&str; 2] = ["metadata", "provider_fields"];
/// No vendor's name of a field is longer.
const LONGEST_NAME: usize = 64;
/// So many may be a phone number.
const MOST_DIGITS: usize = 6;

/// How much a caller may see of customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// All of it.
    Whole,
    /// Only of what shape it is.
    Masked,
}

impl Sight {
    /// The value, as far as it may be seen.
    pub fn of(self, value: &Json) -> Json {
        match self {
            Self::Whole => value.clone(),
            Self::Masked => masked(value),
        }
    }
}

/// The same with every text and number hidden. Members' names, lengths of lists, null, true and false and empty texts stay:
/// they are of the vendor's making, and say what was sent without saying whose it is. Names that the merchant thought of are
/// hidden too.
pub fn masked(value: &Json) -> Json {
    walk(value, false, |leaf| match leaf {
        Json::String(text) if text.is_empty() => leaf.clone(),
        Json::Null | Json::Bool(_) => leaf.clone(),
        _ => Json::from(MASK),
    })
}

/// The same with every value hidden, whatever it is: of what somebody else sent, nobody knows what a true or a null says.
pub fn masked_wholly(value: &Json) -> Json {
    walk(value, false, |_leaf| Json::from(MASK))
}

/// `is_merchants`: whether the members' names are the merchant's own words.
fn walk(value: &Json, is_merchants: bool, leaf: fn(&Json) -> Json) -> Json {
    match value {
        Json::Object(members) => {
            let hidden = members.iter().map(|(name, member)| {
                let shown = if is_merchants || !is_plain(name) { MASK } else { name };
                let is_merchants = is_merchants || NAMED_BY_MERCHANT.contains(&name.as_str());
                (shown.to_owned(), walk(member, is_merchants, leaf))
            });
            Json::Object(hidden.collect())
        }
        Json::Array(items) => Json::Array(items.iter().map(|item| walk(item, is_merchants, leaf)).collect()),
        other => leaf(other),
    }
}

/// Whether it is a word such as programs have. An e-mail address or a phone number that stands as a name is none.
pub fn is_plain(name: &str) -> bool {
    let is_word = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    is_word && name.len() <= LONGEST_NAME && name.bytes().filter(u8::is_ascii_digit).count() < MOST_DIGITS
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_and_numbers_are_hidden_and_the_shape_stays() {
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
            "address": { "city": "•••", "verified": true, "more": {}, "none": [] },
        });
        assert_eq!(masked(&sent), shown);
        assert_eq!(Sight::Masked.of(&sent), shown);
        assert_eq!(Sight::Whole.of(&sent), sent);
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
            "metadata": { "•••": { "•••": [{ "•••": true }] } },
            "provider_fields": { "•••": {} },
            "by_mail": { "•••": "•••", "line1": false },
        });
        assert_eq!(masked(&sent), shown);
        assert_eq!(
            masked_wholly(&json!({ "a": [null, true] })),
            json!({ "a": ["•••", "•••"] })
        );
    }
}
