//! What processes tell each other at once, by `LISTEN` and `NOTIFY`: the one file that knows of them. An engine or a pool in
//! front that does not pass them on loses nothing but time, since everybody looks by themselves too; a setting switches it off.
//!
//! It has a connection of its own, beside those that read and write. Telling is not part of a commit: PostgreSQL lets commits
//! that notify go one after the other, whatever they write. What is told within a short time goes out as one notification.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Notification};

use upsert_core::CustomerId;
use upsert_store::Hints;

use super::connect::Connector;
use super::error::DbResult;

const CHANNEL: &str = "upsert_gateway";
const LISTEN: &str = "LISTEN upsert_gateway";
const TELL: &str = "SELECT pg_notify($1, $2)";

/// From one notification to the next at least.
const APART: Duration = Duration::from_millis(50);

/// From one try to connect to the next.
const AGAIN: Duration = Duration::from_secs(1);

/// How long a process that stops waits until what it told last has gone out.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A notification has fewer than 8,000 bytes, and an id some 30. Who is left out is looked for all the same.
const MOST_CUSTOMERS: usize = 200;

/// Customers that wait to be told, or to be looked at, however long nobody can be told.
const MOST_WAITING: usize = 10 * MOST_CUSTOMERS;

/// Hints that wait to be taken.
#[derive(Debug, Default)]
struct Waiting {
    hints: Mutex<Hints>,
    filled: Notify,
    /// No more come.
    is_closed: AtomicBool,
}

impl Waiting {
    fn add(&self, more: Hints) {
        let mut hints = self.hints.lock();
        hints.add(more);
        // Where the database tells nobody anything, nobody takes them.
        while hints.customers.len() > MOST_WAITING {
            hints.customers.pop_first();
        }
        let is_empty = hints.is_empty();
        drop(hints);
        if !is_empty {
            self.filled.notify_one();
        }
    }

    /// Waits for some, and takes them all; none: no more come.
    async fn take(&self) -> Option<Hints> {
        loop {
            // Asked first: what was added before it was closed is there.
            let is_closed = self.is_closed();
            let hints = std::mem::take(&mut *self.hints.lock());
            if !hints.is_empty() {
                return Some(hints);
            }
            if is_closed {
                return None;
            }
            self.filled.notified().await;
        }
    }

    fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.filled.notify_one();
    }
}

