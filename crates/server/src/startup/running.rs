//! A server that answers, until it is stopped.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::lifecycle::Phase;
use crate::startup::background::Background;
use crate::startup::store::Opened;
use crate::state::State;

/// How long an acceptor has to let go of its listener: it wakes at once, unless the machine is very busy.
const LETS_GO: Duration = Duration::from_millis(100);

/// What is left of the grace when calls under way are cut short: to record that, and then to close what is open.
const TO_RECORD: Duration = Duration::from_secs(2);
const TO_CLOSE: Duration = Duration::from_secs(2);

/// What each step of the end has at the least, however late it is.
const AT_LEAST: Duration = Duration::from_millis(100);

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
    pub(crate) drain_delay: Duration,
    pub(crate) grace: Duration,
    /// When it began to say that it is not ready.
    pub(crate) told: OnceLock<Instant>,
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

    /// Says at `/readyz` that it stops, and goes on taking requests for the configured time: whoever passes them on may not
    /// have heard of it yet. No connection is kept open any more after an answer.
    pub async fn drain(&self) {
        if self.drain_delay.is_zero() {
            return;
        }
        self.told.get_or_init(Instant::now);
        self.state.lifecycle.enter(Phase::Draining);
        let seconds = self.drain_delay.as_secs_f64();
        tracing::info!(seconds, "not ready any more; requests are still taken");
        sleep(self.drain_delay).await;
    }

    /// Stops: `/readyz` says so, new requests are refused with 503, those in flight are answered, deliveries that are
    /// under way end, the store is closed. All of it within the configured grace, [`Running::drain`] included, which leaves
    /// half of that at the least. Calls that have not ended shortly before are cut short and recorded as of unknown outcome;
    /// what cannot be recorded either is durable as it was. Whoever else works with the store, or the next process, goes on
    /// with it.
    pub async fn stop(self) {
        let (now, quarter) = (Instant::now(), self.grace / 4);
        let end = end_of(self.grace, self.told.get().copied(), now);
        let left = || end.saturating_duration_since(Instant::now());
        let to_record = || left().saturating_sub(TO_CLOSE.min(quarter / 2));
        let until_cut_short = || to_record().saturating_sub(TO_RECORD.min(quarter / 2));
        tracing::info!("stopping");
        // The listener stays until the end: a connection that nobody accepts would wait for an answer that never comes.
        self.state.lifecycle.enter(Phase::Stopping);
        if !self.state.lifecycle.idle_within(until_cut_short()).await {
            tracing::warn!("requests were still being answered when the grace was over");
        }
        self.background.stopping.cancel();
        // Deliveries run on the workers' threads: they have to end before the workers do.
        self.end_deliveries(until_cut_short(), to_record).await;
        // Workers without a connection end at once. The acceptor must have let go of the listener by then, or it hands
        // a late connection to nobody and logs an error.
        for handle in &self.handles {
            handle.pause().await;
        }
        sleep(LETS_GO.min(left())).await;
        for handle in &self.handles {
            let graceful = !left().is_zero();
            if timeout(left().max(AT_LEAST), handle.stop(graceful)).await.is_err() {
                handle.stop(false).await;
            }
        }
        self.background.tasks.close();
        if timeout(left().max(AT_LEAST), self.background.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("background tasks did not end in time");
        }
        self.close_traces(left().max(AT_LEAST)).await;
        self.opened.close().await;
        tracing::info!("stopped");
    }

    async fn end_deliveries(&self, until_cut_short: Duration, to_record: impl Fn() -> Duration) {
        let gateway = &self.state.gateway;
        if timeout(until_cut_short, gateway.shut_down()).await.is_ok() {
            return;
        }
        tracing::warn!("calls were still under way when the grace was over: what came of them is not known");
        gateway.cut_short();
        let recorded = timeout(to_record().max(AT_LEAST), gateway.shut_down()).await;
        if recorded.is_err() {
            tracing::warn!("not all of that could be recorded: leases have to end, or the next start takes it back");
        }
    }

    /// Sends the last spans. The collector may be away: it cannot hold up the end.
    async fn close_traces(&self, longest: Duration) {
        if let Some(traces) = self.state.traces.clone() {
            let closed = tokio::task::spawn_blocking(move || traces.close(longest));
            if timeout(longest + AT_LEAST, closed).await.is_err() {
                tracing::warn!("the last spans could not be sent in time");
            }
        }
    }
}

/// When all has to be over: the grace counts from when the process was told to stop, and however long it then took requests,
/// half of it is for those that are in flight.
fn end_of(grace: Duration, told: Option<Instant>, now: Instant) -> Instant {
    (told.unwrap_or(now) + grace).max(now + grace / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grace_counts_from_when_it_was_told_to_stop_and_half_of_it_is_left_for_what_is_in_flight() {
        let (told, second) = (Instant::now(), Duration::from_secs(1));
        for (drained, ends_after) in [(0, 30), (5, 30), (15, 30), (16, 31), (3_600, 3_615)] {
            let end = end_of(30 * second, Some(told), told + drained * second);
            assert_eq!(end - told, ends_after * second, "{drained} s");
        }
        assert_eq!(end_of(30 * second, None, told) - told, 30 * second);
    }
}
