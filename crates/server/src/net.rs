//! Connections: how many there may be, how long each may take, and what those cost who have not shown a key.

pub(crate) mod budget;
pub(crate) mod client_address;
pub(crate) mod connection;
pub(crate) mod connections;
pub(crate) mod listener;
pub(crate) mod places;
pub(crate) mod queue;
pub(crate) mod reading;
pub(crate) mod room;
pub(crate) mod watched;
