//! Events that go out.

pub(crate) mod calls;
pub(crate) mod dispatch;
pub(crate) mod endpoints;
pub(crate) mod event_span;
pub(crate) mod publish;
pub(crate) mod races;
pub(crate) mod retry_schedule;

use crate::context::Context;

/// Tells merchants' own systems of what happened.
#[derive(Debug, Clone)]
pub struct Outbox {
    context: Context,
}

impl Outbox {
    pub(crate) fn new(context: &Context) -> Self {
        let context = context.clone();
        Self { context }
    }
}
