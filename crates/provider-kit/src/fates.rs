//! What became of each field: the request held against the vendor's echo.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use upsert_core::{Differs, FieldFates, Sent};

/// The member at a vendor field's path (`a/b` is `b` in `a`).
pub fn at_path<'a>(body: &'a Json, vendor_field: &str) -> Option<&'a Json> {
    vendor_field.split('/').try_fold(body, |value, name| value.get(name))
}

/// Holds what was sent against what the answer shows. A vendor that adds tags confirms them by showing all of ours.
pub fn fates(sent: &BTreeMap<String, Sent>, echo: &Json) -> FieldFates {
    let mut confirmed = BTreeSet::new();
    let mut unconfirmed = BTreeSet::new();
    let mut fates = FieldFates::default();
    for (vendor_field, sent) in sent {
        match at_path(echo, vendor_field) {
            None => drop(unconfirmed.insert(sent.pointer.clone())),
            Some(kept) if is_same(sent, kept) => drop(confirmed.insert(sent.pointer.clone())),
            Some(kept) => fates.differs.push(Differs {
                pointer: sent.pointer.clone(),
                kept: kept.clone(),
            }),
        }
    }
    fates.confirmed = confirmed.into_iter().collect();
    fates.unconfirmed = unconfirmed.into_iter().collect();
    fates
}

fn is_same(sent: &Sent, kept: &Json) -> bool {
    match (&sent.value, kept) {
        (Json::Array(ours), Json::Array(theirs)) if sent.merged => ours.iter().all(|tag| theirs.contains(tag)),
        // A cleared field may be shown as empty or as null, whichever of them was sent.
        (Json::Null, Json::String(text)) => text.is_empty(),
        (Json::String(text), Json::Null) => text.is_empty(),
        (ours, theirs) => ours == theirs,
    }
}
