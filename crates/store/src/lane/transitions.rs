//! What happens in a lane: the only ways to change what is under way there, what is known of the vendor's record, and how
//! it stands.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value as Json;

use upsert_core::{DeliveryId, KeyKind, MatchKey, PreparedUpsert, UpsertId};

use super::{Accepted, Adopted, Call, Lane, Link, Sending};
use crate::{Expect, Write};

impl Lane {
    /// Begins a change: whoever writes the row says that it is as it was read, and counts its revision up.
    #[must_use]
    pub fn change(&mut self) -> Expect {
        let expected = self.expected();
        self.revision += 1;
        expected
    }

    /// A delivery goes out.
    pub fn start(&mut self, delivery: DeliveryId, prepared: &PreparedUpsert) {
        debug_assert!(
            self.call.is_none(),
            "two calls at once in the lane to {}",
            self.connection
        );
        self.call = Some(Call {
            delivery,
            carries: Some(Sending::from(prepared)),
        });
    }

    /// A delivery waits: behind the one that is in flight, or in the place of the one that waited.
    pub const fn queue(&mut self, delivery: DeliveryId) {
        self.queued = Some(delivery);
    }

    /// A delivery does not wait here any more.
    pub fn unqueue(&mut self, delivery: DeliveryId) {
        self.queued = self.queued.filter(|queued| *queued != delivery);
    }

    /// The call has ended, and nothing of it is at the vendor.
    pub fn end_call(&mut self) {
        self.call = None;
    }

    /// The outcome of the call with this version is not known: whatever it carried may be at the vendor, and counts as not
    /// accepted.
    pub fn lose_call(&mut self, version: u64) {
        self.brought = self.brought.max(version);
        let Some(sending) = self.call.take().and_then(|call| call.carries) else {
            self.known_by.extend(self.reserved.iter().cloned());
            self.accepted.uncertain.extend(self.accepted.fields.keys().cloned());
            return;
        };
        self.may_be_known_by(&sending.known_by);
        for (vendor_field, pointer) in sending.fields {
            self.accepted.uncertain.insert(vendor_field.clone());
            // Whose field it is has to be known, should it be cleared before it is sent again.
            let unseen = (pointer, Json::Null);
            self.accepted.fields.entry(vendor_field).or_insert(unseen);
        }
    }

    /// A call that told the vendor these keys got lost: its record may be known by them. Where it may have made the record,
    /// what comes next has to name a key that it has in any case.
    fn may_be_known_by(&mut self, keys: &[MatchKey]) {
        self.known_by.extend(keys.iter().cloned());
        if self.link.is_none() {
            let is_sure = |key: &&MatchKey| self.sure_keys.as_ref().is_none_or(|sure| sure.contains(*key));
            self.sure_keys = Some(keys.iter().filter(is_sure).cloned().collect());
        }
    }

    /// The vendor accepted the call with this version, and named the record. `replaces_link`: a new one, in the place of
    /// the one that the link led to.
    pub fn accept(
        &mut self,
        prepared: &PreparedUpsert,
        replaces_link: bool,
        provider_customer_id: &str,
        version: u64,
        now: Timestamp,
    ) {
        self.call = None;
        if replaces_link {
            self.superseded.extend(self.link.take());
            self.accepted = Accepted::default();
        }
        self.link_to(provider_customer_id, &prepared.link_key);
        self.accept_fields(prepared);
        // Under a replaced link the old record stays at the vendor, and so do its keys.
        self.known_by = known_after(&self.known_by, prepared, replaces_link);
        self.sure_keys = None;
        self.brought = self.brought.max(version);
        self.mark_accepted(version, now);
        self.last_delivered_at = Some(now);
    }

    fn link_to(&mut self, provider_customer_id: &str, made_with: &MatchKey) {
        let provider_customer_id = provider_customer_id.to_owned();
        self.link = Some(match self.link.take() {
            Some(claim) if claim.claimed_by().is_some() => {
                // What was accepted before was another record's.
                self.accepted = Accepted::default();
                Link {
                    provider_customer_id,
                    key: made_with.clone(),
                    adopted: Some(Adopted::Confirmed),
                    ..claim
                }
            }
            Some(link) => Link {
                provider_customer_id,
                ..link
            },
            None => Link {
                provider_customer_id,
                key: made_with.clone(),
                shared: false,
                adopted: None,
            },
        });
    }

    fn accept_fields(&mut self, prepared: &PreparedUpsert) {
        let Accepted { fields, uncertain } = &mut self.accepted;
        for (vendor_field, sent) in &prepared.sent {
            uncertain.remove(vendor_field);
            let mut value = sent.value.clone();
            if let (true, Json::Array(ours), Some((_, Json::Array(theirs)))) =
                (sent.merged, &mut value, fields.get(vendor_field))
            {
                let others: Vec<Json> = theirs.iter().filter(|tag| !ours.contains(tag)).cloned().collect();
                ours.extend(others);
            }
            fields.insert(vendor_field.clone(), (sent.pointer.clone(), value));
        }
    }

