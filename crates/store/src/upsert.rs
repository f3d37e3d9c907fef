//! An accepted request, and the answer that its idempotency key gets.

use std::fmt;
use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::fmt::serde::timestamp::microsecond as timestamp;
use serde::{Deserialize, Serialize};

use upsert_api::{Through, UpsertFilter, UpsertState};
use upsert_core::{CustomerId, Ignored, MerchantMark, UpsertId};

use crate::delivery::{DeliveryRecord, is_wanted};
use crate::{Expect, StoreError};

/// One accepted request to change one customer. How it stands changes by the methods below alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says something of its own, and all are members in JSON"
)]
pub struct UpsertRecord {
    /// Its id.
    pub id: UpsertId,
    /// Whose customer.
    pub merchant: String,
    /// Which.
    pub customer: CustomerId,
    /// The customer's version after it.
    pub version: u64,
    revision: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<Ended>,
    /// Whether the customer was new to the gateway.
    pub new_customer: bool,
    /// Whether it changed the customer at all.
    pub changed: bool,
    rolled_back: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    owes_event: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    forgotten: bool,
    /// By whom.
    pub by: String,
    /// The way by which it came; none where the record is older than this member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<Through>,
    /// What could not be read and was left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<Ignored>,
    /// When it was accepted.
    #[serde(with = "timestamp::required")]
    pub created_at: Timestamp,
}

/// How an upsert ended, and when its last delivery did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Ended {
    /// Never [`UpsertState::Pending`].
    state: UpsertState,
    #[serde(with = "timestamp::required")]
    at: Timestamp,
}

impl UpsertRecord {
    /// A new one, of which nothing has ended.
    pub fn new(id: UpsertId, merchant: &str, customer: CustomerId, version: u64, by: &str, now: Timestamp) -> Self {
        Self {
            id,
            merchant: merchant.to_owned(),
            customer,
            version,
            revision: 1,
            ended: None,
            new_customer: false,
            changed: false,
            rolled_back: false,
            owes_event: false,
            forgotten: false,
            by: by.to_owned(),
            through: None,
            ignored: Vec::new(),
            created_at: now,
        }
    }

    /// Begins a change: whoever writes the row says that it is as it was read, and counts its revision up.
    #[must_use]
    pub const fn change(&mut self) -> Expect {
        let revision = self.revision;
        self.revision += 1;
        Expect::Upsert { id: self.id, revision }
    }

    /// Its deliveries have ended: so it stands now. A replay may change that later, but not when it ended.
    pub fn end(&mut self, state: UpsertState, now: Timestamp) {
        debug_assert!(state != UpsertState::Pending, "{} does not end by pending", self.id);
        let at = self.ended.map_or(now, |ended| ended.at);
        self.ended = Some(Ended { state, at });
    }

    /// Every connection refused the change, and it was taken back.
    pub const fn roll_back(&mut self) {
        self.rolled_back = true;
    }

    /// The merchant's endpoints are to be told once it has ended well.
    pub const fn owe_event(&mut self) {
        self.owes_event = true;
    }

    /// Nobody is to be told any more. Whether somebody was.
    pub const fn pay_event(&mut self) -> bool {
        std::mem::replace(&mut self.owes_event, false)
    }

    /// Its deliveries are forgotten: what is left of it is a version in the customer's history.
    pub const fn forget(&mut self) {
        self.forgotten = true;
    }

    /// Whether only the customer's history knows of it any more: nobody finds it, and no list has it.
    pub const fn is_forgotten(&self) -> bool {
        self.forgotten
    }

    /// Grows by one with each write of the row, for [`Expect::Upsert`].
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// How far it is.
    pub fn state(&self) -> UpsertState {
        self.ended.map_or(UpsertState::Pending, |ended| ended.state)
    }

    /// When its last delivery ended.
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.ended.map(|ended| ended.at)
    }

    /// Whether the change was taken back, since every connection refused it.
    pub const fn rolled_back(&self) -> bool {
        self.rolled_back
    }

    /// Whether the merchant's endpoints are still to be told that it ended well.
    pub const fn owes_event(&self) -> bool {
        self.owes_event
    }

    /// Whether the filter means it, with these deliveries.
    pub fn matches(&self, filter: &UpsertFilter, deliveries: &[DeliveryRecord]) -> bool {
        self.matches_alone(filter)
            && filter
                .connection
                .as_ref()
                .is_none_or(|name| deliveries.iter().any(|delivery| delivery.connection == *name))
    }

    /// The same, as far as it can be said without its deliveries.
    pub fn matches_alone(&self, filter: &UpsertFilter) -> bool {
        !self.forgotten
            && self.merchant == filter.merchant
            && (filter.state.is_empty() || filter.state.contains(&self.state()))
            && is_wanted(filter.customer_id, &self.customer)
            && filter.since.is_none_or(|since| self.created_at >= since)
            && filter.until.is_none_or(|until| self.created_at < until)
    }
}

