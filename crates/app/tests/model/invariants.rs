//! What holds after every step, and what holds once everything has ended.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use upsert_core::{DeliveryId, WaitingFor};
use upsert_store::{DeliveryRecord, DeliveryState, Progress, UpsertState};

use crate::books::Books;
use crate::reference::{FIELDS, texts};
use crate::vendor::{Matching, Vendor};
use crate::world::World;

/// After every step.
pub fn hold(world: &World) -> Result<(), String> {
    let books = world.books.lock();
    if !books.wrong.is_empty() {
        return Err(books.wrong.join("\n"));
    }
    books
        .deliveries
        .values()
        .try_for_each(|delivery| is_cared_for(delivery, &books))
}

/// In flight with a lease, or waiting with a reason and a time, or for what somebody will release.
fn is_cared_for(delivery: &DeliveryRecord, books: &Books) -> Result<(), String> {
    let fits = match delivery.progress() {
        Progress::InFlight { lease_until } => lease_until.is_some(),
        Progress::Waiting {
            waiting_for: WaitingFor::Predecessor,
            until,
        } => until.is_some(),
        _ => true,
    };
    if !fits {
        return Err(format!(
            "{} sits {:?} and nobody sees to it",
            delivery.id,
            delivery.state()
        ));
    }
    let Some(lane) = books.lanes.get(&(delivery.customer, delivery.connection.clone())) else {
        return Ok(());
    };
    let place = if delivery.state() == DeliveryState::InFlight {
        lane.in_flight()
    } else {
        lane.queued()
    };
    if !delivery.state().has_ended() && place != Some(delivery.id) {
        return Err(format!(
            "{} is {:?} and has no place in its lane",
            delivery.id,
            delivery.state()
        ));
    }
    Ok(())
}

/// The last of those that went in its place.
fn effective<'a>(books: &'a Books, delivery: &'a DeliveryRecord) -> &'a DeliveryRecord {
    let next = delivery.superseded_by().and_then(|next| books.deliveries.get(&next));
    next.map_or(delivery, |next| effective(books, next))
}

/// Once vendors are mended, connections resumed and time has passed.
pub async fn hold_in_the_end(world: &World) -> Result<(), String> {
    hold(world)?;
    let upserts: Vec<_> = world.books.lock().upserts.keys().copied().collect();
    for id in upserts {
        let _gone_with_its_customer = world.look(id).await;
    }
    world.books.lock().look_at_what_was_told();
    hold(world)?;
    let books = world.books.lock();
    everything_ended(&books)?;
    upserts_agree(&books)?;
    attempts_are_calls(&books)?;
    world
        .vendors
        .iter()
        .try_for_each(|vendor| holds_what_stands(&books, vendor))
}

fn everything_ended(books: &Books) -> Result<(), String> {
    match books.deliveries.values().find(|delivery| !delivery.state().has_ended()) {
        Some(open) => Err(format!(
            "{} at {} is still {:?} for {:?}, due {:?}",
            open.id,
            open.connection,
            open.state(),
            open.waiting_for(),
            open.next_attempt_at()
        )),
        None => Ok(()),
    }
}

fn upserts_agree(books: &Books) -> Result<(), String> {
    for upsert in books.upserts.values() {
        let own = books
            .deliveries
            .values()
            .filter(|delivery| delivery.upsert() == upsert.id);
        let (mut required, mut other) = (false, false);
        for delivery in own {
            let failed = effective(books, delivery).state() == DeliveryState::Failed;
            required |= failed && delivery.required;
            other |= failed && !delivery.required;
        }
        let expected = match (required, other) {
            (true, _) => UpsertState::Failed,
            (false, true) => UpsertState::PartiallyFailed,
            (false, false) => UpsertState::Succeeded,
        };
        if upsert.state() != expected {
            return Err(format!(
                "{} is {:?} and should be {expected:?}",
                upsert.id,
                upsert.state()
            ));
        }
    }
    Ok(())
}

/// I32: each call has its attempt, and each attempt that was sent its call.
fn attempts_are_calls(books: &Books) -> Result<(), String> {
    let mut called: BTreeSet<(DeliveryId, u32)> = BTreeSet::new();
    for call in &books.calls {
        if !called.insert((call.delivery, call.attempt)) {
            return Err(format!("{} called twice as attempt {}", call.delivery, call.attempt));
        }
        if !books.attempts.contains_key(&(call.delivery, call.attempt)) {
            return Err(format!("{} called without an attempt", call.delivery));
        }
    }
    let sent = books.attempts.values().filter(|attempt| {
        let result = attempt.result.as_deref();
        result.is_some_and(|result| result != "not_sent")
    });
    for attempt in sent {
        if !called.contains(&(attempt.delivery, attempt.number)) {
            return Err(format!("{} has an attempt and made no call", attempt.delivery));
        }
    }
    Ok(())
}

fn holds_what_stands(books: &Books, vendor: &Vendor) -> Result<(), String> {
    let records = vendor.records.lock();
    for ((customer, connection), lane) in &books.lanes {
        if connection != vendor.name {
            continue;
        }
        let Some(link) = lane.link() else { continue };
        let Some(held) = records.get(&link.provider_customer_id) else {
            return Err(format!(
                "{customer} is linked to a record that {connection} does not have"
            ));
        };
        for (name, (_, value)) in &lane.accepted().fields {
            let theirs = held.fields.get(name).unwrap_or(&Json::Null);
            let is_merged = name == "tags" && vendor.matching == Matching::Contact;
            let same = if is_merged {
                texts(value).is_subset(&texts(theirs))
            } else {
                theirs == value
            };
            if !lane.accepted().uncertain.contains(name) && !same {
                return Err(format!(
                    "{connection} holds {name} {theirs} for {customer}, not {value} as it accepted"
                ));
            }
        }
        let Some(record) = books.record(*customer) else {
            continue;
        };
        if books.left_out.contains(&(*customer, connection.clone())) {
            continue;
        }
        // One that was born failed while another was in flight: the lane shows the latter's end.
        let here = |delivery: &&DeliveryRecord| delivery.customer == *customer && delivery.connection == *connection;
        let newest = books
            .deliveries
            .values()
            .filter(here)
            .max_by_key(|delivery| delivery.upsert());
        let newest_failed = newest.is_some_and(|newest| effective(books, newest).state() == DeliveryState::Failed);
        let is_unlinked = books.unlinked.contains(&(*customer, connection.clone()));
        for (name, vendor_field) in FIELDS.iter().filter(|_| !lane.failed() && !newest_failed) {
            let theirs = held.fields.get(*vendor_field);
            let fits = match (record.get(*name), theirs) {
                (Some(ours), Some(theirs)) if *name == "tags" && vendor.matching == Matching::Contact => {
                    texts(ours).is_subset(&texts(theirs))
                }
                // With the link went what is to be cleared there.
                (None, Some(_)) => vendor.matching == Matching::Contact || is_unlinked,
                (Some(ours), Some(theirs)) if *name == "tags" && is_unlinked => texts(ours).is_subset(&texts(theirs)),
                (ours, theirs) => ours == theirs,
            };
            if !fits {
                return Err(format!(
                    "{connection} holds {name} {theirs:?} for {customer}, not {:?}",
                    record.get(*name)
                ));
            }
        }
    }
    Ok(())
}
