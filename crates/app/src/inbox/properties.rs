//! Members that one of several properties of a sender's fills, such as a phone that is the one or the other of two. Each
//! property has an order of its own, and a blank empties only what the same property gave.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use upsert_core::{Customer, CustomerPatch, Field, Patch, Value};
use upsert_store::{EventMark, EventMarks, Given};
use upsert_webhook::{Mapped, Order};

use crate::directory::webhooks::Source;

/// The member and the property as they stand among the fields of a mark.
fn marked_as(target: &str, property: &str) -> String {
    format!("{target}?{property}")
}

/// Every member with the properties that this event tells of.
fn told(mapped: &Mapped) -> impl Iterator<Item = (&String, &String)> {
    let emptied = mapped.emptied.iter();
    let emptied = emptied.flat_map(|(target, properties)| properties.iter().map(move |property| (target, property)));
    mapped.given.iter().chain(emptied)
}

/// Whether a newer event has told of this property.
fn is_older(mapped: &Mapped, place: &str, marks: &[EventMark]) -> bool {
    let is_newer = |mark: &&EventMark| {
        let order = mapped.order.as_ref();
        order.is_some_and(|order| order.is_older_than(&Order::kept(&mark.order)))
    };
    marks.iter().filter(is_newer).any(|mark| mark.fields.contains(place))
}

/// Takes out of the patch what properties say of which a newer event has told already. Whether anything was.
pub(crate) fn leave_out_older(patch: &mut CustomerPatch, mapped: &Mapped, marks: &[EventMark]) -> bool {
    let older = told(mapped).filter(|(target, property)| is_older(mapped, &marked_as(target, property), marks));
    let targets: BTreeSet<&String> = older.map(|(target, _)| target).collect();
    targets.into_iter().filter(|target| take_out(patch, target)).count() > 0
}

/// Takes out of the patch the blanks of properties that did not give what the customer has.
pub(crate) fn keep_what_others_gave(
    patch: &mut CustomerPatch,
    mapped: &Mapped,
    source: &Source,
    customer: Option<&Customer>,
    marks: Option<&EventMarks>,
) {
    for (target, properties) in &mapped.emptied {
        let given = marks.and_then(|marks| marks.given.get(target));
        let is_theirs = given.is_some_and(|given| {
            let value = customer.and_then(|customer| value_of(customer, target));
            let is_the_value = |value: &Json| prints(source, target, value).contains(&given.value);
            properties.contains(&given.property) && value.is_some_and(|value| is_the_value(&value))
        });
        if !is_theirs {
            take_out(patch, target);
        }
    }
}

/// What an event leaves in the marks of its order beside its fields: the properties of which none that is newer has told.
pub(crate) fn spoken_of(mapped: &Mapped, marks: &[EventMark]) -> BTreeSet<String> {
    told(mapped)
        .map(|(target, property)| marked_as(target, property))
        .filter(|place| !is_older(mapped, place, marks))
        .collect()
}

/// Which property gave what, once this event is done.
pub(crate) fn given_after(
    before: &BTreeMap<String, Given>,
    mapped: &Mapped,
    patch: &CustomerPatch,
    source: &Source,
) -> BTreeMap<String, Given> {
    let mut given = before.clone();
    for (target, property) in &mapped.given {
        let value = said_of(patch, target).and_then(|value| prints(source, target, &value).into_iter().next());
        if let Some(value) = value {
            let property = property.clone();
            given.insert(target.clone(), Given { property, value });
        }
    }
    given
}

fn prints(source: &Source, target: &str, value: &Json) -> Vec<String> {
    source.verifier.fingerprints(&format!("value\0{target}\0{value}"))
}

fn metadata_name(target: &str) -> Option<String> {
    let name = target.strip_prefix("/metadata/")?;
    Some(name.replace("~1", "/").replace("~0", "~"))
}

fn value_of(customer: &Customer, target: &str) -> Option<Json> {
    match (Field::from_pointer(target), metadata_name(target)) {
        (Some(field), _) => customer.get(field).map(Value::to_json),
        (None, Some(_)) => Json::Object(customer.to_json(true)).pointer(target).cloned(),
        (None, None) => None,
    }
}

/// What the patch sets there.
fn said_of(patch: &CustomerPatch, target: &str) -> Option<Json> {
    if let Some(field) = Field::from_pointer(target) {
        return match patch.fields.get(&field)? {
            Patch::Set(value) => Some(value.to_json()),
            Patch::Clear => None,
        };
    }
    match (&patch.metadata, metadata_name(target)) {
        (Some(Patch::Set(members)), Some(name)) => match members.get(&name)? {
            Patch::Set(text) => Some(Json::from(text.clone())),
            Patch::Clear => None,
        },
        _ => None,
    }
}

fn take_out(patch: &mut CustomerPatch, target: &str) -> bool {
    if let Some(field) = Field::from_pointer(target) {
        return patch.fields.remove(&field).is_some();
    }
    let (Some(Patch::Set(members)), Some(name)) = (&mut patch.metadata, metadata_name(target)) else {
        return false;
    };
    let was_there = members.remove(&name).is_some();
    if members.is_empty() {
        patch.metadata = None;
    }
    was_there
}
