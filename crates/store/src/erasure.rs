//! What is left of a customer that was erased: that it happened, what is left to do at the vendors, and a tombstone by which
//! the gateway knows the person again, without knowing who that was.

use std::collections::BTreeSet;
use std::fmt::{self, Debug};

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::fmt::serde::timestamp::microsecond as timestamp;
use serde::{Deserialize, Serialize};

use upsert_api::Left;
use upsert_core::{CustomerId, ErasureId, Identifier, IdentifierKind, UpsertId, Word as _};

use crate::{DeliveryRecord, Expect, StoreError, UpsertRecord};

/// What a tombstone knows its person by. It is kept as a keyed hash alone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TombstoneKey {
    /// An identifier, or a match key of the same kind.
    Identifier(Identifier),
    /// The record that a vendor has of the person.
    VendorRecord {
        /// The connection's name.
        connection: String,
        /// The vendor's id of it.
        provider_customer_id: String,
    },
}

/// Shows the kind alone: the value is a personal datum.
impl Debug for TombstoneKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identifier(identifier) => write!(f, "TombstoneKey({})", identifier.kind.as_str()),
            Self::VendorRecord { connection, .. } => write!(f, "TombstoneKey(record at {connection})"),
        }
    }
}

/// That a customer was erased. Nothing in it says who that was. It changes by the methods below alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureRecord {
    /// Its id, which leads to the customer's.
    pub id: ErasureId,
    /// Whose customer it was.
    pub merchant: String,
    revision: u64,
    /// The version that it would have been of the customer.
    pub version: u64,
    /// When.
    #[serde(with = "timestamp::required")]
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// What is left at vendors, by connection.
    pub vendors: Vec<ErasedRecord>,
    /// Kinds of identifiers of which the customer had a value, or one that nobody could read: whoever has another value is
    /// somebody else.
    pub held: BTreeSet<IdentifierKind>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "timestamp::optional")]
    ended_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "timestamp::optional")]
    lifted_at: Option<Timestamp>,
}

/// An idempotency key as a store keeps it: its hash, or a digest of that. It is given back as it came.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeptAnswerKey(pub Vec<u8>);

/// Shows nothing of it: whoever knows a key may know whose it was.
impl Debug for KeptAnswerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeptAnswerKey")
    }
}

/// What is left at one vendor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedRecord {
    /// The connection's name.
    pub connection: String,
    /// A keyed hash of the vendor's id of its record, in hexadecimal; none: no id is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// That id itself, for as long as the erasure is open: whoever was not answered asks once more, and nobody else can tell
    /// which record is to be erased there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RecordId>,
    /// What is left there.
    pub left: Left,
}

/// A vendor's id of a record.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordId(pub String);

/// Shows nothing of it: it is a personal datum.
impl Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordId")
    }
}

impl ErasureRecord {
    /// One that begins: nothing but the customer itself is removed yet.
    pub fn new(customer: CustomerId, merchant: &str, by: &str, at: Timestamp) -> Self {
        Self {
            id: ErasureId::of(customer),
            merchant: merchant.to_owned(),
            revision: 1,
            version: 0,
            at,
            by: by.to_owned(),
            vendors: Vec::new(),
            held: BTreeSet::new(),
            ended_at: None,
            lifted_at: None,
        }
    }

    /// Begins a change: whoever writes the row says that it is as it was read, and counts its revision up.
    #[must_use]
    pub const fn change(&mut self) -> Expect {
        let revision = Some(self.revision);
        self.revision += 1;
        Expect::Erasure { id: self.id, revision }
    }

    /// Nothing of the customer is left, vendors' ids neither.
    pub fn end(&mut self, now: Timestamp) {
        self.forget_ids();
        self.ended_at.get_or_insert(now);
    }

    /// The vendors' ids are not kept any longer.
    pub fn forget_ids(&mut self) {
        for vendor in &mut self.vendors {
            vendor.id = None;
        }
    }

    /// Whether any of the vendors' ids is kept still.
    pub fn has_ids(&self) -> bool {
        self.vendors.iter().any(|vendor| vendor.id.is_some())
    }

