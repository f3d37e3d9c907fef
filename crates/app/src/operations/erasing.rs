//! What the commit of an erasure writes, drawn up from what is known of the customer: nothing in here asks or stores anything.

use std::collections::BTreeSet;

use jiff::Timestamp;

use upsert_core::{Customer, ErasureId, Identifier, IdentifierKind, KeyKind, MatchKey};
use upsert_store::{
    Changeset, DeliveryRecord, ErasedRecord, ErasureRecord, Expect, Known, Lane, Left, RecordId, TombstoneKey, Write,
};

use crate::directory::merchant::Merchant;
use crate::planning::identifiers::identifier_writes;

/// A changeset in the making.
pub(super) struct Erasing<'a> {
    merchant: &'a Merchant,
    known: &'a Known,
    changes: Changeset,
    erasure: ErasureRecord,
}

impl<'a> Erasing<'a> {
    /// Of a customer as it was read: nobody may have changed it, or anything that is known of it at a connection.
    pub(super) fn new(merchant: &'a Merchant, known: &'a Known, by: &str, now: Timestamp) -> Self {
        let mut erasing = Self::begun(merchant, known, by, now);
        let id = known.record.id;
        let changes = &mut erasing.changes;
        changes.expect.push(known.record.expected());
        changes.expect.extend(known.lanes.iter().map(Lane::expected));
        let unknown = merchant
            .connections
            .iter()
            .filter(|one| known.lane(&one.name).is_none());
        changes.expect.extend(unknown.map(|connection| Expect::Lane {
            customer: id,
            connection: connection.name.clone(),
            revision: None,
        }));
        let nothing = Customer::default();
        changes
            .write
            .extend(identifier_writes(id, &known.record.customer, &nothing));
        changes
            .write
            .extend(known.lanes.iter().flat_map(Lane::give_back_all_keys));
        changes.write.push(Write::DeleteCustomer(id));
        erasing
    }

    /// Of one that is no customer any more, as it last was: every vendor has refused it. What was tried is kept still.
    pub(super) fn of_refused(merchant: &'a Merchant, known: &'a Known, by: &str, now: Timestamp) -> Self {
        let mut erasing = Self::begun(merchant, known, by, now);
        erasing.changes.expect.push(Expect::Customer {
            id: known.record.id,
            revision: None,
        });
        erasing
    }

    fn begun(merchant: &'a Merchant, known: &'a Known, by: &str, now: Timestamp) -> Self {
        let id = known.record.id;
        let mut changes = Changeset::of(&merchant.id);
        changes.expect.push(Expect::Erasure {
            id: ErasureId::of(id),
            revision: None,
        });
        // Whoever is told now and later is told the same, however exactly a store keeps it.
        let at = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        let mut erasure = ErasureRecord::new(id, &merchant.id, by, at);
        erasure.version = known.record.version.saturating_add(1);
        erasure.held = kinds_held(merchant, &known.record.customer);
        Self {
            merchant,
            known,
            changes,
            erasure,
        }
    }

    /// A delivery that waits, or whose call is on its way: it goes at once, and what comes of the call is too late.
    pub(super) fn end(&mut self, delivery: &DeliveryRecord) {
        self.changes.write.push(Write::ForgetDelivery {
            id: delivery.id,
            attempts: delivery.last_attempt(),
        });
    }

    /// What is left at the vendor: the id of each record that it may have, where one is known.
    pub(super) fn left_at(lane: &Lane) -> Vec<(Option<String>, Left)> {
        let links = lane.link().into_iter().chain(lane.superseded());
        let records: BTreeSet<&str> = links.map(|link| link.provider_customer_id.as_str()).collect();
        if !records.is_empty() {
            let known = records
                .into_iter()
                .map(|record| (Some(record.to_owned()), Left::Record));
            return known.collect();
        }
        let may_have_written = lane.in_flight().is_some()
            || lane.brought() > 0
            || lane.sure_keys().is_some()
            || !lane.known_by().is_empty()
            || !lane.accepted().uncertain.is_empty();
        let left = if may_have_written { Left::Record } else { Left::Nothing };
        vec![(None, left)]
    }

    pub(super) fn note_vendor(&mut self, connection: &str, record: Option<String>, hash: Option<String>, left: Left) {
        self.erasure.vendors.push(ErasedRecord {
            connection: connection.to_owned(),
            record: hash,
            id: record.map(RecordId),
            left,
        });
    }

    /// Whose customer it is.
    pub(super) fn merchant(&self) -> &'a Merchant {
        self.merchant
    }

    /// The record as it will be kept.
    pub(super) fn erasure(&self) -> &ErasureRecord {
        &self.erasure
    }

    /// The changeset, with these events in it, and the record.
    pub(super) fn finish(mut self, events: Vec<Write>) -> (Changeset, ErasureRecord) {
        let erasure = self.erasure.id;
        let keys = tombstone_keys(self.merchant, self.known);
        self.changes.write.push(Write::PutErasure(self.erasure.clone()));
        let tombstone = keys.into_iter().map(|key| Write::AddTombstone { key, erasure });
        self.changes.write.extend(tombstone);
        self.changes.write.extend(events);
        (self.changes, self.erasure)
    }
}

/// Kinds of which another value means somebody else. A value that recognises nobody contradicts nothing.
fn kinds_held(merchant: &Merchant, customer: &Customer) -> BTreeSet<IdentifierKind> {
    let held = customer.identifiers().into_iter();
    let held = held.filter(|identifier| merchant.is_identified_by(identifier));
    held.map(|identifier| identifier.kind)
        .chain(customer.unread().iter().copied())
        .collect()
}

/// Identifiers; match keys, which may be identifiers of before; and vendors' records. Values that recognise nobody never
/// enter.
fn tombstone_keys(merchant: &Merchant, known: &Known) -> BTreeSet<TombstoneKey> {
    let mut keys: BTreeSet<TombstoneKey> = BTreeSet::new();
    let mut identifiers = known.record.customer.identifiers();
    for lane in &known.lanes {
        let reserved = lane.reserved().iter().chain(lane.known_by());
        identifiers.extend(reserved.filter_map(identifier_of));
        let links = lane.link().into_iter().chain(lane.superseded());
        keys.extend(links.map(|link| TombstoneKey::VendorRecord {
            connection: lane.connection.clone(),
            provider_customer_id: link.provider_customer_id.clone(),
        }));
    }
    identifiers.retain(|identifier| merchant.is_identified_by(identifier));
    keys.extend(identifiers.into_iter().map(TombstoneKey::Identifier));
    keys
}

fn identifier_of(key: &MatchKey) -> Option<Identifier> {
    let kind = match key.kind {
        KeyKind::Id => return None,
        KeyKind::Reference => IdentifierKind::Reference,
        KeyKind::Email => IdentifierKind::Email,
        KeyKind::Phone => IdentifierKind::Phone,
    };
    Some(Identifier {
        kind,
        value: key.value.clone(),
    })
}
