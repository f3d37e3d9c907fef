//! Whether the disk failed under a commit, so that nobody knows what it holds.

use std::sync::Arc;

use tokio::sync::watch;

/// Known once and for all, until the process starts anew.
#[derive(Clone)]
pub(super) struct Failure(Arc<watch::Sender<bool>>);

impl Default for Failure {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Failure {
    pub(super) fn declare(&self) {
        self.0.send_replace(true);
    }

    pub(super) fn is_known(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is; maybe for ever.
    pub(super) async fn known(&self) {
        let mut told = self.0.subscribe();
        if told.wait_for(|failed| *failed).await.is_err() {
            // Nobody is left who could tell.
            std::future::pending::<()>().await;
        }
    }
}
