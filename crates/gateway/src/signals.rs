//! SIGTERM and SIGINT: the first asks to stop, the second insists.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Both signals, from the moment this is made.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes both signals over: before anything is started, so that one right after the start is not lost.
    ///
    /// # Errors
    /// The operating system refuses.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next of either.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Lets `ending` end, unless a second signal comes first; whether it ended.
    pub(crate) async fn unless_insisted<T>(&mut self, ending: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            ended = ending => Some(ended),
            () = self.next() => None,
        }
    }
}
