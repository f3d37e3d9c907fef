//! What stands between the socket and the use cases.

pub(crate) mod access;
pub(crate) mod answering;
pub(crate) mod audit_as;
pub(crate) mod body;
pub(crate) mod coding;
pub(crate) mod cors;
pub(crate) mod dashboard;
pub(crate) mod decoding;
pub(crate) mod documented;
pub(crate) mod headers;
pub(crate) mod merchant_id;
pub(crate) mod methods;
pub(crate) mod metrics;
pub(crate) mod middleware;
pub(crate) mod mount;
pub(crate) mod pacing;
pub(crate) mod preconditions;
pub(crate) mod prefer;
pub(crate) mod problem;
pub(crate) mod query;
pub(crate) mod repeated;
pub(crate) mod request_id;
pub(crate) mod request_span;
pub(crate) mod standing;
pub(crate) mod weights;
