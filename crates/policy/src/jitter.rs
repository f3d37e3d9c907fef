//! Randomness, injected.

use std::sync::Arc;
use std::time::Duration;

/// Where jitter comes from.
#[derive(Clone, derive_more::Debug)]
#[debug("Jitter")]
pub struct Jitter(Arc<dyn Fn() -> f64 + Send + Sync>);

impl Jitter {
    /// The thread's own generator.
    pub fn fair() -> Self {
        Self(Arc::new(rand::random::<f64>))
    }

    /// Always shows what the function says: 0 or more, less than 1; what is outside is brought inside.
    pub fn loaded(throw: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(throw))
    }

    /// A number from 0 to 1.
    pub fn throw(&self) -> f64 {
        let number = (self.0)();
        if number.is_nan() { 0.0 } else { number.clamp(0.0, 1.0) }
    }
}

/// A part of the duration; `part` is from 0 to 1.
pub(crate) fn part_of(duration: Duration, part: f64) -> Duration {
    duration.mul_f64(part).min(duration)
}
