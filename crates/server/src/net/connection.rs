//! One connection, as it is seen from outside its protocol: what it is waiting for, since when, and what it costs.
//!
//! actix-http has a time limit for the first head of a connection and for one that idles. It has none for later heads, none
//! for a body that nobody reads, and none for an answer that nobody takes; so all of it is watched here
//! ([ADR 0033](../../../../docs/adr/0033-connections-are-watched-from-outside.md)).

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::Notify;

use crate::net::reading::{Body, Reading};

/// Who takes so much of an answer in the time for it reads fast enough.
const TAKEN_IN_TIME: u64 = 64 * 1024;

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// The head of a request, from its first byte on; of the first one, from the connection on.
    pub head: Duration,
    /// Until the next request, for those without a key.
    pub idle: Duration,
    /// The same for everybody else.
    pub idle_known: Duration,
    /// After it, those without a key are let go with their next answer.
    pub stay: Duration,
    /// An answer of which less than 64 KiB are taken.
    pub unread: Duration,
    /// An answer of which nothing is taken, for those with a key.
    pub unread_known: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(5),
            idle: Duration::from_secs(5),
            idle_known: Duration::from_secs(75),
            stay: Duration::from_secs(10),
            // Twice, where it began while the system still took some.
            unread: Duration::from_secs(6),
            unread_known: Duration::from_secs(60),
        }
    }
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A head is on its way.
    Head = 0,
    /// Nothing: the next request may come.
    Idle = 1,
    /// A request is being answered: what is slow then is ours, or has a limit of its own.
    Answering = 2,
}

/// Shared by the connection itself, the requests on it, and whoever watches all of them. Moments are milliseconds since the
/// start.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) number: u64,
    pub(crate) peer: IpAddr,
    /// Whether a proxy that is trusted is at its other end.
    pub(crate) is_of_proxy: bool,
    /// Where it stands among the strangers; 0: it is none.
    pub(crate) turn: AtomicU64,
    /// What a stranger's costs, in bytes.
    pub(crate) cost: AtomicUsize,
    made: u64,
    phase: AtomicU8,
    since: AtomicU64,
    is_known: AtomicBool,
    /// What of its cost is given back when it is gone, since it was cut.
    pub(crate) leaving: AtomicUsize,
    /// Whether it waits until strangers cost less.
    pub(crate) waits: AtomicBool,
    pub(crate) reading: Reading,
    written: AtomicU64,
    /// Since when an answer cannot be written on; 0: it can.
    stalled_since: AtomicU64,
    written_at_stall: AtomicU64,
    /// Whether it has been looked what came over it.
    was_read: AtomicBool,
    cut: Notify,
    was_cut: AtomicBool,
    /// Whether what was written and not taken yet is thrown away.
    is_reset: AtomicBool,
}

impl Connection {
    pub(crate) fn new(number: u64, peer: IpAddr, is_of_proxy: bool, now: u64) -> Self {
        Self {
            number,
            peer,
            is_of_proxy,
            turn: AtomicU64::new(0),
            cost: AtomicUsize::new(0),
            made: now,
            phase: AtomicU8::new(Phase::Head as u8),
            since: AtomicU64::new(now),
            is_known: AtomicBool::new(false),
            leaving: AtomicUsize::new(0),
            waits: AtomicBool::new(false),
            reading: Reading::default(),
            written: AtomicU64::new(0),
            stalled_since: AtomicU64::new(0),
            written_at_stall: AtomicU64::new(0),
            was_read: AtomicBool::new(false),
            cut: Notify::new(),
            was_cut: AtomicBool::new(false),
            is_reset: AtomicBool::new(false),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Head,
            1 => Phase::Idle,
            _ => Phase::Answering,
        }
    }

    pub(crate) fn enter(&self, phase: Phase, now: u64) {
        self.since.store(now, Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Since when it idles, if it does.
    pub(crate) fn idle_since(&self) -> Option<u64> {
        (self.phase() == Phase::Idle).then(|| self.since.load(Ordering::Relaxed))
    }

    /// Whether whoever is at the other end has shown a key with the last request.
    pub(crate) fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Relaxed)
    }

    pub(crate) fn set_known(&self, is_known: bool) {
        self.is_known.store(is_known, Ordering::Relaxed);
        self.reading.wake();
    }

