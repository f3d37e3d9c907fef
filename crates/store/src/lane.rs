//! What is known of one customer at one connection, and what is under way there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use upsert_core::{CustomerId, DeliveryId, MatchKey, UpsertId};

/// What the gateway knows of one customer at one connection, and what is under way there. There is at most one
/// delivery in flight and one that waits behind it: newer ones take the place of the latter.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    /// Whose.
    pub customer: CustomerId,
    /// The merchant.
    pub merchant: String,
    /// To where.
    pub connection: String,
    /// Grows by one with each write of the row, for [`crate::Expect::Lane`].
    pub revision: u64,
    /// The vendor's record, once it is known.
    pub link: Option<Link>,
    /// What the vendor last accepted from us.
    pub accepted: Accepted,
    /// Keys that are reserved for this customer here: what the vendor's record is known by, and what is on its way.
    pub reserved: BTreeSet<MatchKey>,
    /// Keys that the vendor's record is known by, or may be since a call of unknown outcome.
    #[serde(default)]
    pub known_by: BTreeSet<MatchKey>,
    /// While there is no link, but a lost call may have made a record: the keys that it has, whichever call made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sure_keys: Option<BTreeSet<MatchKey>>,
    /// Keys of records that may still be at the vendor, though no link leads to them any more.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub left_behind: BTreeSet<MatchKey>,
    /// The newest version of the customer that failed here.
    #[serde(default)]
    pub failed_version: u64,
    /// The newest version of the customer that a call may have brought to the vendor.
    #[serde(default)]
    pub brought: u64,
    /// What the call on its way carries: what may be at the vendor, should its outcome get lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sending: Option<Sending>,
    /// The delivery that is being sent.
    pub in_flight: Option<DeliveryId>,
    /// The delivery that comes next.
    pub queued: Option<DeliveryId>,
    /// Whether the latest delivery that ended failed.
    pub failed: bool,
    /// By the vendor's field: a value that an operator does not want to be sent there, until it changes again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub declined: BTreeMap<String, Json>,
    /// What was written to the vendor lately, oldest first, as long as events that come in may tell of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub written: Vec<Written>,
    /// By our pointer: the value that the vendor keeps in the place of the one it was last sent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kept: BTreeMap<String, Json>,
    /// Links that a change of key left behind.
    pub superseded: Vec<Link>,
    /// When the vendor last accepted something.
    pub last_delivered_at: Option<Timestamp>,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("customer", &self.customer)
            .field("connection", &self.connection)
            .field("revision", &self.revision)
            .field("in_flight", &self.in_flight)
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
            sending: None,
            in_flight: None,
            queued: None,
            failed: false,
            declined: BTreeMap::new(),
            written: Vec::new(),
            kept: BTreeMap::new(),
            superseded: Vec::new(),
            last_delivered_at: None,
        }
    }
}

/// What one call carries, without its values.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sending {
    /// Keys that the vendor's record will be known by. What is reserved holds those of the delivery that waits behind it
    /// too.
    pub known_by: Vec<MatchKey>,
    /// The vendor's fields, each with our pointer.
    pub fields: BTreeMap<String, String>,
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.fields.keys()).finish()
    }
}

/// One write to a vendor, by which an event that tells of it is known again.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Written {
    /// When it was about to go out.
    pub at: Timestamp,
    /// The version of the customer that it was to bring.
    #[serde(default)]
    pub version: u64,
    /// Since when the vendor has known of it; none: it may not know of it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_at: Option<Timestamp>,
    /// By our pointer: every form of the value that counts as ours. What an event has told of is taken out.
    pub forms: BTreeMap<String, Vec<Json>>,
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.forms.keys()).finish()
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
    pub fields: BTreeMap<String, AcceptedField>,
    /// Vendor fields that were sent with an unknown outcome since: they count as not accepted.
    pub uncertain: BTreeSet<String>,
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.fields.keys()).finish()
    }
}

/// One accepted value: our pointer, then the value.
pub type AcceptedField = (String, Json);
