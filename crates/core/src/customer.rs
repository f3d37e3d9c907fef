//! The canonical customer: what the merchant wants to be true, and how a patch changes it.

pub mod kept;

use crate::word::Word as _;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value as Json};

use crate::field::{Field, Kind, Rule, Value};
use crate::matching::{Identifier, IdentifierKind};
use crate::patch::{CustomerPatch, Patch};

/// A person or organisation as the merchant wants it, all values canonical. A copy shares what it holds until one of them
/// changes: an upsert has the same customer in its record, its history, its plans and its answer.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Customer(Arc<Parts>);

#[derive(Clone, PartialEq, Eq, Default)]
struct Parts {
    fields: BTreeMap<Field, Value>,
    provider_fields: BTreeMap<String, Map<String, Json>>,
    unread: BTreeSet<IdentifierKind>,
}

/// The member of the stored form that names [`Customer::unread`].
const UNREAD: &str = "unread";

/// One field that differs between two versions.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Change {
    /// JSON Pointer of the field.
    pub pointer: String,
    /// What it was; null if it was not there.
    pub from: Json,
    /// What it is; null if it is not there any more.
    pub to: Json,
}

/// Shows the pointer alone: the values are personal data.
impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Change({})", self.pointer)
    }
}

/// Shows which fields are there, not what they hold.
impl fmt::Debug for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.fields.keys()).finish()
    }
}

impl Customer {
    /// What `field` holds.
    pub fn get(&self, field: Field) -> Option<&Value> {
        self.0.fields.get(&field)
    }

    /// The text that `field` holds.
    pub fn text(&self, field: Field) -> Option<&str> {
        self.get(field)?.as_text()
    }

    /// Sets `field`; the value has to be canonical already.
    pub fn set(&mut self, field: Field, value: Value) {
        Arc::make_mut(&mut self.0).set(field, value);
    }

    /// Every field that is there, in the order of [`Field::ALL`].
    pub fn fields(&self) -> impl Iterator<Item = (Field, &Value)> {
        self.0.fields.iter().map(|(field, value)| (*field, value))
    }

    /// Person or organisation.
    pub fn kind(&self) -> Kind {
        match self.text(Field::Kind) {
            Some("organisation") => Kind::Organisation,
            _ => Kind::Person,
        }
    }

    /// The merchant's own id of it.
    pub fn reference(&self) -> Option<&str> {
        self.text(Field::Reference)
    }

    /// What it is recognised by here.
    pub fn identifiers(&self) -> Vec<Identifier> {
        let identifier = |kind: IdentifierKind| {
            let value = self.text(kind.field())?.to_owned();
            Some(Identifier { kind, value })
        };
        IdentifierKind::all().filter_map(identifier).collect()
    }

    /// Identifiers of which no value is known, since what was given could not be read: whoever has a readable one is somebody
    /// else.
    pub fn unread(&self) -> &BTreeSet<IdentifierKind> {
        &self.0.unread
    }

    /// What is passed through to a vendor as it is, by connection or provider name.
    pub fn provider_fields(&self) -> &BTreeMap<String, Map<String, Json>> {
        &self.0.provider_fields
    }

    /// The customer after `patch` (RFC 7396; tags are added and removed). A kind that nobody set is a person, or an
    /// organisation if the new customer has an organisation's name and no person's.
    #[must_use]
    pub fn merged(&self, patch: &CustomerPatch) -> Self {
        let mut merged = self.clone();
        Arc::make_mut(&mut merged.0).merge(patch);
        merged
    }

    /// What differs from `self` to `after`, one entry a leaf, in the order of the fields.
    pub fn changes_to(&self, after: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        for field in Field::ALL {
            let (from, to) = (self.get(*field), after.get(*field));
            if from == to {
                continue;
            }
            if let Rule::Map = field.rule() {
                let members = |value: Option<&Value>| match value {
                    Some(Value::Map(map)) => map.clone(),
                    _ => BTreeMap::new(),
                };
                changes.extend(map_changes(field.pointer(), &members(from), &members(to)));
            } else {
                let json = |value: Option<&Value>| value.map_or(Json::Null, Value::to_json);
                changes.push(Change {
                    pointer: field.pointer().to_owned(),
                    from: json(from),
                    to: json(to),
                });
            }
        }
        let (from, to) = (&self.0.provider_fields, &after.0.provider_fields);
        changes.extend(map_changes("/provider_fields", from, to));
        changes
    }

