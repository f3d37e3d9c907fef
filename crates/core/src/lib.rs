//! The words of the gateway, as types: the canonical customer with its three-state patch, the identifiers
//! that recognise it, the [`UpsertProvider`] seam and what crosses it (requests, receipts, errors).
//!
//! It knows no vendor, no HTTP library and no SQL. Everything here is either plain data or a pure function,
//! but for [`Clock`], which is how the rest of the workspace is told the time.

pub mod canonicalise;
pub mod clock;
pub mod country;
pub mod crash_point;
pub mod customer;
pub mod email;
pub mod error;
pub mod event;
pub mod exchange;
pub mod field;
pub mod ids;
pub mod in_line;
pub mod matching;
pub mod never_match;
pub mod patch;
pub mod phone;
pub mod problem;
pub mod provider;
pub mod reader;
pub mod receipt;
pub mod routing;
pub mod text;
pub mod trace_context;
pub mod word;

pub use canonicalise::{Canonical, Handling, Terms, canonicalise};
pub use clock::{Clock, SystemClock, utc_day};
pub use customer::{Change, Customer};
pub use error::{ErrorKind, FieldError, Held, ProviderError, RetryAdvice, StateAtVendor, VendorBlocks, WaitingFor};
pub use event::{EventKind, EventPayload};
pub use exchange::{Exchange, RequestSeen};
pub use field::{Field, Kind, Value};
pub use ids::{CustomerId, DeliveryId, ErasureId, EventId, IdSource, IncidentId, MerchantMark, UpsertId};
pub use in_line::InLine;
pub use matching::{Identifier, IdentifierKind, KeyKind, MatchKey, OnCollision, OnKeyChange};
pub use never_match::{NeverMatch, Unfit};
pub use patch::{CustomerPatch, Patch};
pub use problem::{Ignored, Problem, WrongCode};
pub use provider::{
    CallContext, Capabilities, FieldMap, Form, Intent, LinkView, Payload, PreparedUpsert, Priority, ProviderInfo,
    Repeat, Selection, Sent, UpsertProvider, UpsertRequest, Violation, WireRequest,
};
pub use reader::{CustomerReader, ListQuery, ReadCustomer, ReadPage, Unreadable};
pub use receipt::{Differs, Evidence, FieldOutcomes, Outcome, UpsertReceipt, VendorSaid, Warning, WarningCode};
pub use routing::When;
pub use trace_context::traceparent_of_attempt;
pub use word::Word;
