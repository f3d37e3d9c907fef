//! What holds in a lane whatever happens in it: which keys stay reserved, and how an older delivery gives way.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value as Json;

use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{KeyKind, MatchKey, PreparedUpsert, Sent};
use upsert_store::{DeliveryRecord, DeliveryState, Lane, Sending, Write};

use crate::planning::echo::now_known;

/// Keys that the vendor would match this request by and that nobody else may hold. What a linked customer has reserved
/// is its own; without a link even that has to be looked at again, since a record that is updated by the vendor's id
/// may have taken the same phone number meanwhile.
pub(crate) fn contested_keys(prepared: &PreparedUpsert, lane: Option<&Lane>) -> Vec<MatchKey> {
    let linked = lane.filter(|lane| lane.link.is_some());
    let is_own = |key: &MatchKey| linked.is_some_and(|lane| lane.reserved.contains(key));
    prepared
        .matches_by
        .iter()
        .filter(|key| key.kind != KeyKind::Id && !is_own(key))
        .cloned()
        .collect()
}

/// While nothing waits, only what the vendor knows the record by stays reserved, and what it may know a record by that
/// an operator forgot.
pub(crate) fn give_back_keys(lane: &mut Lane) -> Vec<Write> {
    if lane.queued.is_some() {
        return Vec::new();
    }
    let kept: BTreeSet<MatchKey> = lane.known_by.union(&lane.left_behind).cloned().collect();
    let given_back: Vec<MatchKey> = lane.reserved.difference(&kept).cloned().collect();
    lane.reserved.retain(|key| kept.contains(key));
    lane.reserved.extend(lane.known_by.iter().cloned());
    let (merchant, connection, customer) = (&lane.merchant, &lane.connection, lane.customer);
    let release = |key| Write::Release {
        merchant: merchant.clone(),
        connection: connection.clone(),
        key,
        customer,
    };
    given_back.into_iter().map(release).collect()
}

/// A key stays until the vendor has accepted another value of its kind: one that was cleared is still there.
pub(crate) fn known_after(
    before: &BTreeSet<MatchKey>,
    prepared: &PreparedUpsert,
    keeps_old: bool,
) -> BTreeSet<MatchKey> {
    let is_replaced = |key: &MatchKey| prepared.known_by.iter().any(|new| new.kind == key.kind);
    before
        .iter()
        .filter(|key| keeps_old || !is_replaced(key))
        .chain(&prepared.known_by)
        .cloned()
        .collect()
}

/// What this call carries.
pub(crate) fn sending(prepared: &PreparedUpsert) -> Sending {
    let field = |(vendor_field, sent): (&String, &Sent)| (vendor_field.clone(), sent.pointer.clone());
    Sending {
        known_by: prepared.known_by.clone(),
        fields: prepared.sent.iter().map(field).collect(),
    }
}

/// A call that told the vendor these keys got lost: its record may be known by them. Where it may have made the record,
/// what comes next has to name a key that it has in any case.
pub(crate) fn may_be_known_by(lane: &mut Lane, keys: &[MatchKey]) {
    lane.known_by.extend(keys.iter().cloned());
    if lane.link.is_none() {
        let is_sure = |key: &&MatchKey| lane.sure_keys.as_ref().is_none_or(|sure| sure.contains(*key));
        lane.sure_keys = Some(keys.iter().filter(is_sure).cloned().collect());
    }
}

/// The outcome of the call on its way got lost: whatever it carried may be at the vendor, and counts as not accepted.
pub(crate) fn may_be_there(lane: &mut Lane) {
    let Some(sending) = lane.sending.take() else {
        // A row of an older release does not say what was sent.
        lane.known_by.extend(lane.reserved.iter().cloned());
        lane.accepted.uncertain.extend(lane.accepted.fields.keys().cloned());
        return;
    };
    may_be_known_by(lane, &sending.known_by);
    for (vendor_field, pointer) in sending.fields {
        lane.accepted.uncertain.insert(vendor_field.clone());
        // Whose field it is has to be known, should it be cleared before it is sent again.
        lane.accepted
            .fields
            .entry(vendor_field)
            .or_insert((pointer, Json::Null));
    }
}

/// The older one gives way; the newer one takes over its due time and attempts.
pub(crate) fn supersede(old: &mut DeliveryRecord, new: &mut DeliveryRecord, now: Timestamp) {
    if matches!(
        old.state,
        DeliveryState::Retrying | DeliveryState::Waiting | DeliveryState::Pending
    ) {
        new.state = old.state;
        new.waiting_for = old.waiting_for;
        new.next_attempt_at = old.next_attempt_at;
        // Its age counts from when it was made itself, so what the older one was parked before is no credit.
        new.parked_since = old.parked_since.map(|since| since.max(new.created_at));
    }
    crash_point(points::COALESCE_BEFORE_COMMIT);
    new.attempts = old.attempts;
    new.error.clone_from(&old.error);
    new.maybe_written |= old.maybe_written;
    new.force |= old.force;
    if let Some(since) = old.parked_since.take() {
        // Should it be taken up again, the time in between was no time that it was parked.
        old.parked_ms += u64::try_from(now.duration_since(since).as_millis()).unwrap_or_default();
    }
    // Whoever has read the older one and not written yet (a release, a pause) comes too late now.
    old.fence += 1;
    // And whoever has read the newer one without what it takes over.
    new.fence += 1;
    new.took_over.push(old.id);
    old.state = DeliveryState::Superseded;
    old.superseded_by = Some(new.id);
    old.waiting_for = None;
    old.next_attempt_at = None;
    old.lease_until = None;
    old.ended_at = Some(now);
}

/// The delivery failed: the link shows it until this version, or a newer one, has been accepted.
pub(crate) fn mark_failed(lane: &mut Lane, version: u64) {
    lane.failed = true;
    lane.failed_version = lane.failed_version.max(version);
}

/// The vendor has this version.
pub(crate) fn mark_accepted(lane: &mut Lane, version: u64, now: Timestamp) {
    now_known(lane, version, now);
    lane.failed &= version < lane.failed_version;
}

#[cfg(test)]
mod tests {
    use upsert_store::{Applied, Changeset, Expect, MemoryStore, Store as _};
    use upsert_testkit::records::{delivery_id, delivery_record};

    use super::*;

    /// A claim reads the delivery, then its lane: what was taken over in between may not be lost with what it writes.
    #[tokio::test]
    async fn whoever_read_either_one_before_the_newer_took_over_comes_too_late() {
        let store = MemoryStore::new();
        let mut old = delivery_record("acme", "crm", delivery_id(1), DeliveryState::Retrying);
        let mut new = delivery_record("acme", "crm", delivery_id(2), DeliveryState::Waiting);
        (old.attempts, old.maybe_written) = (1, true);
        let read_before = [old.clone(), new.clone()];
        supersede(&mut old, &mut new, Timestamp::UNIX_EPOCH);
        assert_eq!((new.attempts, new.maybe_written, new.took_over.len()), (1, true, 1));
        let changes = Changeset {
            expect: Vec::new(),
            write: vec![Write::PutDelivery(old), Write::PutDelivery(new)],
        };
        store.apply(changes).await.unwrap();
        for stale in read_before {
            let changes = Changeset {
                expect: vec![Expect::Delivery {
                    id: stale.id,
                    fence: stale.fence,
                }],
                write: vec![Write::PutDelivery(stale)],
            };
            assert_eq!(store.apply(changes).await.unwrap(), Applied::Unmet(0));
        }
    }
}
