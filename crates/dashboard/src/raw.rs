//! What somebody sent, for reading.

use serde_json::Value as Json;

use upsert_app::masked_wholly;

use crate::mask::{MASK, shown};

/// What somebody sent, laid out for reading. Who may not see people sees its members without their values; of what is no
/// JSON nothing.
pub(crate) fn document(text: &str, sees_people: bool) -> String {
    let Ok(json) = serde_json::from_str::<Json>(text) else {
        return shown(text, sees_people);
    };
    let json = if sees_people { json } else { masked_wholly(&json) };
    serde_json::to_string_pretty(&json).unwrap_or_else(|_| MASK.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_document_keeps_its_members_and_none_of_its_values() {
        let text = r#"{"who":{"mail":"ann@example.com","age":41,"vip":true,"tags":["a",null]}}"#;
        let masked = document(text, false);
        for value in ["ann", "41", "true", "\"a\"", "null"] {
            assert!(!masked.contains(value), "{masked}");
        }
        assert!(masked.contains("\"mail\": \"•••\""), "{masked}");
        assert!(document(text, true).contains("\"mail\": \"ann@example.com\""));
        assert_eq!(document("mail=ann@example.com", false), MASK);
        assert_eq!(document("mail=ann@example.com", true), "mail=ann@example.com");
    }
}
