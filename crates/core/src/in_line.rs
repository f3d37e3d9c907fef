//! Whether a call still waits for its turn.

use parking_lot::Mutex;
use tokio::time::Instant;

/// Whether a call still waits for its turn: then nothing of it has gone out. The layers around a provider say so; where there
/// are none, a call is taken to have gone out from the first.
#[derive(Debug, Default)]
pub struct InLine(Mutex<Place>);

#[derive(Debug, Clone, Copy, Default)]
enum Place {
    /// Nobody has it wait.
    #[default]
    Outside,
    Waiting,
    /// Its turn came then.
    Left(Instant),
}

impl InLine {
    /// It waits from now on.
    pub fn enter(&self) {
        *self.0.lock() = Place::Waiting;
    }

    /// Its turn has come: from now on it may go out.
    pub fn leave(&self) {
        *self.0.lock() = Place::Left(Instant::now());
    }

    /// Whether it waits now.
    pub fn is_waiting(&self) -> bool {
        matches!(*self.0.lock(), Place::Waiting)
    }

    /// When its turn came; none: it waits, or never did.
    pub fn left_at(&self) -> Option<Instant> {
        match *self.0.lock() {
            Place::Left(at) => Some(at),
            Place::Outside | Place::Waiting => None,
        }
    }
}

impl Clone for InLine {
    /// Of a call of its own, which stands where this one does.
    fn clone(&self) -> Self {
        Self(Mutex::new(*self.0.lock()))
    }
}
