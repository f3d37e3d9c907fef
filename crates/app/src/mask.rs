//! Personal data for those who may not see it.

use serde_json::Value as Json;

/// What stands in the place of a value.
const MASK: &str = "•••";

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
/// they are of the vendor's making, and say what was sent without saying whose it is.
pub fn masked(value: &Json) -> Json {
    match value {
        Json::Object(members) => {
            let hidden = members.iter().map(|(name, member)| (name.clone(), masked(member)));
            Json::Object(hidden.collect())
        }
        Json::Array(items) => Json::Array(items.iter().map(masked).collect()),
        Json::String(text) if text.is_empty() => value.clone(),
        Json::String(_) | Json::Number(_) => Json::String(MASK.to_owned()),
        Json::Null | Json::Bool(_) => value.clone(),
    }
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
}
