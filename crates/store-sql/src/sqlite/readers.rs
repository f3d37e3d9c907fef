//! Who reads: what is a few rows by their keys is read on the thread that asks, by a connection that is at hand; what may
//! take long has threads of its own.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;
use tokio::sync::oneshot;

use upsert_store::StoreError;

use super::names::Names;
use super::rows::{DbError, DbResult};
use crate::digest::Digests;
use crate::sealed::Seals;

/// One reader's connection, and the questions it can answer (see `queries`).
pub(super) struct Reader {
    pub(super) db: Connection,
    pub(super) names: Names,
    pub(super) digests: Digests,
    pub(super) seals: Arc<Seals>,
}

type Question = Box<dyn FnOnce(&mut Reader) + Send>;

/// The readers as the store sees them.
pub(super) struct Readers {
    /// For whoever asks, as long as the answer takes.
    at_hand: Vec<Mutex<Option<Reader>>>,
    /// One queue for the threads: whoever is free takes the next.
    questions: RwLock<Option<SyncSender<Question>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    /// With threads for these connections, and those that are at hand.
    pub(super) fn start(
        connections: Vec<Connection>,
        at_hand: Vec<Connection>,
        queue: usize,
        (digests, seals): (&Digests, &Arc<Seals>),
    ) -> io::Result<Self> {
        let (questions, queue) = sync_channel(queue.max(1));
        let queue = Arc::new(Mutex::new(queue));
        let start = |db| {
            let queue = Arc::clone(&queue);
            let reader = Reader::new(db, digests, seals);
            let thread = Builder::new().name("store-reader".to_owned());
            thread.spawn(move || reader.run(&queue))
        };
        let threads = connections.into_iter().map(start).collect::<io::Result<_>>()?;
        let ready = |db| Mutex::new(Some(Reader::new(db, digests, seals)));
        Ok(Self {
            at_hand: at_hand.into_iter().map(ready).collect(),
            questions: RwLock::new(Some(questions)),
            threads: Mutex::new(threads),
        })
    }

    /// Answers it here and now, in one read transaction: a few rows by their keys, that are likely to be in memory. There are
    /// as many readers at hand as threads that may ask, so hardly ever has one to wait for another.
    pub(super) fn look<T>(&self, question: impl FnOnce(&mut Reader) -> DbResult<T>) -> Result<T, StoreError> {
        let free = self.at_hand.iter().find_map(Mutex::try_lock);
        let Some(mut reader) = free.or_else(|| self.at_hand.first().map(Mutex::lock)) else {
            return Err(StoreError::Busy);
        };
        let reader = reader.as_mut().ok_or(StoreError::Busy)?;
        reader.at_one_moment(question).map_err(|error| failed(&error))
    }

    /// Queues the question and waits for its answer, in one read transaction: all that it reads is of one moment.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Reader) -> DbResult<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let question: Question = Box::new(move |reader| {
            // Whoever asked has gone: nobody needs to know.
            if !answer.is_closed() {
                let _ = answer.send(reader.at_one_moment(question));
            }
        });
        {
            let questions = self.questions.read();
            let questions = questions.as_ref().ok_or(StoreError::Busy)?;
            questions.try_send(question).map_err(|_| StoreError::Busy)?;
        }
        match answered.await {
            Ok(answer) => answer.map_err(|error| failed(&error)),
            Err(_) => Err(StoreError::Failed("a reader of the store has gone".to_owned())),
        }
    }

    /// Lets the readers finish what is queued and waits for their end.
    pub(super) fn close(&self) {
        for reader in &self.at_hand {
            drop(reader.lock().take());
        }
        drop(self.questions.write().take());
        let threads = std::mem::take(&mut *self.threads.lock());
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a reader thread of the store panicked");
            }
        }
    }
}

fn failed(error: &DbError) -> StoreError {
    tracing::error!(%error, "the store could not read");
    error.upwards()
}

impl Reader {
    fn new(db: Connection, digests: &Digests, seals: &Arc<Seals>) -> Self {
        Self {
            db,
            names: Names::default(),
            digests: digests.clone(),
            seals: seals.clone(),
        }
    }

    fn run(mut self, queue: &Mutex<Receiver<Question>>) {
        loop {
            let next = queue.lock().recv();
            match next {
                Ok(question) => question(&mut self),
                Err(_) => return,
            }
        }
    }

    fn at_one_moment<T>(&mut self, question: impl FnOnce(&mut Self) -> DbResult<T>) -> DbResult<T> {
        if !self.db.is_autocommit() {
            // A question before this one panicked.
            self.db.prepare_cached("ROLLBACK")?.execute([])?;
        }
        self.db.prepare_cached("BEGIN")?.execute([])?;
        let answer = question(self);
        self.db.prepare_cached("COMMIT")?.execute([])?;
        answer
    }
}
