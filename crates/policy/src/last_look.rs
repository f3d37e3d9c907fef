//! Looks once more, right before a call goes out, at what was learned while it waited for its place.

use std::sync::Arc;

use upsert_core::{CallContext, ProviderError};

use crate::breaker::Breaker;
use crate::layer::{Answer, Layer};
use crate::rate_limit::RateLimit;

/// Stops calls that passed breaker and limits and then waited for a place, where the vendor has failed or said stop
/// meanwhile: without it a whole queue would still go to a vendor that is down, or that asked us to wait. Until it has looked
/// nothing of the call has gone out.
#[derive(Debug)]
pub(crate) struct LastLook {
    breaker: Arc<Breaker>,
    rate_limit: Arc<RateLimit>,
}

impl LastLook {
    /// At what these two know.
    pub(crate) fn new(breaker: Arc<Breaker>, rate_limit: Arc<RateLimit>) -> Self {
        Self { breaker, rate_limit }
    }
}

impl Layer for LastLook {
    async fn around<T: Answer>(
        &self,
        context: &CallContext,
        call: impl Future<Output = Result<T, ProviderError>> + Send,
    ) -> Result<T, ProviderError> {
        // A trial is to find out whether what they know still holds.
        if !context.is_trial {
            self.breaker.still_lets_through()?;
            self.rate_limit.still_lets_through()?;
        }
        context.in_line.leave();
        call.await
    }
}
