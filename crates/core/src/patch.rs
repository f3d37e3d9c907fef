//! A change as received: three states for each field (RFC 7396), tags as additions and removals.

use crate::word::Word as _;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value as Json};

use crate::field::{Field, Value};
use crate::ids::CustomerId;
use crate::matching::{Identifier, IdentifierKind};

/// What a request says of one field. A field that is not in the patch is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patch<T> {
    /// `null`: clear it.
    Clear,
    /// A value: set it.
    Set(T),
}

/// A canonical change of one customer, made by [`crate::canonicalise()`].
#[derive(Clone, PartialEq, Eq, Default)]
pub struct CustomerPatch {
    /// The gateway id that the request names.
    pub id: Option<CustomerId>,
    /// Every field that the request speaks of, but for metadata.
    pub fields: BTreeMap<Field, Patch<Value>>,
    /// Labels to take away.
    pub tags_removed: BTreeSet<String>,
    /// Metadata: all of it cleared, or members set and cleared.
    pub metadata: Option<Patch<BTreeMap<String, Patch<String>>>>,
    /// By connection or provider: all of it cleared, or an object to merge in.
    pub provider_fields: BTreeMap<String, Patch<Map<String, Json>>>,
    /// By connection: the vendor's id of a record there that the caller knows to be this customer's.
    pub links: BTreeMap<String, String>,
    /// Identifiers that the request gives in a form that cannot be read, and that were left out: nothing weaker may decide in
    /// their place.
    pub unreadable: BTreeSet<IdentifierKind>,
}

/// Shows which members are there, not what they hold.
impl fmt::Debug for CustomerPatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomerPatch")
            .field("id", &self.id)
            .field("fields", &self.fields)
            .field("metadata", &self.metadata.is_some())
            .field("provider_fields", &self.provider_fields.keys().collect::<Vec<_>>())
            .field("links", &self.links.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl CustomerPatch {
    /// The text that the patch sets `field` to.
    pub fn text(&self, field: Field) -> Option<&str> {
        match self.fields.get(&field)? {
            Patch::Set(value) => value.as_text(),
            Patch::Clear => None,
        }
    }

    /// The identifier of this kind that the patch sets.
    pub fn identifier(&self, kind: IdentifierKind) -> Option<Identifier> {
        self.text(kind.field()).map(|value| Identifier {
            kind,
            value: value.to_owned(),
        })
    }

    /// Something was given at `pointer` that could not be read, and was left out before the patch was made.
    pub fn note_unreadable(&mut self, pointer: &str) {
        let meant = |kind: &IdentifierKind| kind.field().pointer() == pointer;
        let kind = IdentifierKind::all().find(meant);
        self.unreadable
            .extend(kind.filter(|kind| !self.fields.contains_key(&kind.field())));
    }
}
