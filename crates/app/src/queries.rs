//! What is asked and changes nothing.

pub(crate) mod backlog;
pub(crate) mod customers;
pub(crate) mod deliveries;
pub(crate) mod event_filter;
pub(crate) mod events;
pub(crate) mod failures;
pub(crate) mod filter;
