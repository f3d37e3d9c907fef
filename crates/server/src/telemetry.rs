//! Logs, metrics and traces.

pub(crate) mod gauges;
pub(crate) mod log_directives;
pub(crate) mod log_filter;
pub(crate) mod subscriber;
pub(crate) mod traces;
