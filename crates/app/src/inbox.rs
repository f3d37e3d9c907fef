//! Events that come in.

pub(crate) mod ordering;
pub(crate) mod outcome;
pub(crate) mod properties;
pub(crate) mod receive;
pub(crate) mod reconcile;
