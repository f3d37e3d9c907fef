//! What stands between the socket and the use cases.

pub(crate) mod access;
pub(crate) mod audit_as;
pub(crate) mod body;
pub(crate) mod dashboard;
pub(crate) mod documented;
pub(crate) mod headers;
pub(crate) mod in_force;
pub(crate) mod merchant_id;
pub(crate) mod metrics;
pub(crate) mod middleware;
pub(crate) mod pacing;
pub(crate) mod preconditions;
pub(crate) mod prefer;
pub(crate) mod problem;
pub(crate) mod query;
pub(crate) mod request_id;
pub(crate) mod request_span;
pub(crate) mod shared_answer;
pub(crate) mod standing;
