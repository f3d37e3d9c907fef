//! Where a simulator gets its time from: its stamps and Rotor's day depend on it, so a test may turn it.

use std::sync::Arc;

use jiff::Timestamp;

/// Answers "what time is it?".
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The clock of the machine.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place of this crate that reads the machine's clock"
)]
pub fn system_clock() -> Clock {
    Arc::new(Timestamp::now)
}

/// ISO 8601 with milliseconds, the form of Rotor's `created_at` \[S1\].
pub(crate) fn iso_millis(at: Timestamp) -> String {
    format!("{at:.3}")
}
