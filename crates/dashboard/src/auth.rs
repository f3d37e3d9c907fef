//! Who may come in.

pub(crate) mod cross_origin;
pub(crate) mod enter;
pub(crate) mod lookups;
pub(crate) mod session;
pub(crate) mod token;