    /// The vendor has this version.
    pub fn mark_accepted(&mut self, version: u64, now: Timestamp) {
        self.now_known(version, now);
        self.failed &= version < self.failed_version;
    }

    /// A delivery of this version failed: the link shows it until this version, or a newer one, has been accepted.
    pub fn mark_failed(&mut self, version: u64) {
        self.failed = true;
        self.failed_version = self.failed_version.max(version);
    }

    /// Whatever failed, the vendor has all that is wanted there.
    pub const fn mark_in_sync(&mut self) {
        self.failed = false;
    }

    /// Reserves those of the keys that are not yet.
    pub fn reserve(&mut self, keys: &[MatchKey]) -> Vec<Write> {
        let mut reserved = Vec::new();
        for key in keys {
            if self.reserved.insert(key.clone()) {
                reserved.push(Write::Reserve {
                    connection: self.connection.clone(),
                    key: key.clone(),
                    customer: self.customer,
                });
            }
        }
        reserved
    }

    /// While nothing waits, only what the vendor knows the record by stays reserved, and what it may know a record by that
    /// an operator forgot.
    pub fn give_back_keys(&mut self) -> Vec<Write> {
        if self.queued.is_some() {
            return Vec::new();
        }
        let kept: BTreeSet<MatchKey> = self.known_by.union(&self.left_behind).cloned().collect();
        let given_back = self
            .reserved
            .extract_if(.., |key| !kept.contains(key))
            .collect::<Vec<_>>();
        self.reserved.extend(self.known_by.iter().cloned());
        self.released(given_back)
    }

    /// The customer is gone, and what was reserved for it is free.
    pub fn give_back_all_keys(&self) -> Vec<Write> {
        self.released(self.reserved.iter().cloned())
    }

    fn released(&self, keys: impl IntoIterator<Item = MatchKey>) -> Vec<Write> {
        let release = |key| Write::Release {
            connection: self.connection.clone(),
            key,
            customer: self.customer,
        };
        keys.into_iter().map(release).collect()
    }

    /// A caller says, with this upsert, that this is the customer's record. `key` stands in the place of the one that it
    /// was made with, which nobody knows yet.
    pub fn adopt(&mut self, provider_customer_id: &str, key: MatchKey, upsert: UpsertId) {
        self.link = Some(Link {
            provider_customer_id: provider_customer_id.to_owned(),
            key,
            shared: false,
            adopted: Some(Adopted::Claimed(upsert)),
        });
    }

    /// The request that claimed the link was refused, and its word with it.
    pub fn drop_claim(&mut self) {
        self.link = None;
    }

    /// Another customer is linked to the same record. Whether that is news.
    pub const fn share_link(&mut self) -> bool {
        match &mut self.link {
            Some(link) if !link.shared => {
                link.shared = true;
                true
            }
            _ => false,
        }
    }

    /// An operator has the record forgotten. Its keys stay reserved, since it may still be there.
    pub fn forget_link(&mut self) {
        self.link = None;
        self.accepted = Accepted::default();
        self.left_behind.append(&mut self.known_by);
        self.sure_keys = None;
        self.declined.clear();
        self.forget_writes();
    }

    /// These values, by the vendor's field, are not wanted there.
    pub fn decline(&mut self, values: BTreeMap<String, Json>) {
        self.declined.extend(values);
    }

    /// Only those marks stay that still mean the customer's value. Whether any went.
    pub fn keep_declined(&mut self, is_meant: impl Fn(&str, &Json) -> bool) -> bool {
        let before = self.declined.len();
        self.declined
            .retain(|vendor_field, value| is_meant(vendor_field, value));
        self.declined.len() < before
    }

    /// The vendor itself has told of this value of its field: it need not be sent there.
    pub fn note_told(&mut self, vendor_field: &str, pointer: &'static str, value: Json) {
        let accepted = (pointer.into(), value);
        self.accepted.fields.insert(vendor_field.to_owned(), accepted);
        self.accepted.uncertain.remove(vendor_field);
    }

    /// As if a call had made it: for tests, and for filling stores.
    #[doc(hidden)]
    #[must_use]
    pub fn with_link(mut self, link: Link, last_delivered_at: Option<Timestamp>) -> Self {
        self.link = Some(link);
        self.last_delivered_at = last_delivered_at;
        self
    }
}

/// A key stays until the vendor has accepted another value of its kind: one that was cleared is still there.
fn known_after(before: &BTreeSet<MatchKey>, prepared: &PreparedUpsert, keeps_old: bool) -> BTreeSet<MatchKey> {
    let replaced: BTreeSet<KeyKind> = prepared.known_by.iter().map(|new| new.kind).collect();
    let stays = |key: &&MatchKey| keeps_old || !replaced.contains(&key.kind);
    before.iter().filter(stays).chain(&prepared.known_by).cloned().collect()
}
