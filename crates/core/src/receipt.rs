//! What a delivery proved.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::matching::KeyKind;

/// What came of it at the vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// A record was made.
    Created,
    /// A record was changed.
    Updated,
    /// One of the two; nobody can tell which.
    Upserted,
    /// Nothing had to be sent.
    Unchanged,
}

/// How the outcome is known. The first that holds, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Evidence {
    /// The vendor's status or message says so.
    VendorSaid,
    /// The gateway knew the record before.
    Link,
    /// Something else in the answer gives it away.
    Inferred,
    /// Nothing.
    None,
}

/// A field that the vendor keeps otherwise than it was sent.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Differs {
    /// Pointer of our field.
    pub pointer: Cow<'static, str>,
    /// What the vendor's answer shows in its place.
    pub kept: Json,
}

/// Shows the pointer alone: the value is a personal datum.
impl fmt::Debug for Differs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Differs({})", self.pointer)
    }
}

/// What became of each field that was sent, as far as the vendor's echo shows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FieldOutcomes {
    /// Pointers of fields that came back as they were sent.
    pub confirmed: Vec<Cow<'static, str>>,
    /// Fields that came back otherwise.
    pub differs: Vec<Differs>,
    /// Pointers of fields that the answer does not show.
    pub unconfirmed: Vec<Cow<'static, str>>,
}

/// Why a warning was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum WarningCode {
    /// The vendor has no place for the field.
    UnsupportedField,
    /// The vendor cannot clear the field: it keeps what it had.
    CannotClear,
    /// The vendor adds tags and never removes any.
    TagsAreMerged,
    /// The value is longer than what the vendor is known to keep.
    MayBeCut,
    /// Another customer of this connection may be matched by the same key.
    KeyIsShared,
    /// A new record was made at the vendor, since its key cannot change.
    NewRecord,
    /// The value is one that people type who do not want to give theirs: it is not sent where the vendor matches by it.
    Placeholder,
    /// The phone number has a length that no number of its country is known to have: not sent where the vendor matches by it.
    UnlikelyPhone,
    /// The vendor may not know the country's code.
    MayNotKnowCountry,
    /// The vendor takes no id on a write: that it wrote to the adopted record is seen only in its answer.
    LinkIsCheckedAfterwards,
}

/// Something that this vendor cannot hold or do. It never fails a delivery.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Warning {
    /// Which kind.
    pub code: WarningCode,
    /// Pointer of our field.
    pub pointer: Cow<'static, str>,
    /// A sentence for people; it repeats no value.
    pub detail: Cow<'static, str>,
}

impl Warning {
    /// A warning about one field.
    pub fn new(code: WarningCode, pointer: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            pointer: pointer.into(),
            detail: detail.into(),
        }
    }
}

/// What one accepted call proved.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct UpsertReceipt {
    /// Created, updated or one of the two.
    pub outcome: Outcome,
    /// How that is known.
    pub evidence: Evidence,
    /// The first key in the vendor's order that was sent; none when it created.
    pub matched_by: Option<KeyKind>,
    /// The vendor's id of the record.
    pub provider_customer_id: String,
    /// What became of each field.
    pub fields: FieldOutcomes,
    /// The vendor's id of this call, if it gives one.
    pub vendor_request_id: Option<String>,
    /// What the answer says beside the record: the evidence can be looked at.
    #[serde(default)]
    pub vendor_said: VendorSaid,
}

/// What an answer says beside the record's id and fields: kept with the attempt.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct VendorSaid {
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// Message, times and the like, in the vendor's own members.
    pub members: Map<String, Json>,
}

/// Leaves the values out: a message may repeat one.
impl fmt::Debug for VendorSaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.members.keys().collect();
        write!(f, "VendorSaid({:?}, {names:?})", self.status)
    }
}

/// Leaves the vendor's id of the customer out.
impl fmt::Debug for UpsertReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpsertReceipt")
            .field("outcome", &self.outcome)
            .field("evidence", &self.evidence)
            .field("matched_by", &self.matched_by)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::word::Word as _;

    #[test]
    fn outcomes_and_evidence_are_called_alike_in_json_and_in_the_store() {
        for outcome in [
            Outcome::Created,
            Outcome::Updated,
            Outcome::Upserted,
            Outcome::Unchanged,
        ] {
            assert_eq!(json!(outcome), outcome.as_str());
        }
        for evidence in [Evidence::VendorSaid, Evidence::Link, Evidence::Inferred, Evidence::None] {
            assert_eq!(json!(evidence), evidence.as_str());
        }
    }
}
