//! Which queues have work: whoever makes work marks its queue, and the scheduler starts the worker.

use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// How far a worker reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// What is due.
    Due,
    /// What waits for the connection too, due or not. What failed keeps its own time.
    Parked,
    /// Everything that waits: the connection is free again.
    All,
}

/// A queue with a worker of its own, by merchant and name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum QueueKey {
    /// A connection, where deliveries wait.
    Connection(String, String),
    /// An endpoint, for which events wait.
    Endpoint(String, String),
}

/// Queues that have work, and those that are worked on.
#[derive(Debug, Default)]
pub(crate) struct Wakeups {
    queues: Mutex<Queues>,
    marked: Notify,
    merchants: Notify,
    connections: Notify,
}

#[derive(Debug, Default)]
struct Queues {
    /// Marked, and how far their workers are to reach.
    marked: HashMap<QueueKey, Reach>,
    /// Worked on.
    busy: HashSet<QueueKey>,
}

impl Wakeups {
    /// Says that the queue has work. One that is worked on is worked through once more.
    pub(crate) fn mark(&self, queue: QueueKey, reach: Reach) {
        let mut queues = self.queues.lock();
        let furthest = queues.marked.get(&queue).copied().max(Some(reach)).unwrap_or(reach);
        queues.marked.insert(queue, furthest);
        drop(queues);
        self.marked.notify_one();
    }

    /// Queues that were marked and that nobody works on; from now on they are worked on.
    pub(crate) fn begin(&self) -> Vec<(QueueKey, Reach)> {
        let mut queues = self.queues.lock();
        let Queues { marked, busy } = &mut *queues;
        let begun: Vec<_> = marked.extract_if(|queue, _| !busy.contains(queue)).collect();
        busy.extend(begun.iter().map(|(queue, _)| queue.clone()));
        begun
    }

    /// Lets go of a queue whose worker panics: the next mark gets it another one.
    pub(crate) fn let_go_on_panic(&self, queue: QueueKey) -> LetGoOnPanic<'_> {
        LetGoOnPanic { wakeups: self, queue }
    }

    /// It was worked through. How far to reach once more; none: nobody works on it any more.
    pub(crate) fn again(&self, queue: &QueueKey) -> Option<Reach> {
        let mut queues = self.queues.lock();
        let again = queues.marked.remove(queue);
        if again.is_none() {
            queues.busy.remove(queue);
        }
        again
    }

    /// Says that another process may have changed merchants.
    pub(crate) fn mark_merchants(&self) {
        self.merchants.notify_one();
    }

    /// Until merchants may have been changed.
    pub(crate) async fn merchants_marked(&self) {
        self.merchants.notified().await;
    }

    /// Says that another process has written something of connections or endpoints.
    pub(crate) fn mark_connections(&self) {
        self.connections.notify_one();
    }

    /// Until something of connections or endpoints may have been written.
    pub(crate) async fn connections_marked(&self) {
        self.connections.notified().await;
    }

    /// Until a queue is marked.
    pub(crate) async fn marked(&self) {
        self.marked.notified().await;
    }
}

/// See [`Wakeups::let_go_on_panic`].
pub(crate) struct LetGoOnPanic<'a> {
    wakeups: &'a Wakeups,
    queue: QueueKey,
}

impl Drop for LetGoOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.wakeups.queues.lock().busy.remove(&self.queue);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(name: &str) -> QueueKey {
        QueueKey::Connection("acme".to_owned(), name.to_owned())
    }

    #[test]
    fn a_queue_has_one_worker_which_goes_once_more_as_far_as_was_asked_meanwhile() {
        let wakeups = Wakeups::default();
        wakeups.mark(queue("crm"), Reach::Due);
        wakeups.mark(queue("crm"), Reach::All);
        wakeups.mark(queue("crm"), Reach::Parked);
        wakeups.mark(queue("wallet"), Reach::Due);
        let mut begun = wakeups.begin();
        begun.sort_by_key(|(_, reach)| *reach);
        assert_eq!(begun, [(queue("wallet"), Reach::Due), (queue("crm"), Reach::All)]);
        wakeups.mark(queue("crm"), Reach::Parked);
        assert_eq!(wakeups.begin(), [], "it has a worker");
        assert_eq!(wakeups.again(&queue("crm")), Some(Reach::Parked));
        assert_eq!(wakeups.again(&queue("crm")), None);
        wakeups.mark(queue("crm"), Reach::Due);
        assert_eq!(wakeups.begin(), [(queue("crm"), Reach::Due)]);
    }

    #[test]
    fn a_worker_that_panics_lets_its_queue_go_and_one_that_ends_does_not_take_it_from_the_next() {
        let wakeups = Wakeups::default();
        wakeups.mark(queue("crm"), Reach::Due);
        assert_eq!(wakeups.begin().len(), 1);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _own = wakeups.let_go_on_panic(queue("crm"));
            panic!("a worker's own mistake");
        }));
        assert!(panicked.is_err());
        wakeups.mark(queue("crm"), Reach::Due);
        assert_eq!(wakeups.begin().len(), 1);
        drop(wakeups.let_go_on_panic(queue("crm")));
        wakeups.mark(queue("crm"), Reach::Due);
        assert_eq!(wakeups.begin(), [], "the other one is still at it");
    }

    #[tokio::test]
    async fn whoever_waits_for_a_mark_is_told_of_one_that_came_before() {
        let wakeups = Wakeups::default();
        wakeups.mark(queue("crm"), Reach::Due);
        wakeups.marked().await;
        assert_eq!(wakeups.begin().len(), 1);
    }
}