    /// Whether a stranger has been there for long. Behind a proxy that is trusted there are many.
    pub(crate) fn has_stayed(&self, now: u64, deadlines: &Deadlines) -> bool {
        !self.is_known() && !self.is_of_proxy && is_over(self.made, now, deadlines.stay)
    }

    /// Somebody without a key is read as far as what they ask for goes, and no further than is taken of it.
    pub(crate) fn may_read(&self, context: &Context<'_>) -> Poll<()> {
        self.had_its_chance();
        if self.is_known() {
            return Poll::Ready(());
        }
        if self.phase() == Phase::Answering {
            return self.reading.while_answering(context, || self.is_known());
        }
        if self.is_stalled() {
            // The next request waits until this answer is taken.
            self.reading.register(context);
            if self.is_stalled() && !self.is_known() {
                return Poll::Pending;
            }
        }
        self.reading.before_answer(context)
    }

    /// So much of what came is handed on now.
    pub(crate) fn portion(&self, came: &[u8]) -> usize {
        self.reading.portion(came, self.phase() == Phase::Answering)
    }

    /// So many bytes came.
    pub(crate) fn received(&self, bytes: usize, now: u64) {
        self.reading.received(bytes);
        if self.is_known() {
            self.reading.passed(bytes);
        }
        if self.phase() == Phase::Idle && !self.reading.is_throwing_away() {
            self.enter(Phase::Head, now);
        }
    }

    /// A request begins: its head is taken.
    pub(crate) fn begins(&self, body: Body, now: u64) {
        self.reading.begins(body);
        self.enter(Phase::Answering, now);
    }

    /// So much of a body was taken.
    pub(crate) fn taken(&self, bytes: usize) {
        self.reading.taken(bytes);
    }

    /// The answer is given.
    pub(crate) fn answered(&self, now: u64) {
        self.enter(Phase::Idle, now);
        self.reading.answered();
    }

    /// So many bytes were handed on.
    pub(crate) fn wrote(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Nothing more can be written at the moment.
    pub(crate) fn stalls(&self, now: u64) {
        if self.stalled_since.load(Ordering::Relaxed) == 0 {
            self.mark_stall(now);
        }
    }

    /// All was written.
    pub(crate) fn flows(&self, now: u64) {
        if self.stalled_since.swap(0, Ordering::Relaxed) == 0 {
            return;
        }
        if self.phase() == Phase::Idle {
            self.since.store(now, Ordering::Relaxed);
        }
        self.reading.wake();
    }

    /// Whether an answer waits to be taken.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled_since.load(Ordering::Relaxed) != 0
    }

    fn mark_stall(&self, now: u64) {
        self.written_at_stall
            .store(self.written.load(Ordering::Relaxed), Ordering::Relaxed);
        self.stalled_since.store(now.max(1), Ordering::Relaxed);
    }

    /// Whether it has taken longer than it may.
    pub(crate) fn is_overdue(&self, now: u64, deadlines: &Deadlines) -> bool {
        let stalled_since = self.stalled_since.load(Ordering::Relaxed);
        if stalled_since != 0 {
            return self.reads_too_slowly(now, stalled_since, deadlines);
        }
        let limit = match self.phase() {
            Phase::Answering => return false,
            // actix answers the first one with 408 when its time is over, which takes a moment.
            Phase::Head => deadlines.head + Duration::from_secs(1),
            Phase::Idle if self.is_known() || self.is_of_proxy => deadlines.idle_known + Duration::from_secs(5),
            Phase::Idle => deadlines.idle,
        };
        is_over(self.since.load(Ordering::Relaxed), now, limit)
    }

    fn reads_too_slowly(&self, now: u64, since: u64, deadlines: &Deadlines) -> bool {
        let (limit, least) = if self.is_known() {
            (deadlines.unread_known, 1)
        } else {
            (deadlines.unread, TAKEN_IN_TIME)
        };
        if !is_over(since, now, limit) {
            return false;
        }
        let before = self.written_at_stall.load(Ordering::Relaxed);
        let is_too_slow = self.written.load(Ordering::Relaxed) - before < least;
        if !is_too_slow {
            self.mark_stall(now);
        }
        is_too_slow
    }

    /// Whether it had its chance to say something.
    pub(crate) fn was_read(&self) -> bool {
        self.was_read.load(Ordering::Relaxed)
    }