/// A page of upserts with their deliveries, newest first; each one's deliveries in the order in which they were made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UpsertPage {
    /// As many as were asked for, at most. A store that has to look at very many to find them may stop before.
    pub entries: Vec<(UpsertRecord, Vec<DeliveryRecord>)>,
    /// Where the next page begins: below this id. None: nothing that matches is below.
    pub next: Option<UpsertId>,
}

/// An idempotency key that was used.
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// Hash over API key name, merchant, route and key.
    pub key: [u8; 32],
    /// Keyed fingerprint of the request.
    pub fingerprint: [u8; 32],
    /// Whose upsert it made.
    pub merchant: String,
    /// The upsert that it made.
    pub upsert: UpsertId,
    /// When it was first used.
    pub created_at: Timestamp,
    /// Until when it is kept.
    pub expires_at: Timestamp,
    /// The answer, once it is final.
    pub answer: Option<StoredAnswer>,
}

impl fmt::Debug for IdempotencyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyRecord")
            .field("upsert", &self.upsert)
            .finish_non_exhaustive()
    }
}

/// An answer to the letter.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: u16,
    /// `Location`, if it had one.
    pub location: Option<String>,
    /// `Content-Type`.
    pub content_type: String,
    /// The body.
    pub body: String,
}

/// What stands in the place of the answer about a customer that was erased.
const ERASED: u16 = 409;

impl StoredAnswer {
    /// In the place of an answer about a customer that was erased since: nothing of it is left.
    pub const fn erased() -> Self {
        Self {
            status: ERASED,
            location: None,
            content_type: String::new(),
            body: String::new(),
        }
    }

    /// Whether it stands in the place of one about a customer that was erased.
    pub const fn is_erased(&self) -> bool {
        self.status == ERASED && self.body.is_empty()
    }
}

impl fmt::Debug for StoredAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredAnswer({}, {} bytes)", self.status, self.body.len())
    }
}

/// Upserts, and what is remembered of idempotency keys.
#[async_trait]
pub trait UpsertStore: Debug + Send + Sync + 'static {
    /// An upsert of one merchant and its deliveries, in the order in which they were made. One that is forgotten
    /// ([`UpsertRecord::is_forgotten()`]) is not there.
    async fn upsert(
        &self,
        merchant: &str,
        id: UpsertId,
    ) -> Result<Option<(UpsertRecord, Vec<DeliveryRecord>)>, StoreError>;

    /// A page of upserts, newest first by id; `before` is where the page before said that it goes on.
    async fn upserts(
        &self,
        filter: &UpsertFilter,
        before: Option<UpsertId>,
        limit: usize,
    ) -> Result<UpsertPage, StoreError>;

    /// Upserts that are still `pending` though every delivery of their own has ended (some may have been superseded by
    /// one that has not), by merchant, then by id; `after` is the last one of the page before.
    async fn unsettled(&self, after: Option<&UpsertRecord>, limit: usize) -> Result<Vec<UpsertRecord>, StoreError>;

    /// Upserts of which an event is owed ([`UpsertRecord::owes_event()`]), by merchant, then by id; `after` is the last one
    /// of the page before.
    async fn owing(&self, after: Option<&UpsertRecord>, limit: usize) -> Result<Vec<UpsertRecord>, StoreError>;

    /// Upserts with their deliveries that are older (by id) than `before`, however they stand, by merchant, then by id; those
    /// that are forgotten ([`UpsertRecord::is_forgotten()`]) too. `after` is the last one of the page before. A page of fewer
    /// than `limit` is the last one.
    async fn older_upserts(
        &self,
        after: Option<&UpsertRecord>,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<(UpsertRecord, Vec<DeliveryRecord>)>, StoreError>;

    /// An idempotency record that has not expired by `now`.
    async fn idempotency(
        &self,
        merchant: &str,
        key: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord>, StoreError>;

    /// Merchants that have this mark, sorted: all of whom anything is kept, and perhaps some of whom nothing is. It leads
    /// from an id to whoever may have what is kept under it.
    async fn merchants_of(&self, mark: MerchantMark) -> Result<Vec<String>, StoreError>;

    /// No id of what is kept was made after this moment, whoever's it is; none where nothing was ever kept. It may be up to
    /// a second later than the newest that there ever was, and costs the same however much is kept.
    async fn made_until(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Forgets idempotency records that have expired by `now`, the longest expired first; at most `limit`. Answers how
    /// many it forgot.
    async fn forget_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError>;
}
