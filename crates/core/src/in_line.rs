//! Whether a call still waits for its turn.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a call still waits for its turn: then nothing of it has gone out. The layers around a provider say so; where there
/// are none, a call is taken to have gone out from the first.
#[derive(Debug, Default)]
pub struct InLine(AtomicBool);

impl InLine {
    /// It waits from now on.
    pub fn enter(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Its turn has come: from now on it may go out.
    pub fn leave(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether it waits now.
    pub fn is_waiting(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Clone for InLine {
    /// Of a call of its own, which stands where this one does.
    fn clone(&self) -> Self {
        Self(AtomicBool::new(self.is_waiting()))
    }
}
