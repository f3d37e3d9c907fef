//! The gateway over HTTP: the composition root, the routes, and what every request passes.
//!
//! It decides nothing about customers: that is `upsert-app`'s. It knows no vendor by name: providers come in through a
//! [`upsert_provider_kit::Registry`]. [`start`] is the only assembler; the binary and every end-to-end test start the
//! server through it.
//!
//! To add a route: one file in `routes/`, one line in `routes.rs`. Its `#[utoipa::path]` is what `/openapi.json` says.

mod batch;
mod config;
mod http;
mod lifecycle;
mod net;
mod routes;
mod startup;
mod state;
mod telemetry;

pub use config::check::{Checked, check};
pub use config::rehearsal::Rehearsal;
pub use net::connection::Deadlines;
pub use startup::assembly::{StartOptions, start};
pub use startup::reload::ReloadFrom;
pub use startup::running::Running;
pub use startup::start_error::StartError;
pub use telemetry::log_directives::TelemetryError;
pub use telemetry::subscriber::{Telemetry, check_log_filter, install_telemetry};
/// A body of JSON as every way in reads it, and whether an event's own time is believed.
pub use upsert_app::{read_json, unbelieved_time};
