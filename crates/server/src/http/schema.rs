//! The shapes of the API as `/openapi.json` documents them. They describe; the application makes the answers, and the
//! tests hold every answer against its shape.

mod configuration;
mod customer;
mod delivery;
mod lists;
mod operations;
mod problem;
mod upsert;
mod vendor;
mod webhooks;

pub use configuration::{
    Configuration, ConfigurationChange, ConfigurationGeneration, ConfigurationLine, ConfigurationProblem,
};
pub use customer::{
    Address, Addresses, Change, Customer, CustomerPage, CustomerRecord, HistoryEntry, HistoryPage, Link, LinkState,
    LinkedCustomer, Notifications, Service,
};
pub use delivery::{Delivery, DeliveryError, DeliveryState, Differs, ErrorKind, FieldError, FieldFates, Warning};
pub use lists::{
    Attempt, DeliveryPage, DeliverySelection, DeliveryWithAttempts, ListedDelivery, ListedUpsert, SelectionDone,
    SelectionRefusal, SentRequest, States, UpsertPage,
};
pub use operations::{
    Alive, Cause, CausePage, ConnectionHealth, ConnectionPage, ConnectionState, FieldMap, Form, Logs, LogsChange,
    Provider, ProviderPage, Ready, ReadyConfiguration,
};
pub use problem::{Conflict, Problem, Wrong};
pub use upsert::{
    BatchAnswer, BatchLine, Ignored, Plan, PlannedConnection, PlannedRequest, ReplayOf, Through, UpsertAnswer,
    UpsertRequest, UpsertState,
};
pub use vendor::{Unreadable, VendorCustomer, VendorCustomerPage};
pub use webhooks::{
    AnyEvent, Endpoint, EndpointTest, Event, EventPage, EventProblem, EventRefusal, EventReplayed, EventSelection,
    EventsDone, IncomingEvent, Intake, OutgoingEvent, Source, TakenEvent, Webhooks, WholeEvent, WholeIncomingEvent,
    WholeOutgoingEvent,
};
