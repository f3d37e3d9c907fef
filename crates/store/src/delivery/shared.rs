//! What the copies of a delivery's record share: warnings are long, and stay as they are. Most say the same of one field after
//! another, and that is kept once. For `#[serde(with = "…")]`.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize as _, Serializer};

use upsert_core::{Warning, WarningCode};

pub(super) fn is_empty(warnings: &[Warning]) -> bool {
    warnings.is_empty()
}

pub(super) fn serialize<S: Serializer>(warnings: &[Warning], serializer: S) -> Result<S::Ok, S::Error> {
    let alike = warnings.chunk_by(|one, next| one.code == next.code && one.detail == next.detail);
    let groups = alike.filter_map(|group| {
        let first = group.first()?;
        let pointers: Vec<&str> = group.iter().map(|warning| &*warning.pointer).collect();
        Some((first.code, &*first.detail, pointers))
    });
    groups.collect::<Vec<_>>().serialize(serializer)
}

type Group = (WarningCode, Cow<'static, str>, Vec<Cow<'static, str>>);

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[Warning]>, D::Error> {
    let groups = Vec::<Group>::deserialize(deserializer)?;
    let warnings = groups.into_iter().flat_map(|(code, detail, pointers)| {
        let warning = move |pointer| Warning::new(code, pointer, detail.clone());
        pointers.into_iter().map(warning)
    });
    Ok(warnings.collect())
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Row {
        #[serde(with = "super")]
        warnings: Arc<[Warning]>,
    }

    #[test]
    fn warnings_keep_their_order_and_what_they_share_is_kept_once() {
        let warning = |code, pointer, detail| Warning::new(code, pointer, detail);
        let (unsupported, placeholder) = (WarningCode::UnsupportedField, WarningCode::Placeholder);
        let all = [
            warning(unsupported, "/source", "has no place"),
            warning(unsupported, "/tags", "has no place"),
            warning(placeholder, "/tags", "has no place"),
            warning(placeholder, "/phone", "is one"),
            warning(unsupported, "/source", "has no place"),
        ];
        for count in 0..=all.len() {
            let row = Row {
                warnings: all[..count].into(),
            };
            let json = serde_json::to_value(&row).unwrap();
            assert_eq!(json["warnings"].as_array().unwrap().len(), [0, 1, 1, 2, 3, 4][count]);
            assert_eq!(serde_json::from_value::<Row>(json).unwrap().warnings, row.warnings);
        }
    }
}
