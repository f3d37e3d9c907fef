//! The certificate of an erasure: that a person was erased here, and what is left to do at the vendors.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use upsert_core::{CustomerId, ErasureId};

/// That a customer was erased. It says nothing of who that was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Erasure {
    /// `ers_…`
    pub erasure_id: ErasureId,
    /// When.
    pub at: Timestamp,
    /// The name of the API key, or whoever was signed in.
    pub by: String,
    /// The id that the customer had.
    pub customer_id: CustomerId,
    /// What is left at each vendor, in the order of the connections' names.
    pub vendors: Vec<ErasedVendor>,
    /// Base64: Ed25519 over the canonical JSON (RFC 8785) of everything else in here; null where the gateway has no
    /// `signing_key`, and for as long as something of the person may be left in its store.
    pub signature: Option<String>,
    /// Base64 of the 32 bytes that the signature is proved by.
    pub public_key: Option<String>,
}

/// What is left of an erased customer at one vendor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErasedVendor {
    /// The connection's name.
    pub connection: String,
    /// The vendor's id of the record, in the answer of the erasure alone: it is kept until that has ended.
    pub provider_customer_id: Option<String>,
    /// A keyed hash of that id, in hexadecimal; null where none is known.
    pub provider_customer_id_hash: Option<String>,
    /// What is left there.
    pub left: Left,
}

/// What an erased customer may have left at a vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Left {
    /// A record, or nobody can tell that there is none: it is to be erased there.
    Record,
    /// The vendor was never sent anything that it may have kept.
    Nothing,
}
