//! What is known of one customer at one connection, and what is under way there.

mod transitions;
mod written;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::microsecond as timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use upsert_core::{CustomerId, DeliveryId, MatchKey, PreparedUpsert, Sent, UpsertId};

pub use written::Written;

use crate::Expect;

/// What the gateway knows of one customer at one connection, and what is under way there. There is at most one
/// delivery in flight and one that waits behind it: newer ones take the place of the latter. It changes by the methods of
/// `transitions.rs` and `written.rs` alone.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    /// Whose.
    pub customer: CustomerId,
    /// The merchant.
    pub merchant: String,
    /// To where.
    pub connection: String,
    revision: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<Link>,
    accepted: Accepted,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    reserved: BTreeSet<MatchKey>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    known_by: BTreeSet<MatchKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sure_keys: Option<BTreeSet<MatchKey>>,
    /// Keys of records that may still be at the vendor, though no link leads to them any more.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    left_behind: BTreeSet<MatchKey>,
    /// The newest version of the customer that failed here.
    failed_version: u64,
    brought: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call: Option<Call>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queued: Option<DeliveryId>,
    failed: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    declined: BTreeMap<String, Json>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    written: Vec<Written>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    kept: BTreeMap<String, Json>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    superseded: Vec<Link>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "timestamp::optional")]
    last_delivered_at: Option<Timestamp>,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("customer", &self.customer)
            .field("connection", &self.connection)
            .field("revision", &self.revision)
            .field("in_flight", &self.in_flight())
            .field("queued", &self.queued)
            .finish_non_exhaustive()
    }
}

impl Lane {
    /// Nothing is known and nothing is under way.
    pub fn new(merchant: &str, customer: CustomerId, connection: &str) -> Self {
        Self {
            customer,
            merchant: merchant.to_owned(),
            connection: connection.to_owned(),
            revision: 0,
            link: None,
            accepted: Accepted::default(),
            reserved: BTreeSet::new(),
            known_by: BTreeSet::new(),
            sure_keys: None,
            left_behind: BTreeSet::new(),
            failed_version: 0,
            brought: 0,
            call: None,
            queued: None,
            failed: false,
            declined: BTreeMap::new(),
            written: Vec::new(),
            kept: BTreeMap::new(),
            superseded: Vec::new(),
            last_delivered_at: None,
        }
    }

    /// Grows by one with each write of the row, for [`Expect::Lane`].
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// That nobody has changed it since it was read. One of revision 0 was not there.
    pub fn expected(&self) -> Expect {
        Expect::Lane {
            customer: self.customer,
            connection: self.connection.clone(),
            revision: (self.revision > 0).then_some(self.revision),
        }
    }

    /// The vendor's record, once it is known.
    pub const fn link(&self) -> Option<&Link> {
        self.link.as_ref()
    }

    /// The vendor's id of the record.
    pub fn linked_to(&self) -> Option<&str> {
        self.link.as_ref().map(|link| link.provider_customer_id.as_str())
    }

    /// The upsert whose caller claimed the link, while nothing but that speaks for it.
    pub fn claimed_by(&self) -> Option<UpsertId> {
        self.link.as_ref().and_then(Link::claimed_by)
    }

    /// Links that a change of key left behind.
    pub fn superseded(&self) -> &[Link] {
        &self.superseded
    }

    /// What the vendor last accepted from us.
    pub const fn accepted(&self) -> &Accepted {
        &self.accepted
    }

    /// Keys that are reserved for this customer here: what the vendor's record is known by, and what is on its way.
    pub const fn reserved(&self) -> &BTreeSet<MatchKey> {
        &self.reserved
    }

    /// Keys that the vendor's record is known by, or may be since a call of unknown outcome.
    pub const fn known_by(&self) -> &BTreeSet<MatchKey> {
        &self.known_by
    }

    /// While there is no link, but a lost call may have made a record: the keys that it has, whichever call made it.
    pub const fn sure_keys(&self) -> Option<&BTreeSet<MatchKey>> {
        self.sure_keys.as_ref()
    }

    /// The newest version of the customer that a call may have brought to the vendor.
    pub const fn brought(&self) -> u64 {
        self.brought
    }

    /// The call on its way.
    pub const fn call(&self) -> Option<&Call> {
        self.call.as_ref()
    }

    /// The delivery that is being sent.
    pub fn in_flight(&self) -> Option<DeliveryId> {
        self.call.as_ref().map(|call| call.delivery)
    }

    /// What the call on its way carries: what may be at the vendor, should its outcome get lost.
    pub fn sending(&self) -> Option<&Sending> {
        self.call.as_ref()?.carries.as_ref()
    }

    /// The delivery that comes next.
    pub const fn queued(&self) -> Option<DeliveryId> {
        self.queued
    }

    /// Whether a delivery is in flight or waits.
    pub const fn is_busy(&self) -> bool {
        self.call.is_some() || self.queued.is_some()
    }

    /// Whether the latest delivery that ended failed.
    pub const fn failed(&self) -> bool {
        self.failed
    }

    /// By the vendor's field: a value that an operator does not want to be sent there, until it changes again.
    pub const fn declined(&self) -> &BTreeMap<String, Json> {
        &self.declined
    }

    /// When the vendor last accepted something.
    pub const fn last_delivered_at(&self) -> Option<Timestamp> {
        self.last_delivered_at
    }
}

/// A call on its way.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// None: the release that began it did not say.
    pub carries: Option<Sending>,
}

/// What one call carries, without its values.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sending {
    /// Keys that the vendor's record will be known by. What is reserved holds those of the delivery that waits behind it
    /// too.
    pub known_by: Vec<MatchKey>,
    /// The vendor's fields, each with our pointer.
    pub fields: BTreeMap<String, Cow<'static, str>>,
}

impl From<&PreparedUpsert> for Sending {
    fn from(prepared: &PreparedUpsert) -> Self {
        let field = |(vendor_field, sent): (&String, &Sent)| (vendor_field.clone(), sent.pointer.clone());
        Self {
            known_by: prepared.known_by.clone(),
            fields: prepared.sent.iter().map(field).collect(),
        }
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.fields.keys()).finish()
    }
}

/// Our customer ↔ the vendor's record.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The vendor's id.
    pub provider_customer_id: String,
    /// The key that it was made with.
    pub key: MatchKey,
    /// Whether another customer holds the same record.
    pub shared: bool,
    /// Set where the caller said that this is the customer's record there: how far the vendor has borne that out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<Adopted>,
}

impl Link {
    /// The upsert that claimed it, while nothing but that speaks for it.
    pub fn claimed_by(&self) -> Option<UpsertId> {
        match self.adopted {
            Some(Adopted::Claimed(upsert)) => Some(upsert),
            _ => None,
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link(…)")
    }
}

/// How far a link is borne out that a caller brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adopted {
    /// The caller has said so, with this upsert: no answer of the vendor's has named the record yet.
    Claimed(UpsertId),
    /// The vendor has answered with its id.
    Confirmed,
}

/// What a vendor accepted from us, field by field, whenever that was. "No change, no call" compares with this.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Accepted {
    /// By the vendor's field: our pointer and the value as it was sent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, AcceptedField>,
    /// Vendor fields that were sent with an unknown outcome since: they count as not accepted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub uncertain: BTreeSet<String>,
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.fields.keys()).finish()
    }
}

/// One accepted value: our pointer, then the value.
pub type AcceptedField = (Cow<'static, str>, Json);
