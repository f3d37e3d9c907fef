//! What changes while somebody looks.

pub(crate) mod history;
pub(crate) mod places;
pub(crate) mod snapshots;
pub(crate) mod stream;
