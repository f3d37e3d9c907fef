//! The threads that read.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;
use tokio::sync::oneshot;

use upsert_store::StoreError;

use super::digest::Digests;
use super::names::Names;
use super::rows::DbResult;

/// One reader's connection, and the questions it can answer (see `queries`).
pub(super) struct Reader {
    pub(super) db: Connection,
    pub(super) names: Names,
    pub(super) digests: Digests,
}

type Question = Box<dyn FnOnce(&mut Reader) + Send>;

/// The readers as the store sees them: one queue, whoever is free takes the next.
pub(super) struct Readers {
    questions: RwLock<Option<SyncSender<Question>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    pub(super) fn start(connections: Vec<Connection>, queue: usize) -> io::Result<Self> {
        let (questions, queue) = sync_channel(queue.max(1));
        let queue = Arc::new(Mutex::new(queue));
        let start = |db| {
            let queue = Arc::clone(&queue);
            let reader = Reader {
                digests: Digests::of(&db).map_err(|error| io::Error::other(error.to_string()))?,
                db,
                names: Names::default(),
            };
            let thread = Builder::new().name("store-reader".to_owned());
            thread.spawn(move || reader.run(&queue))
        };
        let threads = connections.into_iter().map(start).collect::<io::Result<_>>()?;
        Ok(Self {
            questions: RwLock::new(Some(questions)),
            threads: Mutex::new(threads),
        })
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
            Ok(answer) => answer.map_err(|error| {
                tracing::error!(%error, "the store could not read");
                error.upwards()
            }),
            Err(_) => Err(StoreError::Failed("a reader of the store has gone".to_owned())),
        }
    }

    /// Lets the readers finish what is queued and waits for their end.
    pub(super) fn close(&self) {
        drop(self.questions.write().take());
        let threads = std::mem::take(&mut *self.threads.lock());
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a reader thread of the store panicked");
            }
        }
    }
}

impl Reader {
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
        self.db.prepare_cached("BEGIN")?.execute([])?;
        let answer = question(self);
        self.db.prepare_cached("COMMIT")?.execute([])?;
        answer
    }
}
