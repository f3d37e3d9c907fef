//! How far somebody without a key is read: one head, then its body, and nothing more until the answer is given and taken.
//!
//! actix-http reads whatever comes, and takes every head in it at once: a few kilobytes of requests are a megabyte of them
//! ([ADR 0033](../../../../docs/adr/0033-connections-are-watched-from-outside.md)).

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

/// What is read of a body beyond what was taken of it.
pub(crate) const WINDOW: usize = 32 * 1024;
/// What is read of a head, or of a body that is thrown away, before it is looked at.
const IN_A_ROW: usize = 16 * 1024;
/// What is read of a body that is thrown away. The system keeps as much again, so that whoever sends it gets to the answer.
const THROWN_AWAY: usize = 32 * 1024;
/// What looks like the end of a head, in a body whose length nobody knows, until something of it was taken.
const ENDS: usize = 8;

/// What may come of a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// So many bytes; 0: there is none.
    Length(usize),
    /// It comes in chunks.
    Chunked,
}

/// Shared by the stream and the requests on it.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// Bytes that were read of a request and not taken yet.
    unread: AtomicUsize,
    /// Bytes that were read without looking at them.
    in_a_row: AtomicUsize,
    /// Bytes of the body that have not been read yet.
    body: AtomicUsize,
    is_chunked: AtomicBool,
    ends: AtomicUsize,
    thrown_away: AtomicUsize,
    /// Of the end of a head, what came last: a line's end, or that and a carriage return.
    tail: AtomicU8,
    /// Whether a head is there, and has not been looked at.
    is_whole: AtomicBool,
    reader: AtomicWaker,
}

