//! Bounds one attempt: the connection's time-out or the call's deadline, whichever is sooner.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use upsert_core::{CallContext, ErrorKind, ProviderError, RetryAdvice, StateAtVendor, WaitingFor};

use crate::layer::{Answer, Layer};

/// How long a call that came too late is told to wait: it only has to be given a new deadline.
const TOO_LATE: Duration = Duration::from_millis(100);

/// Ends an attempt that takes too long. The request may have gone out by then: the outcome is unknown.
#[derive(Debug)]
pub struct AttemptTimeout {
    timeout: Duration,
}

impl AttemptTimeout {
    /// No attempt takes longer than this.
    pub fn new(timeout: Duration) -> Self {
        Self { timeout }
    }
}

/// A process that is stopped in the middle of a call goes on where it was, and would still send what is long over: nothing
/// is polled any more so long after its deadline. A result that came in time and was only seen late still counts.
const STOPPED_FOR: Duration = Duration::from_secs(2);

async fn unless_stopped<T>(deadline: Instant, call: impl Future<Output = T>) -> T {
    let too_late = deadline.checked_add(STOPPED_FOR);
    let mut call = pin!(call);
    poll_fn(|context| match too_late {
        Some(too_late) if Instant::now() > too_late => Poll::Pending,
        _ => call.as_mut().poll(context),
    })
    .await
}

impl Layer for AttemptTimeout {
    async fn around<T: Answer>(
        &self,
        context: &CallContext,
        call: impl Future<Output = Result<T, ProviderError>> + Send,
    ) -> Result<T, ProviderError> {
        let now = Instant::now();
        if context.deadline <= now {
            // A time-out polls the call first: without this, a late call would still be sent.
            let detail = "the call's time was over before it was sent";
            return Err(ProviderError::held(WaitingFor::RateLimit, Some(TOO_LATE), detail));
        }
        let ours = now.checked_add(self.timeout);
        let deadline = ours.map_or(context.deadline, |ours| ours.min(context.deadline));
        match timeout_at(deadline, unless_stopped(deadline, call)).await {
            Ok(result) => result,
            Err(_) => Err(ProviderError::new(
                ErrorKind::Transient,
                StateAtVendor::Unknown,
                RetryAdvice::Backoff,
                "the vendor did not answer in time; whether it acted on the request is not known",
            )
            .with_context(format!("no answer within {} ms", (deadline - now).as_millis()))),
        }
    }
}
