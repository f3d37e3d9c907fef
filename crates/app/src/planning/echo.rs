//! Whether an event tells of what the gateway wrote itself. Judged field by field, by what is known of the vendor's
//! record, not by who is said to have changed it: a real edit in between comes through.
//!
//! | the event's value | is |
//! |---|---|
//! | what the customer has | nothing new |
//! | the form in which the vendor keeps what it was sent (from the receipt) | ours |
//! | what the vendor had before a write that the event does not know of yet | ours, only late |
//! | what was sent, but for case and punctuation, where the vendor did not show otherwise and has not told of it yet | ours, rewritten in silence |
//! | anything else | an edit |
//!
//! An answer that shows what was sent proves little: many a vendor repeats it and stores another form. Its first event
//! about it does. The last two rows but one need to know whose events these are: they hold for the connection that the source names.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use upsert_core::canonicalise::canonical_text;
use upsert_core::field::Rule;
use upsert_core::{Customer, CustomerPatch, Field, FieldOutcomes, Patch, Sent, Value};
use upsert_store::{CustomerRecord, Lane, Sending, Written};

/// So long after a write an event without a time of its own may not know of it yet.
const LATE: SignedDuration = SignedDuration::from_secs(60);
/// So far a vendor's clock may be behind what we saw.
const SKEW: SignedDuration = SignedDuration::from_secs(2);

/// What an event turned out to be.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Fields that were ours in another form, or ours and late. They were taken out of the patch.
    pub(crate) ours: BTreeSet<String>,
    /// Fields that differ while a call that carries them is on its way: its receipt may explain them.
    pub(crate) unclear: BTreeSet<String>,
    /// Connections whose lanes learnt something.
    pub(crate) lanes: BTreeSet<String>,
}

/// Whose events these are, and when they say that they happened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Teller<'a> {
    pub(crate) connection: Option<&'a str>,
    pub(crate) at: Option<Timestamp>,
    pub(crate) now: Timestamp,
}

/// Takes out of the patch what tells of our own writes, and notes in the lanes what was learnt.
pub(crate) fn take_out_echoes(
    patch: &mut CustomerPatch,
    customer: &Customer,
    lanes: &mut [Lane],
    teller: Teller<'_>,
) -> Told {
    let mut told = Told::default();
    let fields: Vec<Field> = patch.fields.keys().copied().collect();
    for field in fields {
        let Some(said) = patch.fields.get(&field).map(said) else {
            continue;
        };
        let ours = customer.get(field).map_or(Json::Null, Value::to_json);
        if changes_nothing(field, &said, &ours) {
            close(lanes, field, teller.connection, &mut told);
            continue;
        }
        if is_ours(lanes, field, &said, &ours, teller, &mut told) {
            patch.fields.remove(&field);
            told.ours.insert(field.pointer().to_owned());
            continue;
        }
        if is_on_its_way(lanes, field, teller.connection) {
            told.unclear.insert(field.pointer().to_owned());
        }
        edited(lanes, field, teller, &mut told);
    }
    told
}

fn said(patch: &Patch<Value>) -> Json {
    match patch {
        Patch::Set(value) => value.to_json(),
        Patch::Clear => Json::Null,
    }
}

/// Labels are added, so those that are there already change nothing.
fn changes_nothing(field: Field, said: &Json, ours: &Json) -> bool {
    match (field.rule(), said, ours) {
        (Rule::Tags, Json::Array(said), Json::Array(ours)) => said.iter().all(|tag| ours.contains(tag)),
        _ => said == ours,
    }
}

fn is_ours(lanes: &mut [Lane], field: Field, said: &Json, ours: &Json, teller: Teller<'_>, told: &mut Told) -> bool {
    let pointer = field.pointer();
    for lane in lanes.iter_mut() {
        let is_tellers = teller.connection == Some(lane.connection.as_str());
        if teller.connection.is_some() && !is_tellers {
            continue;
        }
        let kept = lane.kept().get(pointer);
        if kept == Some(said) {
            close(std::slice::from_mut(lane), field, teller.connection, told);
            return true;
        }
        if !is_tellers {
            continue;
        }
        let late = || {
            let forms = lane.written().iter().filter(|written| is_late_for(written, teller));
            forms.filter_map(|written| written.forms.get(pointer)).flatten()
        };
        if late().any(|form| form == said) {
            return true;
        }
        let is_like_a_late_one = late().any(|form| is_alike(said, form));
        let is_untold = lane.written().iter().any(|written| written.forms.contains_key(pointer));
        let is_open = kept.is_none() || (is_untold && kept == Some(ours));
        if is_open && may_be_rewritten(lane, pointer, teller) && is_alike(said, ours) {
            lane.keep(pointer, said.clone());
            close(std::slice::from_mut(lane), field, teller.connection, told);
            told.lanes.insert(lane.connection.clone());
            return true;
        }
        if is_like_a_late_one {
            return true;
        }
    }
    false
}

/// Whether the vendor may just have been given the value that the field has. One that waits it has not been given.
fn may_be_rewritten(lane: &Lane, pointer: &str, teller: Teller<'_>) -> bool {
    let is_sent = |sending: &Sending| sending.fields.values().any(|sent| sent == pointer);
    if lane.sending().is_some_and(is_sent) {
        return true;
    }
    let accepted = lane.accepted();
    let is_it = |name: &String| accepted.fields.get(name).is_some_and(|(of, _)| of == pointer);
    if accepted.uncertain.iter().any(is_it) {
        return true;
    }
    let delivered = lane.last_delivered_at();
    delivered.is_some_and(|delivered| is_soon_after(delivered, teller))
}

