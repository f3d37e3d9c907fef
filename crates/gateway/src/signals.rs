//! SIGTERM and SIGINT: the first asks to stop, the second insists.
//!
//! SIGTERM comes from whoever runs the process, and may have something in front that is to see it first. SIGINT comes from a
//! person at a terminal.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    Terminate,
    Interrupt,
}

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
    pub(crate) async fn next(&mut self) -> Received {
        tokio::select! {
            _ = self.terminate.recv() => Received::Terminate,
            _ = self.interrupt.recv() => Received::Interrupt,
        }
    }

    /// Lets `ending` end, unless a second signal comes first; whether it ended.
    pub(crate) async fn unless_insisted<T>(&mut self, ending: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            ended = ending => Some(ended),
            _ = self.next() => None,
        }
    }
}
