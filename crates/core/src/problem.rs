//! What is wrong with a request, by JSON Pointer.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// One thing that is wrong with a request body. Its texts never repeat the value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = Wrong))]
pub struct Problem {
    /// JSON Pointer (RFC 6901) into the request body.
    pub pointer: String,
    /// Stable code, listed in `docs/error-codes.md`.
    #[cfg_attr(feature = "schema", schema(value_type = WrongCode))]
    pub code: String,
    /// A sentence for people.
    pub detail: String,
    /// The connection that asked for it, if one did.
    pub connection: Option<String>,
}

/// What can be wrong with one part of a request. What is told is a text, since what is kept may be of another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum WrongCode {
    /// Nothing says who is meant.
    IdentifierMissing,
    /// There is no such member.
    UnknownField,
    /// It has another JSON type.
    InvalidType,
    /// It is none of the values that may stand there.
    InvalidValue,
    /// It is no id of the wanted kind.
    InvalidId,
    /// The text is empty.
    Empty,
    /// The text is too long.
    TooLong,
    /// There are too many.
    TooMany,
    /// The text has a control character.
    ControlCharacter,
    /// It is no e-mail address.
    InvalidEmail,
    /// It is no phone number.
    InvalidPhone,
    /// It is no country.
    InvalidCountry,
    /// Two members contradict each other.
    Contradiction,
    /// The merchant has no such connection.
    UnknownConnection,
    /// It is another customer's.
    OtherCustomer,
    /// No route takes the customer.
    NoRoute,
    /// It has to be there.
    Required,
    /// The vendor does not take this kind of customer.
    UnsupportedKind,
    /// It may not be passed through.
    ProtectedField,
    /// A vendor cannot change the key.
    BusinessKeyChange,
    /// Another customer holds the key.
    MatchKeyCollision,
    /// The header cannot be read.
    InvalidHeader,
    /// There is no such parameter.
    UnknownParameter,
    /// The parameter is given more than once.
    RepeatedParameter,
    /// It is no time.
    InvalidTime,
    /// It is no cursor of this list.
    InvalidCursor,
    /// The vendor cannot filter by it.
    UnsupportedFilter,
    /// It is no idempotency key.
    InvalidIdempotencyKey,
    /// It is missing in the event.
    Missing,
    /// Nothing can be put in order by it.
    InvalidOrder,
    /// The number cannot be read exactly.
    InexactNumber,
    /// The number is not whole.
    NotWhole,
    /// The mapping does not know the value.
    UnknownValue,
    /// It says nothing here.
    InvalidQuery,
    /// The merchant cannot be served as it is written.
    Invalid,
    /// There is no key to seal with.
    NoEncryptionKey,
    /// It is too large.
    BodyTooLarge,
}

impl Problem {
    /// A problem that no connection has part in.
    pub fn new(pointer: impl Into<String>, code: &str, detail: impl Into<String>) -> Self {
        debug_assert!(
            code.parse::<WrongCode>().is_ok(),
            "`{code}` is none of the documented codes"
        );
        Self {
            pointer: pointer.into(),
            code: code.to_owned(),
            detail: detail.into(),
            connection: None,
        }
    }
}

/// A member of a request that could not be read and was left out, so that the rest of it counts: what was known there is
/// kept. Its texts never repeat the value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Ignored {
    /// JSON Pointer (RFC 6901) into the request body.
    pub pointer: String,
    /// The code that it would have been refused with.
    #[cfg_attr(feature = "schema", schema(value_type = WrongCode))]
    pub code: String,
    /// A sentence for people.
    pub detail: String,
}

impl From<Problem> for Ignored {
    fn from(problem: Problem) -> Self {
        Self {
            pointer: problem.pointer,
            code: problem.code,
            detail: problem.detail,
        }
    }
}
