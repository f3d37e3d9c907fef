//! How many there are of something, right as long as each of them lives.

use std::sync::atomic::{AtomicUsize, Ordering};

/// One of those that are counted; dropping it, as a cancelled call does, takes it off again.
#[derive(Debug)]
pub(crate) struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    /// One more.
    pub(crate) fn among(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }

    /// One more, unless there are so many already.
    pub(crate) fn among_at_most(most: usize, count: &'a AtomicUsize) -> Option<Self> {
        let one_more = |count: usize| (count < most).then(|| count + 1);
        let joined = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        joined.ok().map(|_| Self(count))
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
