//! The API as types: what a client sends, and what it is answered. Use cases make them, the server sends them, the
//! dashboard, the command line and tests read them: a member that one of them does not know is a compile error.
//!
//! A type that says something of a person covers it by [`Cover`]; `/openapi.json` is made of these types.

mod attention;
mod audit;
mod configuration;
mod connection;
mod cover;
mod customer;
mod delivery;
mod erasure;
mod event;
mod event_filters;
mod filter;
mod filters;
mod history;
mod incident;
mod masks;
mod merchant;
mod plan;
mod problem;
mod process;
mod provider;
mod said;
mod selection;
mod states;
mod trial;
mod upsert;
mod vendor;
mod webhooks;

pub use attention::{Action, Attention, AttentionCode, AttentionPage, Severity, Subject};
pub use audit::{AuditAction, AuditCheck, AuditEntry, AuditFault, AuditFilter, AuditMark, AuditMisfit};
pub use configuration::{
    Configuration, ConfigurationChange, ConfigurationGeneration, ConfigurationLine, ConfigurationProblem,
};
pub use connection::{
    Breaker, Cause, CausePage, Concurrency, Connection, ConnectionStatus, Health, PausedBy, RateLimit,
};
pub use cover::{Cover, MASK, Own, Visibility};
pub use customer::{
    Address, Addresses, Customer, CustomerRecord, CustomerStatus, Link, LinkedCustomer, Notifications, Service,
};
pub use delivery::{Attempt, AttemptResult, Delivery, DeliveryError, ListedDelivery, SentRequest, WholeDelivery};
pub use erasure::{ErasedVendor, Erasure, Left};
pub use event::{
    Event, EventBody, EventProblem, EventReplayed, FailedAttempt, IncomingEvent, OutgoingEvent, WholeEvent,
    WholeIncomingEvent, WholeOutgoingEvent,
};
pub use event_filters::{EventParameters, EventState, IncomingFilter, OutgoingFilter};
pub use filter::{Filter, LARGEST_PAGE, Page, PageQuery, Reader, Texts};
pub use filters::{CustomerFilter, DeliveryFilter, UpsertFilter, VendorFilter};
pub use history::HistoryEntry;
pub use incident::{
    Incident, IncidentEvent, IncidentEventKind, IncidentFilter, IncidentState, ListedIncident, Touched, VendorWords,
};
pub use masks::{cover_pointer, is_code};
pub use merchant::{ListedMerchant, StoredMerchant};
pub use plan::{Plan, PlanAction, PlanRefusal, PlannedConnection};
pub use problem::{
    BatchProblem, Beside, Conflict, FailedUpsert, LineProblem, Problem, ProblemCode, RefusedEvents, UpsertProblem,
    UpsertRefusal, VendorProblem, VendorRefusal, WebhookProblem,
};
pub use process::{Alive, Encryption, KeysRotated, LastReading, Logs, LogsChange, Ready, ReadyConfiguration};
pub use provider::{FieldMap, Form, Provider};
pub use said::first_line;
pub use selection::{
    DeliveriesDone, DeliverySelection, EventFilter, EventSelection, EventSelectionBody, EventsDone, Refused,
    RefusedDelivery, ReplayOf,
};
pub use states::{
    BreakerState, ConnectionState, DeliveryState, Direction, EndpointState, EventResult, IncomingState, LinkState,
    OutgoingState, Through, UpsertState,
};
pub use trial::{ResumedConnection, Trial, TrialCall, TrialFollows, TrialOutcome, TriedConnection};
pub use upsert::{AnyEvent, BatchAnswer, BatchLine, ListedUpsert, RefusedLine, TakenLine, UpsertAnswer, UpsertRequest};
pub use vendor::{VendorCustomer, VendorCustomerPage};
pub use webhooks::{DisabledBy, Endpoint, EndpointTest, Intake, Source, TakenEvent, Webhooks};

#[cfg(test)]
mod tests;
