//! What callers are shown: from records to the API's types.

pub(crate) mod answer;
pub(crate) mod connection;
pub(crate) mod customer;
pub(crate) mod delivery;
pub(crate) mod erasure;
pub(crate) mod event;
pub(crate) mod incident;
pub(crate) mod webhooks;
