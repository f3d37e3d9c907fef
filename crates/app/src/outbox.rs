//! Events that go out.

pub(crate) mod dispatch;
pub(crate) mod publish;
pub(crate) mod retry_schedule;
