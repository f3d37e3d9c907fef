//! The configuration in force: built, reloaded, remembered.

pub(crate) mod audit_keys;
pub(crate) mod audited_reload;
pub(crate) mod builder;
pub(crate) mod check;
pub(crate) mod day_counts;
pub(crate) mod event_sender;
pub(crate) mod history;
pub(crate) mod key_store;
pub(crate) mod policies;
pub(crate) mod rehearsal;
pub(crate) mod rotation;
pub(crate) mod sealed_merchant;
pub(crate) mod snapshot;
pub(crate) mod stored_merchants;
pub(crate) mod turns;