    /// Has the ids that were known before, of the same records.
    pub fn recall_ids(&mut self, before: &Self) {
        for vendor in self.vendors.iter_mut().filter(|vendor| vendor.record.is_some()) {
            let mut known = before.vendors.iter();
            let known = known.find(|known| (&known.connection, &known.record) == (&vendor.connection, &vendor.record));
            vendor.id = vendor.id.take().or_else(|| known.and_then(|known| known.id.clone()));
        }
    }

    /// The person was brought back on purpose: the tombstone keeps nobody out any more.
    pub fn lift(&mut self, now: Timestamp) {
        self.lifted_at.get_or_insert(now);
    }

    /// A call that was on its way when the customer was erased has ended: this is the record that it wrote to (a keyed hash of
    /// its id). The id itself is kept for as long as the erasure is open.
    pub fn note_record(&mut self, connection: &str, record: String, id: RecordId) {
        if self.vendors.iter().any(|known| known.record.as_ref() == Some(&record)) {
            return;
        }
        let unnamed = |known: &&mut ErasedRecord| known.connection == connection && known.record.is_none();
        let found = ErasedRecord {
            connection: connection.to_owned(),
            record: Some(record),
            id: self.ended_at.is_none().then_some(id),
            left: Left::Record,
        };
        match self.vendors.iter_mut().find(unnamed) {
            Some(known) => *known = found,
            None => {
                let after = |known: &ErasedRecord| known.connection.as_str() <= connection;
                self.vendors.insert(self.vendors.partition_point(after), found);
            }
        }
    }

    /// Grows by one with each write of the row, for [`Expect::Erasure`].
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// When the last of the customer was removed; none: some of it may be left.
    pub const fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }

    /// When somebody brought the person back on purpose.
    pub const fn lifted_at(&self) -> Option<Timestamp> {
        self.lifted_at
    }
}

/// Erasures, and what is asked while one is made.
#[async_trait]
pub trait ErasureStore: Debug + Send + Sync + 'static {
    /// An erasure of one merchant's.
    async fn erasure(&self, merchant: &str, id: ErasureId) -> Result<Option<ErasureRecord>, StoreError>;

    /// Whether anybody of one merchant's was ever erased.
    async fn has_erasures(&self, merchant: &str) -> Result<bool, StoreError>;

    /// Those of these erasures of one merchant's that there are, by id.
    async fn erasures(&self, merchant: &str, ids: &[ErasureId]) -> Result<Vec<ErasureRecord>, StoreError>;

    /// Erasures that have not ended ([`ErasureRecord::ended_at()`]), by merchant, then by id; `after` is the last one of the
    /// page before.
    async fn open_erasures(
        &self,
        after: Option<&ErasureRecord>,
        limit: usize,
    ) -> Result<Vec<ErasureRecord>, StoreError>;

    /// In the order of `keys`: whose tombstones have each of them, sorted, those that were lifted too.
    async fn tombstones(&self, merchant: &str, keys: &[TombstoneKey]) -> Result<Vec<Vec<ErasureId>>, StoreError>;

    /// Upserts of a customer, forgotten ones ([`UpsertRecord::is_forgotten()`]) too, oldest first (by id), each with its
    /// deliveries in the order in which they were made.
    async fn upserts_of(
        &self,
        merchant: &str,
        customer: CustomerId,
        limit: usize,
    ) -> Result<Vec<(UpsertRecord, Vec<DeliveryRecord>)>, StoreError>;

    /// The idempotency keys that made these upserts, sorted, for [`crate::Write::EraseAnswer`].
    async fn keys_of_upserts(&self, merchant: &str, upserts: &[UpsertId]) -> Result<Vec<KeptAnswerKey>, StoreError>;

    /// A hash of a text, keyed with what is the store's own: the same for as long as the store is, wherever it is copied to.
    async fn keyed_hash(&self, text: &str) -> Result<[u8; 16], StoreError>;

    /// Sees to it that what was removed cannot be read any more, as far as the store can: it writes over it, lets go of it in
    /// its log, or has it cleaned up. Where others have to do something for that, it is begun and not waited for.
    async fn scrub(&self) -> Result<(), StoreError>;
}
