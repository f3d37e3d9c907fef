//! The members of a body that a column can be, and how its cells are read where they are no texts.

use serde_json::{Value as Json, json};
use upsert_core::Field;
use upsert_core::field::Rule;

use crate::pointer::unescaped;

/// How a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Flag,
    Tags,
    Json,
}

/// A field by its pointer, or the same with dots, such as `addresses.billing.line1`.
pub(super) fn path_of(name: &str) -> Option<Vec<String>> {
    let path: Vec<String> = match name.strip_prefix('/') {
        Some(pointer) => pointer.split('/').map(unescaped).collect(),
        None => name.split('.').map(str::to_owned).collect(),
    };
    form(&path).map(|_| path)
}

/// Of the member at this path; none where there is no such member.
pub(super) fn form(path: &[String]) -> Option<Form> {
    Some(match (path.first()?.as_str(), path.len()) {
        ("id", 1) | ("metadata" | "links", 2) | ("provider_fields", 3) => Form::Text,
        ("tags_removed", 1) => Form::Tags,
        ("metadata" | "links" | "provider_fields", 1) => Form::Json,
        _ => match Field::from_pointer(&format!("/{}", path.join("/")))?.rule() {
            Rule::Flag => Form::Flag,
            Rule::Tags => Form::Tags,
            Rule::Map => Form::Json,
            _ => Form::Text,
        },
    })
}

impl Form {
    /// Anything but a text stays as it is: a rule made it.
    pub(super) fn apply(self, member: &mut Json) -> Result<(), &'static str> {
        let Json::String(text) = &*member else {
            return Ok(());
        };
        let text = text.trim();
        *member = match self {
            Self::Text => return Ok(()),
            Self::Flag => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "y" | "1" => json!(true),
                "false" | "no" | "n" | "0" => json!(false),
                // What it means is not ours to guess: the gateway says that this is no flag.
                _ => return Ok(()),
            },
            Self::Tags if text.starts_with('[') => serde_json::from_str(text).map_err(|_| "malformed_json")?,
            // Mailchimp's way: "VIP","Blog".
            Self::Tags if text.starts_with('"') => match serde_json::from_str(&format!("[{text}]")) {
                Ok(tags) => tags,
                Err(_) => separated(text),
            },
            Self::Tags => separated(text),
            Self::Json => serde_json::from_str(text).map_err(|_| "malformed_json")?,
        };
        Ok(())
    }
}

fn separated(text: &str) -> Json {
    text.split(';').map(str::trim).filter(|tag| !tag.is_empty()).collect()
}
