//! A batch: lines in, a line out for each, in the order in which they are done.
//!
//! The answer's stream drives everything: it reads a line when there is room in the window, and the window has room when
//! an answer was taken. So a client that does not read its answers is not read from either, and memory stays as it is
//! however long the batch is. Each upsert runs on a task of its own: what was begun goes on if the client hangs up.

mod line;
mod lines;
mod turns;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, Stream, unfold};
use line::problem_line;
use lines::Lines;
use tokio::time::{Instant, sleep};
use turns::Turns;

use upsert_api::ProblemCode;
use upsert_app::Refusal;

use crate::http::decoding::Pieces;
use crate::http::middleware::shutting_down;
use crate::lifecycle::Phase;
use crate::state::Streaming;

pub(crate) use line::Terms;

/// Lines under way. More of them do not make it faster: the store writes what 64 hand over in one commit.
const WINDOW: usize = 64;

/// How long nothing may come.
const PATIENCE: Duration = Duration::from_mins(5);

/// How often it is looked whether the gateway is stopping, and whether the key still may do this, while nothing comes.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long what was begun may take to be answered once the key may do nothing any more.
const UNTIL_CUT: Duration = Duration::from_secs(1);

/// A batch under way.
pub(crate) struct Batch {
    terms: Arc<Terms>,
    /// What is still to be read; none: no more is.
    input: Option<Pieces>,
    /// When something came last.
    came: Instant,
    lines: Lines,
    turns: Turns,
    under_way: FuturesUnordered<LocalBoxFuture<'static, (u64, Bytes)>>,
    /// The numbers of these.
    unanswered: BTreeSet<u64>,
    /// Why no more is read, if that is not the end of the batch.
    cut_short: Option<Refusal>,
    /// No further line is begun.
    is_cut: bool,
    /// Why the key may do nothing any more, and when the last answer is given.
    revoked: Option<(Refusal, Instant)>,
    seen: u64,
    /// The server stops only when the last answer was given.
    _streaming: Streaming,
}

impl Batch {
    /// Of these lines, under these terms.
    pub(crate) fn new(terms: Terms, input: Pieces, streaming: Streaming) -> Self {
        Self {
            lines: Lines::new(terms.line_limit),
            terms: Arc::new(terms),
            input: Some(input),
            came: Instant::now(),
            turns: Turns::default(),
            under_way: FuturesUnordered::new(),
            unanswered: BTreeSet::new(),
            cut_short: None,
            is_cut: false,
            revoked: None,
            seen: 0,
            _streaming: streaming,
        }
    }

    /// The lines of the answer.
    pub(crate) fn answers(self) -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
        unfold(self, |mut batch| async move { Some((Ok(batch.next().await?), batch)) })
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            self.look().await;
            if let Some(answer) = self.given_up() {
                return Some(answer);
            }
            self.begin_lines();
            let reads = self.input.is_some() && self.under_way.len() < WINDOW;
            if !reads && self.under_way.is_empty() {
                return self.last_line();
            }
            tokio::select! {
                Some((number, answer)) = self.under_way.next() => {
                    self.unanswered.remove(&number);
                    return Some(answer);
                }
                chunk = next_chunk(self.input.as_mut()), if reads => self.take(chunk),
                () = sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// What came of the input; none: it has ended.
    fn take(&mut self, chunk: Option<Result<Bytes, PayloadError>>) {
        self.came = Instant::now();
        match chunk {
            Some(Ok(chunk)) => self.lines.feed(&chunk),
            Some(Err(PayloadError::EncodingCorrupted)) => {
                let detail = "the rest of the body is no gzip, or not a whole one";
                self.stop(Refusal::new(ProblemCode::MalformedJson, detail));
            }
            Some(Err(_)) => self.stop(Refusal::new(ProblemCode::MalformedJson, "the request broke off")),
            None => self.end(),
        }
    }

    /// Whether the batch may go on: an open one asks as often as a new one would be asked.
    async fn look(&mut self) {
        if self.revoked.is_none()
            && let Err(why) = self.terms.still_stand().await
        {
            self.revoked = Some((why.clone(), Instant::now() + UNTIL_CUT));
            if self.input.is_some() {
                self.stop(why);
            }
        }
        if self.input.is_some() && self.terms.state.lifecycle.phase() == Phase::Stopping {
            self.stop(shutting_down());
        }
        let waits_for_input = self.input.is_some() && self.under_way.is_empty();
        if waits_for_input && self.came.elapsed() > PATIENCE {
            self.stop(Refusal::new(
                ProblemCode::RequestTimeout,
                "nothing came for five minutes",
            ));
        }
    }

    /// The answer to a line that was begun and whose key may be told nothing any more.
    fn given_up(&mut self) -> Option<Bytes> {
        let (why, until) = self.revoked.as_ref()?;
        if Instant::now() < *until {
            return None;
        }
        // Whatever is durable of them goes on by itself.
        self.under_way.clear();
        let number = self.unanswered.pop_first()?;
        Some(problem_line(number, why, &self.terms))
    }

    fn begin_lines(&mut self) {
        // A line that is not begun any more keeps its number: it is the one that says why.
        while self.under_way.len() < WINDOW && !self.is_cut {
            let Some(line) = self.lines.next_line() else { return };
            self.begin(line);
        }
    }

    fn begin(&mut self, line: lines::Line) {
        self.seen += 1;
        let number = line.number;
        let answer = self.terms.clone().answer(line, &mut self.turns);
        self.unanswered.insert(number);
        self.under_way.push(Box::pin(async move { (number, answer.await) }));
    }

    /// The last line may have no end of its own.
    fn end(&mut self) {
        self.input = None;
        if let Some(line) = self.lines.rest() {
            self.begin(line);
        }
    }

    /// No more is read; what was begun comes to its end.
    fn stop(&mut self, why: Refusal) {
        self.input = None;
        self.cut_short = Some(why);
        self.is_cut = true;
    }

    /// Where the batch was cut short, the first line that was not begun says so.
    fn last_line(&mut self) -> Option<Bytes> {
        let cut_short = self.cut_short.take();
        if cut_short.is_none() && self.seen > 0 {
            tracing::info!(
                request_id = self.terms.request_id,
                merchant = self.terms.merchant,
                lines = self.seen,
                "batch"
            );
            self.seen = 0;
        }
        cut_short.map(|why| problem_line(self.lines.upcoming(), &why, &self.terms))
    }
}

/// What comes next of it; none: it has ended. Without an input nothing ever comes.
async fn next_chunk(input: Option<&mut Pieces>) -> Option<Result<Bytes, PayloadError>> {
    match input {
        Some(input) => input.next().await,
        None => std::future::pending().await,
    }
}
