//! The configuration in force: built, reloaded, remembered.

pub(crate) mod builder;
pub(crate) mod check;
pub(crate) mod history;
pub(crate) mod key_store;
pub(crate) mod policies;
pub(crate) mod rehearsal;
pub(crate) mod reload;
pub(crate) mod snapshot;
pub(crate) mod watch;
