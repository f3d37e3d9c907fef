//! What a customer is, worked out from the semantics alone: who a request is about, what it makes of the record, and
//! what is left when it is taken back. Nothing of the engine is used in here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use upsert_core::{CustomerId, UpsertId};

/// The fields that the sequences use, with the vendors' names for them.
pub const FIELDS: [(&str, &str); 6] = [
    ("reference", "ref"),
    ("given_name", "first"),
    ("notes", "notes"),
    ("email", "mail"),
    ("phone", "tel"),
    ("tags", "tags"),
];

/// A record without what is not there.
pub type Record = BTreeMap<String, Json>;

/// One version that stands, and which upsert made it.
#[derive(Debug, Clone)]
pub struct Version {
    pub upsert: UpsertId,
    pub record: Record,
}

/// Each customer's versions that stand, oldest first.
pub type Customers = BTreeMap<CustomerId, Vec<Version>>;

/// RFC 7396 on one level; tags are a set that is added to, or taken from by `tags_removed`.
pub fn fold(before: &Record, patch: &Json) -> Record {
    let mut after = before.clone();
    for (name, value) in patch.as_object().into_iter().flatten() {
        let mut tags = tags_of(&after);
        match (name.as_str(), value) {
            ("id", _) => {}
            (_, Json::Null) => drop(after.remove(name)),
            ("tags", added) => {
                tags.extend(texts(added));
                set_tags(&mut after, &tags);
            }
            ("tags_removed", removed) => {
                for tag in texts(removed) {
                    tags.remove(&tag);
                }
                set_tags(&mut after, &tags);
            }
            _ => drop(after.insert(name.clone(), value.clone())),
        }
    }
    after
}

fn tags_of(record: &Record) -> BTreeSet<String> {
    record.get("tags").map(texts).unwrap_or_default()
}

pub fn texts(list: &Json) -> BTreeSet<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

fn set_tags(record: &mut Record, tags: &BTreeSet<String>) {
    record.remove("tags");
    if !tags.is_empty() {
        record.insert("tags".to_owned(), json!(tags));
    }
}

/// The engine's record in the model's form.
pub fn plain(shown: &Map<String, Json>) -> Record {
    let is_there = |value: &Json| !value.is_null() && value != &json!([]);
    FIELDS
        .iter()
        .filter_map(|(name, _)| {
            Some((
                (*name).to_owned(),
                shown.get(*name).filter(|value| is_there(value))?.clone(),
            ))
        })
        .collect()
}

/// Whom a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    Known(CustomerId),
    New,
    /// 404 or 409: it must not be committed.
    Refused(&'static str),
}

/// The table of step 5, row by row; the first that holds decides.
pub fn who(customers: &Customers, patch: &Json) -> Who {
    let text = |name: &str| patch.get(name).and_then(Json::as_str);
    let holding = |name: &str, value: &str| -> Vec<CustomerId> {
        let holds = |versions: &[Version]| {
            let last = versions.last();
            last.is_some_and(|last| last.record.get(name).and_then(Json::as_str) == Some(value))
        };
        let found = customers.iter().filter(|(_, versions)| holds(versions));
        found.map(|(id, _)| *id).collect()
    };
    let by_reference = text("reference")
        .map(|value| holding("reference", value))
        .unwrap_or_default();
    // Whoever is found by phone and holds another e-mail than the one that is given is somebody else.
    let is_contradicted = |id: &CustomerId| {
        let held = customers
            .get(id)
            .and_then(|versions| versions.last()?.record.get("email"));
        let (held, given) = (held.and_then(Json::as_str), text("email"));
        held.is_some() && given.is_some() && held != given
    };
    let mut by_contact: BTreeSet<CustomerId> = text("email")
        .map(|value| holding("email", value))
        .unwrap_or_default()
        .into_iter()
        .collect();
    let by_phone = text("phone").map(|value| holding("phone", value)).unwrap_or_default();
    by_contact.extend(by_phone.into_iter().filter(|id| !is_contradicted(id)));
    if let Some(id) = text("id") {
        let named = customers.keys().find(|known| known.to_string() == id);
        return match (named, by_reference.first()) {
            (None, _) => Who::Refused("not_found"),
            (Some(named), Some(other)) if named != other => Who::Refused("identity_conflict"),
            (Some(named), _) => Who::Known(*named),
        };
    }
    if text("reference").is_some() {
        if let Some(known) = by_reference.first() {
            return Who::Known(*known);
        }
        let unnamed = |id: &CustomerId| {
            let last = customers.get(id).and_then(|versions| versions.last());
            last.is_some_and(|last| !last.record.contains_key("reference"))
        };
        by_contact.retain(unnamed);
    }
    match by_contact.len() {
        0 => Who::New,
        1 => by_contact.first().map_or(Who::New, |known| Who::Known(*known)),
        _ => Who::Refused("identity_conflict"),
    }
}