/// Tells and hears.
#[derive(Debug)]
pub(super) struct HintsHandle {
    told: Arc<Waiting>,
    heard: Arc<Waiting>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl HintsHandle {
    pub(super) fn start(connector: Connector, runtime: &Handle) -> Self {
        let (told, heard) = (Arc::<Waiting>::default(), Arc::<Waiting>::default());
        let switchboard = Switchboard {
            connector,
            own: format!("{:016x}", rand::random::<u64>()),
            told: Arc::clone(&told),
            heard: Arc::clone(&heard),
        };
        Self {
            told,
            heard,
            task: Mutex::new(Some(runtime.spawn(switchboard.run()))),
        }
    }

    pub(super) fn tell(&self, hints: Hints) {
        self.told.add(hints);
    }

    pub(super) async fn told(&self) -> Hints {
        match self.heard.take().await {
            Some(hints) => hints,
            None => std::future::pending().await,
        }
    }

    /// Tells what was told last, if it can be told in time.
    pub(super) async fn close(&self) {
        self.told.close();
        let task = self.task.lock().take();
        if let Some(mut task) = task
            && tokio::time::timeout(LAST_WORDS, &mut task).await.is_err()
        {
            task.abort();
        }
    }
}

struct Switchboard {
    connector: Connector,
    /// Begins what this process tells, since it hears that too.
    own: String,
    told: Arc<Waiting>,
    heard: Arc<Waiting>,
}

impl Switchboard {
    /// Connects, and again when the connection is lost, until it is closed.
    async fn run(self) {
        let mut is_known = false;
        loop {
            match self.serve().await {
                Ok(()) => is_known = false,
                Err(error) if !is_known => {
                    tracing::warn!(%error, "processes cannot tell each other what to look at; each looks by itself");
                    is_known = true;
                }
                Err(_) => {}
            }
            if self.told.is_closed() {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Tells and hears until the connection is lost, or nothing is told any more.
    async fn serve(&self) -> DbResult<()> {
        let (client, mut messages) = self.connector.connect_to_hear().await?;
        let hearing = async {
            while let Some(message) = messages.recv().await {
                if let AsyncMessage::Notification(notification) = message {
                    self.hear(&notification);
                }
            }
        };
        tokio::select! {
            () = hearing => Ok(()),
            result = self.tell(&client) => result,
        }
    }

    async fn tell(&self, client: &Client) -> DbResult<()> {
        client.batch_execute(LISTEN).await?;
        // What was told before that was not heard.
        self.heard.add(Hints::of_everything());
        while let Some(hints) = self.told.take().await {
            client.execute(TELL, &[&CHANNEL, &spelled(&self.own, &hints)]).await?;
            tokio::time::sleep(APART).await;
        }
        Ok(())
    }

    fn hear(&self, notification: &Notification) {
        if notification.channel() != CHANNEL {
            return;
        }
        match notification.payload().split_once(' ') {
            Some((by, hints)) if by != self.own => self.heard.add(read(hints)),
            _ => {}
        }
    }
}

/// As it is sent: who tells, letters for kinds, customers.
fn spelled(own: &str, hints: &Hints) -> String {
    let mut text = format!("{own} ");
    let kinds = [
        (hints.connections, 'c'),
        (hints.merchants, 'm'),
        (hints.deliveries, 'd'),
        (hints.events, 'e'),
    ];
    text.extend(kinds.iter().filter(|(is_set, _)| *is_set).map(|(_, letter)| *letter));
    for customer in hints.customers.iter().take(MOST_CUSTOMERS) {
        // Into a text: it cannot fail.
        let _ = write!(text, " {customer}");
    }
    text
}

/// What a process of another version tells that this one does not know is left out.
fn read(text: &str) -> Hints {
    let mut words = text.split(' ');
    let kinds = words.next().unwrap_or_default();
    Hints {
        connections: kinds.contains('c'),
        merchants: kinds.contains('m'),
        deliveries: kinds.contains('d'),
        events: kinds.contains('e'),
        customers: words.filter_map(|word| word.parse::<CustomerId>().ok()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use upsert_testkit::records::customer_id;

    use super::*;

    #[test]
    fn what_nobody_takes_stays_small_and_no_kind_of_it_is_lost() {
        let waiting = Waiting::default();
        for number in 1..=10 * MOST_WAITING {
            waiting.add(Hints::of_customer(customer_id(number as u128)));
        }
        waiting.add(Hints::of_everything());
        let hints = waiting.hints.lock();
        assert_eq!(hints.customers.len(), MOST_WAITING);
        assert!(hints.connections && hints.merchants && hints.deliveries && hints.events);
    }

    #[test]
    fn what_is_told_is_read_as_it_was_and_fits_into_a_notification() {
        let customers = (1..=1_000).map(customer_id);
        let all = Hints {
            customers: customers.collect(),
            ..Hints::of_everything()
        };
        let some = Hints {
            events: true,
            ..Hints::of_customer(customer_id(7))
        };
        for hints in [Hints::default(), some, Hints::of_everything()] {
            let text = spelled("own", &hints);
            assert_eq!(read(text.strip_prefix("own ").unwrap()), hints, "{text}");
        }
        let text = spelled(&"f".repeat(16), &all);
        assert!(text.len() < 7_900, "{}", text.len());
        let heard = read(text.split_once(' ').unwrap().1);
        assert_eq!(heard.customers.len(), MOST_CUSTOMERS);
        assert_eq!(
            read("cz nobody"),
            Hints {
                connections: true,
                ..Hints::default()
            }
        );
    }
}