    /// The record as nested JSON. With `with_nulls` every member is there, so that readers see the whole shape.
    pub fn to_json(&self, with_nulls: bool) -> Map<String, Json> {
        let mut record = Map::new();
        for field in Field::ALL {
            let value = self.get(*field).map(Value::to_json);
            let value = match (value, field) {
                (Some(value), _) => value,
                (None, _) if !with_nulls => continue,
                (None, Field::Tags) => Json::Array(Vec::new()),
                (None, Field::Metadata) => Json::Object(Map::new()),
                (None, _) => Json::Null,
            };
            put(&mut record, field.pointer(), value);
        }
        if with_nulls || !self.0.provider_fields.is_empty() {
            let all = self.0.provider_fields.iter();
            let all = all.map(|(name, map)| (name.clone(), Json::Object(map.clone())));
            record.insert("provider_fields".to_owned(), Json::Object(all.collect()));
        }
        record
    }

    /// Reads what [`Customer::to_json`] wrote; members that are no fields are passed over.
    pub fn from_json(record: &Json) -> Option<Self> {
        let mut parts = Parts::default();
        for field in Field::ALL {
            match record.pointer(field.pointer()) {
                None | Some(Json::Null) => {}
                Some(json) => match Value::from_json(json, field.rule())? {
                    Value::Tags(tags) if tags.is_empty() => {}
                    Value::Map(map) if map.is_empty() => {}
                    value => parts.set(*field, value),
                },
            }
        }
        if let Some(Json::Object(all)) = record.get("provider_fields") {
            for (name, fields) in all {
                let fields = fields.as_object()?.clone();
                parts.provider_fields.insert(name.clone(), fields);
            }
        }
        Some(Self(Arc::new(parts)))
    }
}

impl Parts {
    fn set(&mut self, field: Field, value: Value) {
        self.fields.insert(field, value);
    }

    fn merge(&mut self, patch: &CustomerPatch) {
        for (field, change) in &patch.fields {
            match change {
                Patch::Clear => drop(self.fields.remove(field)),
                Patch::Set(Value::Tags(added)) => {
                    let mut tags = self.take_tags();
                    tags.extend(added.iter().cloned());
                    self.put_tags(tags);
                }
                Patch::Set(value) => self.set(*field, value.clone()),
            }
        }
        if !patch.tags_removed.is_empty() {
            let mut tags = self.take_tags();
            tags.retain(|tag| !patch.tags_removed.contains(tag));
            self.put_tags(tags);
        }
        self.merge_metadata(patch);
        self.merge_provider_fields(patch);
        self.merge_unread(patch);
        if !self.fields.contains_key(&Field::Kind) {
            let kind = self.implied_kind();
            self.set(Field::Kind, Value::Text(kind.as_str().to_owned()));
        }
    }

    fn implied_kind(&self) -> Kind {
        let has = |field| self.fields.contains_key(&field);
        let persons = [Field::GivenName, Field::MiddleName, Field::FamilyName];
        let named_as_person = persons.into_iter().any(has);
        if has(Field::OrganisationName) && !named_as_person {
            Kind::Organisation
        } else {
            Kind::Person
        }
    }

    fn take_tags(&mut self) -> BTreeSet<String> {
        match self.fields.remove(&Field::Tags) {
            Some(Value::Tags(tags)) => tags,
            _ => BTreeSet::new(),
        }
    }

    fn put_tags(&mut self, tags: BTreeSet<String>) {
        if !tags.is_empty() {
            self.set(Field::Tags, Value::Tags(tags));
        }
    }

