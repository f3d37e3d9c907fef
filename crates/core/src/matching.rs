//! What recognises a customer: here (identifiers), and at a vendor (match keys).

use crate::word::Word as _;
use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::field::Field;

/// What the gateway finds its own customers by, beside their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum IdentifierKind {
    /// The merchant's own id.
    Reference,
    /// E-mail address.
    Email,
    /// Phone number, E.164.
    Phone,
}

impl IdentifierKind {
    /// The field that holds it.
    pub const fn field(self) -> Field {
        match self {
            Self::Reference => Field::Reference,
            Self::Email => Field::Email,
            Self::Phone => Field::Phone,
        }
    }
}

/// A canonical value that recognises a customer of one merchant.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identifier {
    /// Which kind.
    pub kind: IdentifierKind,
    /// The canonical value.
    pub value: String,
}

/// Shows the kind alone: the value is a personal datum.
impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identifier({})", self.kind.as_str())
    }
}

/// What a vendor matches its own records by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum KeyKind {
    /// The vendor's own id of the record.
    Id,
    /// The id that we gave it.
    Reference,
    /// E-mail address.
    Email,
    /// Phone number.
    Phone,
}

impl KeyKind {
    /// The pointer of the canonical field that feeds it.
    pub const fn pointer(self) -> &'static str {
        match self {
            Self::Id => "/id",
            Self::Reference => "/reference",
            Self::Email => "/email",
            Self::Phone => "/phone",
        }
    }
}

/// A value by which one vendor recognises its own record.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MatchKey {
    /// Which kind.
    pub kind: KeyKind,
    /// The value as the vendor gets it.
    pub value: String,
}

impl MatchKey {
    /// A key of this kind and value.
    pub fn new(kind: KeyKind, value: impl Into<String>) -> Self {
        Self {
            kind,
            value: value.into(),
        }
    }
}

/// Shows the kind alone: the value is a personal datum.
impl fmt::Debug for MatchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MatchKey({})", self.kind.as_str())
    }
}

/// What to do where a vendor would match another customer's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum OnCollision {
    /// The upsert is refused: 409.
    Refuse,
    /// It goes on, and both links are marked shared.
    Proceed,
}

/// What to do where the key changes that a vendor's record was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum OnKeyChange {
    /// The upsert is refused: 409.
    Refuse,
    /// The vendor makes a new record; the old link is kept as superseded.
    CreateNew,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn kinds_are_called_alike_in_json_and_in_the_store() {
        for (kind, word, pointer) in [
            (IdentifierKind::Reference, "reference", "/reference"),
            (IdentifierKind::Email, "email", "/email"),
            (IdentifierKind::Phone, "phone", "/phone"),
        ] {
            assert_eq!((kind.as_str(), kind.field().pointer()), (word, pointer));
            assert_eq!(json!(kind), word);
        }
        for (kind, word, pointer) in [
            (KeyKind::Id, "id", "/id"),
            (KeyKind::Reference, "reference", "/reference"),
            (KeyKind::Email, "email", "/email"),
            (KeyKind::Phone, "phone", "/phone"),
        ] {
            assert_eq!((kind.as_str(), kind.pointer()), (word, pointer));
            assert_eq!(json!(kind), word);
        }
    }
}
