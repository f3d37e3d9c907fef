//! Records as every driver keeps them.

use std::fmt;

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::microsecond as timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use upsert_core::customer::kept;
use upsert_core::{Customer, DeliveryId, IdentifierKind, KeyKind, UpsertId};
use upsert_sealing::NotOpened;
use upsert_store::{TombstoneKey, UpsertState};

use crate::digest::{Digest, Digests, Kind};

/// Bytes of a record that is not unusually large.
pub(crate) const USUAL_BODY: usize = 1_024;

/// A value of a column cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is of another form.
    Value(&'static str),
    /// It is not taken for what was written there.
    Sealed(&'static str, Refused),
}

/// Why a value is not taken for what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    NotOpened(NotOpened),
    /// There is no data key to seal or open it with.
    NoDataKey,
    /// It is in the clear, in a store that is wholly sealed.
    InTheClear,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOpened(why) => fmt::Display::fmt(why, f),
            Self::NoDataKey => f.write_str("the store has no data key for it"),
            Self::InTheClear => f.write_str("it is in the clear, where everything is sealed"),
        }
    }
}

/// A record as it is kept: MessagePack with the members' names, so that members come and go as in JSON.
pub(crate) fn to_bytes<T: Serialize>(record: &T, column: &'static str) -> Result<Vec<u8>, Unfit> {
    // Most fit: a buffer that grows by and by is copied again and again.
    let mut bytes = Vec::with_capacity(USUAL_BODY);
    encode(record, &mut bytes, column)?;
    Ok(bytes)
}

/// The same, behind what is there.
pub(crate) fn encode<T: Serialize>(record: &T, bytes: &mut Vec<u8>, column: &'static str) -> Result<(), Unfit> {
    rmp_serde::encode::write_named(bytes, record).map_err(|_| Unfit::Value(column))
}

/// A record as it was kept.
pub(crate) fn from_bytes<T: DeserializeOwned>(bytes: &[u8], column: &'static str) -> Result<T, Unfit> {
    rmp_serde::from_slice(bytes).map_err(|_| Unfit::Value(column))
}

/// A customer as it is kept, beside its id, merchant and revision.
#[derive(Serialize)]
pub(crate) struct CustomerBody<'a> {
    pub(crate) version: u64,
    #[serde(with = "timestamp::required")]
    pub(crate) created_at: Timestamp,
    #[serde(with = "timestamp::required")]
    pub(crate) updated_at: Timestamp,
    #[serde(with = "kept")]
    pub(crate) customer: &'a Customer,
}

/// The same, as it was kept.
#[derive(Deserialize)]
pub(crate) struct CustomerWas {
    pub(crate) version: u64,
    #[serde(with = "timestamp::required")]
    pub(crate) created_at: Timestamp,
    #[serde(with = "timestamp::required")]
    pub(crate) updated_at: Timestamp,
    #[serde(with = "kept")]
    pub(crate) customer: Customer,
}

/// A count as it is kept.
pub(crate) fn signed(count: u64, column: &'static str) -> Result<i64, Unfit> {
    i64::try_from(count).map_err(|_| Unfit::Value(column))
}

/// A limit as SQL takes it.
pub(crate) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// What a match key of this kind is looked for by.
pub(crate) const fn key_kind(kind: KeyKind) -> Kind {
    match kind {
        KeyKind::Id => Kind::Id,
        KeyKind::Reference => Kind::Reference,
        KeyKind::Email => Kind::Email,
        KeyKind::Phone => Kind::Phone,
    }
}

/// What an identifier of this kind is looked for by: as the match key that it usually is.
pub(crate) const fn identifier_kind(kind: IdentifierKind) -> Kind {
    match kind {
        IdentifierKind::Reference => Kind::Reference,
        IdentifierKind::Email => Kind::Email,
        IdentifierKind::Phone => Kind::Phone,
    }
}

/// In the place of a connection's name: the key is a tombstone's. No connection can be called so.
pub(crate) const ERASED: &str = "(erased)";

/// What a key of a tombstone is kept and looked for by.
pub(crate) fn tombstone_digest(digests: &Digests, key: &TombstoneKey) -> Digest {
    match key {
        TombstoneKey::Identifier(identifier) => digests.digest(identifier_kind(identifier.kind), &identifier.value),
        TombstoneKey::VendorRecord {
            connection,
            provider_customer_id,
        } => digests.digest(Kind::VendorRecord, &format!("{connection}\n{provider_customer_id}")),
    }
}

/// What a certificate says in the place of a vendor's id.
pub(crate) fn certificate_hash(digests: &Digests, text: &str) -> [u8; 16] {
    digests.digest(Kind::Certificate, text).bytes()
}

/// As what an upsert in this state stands in the index of what has not ended well.
pub(crate) const fn standing_of_upsert(state: UpsertState) -> Option<&'static str> {
    match state {
        UpsertState::Succeeded => None,
        UpsertState::Pending => Some("upsert_pending"),
        UpsertState::PartiallyFailed => Some("upsert_partially_failed"),
        UpsertState::Failed => Some("upsert_failed"),
    }
}

/// The greatest id that one of an upsert's deliveries can have.
pub(crate) fn last_of(upsert: &Uuid) -> Uuid {
    *DeliveryId::of(UpsertId::from_uuid(*upsert), DeliveryId::MOST).as_uuid()
}