    fn merge_metadata(&mut self, patch: &CustomerPatch) {
        match &patch.metadata {
            None => {}
            Some(Patch::Clear) => drop(self.fields.remove(&Field::Metadata)),
            Some(Patch::Set(members)) => {
                let mut map = match self.fields.remove(&Field::Metadata) {
                    Some(Value::Map(map)) => map,
                    _ => BTreeMap::new(),
                };
                for (name, change) in members {
                    match change {
                        Patch::Clear => drop(map.remove(name)),
                        Patch::Set(value) => drop(map.insert(name.clone(), value.clone())),
                    }
                }
                if !map.is_empty() {
                    self.set(Field::Metadata, Value::Map(map));
                }
            }
        }
    }

    fn merge_provider_fields(&mut self, patch: &CustomerPatch) {
        for (name, change) in &patch.provider_fields {
            match change {
                Patch::Clear => drop(self.provider_fields.remove(name)),
                Patch::Set(members) => {
                    let target = self.provider_fields.entry(name.clone()).or_default();
                    merge_objects(target, members);
                    if target.is_empty() {
                        self.provider_fields.remove(name);
                    }
                }
            }
        }
    }

    fn merge_unread(&mut self, patch: &CustomerPatch) {
        let fields = &self.fields;
        self.unread.retain(|kind| !patch.fields.contains_key(&kind.field()));
        let unreadable = patch.unreadable.iter();
        self.unread
            .extend(unreadable.filter(|kind| !fields.contains_key(&kind.field())));
    }
}

/// RFC 7396 over objects: null removes, objects merge, anything else replaces.
pub fn merge_objects(target: &mut Map<String, Json>, patch: &Map<String, Json>) {
    for (name, value) in patch {
        match value {
            Json::Null => drop(target.remove(name)),
            Json::Object(inner) => {
                let slot = target.entry(name.clone()).or_insert_with(|| Json::Object(Map::new()));
                if !slot.is_object() {
                    *slot = Json::Object(Map::new());
                }
                if let Json::Object(slot) = slot {
                    merge_objects(slot, inner);
                }
            }
            other => drop(target.insert(name.clone(), other.clone())),
        }
    }
}

fn map_changes<T: Clone + PartialEq + Serialize>(
    base: &str,
    from: &BTreeMap<String, T>,
    to: &BTreeMap<String, T>,
) -> Vec<Change> {
    let json = |value: Option<&T>| value.and_then(|v| serde_json::to_value(v).ok()).unwrap_or(Json::Null);
    let names: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    names
        .into_iter()
        .filter(|name| from.get(*name) != to.get(*name))
        .map(|name| Change {
            pointer: format!("{base}/{}", escape(name)),
            from: json(from.get(name)),
            to: json(to.get(name)),
        })
        .collect()
}

/// A member's name as a part of a JSON Pointer (RFC 6901).
pub fn escape(name: &str) -> Cow<'_, str> {
    if name.contains(['~', '/']) {
        Cow::Owned(name.replace('~', "~0").replace('/', "~1"))
    } else {
        Cow::Borrowed(name)
    }
}

fn put(record: &mut Map<String, Json>, pointer: &str, value: Json) {
    let path = pointer.trim_start_matches('/');
    match path.split_once('/') {
        None => drop(record.insert(path.to_owned(), value)),
        Some((head, rest)) => {
            let slot = record
                .entry(head.to_owned())
                .or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(slot) = slot {
                put(slot, rest, value);
            }
        }
    }
}

impl Serialize for Customer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = self.to_json(false);
        if !self.0.unread.is_empty() {
            let unread = serde_json::to_value(&self.0.unread).map_err(S::Error::custom)?;
            record.insert(UNREAD.to_owned(), unread);
        }
        record.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Customer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let record = Json::deserialize(deserializer)?;
        let mut customer = Self::from_json(&record).ok_or_else(|| D::Error::custom("not a customer record"))?;
        if let Some(unread) = record.get(UNREAD) {
            Arc::make_mut(&mut customer.0).unread = Deserialize::deserialize(unread).map_err(D::Error::custom)?;
        }
        Ok(customer)
    }
}

#[cfg(test)]
mod tests;
