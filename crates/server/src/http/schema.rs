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

pub(crate) use configuration::Configuration;
pub(crate) use customer::{
    Addresses, Customer, CustomerPage, CustomerRecord, HistoryPage, LinkedCustomer, Notifications, Service,
};
pub(crate) use delivery::{Delivery, DeliveryError, ErrorKind, Warning};
pub(crate) use lists::{
    DeliveryPage, DeliverySelection, DeliveryWithAttempts, ListedDelivery, SelectionDone, UpsertPage,
};
pub(crate) use operations::{
    Alive, CausePage, ConnectionHealth, ConnectionPage, Logs, LogsChange, ProviderPage, Ready,
};
pub(crate) use problem::{Conflict, Problem, Wrong};
pub(crate) use upsert::{
    BatchAnswer, BatchLine, Ignored, Plan, ReplayOf, Through, UpsertAnswer, UpsertRequest, UpsertState,
};
pub(crate) use vendor::{VendorCustomer, VendorCustomerPage};
pub(crate) use webhooks::{
    AnyEvent, Endpoint, EndpointTest, Event, EventPage, EventReplayed, EventSelection, EventsDone, Intake, Webhooks,
    WholeEvent,
};
