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

    /// It was worked through. How far to reach once more; none: nobody works on it any more.
    pub(crate) fn again(&self, queue: &QueueKey) -> Option<Reach> {
        let mut queues = self.queues.lock();
        let again = queues.marked.remove(queue);
        if again.is_none() {
            queues.busy.remove(queue);
        }
        again
    }

    /// Until a queue is marked.
    pub(crate) async fn marked(&self) {
        self.marked.notified().await;
    }
}
