//! From the settings to a server that answers, and back.

pub(crate) mod assembly;
pub(crate) mod background;
pub(crate) mod binding;
pub(crate) mod lost;
pub(crate) mod openapi;
pub(crate) mod reload;
pub(crate) mod resealing;
pub(crate) mod running;
pub(crate) mod start_error;
pub(crate) mod store;
pub(crate) mod watch;
