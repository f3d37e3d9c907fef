//! What would go to a connection, worked out without sending anything.

pub(crate) mod declined;
pub(crate) mod echo;
pub(crate) mod identifiers;
pub(crate) mod lane;
pub(crate) mod plan;
pub(crate) mod route;
pub(crate) mod unfit;
