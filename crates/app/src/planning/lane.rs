//! What holds in a lane whatever happens in it: which keys nobody else may hold, and how an older delivery gives way.

use jiff::Timestamp;

use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{KeyKind, MatchKey, OnCollision, PreparedUpsert};
use upsert_store::{Changeset, DeliveryRecord, Expect, Lane};

use crate::directory::merchant::Connection;

/// Keys that the vendor would match this request by and that nobody else may hold. What a linked customer has reserved
/// is its own; without a link even that has to be looked at again, since a record that is updated by the vendor's id
/// may have taken the same phone number meanwhile.
pub(crate) fn contested_keys(prepared: &PreparedUpsert, lane: Option<&Lane>) -> Vec<MatchKey> {
    let linked = lane.filter(|lane| lane.link().is_some());
    let is_own = |key: &MatchKey| linked.is_some_and(|lane| lane.reserved().contains(key));
    let matched = prepared.matches_by.iter();
    let contested = matched.filter(|key| key.kind != KeyKind::Id && !is_own(key));
    contested.cloned().collect()
}

/// Reserves every key that the vendor's record will be known by. Nobody else may hold one that it would be matched by,
/// unless that is allowed.
pub(crate) fn reserve(connection: &Connection, prepared: &PreparedUpsert, lane: &mut Lane, changes: &mut Changeset) {
    let keys = contested_keys(prepared, Some(lane));
    if !keys.is_empty() && connection.on_collision == OnCollision::Refuse {
        changes.expect.push(Expect::KeysFree {
            connection: lane.connection.clone(),
            keys,
            customer: lane.customer,
        });
    }
    changes.write.extend(lane.reserve(&prepared.known_by));
}

/// The older one gives way; the newer one takes over its due time and attempts.
pub(crate) fn supersede(old: &mut DeliveryRecord, new: &mut DeliveryRecord, now: Timestamp) {
    crash_point(points::COALESCE_BEFORE_COMMIT);
    old.give_way_to(new, now);
}

#[cfg(test)]
mod tests {
    use upsert_store::{Applied, DeliveryState, Store as _, Write};
    use upsert_testkit::MemoryStore;
    use upsert_testkit::records::{delivery_id, delivery_record, full_delivery_error, noon};

    use super::*;

    /// A claim reads the delivery, then its lane: what was taken over in between may not be lost with what it writes.
    #[tokio::test]
    async fn whoever_read_either_one_before_the_newer_took_over_comes_too_late() {
        let store = MemoryStore::new();
        let mut old = delivery_record("acme", "crm", delivery_id(1), DeliveryState::InFlight);
        let mut new = delivery_record("acme", "crm", delivery_id(2), DeliveryState::Waiting);
        old.take_back(full_delivery_error(), noon());
        let read_before = [old.clone(), new.clone()];
        supersede(&mut old, &mut new, noon());
        assert_eq!(
            (new.attempts(), new.maybe_written(), new.took_over().len()),
            (1, true, 1)
        );
        let changes = Changeset {
            write: vec![Write::PutDelivery(old, None), Write::PutDelivery(new, None)],
            ..Changeset::of("acme")
        };
        store.apply(changes).await.unwrap();
        for stale in read_before {
            let changes = Changeset {
                expect: vec![stale.expected()],
                write: vec![Write::PutDelivery(stale, None)],
                ..Changeset::of("acme")
            };
            assert_eq!(store.apply(changes).await.unwrap(), Applied::Unmet(0));
        }
    }
}
