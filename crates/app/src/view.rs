//! What callers are shown, and how much of it.

pub(crate) mod answer;
pub(crate) mod connection;
pub(crate) mod delivery;
pub(crate) mod mask;
pub(crate) mod visibility;
