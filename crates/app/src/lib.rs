//! The use cases: what an upsert means, from the request to the receipt. See `upsert/straight_line.rs` for the straight line.
//!
//! It knows no HTTP library, no SQL, no vendor and no policy: connections come in as [`Connection`], ready
//! to call, and everything durable goes through the [`upsert_store::Store`] trait.

mod audit;
mod context;
mod delivery;
mod directory;
mod gateway;
mod inbox;
mod incidents;
mod operations;
mod outbox;
mod planning;
mod problem;
mod queries;
mod runtime;
mod sessions;
mod strict_json;
mod upsert;
mod view;

pub use audit::Auditing;
pub use audit::act::{Act, BY_FILES, BY_UNKNOWN};
pub use audit::chain::{AuditKeys, NoAuditKeys};
pub use context::{GatewayParts, LOOK_EVERY, Retention};
pub use delivery::Deliveries;
pub use directory::merchant::{Connection, ConnectionStatus, Directory, Merchant, NextStep, RetryRule, Route};
pub use directory::stored::{BuildMerchant, StoredMerchants};
pub use directory::webhooks::{Endpoint, EndpointAnswer, EndpointWords, EventSender, SignedEvent, Source};
pub use gateway::Gateway;
pub use inbox::Inbox;
pub use inbox::outcome::Intake;
pub use inbox::receive::{ReadEvent, unbelieved_time};
pub use operations::Operations;
pub use operations::letters::{DeadLetterAction, DeadLetters};
pub use operations::stored_merchants::{MerchantExpected, NewMerchant};
pub use outbox::Outbox;
pub use problem::Refusal;
pub use queries::Queries;
pub use queries::attention::{ConfigurationRefused, needs_attention};
pub use queries::backlog::{EventBacklog, OfMerchant};
pub use runtime::counters::{Ending, Endings};
pub use runtime::metrics::describe_metrics;
pub use runtime::tracing::{Fact, NewSpan, OpenSpan, Origin, Side, Spans, TraceContext, trace_id};
pub use sessions::Sessions;
pub use strict_json::read_json;
pub use upsert::Upserts;
pub use upsert::command::{Caller, StillMay, UpsertCommand};
pub use upsert::identify::identifiers_in;
pub use upsert::rehearse::rehearse;
pub use upsert::straight_line::Begun;
pub use view::answer::Answer;

// The words that merchants and connections are made of.
pub use upsert_core::{EventKind, EventPayload, OnCollision, OnKeyChange, When};
pub use upsert_store::{Notice, SessionId, SessionRecord};
pub use upsert_webhook::Ping;
