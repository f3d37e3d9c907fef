//! In which order events of one source speak of one customer: an older event never overwrites what a newer one said,
//! field by field, whichever comes first.

use std::collections::BTreeSet;

use upsert_core::customer::escape;
use upsert_core::{CustomerPatch, Field, Patch};
use upsert_store::EventMark;
use upsert_webhook::Order;

const TAGS: &str = "/tags";
const METADATA: &str = "/metadata";

/// Pointers of everything that the patch speaks of.
pub(crate) fn spoken_of(patch: &CustomerPatch) -> BTreeSet<String> {
    let mut pointers: BTreeSet<String> = patch.fields.keys().map(|field| field.pointer().to_owned()).collect();
    if !patch.tags_removed.is_empty() {
        pointers.insert(TAGS.to_owned());
    }
    match &patch.metadata {
        None => {}
        Some(Patch::Clear) => drop(pointers.insert(METADATA.to_owned())),
        Some(Patch::Set(members)) => pointers.extend(members.keys().map(|name| member(METADATA, name))),
    }
    let passed_through = patch.provider_fields.keys();
    pointers.extend(passed_through.map(|name| member("/provider_fields", name)));
    pointers
}

/// Whether an event that is newer has spoken of this field.
pub(crate) fn has_newer(marks: &[EventMark], order: &Order, pointer: &str) -> bool {
    let mut newer = marks
        .iter()
        .filter(|mark| order.is_older_than(&Order::kept(&mark.order)));
    newer.any(|mark| mark.fields.iter().any(|field| overlaps(field, pointer)))
}

/// Takes out of the patch what a newer event has spoken of already. Whether anything was.
pub(crate) fn leave_out_older(patch: &mut CustomerPatch, order: &Order, marks: &[EventMark]) -> bool {
    let is_newer = |pointer: &str| has_newer(marks, order, pointer);
    let before = spoken_of(patch).len();
    patch.fields.retain(|field, _| !is_newer(field.pointer()));
    if is_newer(TAGS) {
        patch.tags_removed.clear();
        patch.fields.remove(&Field::Tags);
    }
    match &mut patch.metadata {
        None => {}
        Some(Patch::Clear) => drop(patch.metadata.take_if(|_| is_newer(METADATA))),
        Some(Patch::Set(members)) => {
            members.retain(|name, _| !is_newer(&member(METADATA, name)));
            if members.is_empty() {
                patch.metadata = None;
            }
        }
    }
    let passed_through = &mut patch.provider_fields;
    passed_through.retain(|name, _| !is_newer(&member("/provider_fields", name)));
    spoken_of(patch).len() < before
}

/// The marks after an event of this order that spoke of these fields.
pub(crate) fn marked(marks: &[EventMark], order: &Order, fields: BTreeSet<String>) -> Vec<EventMark> {
    let mut marked: Vec<EventMark> = Vec::with_capacity(marks.len() + 1);
    for mark in marks {
        let left: BTreeSet<String> = mark.fields.difference(&fields).cloned().collect();
        if !left.is_empty() {
            marked.push(EventMark {
                order: mark.order.clone(),
                fields: left,
            });
        }
    }
    match marked.iter_mut().find(|mark| mark.order == order.as_str()) {
        Some(same) => same.fields.extend(fields),
        None if fields.is_empty() => {}
        None => marked.push(EventMark {
            order: order.as_str().to_owned(),
            fields,
        }),
    }
    marked
}

fn member(base: &str, name: &str) -> String {
    format!("{base}/{}", escape(name))
}

/// The same field, or one in the other.
fn overlaps(a: &str, b: &str) -> bool {
    let holds = |outer: &str, inner: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    a == b || holds(a, b) || holds(b, a)
}