/// Whether the event may have happened before this write reached the vendor: other writes say nothing about that.
fn is_late_for(written: &Written, teller: Teller<'_>) -> bool {
    written.known_at.is_none_or(|known| is_soon_after(known, teller))
}

fn is_soon_after(known: Timestamp, teller: Teller<'_>) -> bool {
    match teller.at {
        Some(at) => at.duration_since(known) <= SKEW,
        None => teller.now.duration_since(known) <= LATE,
    }
}

/// Somebody changed it at the vendor: its form of what was there before is not ours any more, and of what it had before
/// that only events tell which are late now.
fn edited(lanes: &mut [Lane], field: Field, teller: Teller<'_>, told: &mut Told) {
    let is_tellers = |lane: &&mut Lane| teller.connection == Some(lane.connection.as_str());
    for lane in lanes.iter_mut().filter(is_tellers) {
        let had_form = lane.forget_kept(field.pointer()).is_some();
        let known_at = teller.at.unwrap_or(teller.now);
        if lane.set_known(known_at, |_, pointer| pointer == field.pointer()) || had_form {
            told.lanes.insert(lane.connection.clone());
        }
    }
}

/// The vendor knows of the last write of this field: what it had before would be an edit from now on.
fn close(lanes: &mut [Lane], field: Field, connection: Option<&str>, told: &mut Told) {
    for lane in lanes {
        if connection == Some(lane.connection.as_str()) && lane.close_writes(field.pointer()) {
            told.lanes.insert(lane.connection.clone());
        }
    }
}

fn is_on_its_way(lanes: &[Lane], field: Field, connection: Option<&str>) -> bool {
    let mut own = lanes.iter().filter(|lane| connection == Some(&*lane.connection));
    let is_sent = |sending: &Sending| sending.fields.values().any(|pointer| pointer == field.pointer());
    own.any(|lane| lane.sending().is_some_and(is_sent))
}

/// The same letters and digits in the same order, whatever their case and what stands between them.
fn is_alike(said: &Json, ours: &Json) -> bool {
    let core = |text: &str| -> String {
        let letters = text.chars().filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect()
    };
    match (said, ours) {
        (Json::String(said), Json::String(ours)) => {
            let said = core(said);
            !said.is_empty() && said == core(ours)
        }
        _ => false,
    }
}

/// The customer changes. What the vendor had, as far as is known, may still be told of by events that are late; that is
/// remembered only where the vendor sends events.
pub(crate) fn remember_before(lane: &mut Lane, before: &Customer, after: &CustomerRecord, tells: bool) {
    let mut written = Written {
        at: after.updated_at,
        version: after.version,
        known_at: None,
        forms: BTreeMap::new(),
    };
    for change in before.changes_to(&after.customer) {
        let kept = lane.forget_kept(&change.pointer);
        if tells && Field::from_pointer(&change.pointer).is_some() {
            let forms = std::iter::once(change.from).chain(kept).collect();
            written.forms.insert(change.pointer, forms);
        }
    }
    lane.remember_write(written);
}

/// What the receipt of this version of the customer shows of the vendor's record. What it confirmed is worth knowing only
/// where the vendor sends events.
pub(crate) fn learn_from_receipt(
    lane: &mut Lane,
    version: u64,
    sent: &BTreeMap<String, Sent>,
    outcomes: &FieldOutcomes,
    tells: bool,
    region: Option<&str>,
) {
    for Sent { pointer, value, .. } in sent.values() {
        let differs = outcomes.differs.iter().find(|differs| differs.pointer == *pointer);
        let confirmed = || (tells && outcomes.confirmed.contains(pointer)).then_some(value);
        let form = differs.map(|differs| &differs.kept).or_else(confirmed);
        let form = form.map(|form| in_our_words(pointer, form, region));
        // It was changed again since: what the vendor has now is what it had before that change.
        if let Some(forms) = lane.forms_before_a_newer(pointer, version) {
            forms.extend(form);
            continue;
        }
        // An event that told of another form of it before the receipt came proves more than an answer that repeats it.
        let told = lane.kept().get(pointer.as_ref()).filter(|_| differs.is_none());
        if told.is_some_and(|told| is_alike(told, &in_our_words(pointer, value, region))) {
            continue;
        }
        match form {
            Some(form) => lane.keep(pointer, form),
            None => drop(lane.forget_kept(pointer)),
        }
    }
}

/// Events come in canonical form, so the vendor's form is brought into it too, where it can be.
fn in_our_words(pointer: &str, kept: &Json, region: Option<&str>) -> Json {
    let Some(field) = Field::from_pointer(pointer) else {
        return kept.clone();
    };
    match kept {
        Json::String(text) if text.trim().is_empty() => Json::Null,
        Json::String(text) => canonical_text(field, text, region).map_or_else(|_| kept.clone(), Json::String),
        Json::Array(tags) => {
            let sorted: BTreeSet<&str> = tags.iter().filter_map(Json::as_str).collect();
            sorted.into_iter().map(Json::from).collect()
        }
        other => other.clone(),
    }
}
