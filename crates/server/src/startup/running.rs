//! A server that answers, until it is stopped.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::lifecycle::Phase;
use crate::startup::background::Background;
use crate::startup::store::Opened;
use crate::state::State;

/// How long an acceptor has to let go of its listener: it wakes at once, unless the machine is very busy.
const LETS_GO: Duration = Duration::from_millis(100);

/// A server that answers.
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Where `/metrics` is, if it has an address of its own.
    pub metrics_addr: Option<SocketAddr>,
    pub(crate) state: Arc<State>,
    pub(crate) background: Background,
    pub(crate) handles: Vec<ServerHandle>,
    pub(crate) opened: Opened,
    pub(crate) grace: Duration,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}

impl Running {
    /// Waits until the store has failed for good: nothing can be accepted any more, and only a new process can find out
    /// what its disk holds. Maybe for ever.
    pub async fn store_failed(&self) {
        self.opened.failed().await;
    }

    /// Stops: `/readyz` says so, new requests are refused with 503, those in flight are answered, deliveries that are
    /// under way end, the store is closed. All of it within the configured grace; what has not ended by then is
    /// durable, and the next process goes on with it.
    pub async fn stop(self) {
        let deadline = Instant::now() + self.grace;
        let left = || deadline.saturating_duration_since(Instant::now());
        tracing::info!("stopping");
        // The listener stays until the end: a connection that nobody accepts would wait for an answer that never comes.
        self.state.lifecycle.enter(Phase::Stopping);
        if !self.state.lifecycle.idle_within(left()).await {
            tracing::warn!("requests were still being answered when the grace was over");
        }
        self.background.stopping.cancel();
        // Deliveries run on the workers' threads: they have to end before the workers do.
        if timeout(left(), self.state.gateway.shut_down()).await.is_err() {
            tracing::warn!("deliveries were still under way when the grace was over: the next start takes them back");
        }
        // Workers without a connection end at once. The acceptor must have let go of the listener by then, or it hands
        // a late connection to nobody and logs an error.
        for handle in &self.handles {
            handle.pause().await;
        }
        sleep(LETS_GO.min(left())).await;
        for handle in &self.handles {
            let graceful = !left().is_zero();
            if timeout(left().max(Duration::from_secs(1)), handle.stop(graceful))
                .await
                .is_err()
            {
                handle.stop(false).await;
            }
        }
        self.background.tasks.close();
        if timeout(left().max(Duration::from_secs(1)), self.background.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("background tasks did not end in time");
        }
        self.close_traces(left().max(Duration::from_secs(1))).await;
        self.opened.close().await;
        tracing::info!("stopped");
    }

    /// Sends the last spans. The collector may be away: it cannot hold up the end.
    async fn close_traces(&self, longest: Duration) {
        if let Some(traces) = self.state.traces.clone() {
            let closed = tokio::task::spawn_blocking(move || traces.close(longest));
            if timeout(longest + Duration::from_secs(1), closed).await.is_err() {
                tracing::warn!("the last spans could not be sent in time");
            }
        }
    }
}