    /// It has said what it had to say at once, or could have.
    pub(crate) fn had_its_chance(&self) {
        self.was_read.store(true, Ordering::Relaxed);
    }

    /// Whether it was told to end.
    pub(crate) fn was_cut(&self) -> bool {
        self.was_cut.load(Ordering::Relaxed)
    }

    /// Ends it, whatever it is doing. `is_reset`: what was written and not taken yet is thrown away.
    pub(crate) fn cut(&self, is_reset: bool) {
        self.is_reset.store(is_reset, Ordering::Relaxed);
        self.was_cut.store(true, Ordering::Relaxed);
        self.cut.notify_one();
    }

    /// Whether the system shall keep nothing of it.
    pub(crate) fn is_reset(&self) -> bool {
        self.is_stalled() || self.is_reset.load(Ordering::Relaxed)
    }

    /// Waits until it is to end.
    pub(crate) async fn is_cut(&self) {
        self.cut.notified().await;
    }
}

fn is_over(since: u64, now: u64, limit: Duration) -> bool {
    u128::from(now.saturating_sub(since)) >= limit.as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINES: Deadlines = Deadlines {
        head: Duration::from_secs(4),
        idle: Duration::from_secs(3),
        idle_known: Duration::from_secs(70),
        stay: Duration::from_secs(10),
        unread: Duration::from_secs(10),
        unread_known: Duration::from_secs(60),
    };

    fn connection() -> Connection {
        Connection::new(1, "192.0.2.1".parse().unwrap(), false, 1_000)
    }

    fn is_overdue(connection: &Connection, seconds: u64) -> bool {
        connection.is_overdue(1_000 + seconds * 1_000, &DEADLINES)
    }

    #[test]
    fn a_head_has_its_time_whatever_trickles_in_and_a_later_one_has_it_too() {
        let connection = connection();
        connection.received(1, 4_000);
        assert!(!is_overdue(&connection, 4));
        assert!(is_overdue(&connection, 5));
        connection.begins(Body::Length(0), 6_000);
        assert!(!is_overdue(&connection, 900), "it is being answered");
        connection.enter(Phase::Idle, 10_000);
        assert!(!is_overdue(&connection, 11));
        connection.received(1, 12_000);
        connection.received(1, 15_000);
        assert!(!is_overdue(&connection, 15));
        assert!(is_overdue(&connection, 16));
    }

    #[test]
    fn who_has_shown_a_key_may_idle_longer() {
        let connection = connection();
        connection.enter(Phase::Idle, 1_000);
        assert!(is_overdue(&connection, 3));
        connection.set_known(true);
        assert!(!is_overdue(&connection, 74));
        assert!(is_overdue(&connection, 75));
    }

    #[test]
    fn an_answer_has_to_be_taken_at_some_speed() {
        let connection = connection();
        connection.begins(Body::Length(0), 1_000);
        connection.stalls(1_000);
        assert!(!is_overdue(&connection, 9));
        connection.wrote(64 * 1024);
        assert!(!is_overdue(&connection, 10), "it read enough");
        connection.wrote(1_000);
        assert!(!is_overdue(&connection, 19));
        assert!(is_overdue(&connection, 20));
        connection.set_known(true);
        assert!(!is_overdue(&connection, 70), "something was taken, and a key was shown");
        assert!(is_overdue(&connection, 130));
        connection.flows(131_000);
        assert!(!is_overdue(&connection, 131));
    }

    #[test]
    fn a_stranger_is_not_read_on_before_the_answer_is_taken() {
        let connection = connection();
        let context = Context::from_waker(std::task::Waker::noop());
        assert!(connection.may_read(&context).is_ready());
        connection.begins(Body::Length(0), 1_000);
        assert!(connection.may_read(&context).is_pending());
        connection.set_known(true);
        assert!(connection.may_read(&context).is_ready());
        connection.set_known(false);
        connection.stalls(1_000);
        connection.answered(1_000);
        assert!(connection.may_read(&context).is_pending());
        connection.flows(2_000);
        assert!(connection.may_read(&context).is_ready());
    }

    #[test]
    fn the_rest_of_a_body_that_was_refused_begins_no_head() {
        let connection = connection();
        connection.begins(Body::Length(10), 1_000);
        connection.answered(1_000);
        connection.received(1, 2_000);
        assert_eq!(connection.idle_since(), Some(1_000));
    }
}
