//! Personal data, for those who may not see it.

use serde_json::Value as Json;

/// Stands for a value that may not be shown.
pub(crate) const MASK: &str = "•••";

/// The text, or what stands for it.
pub(crate) fn shown(text: &str, sees_people: bool) -> String {
    if sees_people { text.to_owned() } else { MASK.to_owned() }
}

/// The same structure, with every value masked.
pub(crate) fn masked(json: &Json) -> Json {
    match json {
        Json::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), masked(member)))
            .collect(),
        Json::Array(items) => items.iter().map(masked).collect(),
        _ => Json::from(MASK),
    }
}
