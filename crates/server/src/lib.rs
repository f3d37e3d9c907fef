//! The gateway over HTTP: the composition root, the routes, and what every request passes.
//!
//! It decides nothing about customers: that is `upsert-app`'s. It knows no vendor by name: providers come in through a
//! [`upsert_provider_kit::Registry`]. [`start`] is the only assembler; the binary and every end-to-end test start the
//! server through it.
//!
//! To add a route: one file in `routes/`, one line in `routes.rs`. Its `#[utoipa::path]` is what `/openapi.json` says.

mod access;
mod assemble;
mod background;
mod batch;
mod binding;
mod body;
mod check;
mod chronicle;
mod day_counts;
mod event_sender;
mod gauges;
mod headers;
mod keyring;
mod lifecycle;
mod log_directives;
mod log_filter;
mod measure;
mod merchant_id;
mod observe;
mod openapi;
mod opening;
mod ops;
mod policies;
mod prefer;
mod problem;
mod query;
mod rehearsal;
mod reload;
mod request_id;
mod request_span;
mod routes;
mod running;
pub mod schema;
mod served;
mod startup;
mod state;
mod telemetry;
mod traces;
mod watch;

pub use check::{Checked, check};
pub use rehearsal::Rehearsal;
pub use reload::ReloadFrom;
pub use running::Running;
pub use startup::{StartError, StartOptions, start};
pub use telemetry::{LogFormat, Telemetry, TelemetryError, check_log_filter, install_telemetry};
/// A body of JSON as every way in reads it, and whether an event's own time is believed.
pub use upsert_app::{read_json, unbelieved_time};