impl Reading {
    /// Whether more may be read while a head is waited for, or a body is thrown away.
    pub(crate) fn before_answer(&self, context: &Context<'_>) -> Poll<()> {
        if self.is_throwing_away() && self.thrown_away.load(Ordering::Relaxed) >= THROWN_AWAY {
            // actix closes it in a moment.
            self.register(context);
            return Poll::Pending;
        }
        let is_looked_at =
            self.is_whole.swap(false, Ordering::Relaxed) || self.in_a_row.load(Ordering::Relaxed) >= IN_A_ROW;
        if !is_looked_at {
            return Poll::Ready(());
        }
        self.in_a_row.store(0, Ordering::Relaxed);
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// The same while a request is being answered. `may_go_on`: whether it is no stranger's any more.
    pub(crate) fn while_answering(&self, context: &Context<'_>, may_go_on: impl Fn() -> bool) -> Poll<()> {
        if self.is_whole.swap(false, Ordering::Relaxed) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let may_read = || may_go_on() || self.has_room();
        if may_read() {
            return Poll::Ready(());
        }
        self.register(context);
        if may_read() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn has_room(&self) -> bool {
        let is_awaited = if self.is_chunked.load(Ordering::Relaxed) {
            self.ends.load(Ordering::Relaxed) < ENDS
        } else {
            self.body.load(Ordering::Relaxed) > 0
        };
        is_awaited && self.unread.load(Ordering::Relaxed) < WINDOW
    }

    /// How many of these bytes, which came next, are handed on: no further than the head or the body goes. `is_answering`:
    /// whether the head is known.
    pub(crate) fn portion(&self, came: &[u8], is_answering: bool) -> usize {
        let body = self.body.load(Ordering::Relaxed);
        if body > 0 || (is_answering && !self.is_chunked.load(Ordering::Relaxed)) {
            let portion = came.len().min(body);
            self.body.fetch_sub(portion, Ordering::Relaxed);
            if !is_answering {
                self.thrown_away.fetch_add(portion, Ordering::Relaxed);
            }
            return portion;
        }
        let mut tail = self.tail.load(Ordering::Relaxed);
        let end = end_of_head(came, &mut tail);
        self.tail.store(tail, Ordering::Relaxed);
        if end.is_some() {
            self.is_whole.store(true, Ordering::Relaxed);
            self.ends.fetch_add(1, Ordering::Relaxed);
        }
        end.unwrap_or(came.len())
    }

    /// So many bytes were handed on.
    pub(crate) fn received(&self, bytes: usize) {
        self.unread.fetch_add(bytes, Ordering::Relaxed);
        self.in_a_row.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So many bytes were handed on of somebody with a key, wherever they end.
    pub(crate) fn passed(&self, bytes: usize) {
        let less = |body: usize| Some(body.saturating_sub(bytes));
        let _ = self.body.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// A request begins, which has this body.
    pub(crate) fn begins(&self, body: Body) {
        let length = match body {
            Body::Length(length) => length,
            Body::Chunked => 0,
        };
        self.body.store(length, Ordering::Relaxed);
        self.is_chunked.store(body == Body::Chunked, Ordering::Relaxed);
        for count in [&self.unread, &self.in_a_row, &self.ends, &self.thrown_away] {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// So much of a body was taken.
    pub(crate) fn taken(&self, bytes: usize) {
        let less = |unread: usize| Some(unread.saturating_sub(bytes));
        let _ = self.unread.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        self.ends.store(0, Ordering::Relaxed);
        self.wake();
    }

    /// The answer is given.
    pub(crate) fn answered(&self) {
        self.is_chunked.store(false, Ordering::Relaxed);
        self.wake();
    }

    /// Whether the rest of a body that was refused is still to come.
    pub(crate) fn is_throwing_away(&self) -> bool {
        self.body.load(Ordering::Relaxed) > 0
    }

    /// Whoever reads is to be woken.
    pub(crate) fn register(&self, context: &Context<'_>) {
        self.reader.register(context.waker());
    }

    /// More may be read, perhaps.
    pub(crate) fn wake(&self) {
        self.reader.wake();
    }
}

/// Where the first empty line ends, which may have begun in what came before (`tail`).
fn end_of_head(bytes: &[u8], tail: &mut u8) -> Option<usize> {
    const LINE: u8 = 1;
    const RETURN: u8 = 2;
    for (at, byte) in bytes.iter().enumerate() {
        match (byte, *tail) {
            (b'\n', LINE | RETURN) => {
                *tail = 0;
                return Some(at + 1);
            }
            (b'\n', _) => *tail = LINE,
            (b'\r', LINE) => *tail = RETURN,
            _ => *tail = 0,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    fn noop() -> Context<'static> {
        Context::from_waker(std::task::Waker::noop())
    }

    fn reads_on(reading: &Reading) -> bool {
        reading.while_answering(&noop(), || false).is_ready()
    }

    #[test]
    fn a_head_ends_at_its_empty_line_however_it_is_cut_and_whatever_ends_its_lines() {
        for head in [HEAD, b"GET / HTTP/1.1\nHost: a\n\n", b"GET / HTTP/1.1\r\nHost: a\n\r\n"] {
            for cut in 1..head.len() {
                let (mut tail, two) = (0, [head, head].concat());
                let first = end_of_head(&two[..cut], &mut tail);
                assert_eq!(
                    (first, end_of_head(&two[cut..], &mut tail)),
                    (None, Some(head.len() - cut))
                );
            }
        }
    }

    #[test]
    fn one_head_is_handed_on_and_looked_at_before_the_next() {
        let reading = Reading::default();
        let two = HEAD.repeat(2);
        assert_eq!(reading.portion(&two, false), HEAD.len());
        reading.received(HEAD.len());
        assert!(reading.before_answer(&noop()).is_pending(), "it is looked at");
        reading.begins(Body::Length(0));
        assert!(!reads_on(&reading), "its answer comes first");
        assert!(reading.while_answering(&noop(), || true).is_ready());
        reading.answered();
        assert!(reading.before_answer(&noop()).is_ready());
    }

    #[test]
    fn a_body_is_handed_on_to_its_end_and_no_more_of_it_is_read_than_is_taken() {
        let reading = Reading::default();
        reading.begins(Body::Length(WINDOW + 10));
        assert_eq!(reading.portion(&vec![b'\n'; WINDOW], true), WINDOW);
        reading.received(WINDOW);
        assert!(!reads_on(&reading));
        reading.taken(1);
        assert!(reads_on(&reading));
        assert_eq!(reading.portion(&[0; 100], true), 10);
        reading.received(10);
        reading.taken(WINDOW);
        assert!(!reads_on(&reading), "that was all of it");
        assert!(!reading.is_throwing_away());
    }

    #[test]
    fn of_a_body_in_chunks_only_so_many_ends_are_read_before_something_is_taken() {
        let reading = Reading::default();
        reading.begins(Body::Chunked);
        let mut read = 0;
        while reading.while_answering(&noop(), || false).is_ready() {
            assert_eq!(reading.portion(&HEAD.repeat(2), true), HEAD.len());
            read += 1;
            assert!(
                reading.while_answering(&noop(), || false).is_pending(),
                "it is looked at"
            );
        }
        assert_eq!(read, ENDS);
        reading.taken(1);
        assert!(reads_on(&reading));
    }

    #[test]
    fn what_is_thrown_away_is_looked_at_now_and_then_and_no_more_of_it_is_read_than_so_much() {
        let reading = Reading::default();
        reading.begins(Body::Length(10 * IN_A_ROW));
        reading.answered();
        assert_eq!(reading.portion(&[b'\n'; IN_A_ROW], false), IN_A_ROW);
        reading.received(IN_A_ROW);
        assert!(reading.is_throwing_away());
        assert!(reading.before_answer(&noop()).is_pending());
        assert!(reading.before_answer(&noop()).is_ready());
        assert_eq!(reading.portion(&[0; IN_A_ROW], false), THROWN_AWAY - IN_A_ROW);
        for _ in 0..3 {
            assert!(reading.before_answer(&noop()).is_pending());
        }
    }
}
