//! What operators do.

pub(crate) mod connections;
pub(crate) mod dead_letters;
pub(crate) mod event_dead_letters;
pub(crate) mod replay;
pub(crate) mod vendor_records;
