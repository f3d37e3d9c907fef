//! Where strangers wait for their worker, so that a few at a time are looked at, and callers in between.
//!
//! A worker goes through all that is ready in the order in which it came. With a thousand strangers ready, a caller would wait
//! for a thousand heads to be read and answered.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::{Notify, oneshot};
use tokio::task::yield_now;

/// First heads that are let go on before the worker looks at everybody else again.
const FIRST_HEADS: usize = 3;
/// The same of later heads.
const LATER_HEADS: usize = 2;
/// Of fewer nobody asks who has gone.
const LEAST_CROWD: usize = 64;

/// Of one worker. Whoever is gone meanwhile is passed over.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// New connections: the newest goes first. When more come than can be looked at, the others are late anyway, and among the
    /// newest are those who will show a key.
    first: RefCell<Vec<oneshot::Sender<()>>>,
    /// From so many on it is looked who of them has gone: those at the bottom may not be come to for long.
    crowd: Cell<usize>,
    /// Those who were answered before without having shown one, in turn.
    later: RefCell<VecDeque<oneshot::Sender<()>>>,
    somebody_came: Notify,
}

/// A place in a queue.
#[derive(Debug)]
pub(crate) struct Ticket(oneshot::Receiver<()>);

impl Queue {
    /// Somebody new wants to be looked at.
    pub(crate) fn first(&self) -> Ticket {
        let (called, ticket) = oneshot::channel();
        let mut first = self.first.borrow_mut();
        if first.len() >= self.crowd.get() {
            first.retain(|waiting| !waiting.is_closed());
            self.crowd.set(LEAST_CROWD.max(2 * first.len()));
        }
        first.push(called);
        drop(first);
        self.somebody_came.notify_one();
        Ticket(ticket)
    }

    /// Somebody wants to be looked at again.
    pub(crate) fn later(&self) -> Ticket {
        let (called, ticket) = oneshot::channel();
        self.later.borrow_mut().push_back(called);
        self.somebody_came.notify_one();
        Ticket(ticket)
    }

    /// Calls a few at a time, for as long as the worker runs.
    pub(crate) async fn call(&self) {
        loop {
            self.somebody_came.notified().await;
            while self.call_some() {
                yield_now().await;
            }
        }
    }

    /// Whether there was anybody.
    fn call_some(&self) -> bool {
        let first = called(FIRST_HEADS, || self.first.borrow_mut().pop());
        let later = called(LATER_HEADS, || self.later.borrow_mut().pop_front());
        first + later > 0
    }
}

/// How many were called, so many at the most.
fn called(most: usize, mut next: impl FnMut() -> Option<oneshot::Sender<()>>) -> usize {
    let mut called = 0;
    while called < most
        && let Some(waiting) = next()
    {
        called += usize::from(waiting.send(()).is_ok());
    }
    called
}

impl Ticket {
    /// Waits until it is called. Where nobody calls any more, the worker is ending, and it need not wait.
    pub(crate) fn poll_called(&mut self, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(context).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn is_called(ticket: &mut Ticket) -> bool {
        ticket.poll_called(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn of_the_new_the_newest_go_first_and_of_the_others_the_oldest() {
        let queue = Queue::default();
        let mut first: Vec<Ticket> = (0..=FIRST_HEADS).map(|_| queue.first()).collect();
        let mut later: Vec<Ticket> = (0..=LATER_HEADS).map(|_| queue.later()).collect();
        assert!(queue.call_some());
        let called = |tickets: &mut Vec<Ticket>| tickets.iter_mut().map(is_called).collect::<Vec<_>>();
        assert_eq!(called(&mut first), [false, true, true, true]);
        assert_eq!(called(&mut later), [true, true, false]);
        assert!(queue.call_some());
        assert!(is_called(&mut first[0]) && is_called(&mut later[2]));
        assert!(!queue.call_some(), "nobody waits");
    }

    #[test]
    fn whoever_is_gone_takes_no_place() {
        let queue = Queue::default();
        let mut stays = queue.later();
        let mut others: Vec<Ticket> = (0..10).map(|_| queue.first()).collect();
        let mut oldest = others.remove(0);
        drop(others);
        assert!(queue.call_some());
        assert!(is_called(&mut oldest) && is_called(&mut stays));
    }

    #[test]
    fn those_who_are_gone_are_forgotten_although_nobody_comes_to_them() {
        let queue = Queue::default();
        let stays: Vec<Ticket> = (0..10).map(|_| queue.first()).collect();
        for _ in 0..100 * LEAST_CROWD {
            drop(queue.first());
        }
        assert!(queue.first.borrow().len() <= 2 * LEAST_CROWD);
        drop(stays);
    }

    #[tokio::test]
    async fn everybody_is_called_and_others_run_in_between() {
        let queue = Queue::default();
        let mut tickets: Vec<Ticket> = (0..100).map(|_| queue.first()).collect();
        let mut rounds = 0;
        tokio::select! {
            biased;
            () = async {
                while !tickets.is_empty() {
                    rounds += 1;
                    let before = tickets.len();
                    tickets.retain_mut(|ticket| !is_called(ticket));
                    assert!(before - tickets.len() <= FIRST_HEADS);
                    yield_now().await;
                }
            } => {}
            () = queue.call() => {}
        }
        assert!(rounds >= 100 / FIRST_HEADS, "{rounds}");
    }
}
