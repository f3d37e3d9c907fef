//! What all who have not shown a key may cost together, and who waits until they cost less.
//!
//! Whoever is cut costs what they did until they are gone, which takes until their worker comes to them. So that thousands
//! who come at once do not cost more than there is, nobody is read meanwhile.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use parking_lot::Mutex;

use crate::net::connection::Connection;

/// Bytes that are given back for each that is woken: more than one may have waited for them.
const FOR_EACH: usize = 8 * 1024;

/// Bytes.
#[derive(Debug)]
pub(crate) struct Budget {
    most: usize,
    spent: AtomicUsize,
    waiting: Mutex<VecDeque<Arc<Connection>>>,
}

impl Budget {
    /// Of so many bytes.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            spent: AtomicUsize::new(0),
            waiting: Mutex::default(),
        }
    }

    /// What was spent and not given back.
    pub(crate) fn spent(&self) -> usize {
        self.spent.load(Ordering::Relaxed)
    }

    /// This connection costs more by so much. Whether that is more than there is.
    pub(crate) fn spend(&self, connection: &Connection, bytes: usize) -> bool {
        connection.cost.fetch_add(bytes, Ordering::Relaxed);
        self.spent.fetch_add(bytes, Ordering::Relaxed) + bytes > self.most
    }

    /// It costs only so much any more.
    pub(crate) fn earn(&self, connection: &Connection, rest: usize) {
        let before = connection.cost.swap(rest, Ordering::Relaxed);
        self.spent.fetch_add(rest, Ordering::Relaxed);
        self.spent.fetch_sub(before, Ordering::Relaxed);
        if before > rest {
            self.wake((before - rest) / FOR_EACH + 1);
        }
    }

    /// Whether more would be spent than there is, once those are gone who cost this.
    pub(crate) fn is_short(&self, leaving: usize) -> bool {
        self.spent().saturating_sub(leaving) > self.most
    }

    /// Waits until no more is spent than there is.
    pub(crate) fn poll_room(&self, connection: &Arc<Connection>, context: &Context<'_>) -> Poll<()> {
        if self.spent() <= self.most {
            return Poll::Ready(());
        }
        connection.reading.register(context);
        if !connection.waits.swap(true, Ordering::AcqRel) {
            self.waiting.lock().push_back(connection.clone());
        }
        if self.spent() <= self.most {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// So many of those who have waited longest may look again.
    pub(crate) fn wake(&self, most: usize) {
        if self.spent() > self.most {
            return;
        }
        let mut waiting = self.waiting.lock();
        for _ in 0..most {
            let Some(next) = waiting.pop_front() else { return };
            next.waits.store(false, Ordering::Release);
            next.reading.wake();
        }
    }
}
