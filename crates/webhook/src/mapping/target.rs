//! Members of an upsert's body.

use std::fmt;

use serde_json::{Map, Value as Json};

use super::pointer::is_fraction;
use super::rule::{NoText, needed_text};

/// A member of an upsert's body, such as `/addresses/billing/city`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target(Vec<String>);

impl Target {
    /// The member of a member of …; none for the body itself.
    pub fn new(names: Vec<String>) -> Option<Self> {
        (!names.is_empty()).then_some(Self(names))
    }

    /// Puts a value there. What is no object on the way becomes one.
    pub(super) fn put(&self, body: &mut Map<String, Json>, value: Json) {
        let Some((last, way)) = self.0.split_last() else {
            return;
        };
        let mut at = body;
        for name in way {
            let next = at.entry(name.as_str()).or_insert(Json::Null);
            if !next.is_object() {
                *next = Json::Object(Map::new());
            }
            let Json::Object(members) = next else { return };
            at = members;
        }
        at.insert(last.clone(), value);
    }

    /// Whether anything stands there.
    pub(super) fn stands_in(&self, body: &Map<String, Json>) -> bool {
        let mut names = self.0.iter();
        let first = names.next().and_then(|name| body.get(name));
        names.fold(first, |at, name| at?.get(name)).is_some()
    }

    /// Whether a fault in what fills it may cost this member alone. What says who somebody is may not: it is another value,
    /// not an absent one.
    pub(super) fn may_be_left_out(&self) -> bool {
        let first = self.0.first().map(String::as_str);
        !matches!(first, Some("id" | "reference" | "kind" | "links" | "email" | "phone"))
    }

    /// Whether what says who somebody is, but for the reference that is a stronger sign of it.
    pub(super) fn is_weak_identifier(&self) -> bool {
        matches!(self.0.first().map(String::as_str), Some("email" | "phone"))
    }

    /// Ids and postal codes are texts, and so are the values under `metadata`, where senders may have numbers. What is
    /// passed through to a vendor stays as it is.
    pub(super) fn worded(&self, value: Json) -> Result<Json, NoText> {
        let becomes_text = match self.0.first().map(String::as_str) {
            Some("provider_fields") => false,
            Some("metadata") => value.is_number() || value.is_boolean(),
            _ => value.is_number(),
        };
        if !becomes_text {
            return Ok(value);
        }
        let is_id = match self.0.first().map(String::as_str) {
            Some("id" | "reference" | "links" | "tax_id" | "phone") => true,
            Some("addresses") => self.0.last().is_some_and(|name| name == "postal_code"),
            _ => false,
        };
        if is_id && is_fraction(&value) {
            return Err(NoText::Fraction);
        }
        needed_text(&value).map(Json::String)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|name| write!(f, "/{}", name.replace('~', "~0").replace('/', "~1")))
    }
}
