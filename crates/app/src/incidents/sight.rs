//! How a connection looks to this process, and what of that is new.

use jiff::{SignedDuration, Timestamp};

use upsert_api::BreakerState;
use upsert_store::{IncidentEntry, IncidentEventKind, IncidentRecord, Pause, StoreError};

use crate::context::Context;

/// A breaker that is open until this much later than it was has opened once more.
const OPENED_ANEW: SignedDuration = SignedDuration::from_secs(1);

/// A connection at one moment.
#[derive(Debug)]
pub(crate) struct Sight {
    pub(crate) now: Timestamp,
    /// Whether it is configured here.
    pub(crate) is_known: bool,
    /// Whether calls are held back, because the vendor fails.
    pub(crate) is_down: bool,
    /// Whether the last call failed.
    is_failing: bool,
    open_until: Option<Timestamp>,
    failing_with: Option<u16>,
    pub(crate) last_success_at: Option<Timestamp>,
    pub(crate) pause: Option<Pause>,
}

/// What was seen of it the last time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    is_down: bool,
    open_until: Option<Timestamp>,
    is_paused: bool,
    /// When this process last wrote the incident.
    pub(crate) written_at: Option<Timestamp>,
}

impl Seen {
    /// By a process that has just started, with the store for itself: the breaker is closed, and whether the connection is
    /// paused was read.
    pub(crate) const fn at_start(incident: &IncidentRecord) -> Self {
        Self {
            is_down: false,
            open_until: None,
            is_paused: incident.is_paused(),
            written_at: None,
        }
    }
}

impl Sight {
    /// Of this connection, now.
    pub(crate) async fn of(context: &Context, merchant: &str, name: &str) -> Result<Self, StoreError> {
        let directory = context.directory_with(merchant).await?;
        let connection = directory.connection(merchant, name);
        let status = connection.map(|connection| connection.status.snapshot());
        let breaker = status.as_ref().map(|status| &status.breaker);
        Ok(Self {
            now: context.clock.now(),
            is_known: status.is_some(),
            is_down: breaker.is_some_and(|breaker| breaker.state != BreakerState::Closed),
            is_failing: breaker.is_some_and(|breaker| breaker.failing_since.is_some()),
            open_until: breaker.and_then(|breaker| breaker.until),
            failing_with: breaker.and_then(|breaker| breaker.failing_with),
            last_success_at: status.as_ref().and_then(|status| status.health.last_success_at),
            pause: context.connections.pause_of(merchant, name),
        })
    }

    /// As it has been seen from now on.
    pub(crate) fn seen_after(&self, before: Seen) -> Seen {
        Seen {
            is_down: self.is_down,
            open_until: self.open_until.max(before.open_until),
            is_paused: self.pause.is_some(),
            written_at: before.written_at,
        }
    }

    /// The same, where the incident was written now.
    pub(crate) fn written_after(&self, before: Seen) -> Seen {
        Seen {
            written_at: Some(self.now),
            ..self.seen_after(before)
        }
    }

    /// Whether calls go through, and the last one was taken, as far as this process knows.
    pub(crate) const fn is_well(&self) -> bool {
        self.is_known && !self.is_down && !self.is_failing && self.pause.is_none()
    }

    /// Notes what has changed since it was last seen. Whether that is worth a write at once. Other processes see the same vendor
    /// at other moments: what this one has seen for long is no news, whatever the incident says.
    pub(crate) fn note(&self, incident: &mut IncidentRecord, seen: &Seen) -> bool {
        let mut is_news = false;
        if self.is_down && (!seen.is_down || self.opened_anew(seen)) {
            if !incident.go_down(self.now, self.failing_with) {
                incident.note(IncidentEntry {
                    vendor_status: self.failing_with,
                    ..IncidentEntry::new(self.now, IncidentEventKind::StillDown)
                });
            }
            is_news = true;
        }
        match (&self.pause, seen.is_paused) {
            (Some(pause), false) => is_news |= incident.pause(pause.since, pause.by, &pause.reason),
            (None, true) => is_news |= incident.resume(self.now),
            _ => {}
        }
        is_news
    }

    fn opened_anew(&self, seen: &Seen) -> bool {
        match (self.open_until, seen.open_until) {
            (Some(until), Some(before)) => until.duration_since(before) > OPENED_ANEW,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// The vendor has taken a call since the last one that failed. Whether nobody had noted that.
    pub(crate) fn note_answer(&self, incident: &mut IncidentRecord) -> bool {
        let failed_at = incident.last_failure_at().unwrap_or(incident.began_at);
        let answered_at = self.last_success_at.filter(|at| self.is_well() && *at > failed_at);
        answered_at.is_some_and(|at| incident.answer(at))
    }
}
