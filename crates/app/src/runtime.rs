//! What this process knows beside the store: who is paused, what is in flight, what has woken up. Lost with it, and never needed to decide what is durable.

pub(crate) mod admission;
pub(crate) mod connections;
pub(crate) mod counters;
pub(crate) mod endpoints;
pub(crate) mod in_flight;
pub(crate) mod metrics;
pub(crate) mod notifier;
pub(crate) mod successors;
pub(crate) mod tracing;
pub(crate) mod troubles;
pub(crate) mod wakeups;
pub(crate) mod worker;
