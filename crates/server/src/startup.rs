//! From the settings to a server that answers, and back.

pub(crate) mod assembly;
pub(crate) mod background;
pub(crate) mod binding;
pub(crate) mod day_counts;
pub(crate) mod event_sender;
pub(crate) mod lifecycle;
pub(crate) mod running;
pub(crate) mod start_error;
pub(crate) mod state;
pub(crate) mod store;
