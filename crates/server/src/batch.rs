//! A batch: lines in, a line out for each, in the order in which they are done.
//!
//! The answer's stream drives everything: it reads a line when there is room in the window, and the window has room when
//! an answer was taken. So a client that does not read its answers is not read from either, and memory stays as it is
//! however long the batch is. Each upsert runs on a task of its own: what was begun goes on if the client hangs up.

mod line;
mod lines;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Bytes, Payload};
use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, Stream, unfold};
use line::problem_line;
use lines::Lines;
use tokio::time::{sleep, timeout};
use turns::Turns;

use upsert_api::ProblemCode;
use upsert_app::Refusal;

use crate::http::middleware::shutting_down;
use crate::lifecycle::Phase;
use crate::state::Streaming;

pub(crate) use line::Terms;

/// Lines under way. More of them do not make it faster: the store writes what 64 hand over in one commit.
const WINDOW: usize = 64;

/// How long nothing may come.
const PATIENCE: Duration = Duration::from_mins(5);

/// How often it is looked whether the gateway is stopping, while nothing comes.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A batch under way.
pub(crate) struct Batch {
    terms: Arc<Terms>,
    /// What is still to be read; none: no more is.
    input: Option<Payload>,
    lines: Lines,
    turns: Turns,
    under_way: FuturesUnordered<LocalBoxFuture<'static, Bytes>>,
    /// Why no more is read, if that is not the end of the batch.
    cut_short: Option<Refusal>,
    seen: u64,
    /// The server stops only when the last answer was given.
    _streaming: Streaming,
}

impl Batch {
    /// Of these lines, under these terms.
    pub(crate) fn new(terms: Terms, input: Payload, streaming: Streaming) -> Self {
        Self {
            lines: Lines::new(terms.line_limit),
            terms: Arc::new(terms),
            input: Some(input),
            turns: Turns::default(),
            under_way: FuturesUnordered::new(),
            cut_short: None,
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
            self.begin_lines();
            let Some(input) = self.input.as_mut().filter(|_| self.under_way.len() < WINDOW) else {
                match self.under_way.next().await {
                    Some(answer) => return Some(answer),
                    None => return self.last_line(),
                }
            };
            tokio::select! {
                Some(answer) = self.under_way.next() => return Some(answer),
                chunk = timeout(PATIENCE, input.next()) => match chunk {
                    Ok(Some(Ok(chunk))) => self.lines.feed(&chunk),
                    Ok(Some(Err(_))) => self.stop(Refusal::new(ProblemCode::MalformedJson, "the request broke off")),
                    Ok(None) => self.end(),
                    Err(_) => self.stop(Refusal::new(ProblemCode::RequestTimeout, "nothing came for five minutes")),
                },
                () = sleep(LOOK_EVERY) => {
                    if self.terms.state.lifecycle.phase() == Phase::Stopping {
                        self.stop(shutting_down());
                    }
                }
            }
        }
    }

    fn begin_lines(&mut self) {
        while self.under_way.len() < WINDOW {
            if self.terms.state.lifecycle.phase() == Phase::Stopping && self.input.is_some() {
                self.stop(shutting_down());
            }
            let Some(line) = self.lines.next_line().filter(|_| self.cut_short.is_none()) else {
                return;
            };
            self.begin(line);
        }
    }

    fn begin(&mut self, line: lines::Line) {
        self.seen += 1;
        let answer = self.terms.clone().answer(line, &mut self.turns);
        self.under_way.push(answer);
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
    }

    /// Where the batch was cut short, the first line that was not begun says so.
    fn last_line(&mut self) -> Option<Bytes> {
        let cut_short = self.cut_short.take();
        if cut_short.is_none() && self.seen > 0 {
            tracing::info!(
                request_id = self.terms.request_id,
                merchant = self.terms.merchant.id,
                lines = self.seen,
                "batch"
            );
            self.seen = 0;
        }
        cut_short.map(|why| problem_line(self.lines.upcoming(), &why, &self.terms))
    }
}
