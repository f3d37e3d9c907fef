//! Bringing what is durable to the vendors: claiming, sending, recording, settling.

pub(crate) mod claim;
pub(crate) mod deliver;
pub(crate) mod record;
pub(crate) mod recover;
pub(crate) mod scheduler;
pub(crate) mod settle;
pub(crate) mod successors;
pub(crate) mod worker;
