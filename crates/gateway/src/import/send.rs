//! One connection after the other, until every row has its answer.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use futures_util::stream;
use reqwest::{Body, Client, Method, Response, StatusCode};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, sleep, timeout};
use upsert_api::Problem;

use crate::http_client;
use crate::import::answer::Answer;
use crate::import::progress::Progress;
use crate::import::target::Target;
use crate::import::work::Work;
use crate::output::complain;
use crate::signals::Signals;

/// A gateway that is silent for so long while rows are on their way has gone.
const SILENCE: Duration = Duration::from_secs(120);
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Without one answer in so long it gives up; what was answered is kept.
const PATIENCE: Duration = Duration::from_secs(600);
/// So long an interrupted import waits for what is on its way.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// How it ended.
pub(crate) enum End {
    Done,
    Interrupted,
}

pub(crate) struct Sender<'a> {
    target: &'a Target,
    client: Client,
    /// `Prefer`, if anything is preferred.
    prefer: Option<String>,
    signals: Signals,
    pub(crate) progress: Progress,
    last_answer: Instant,
}

impl<'a> Sender<'a> {
    /// # Errors
    /// No HTTP client can be made.
    pub(crate) fn new(
        target: &'a Target,
        prefer: Option<String>,
        signals: Signals,
        progress: Progress,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            target,
            client: http_client::for_streams()?,
            prefer,
            signals,
            progress,
            last_answer: Instant::now(),
        })
    }

    /// Sends all rows that have no answer yet.
    pub(crate) async fn send_all(&mut self, work: &mut Work) -> anyhow::Result<End> {
        let mut wait = FIRST_WAIT;
        loop {
            work.begin();
            let before = self.last_answer;
            let over = self.one_connection(work).await;
            work.save()?;
            self.progress.show(work);
            match over? {
                Some(end) => return Ok(end),
                None if work.is_done() => return Ok(End::Done),
                None => {}
            }
            if self.last_answer.elapsed() > PATIENCE {
                bail!("{} has not answered for {} s", self.target.url, PATIENCE.as_secs());
            }
            wait = if self.last_answer > before {
                FIRST_WAIT
            } else {
                (wait * 2).min(LONGEST_WAIT)
            };
            tokio::select! {
                () = sleep(wait) => {}
                _ = self.signals.next() => return Ok(End::Interrupted),
            }
        }
    }

    /// None: there is more to do, over a new connection.
    async fn one_connection(&mut self, work: &mut Work) -> anyhow::Result<Option<End>> {
        let (rows, queue) = mpsc::channel::<Bytes>(16);
        let body = stream::unfold(queue, |mut queue| async move {
            let row = queue.recv().await?;
            Some((Ok::<_, Infallible>(row), queue))
        });
        let mut request = self
            .target
            .request(&self.client, Method::POST, "v1/customers/batch")?
            .header("content-type", "application/x-ndjson")
            .body(Body::wrap_stream(body));
        if let Some(prefer) = &self.prefer {
            request = request.header("prefer", prefer);
        }
        let response = tokio::select! {
            response = timeout(SILENCE, request.send()) => response,
            _ = self.signals.next() => return Ok(Some(End::Interrupted)),
        };
        let Ok(Ok(response)) = response else {
            complain(&format!("{} does not answer; it is tried again", self.target.url));
            return Ok(None);
        };
        match response.status() {
            StatusCode::OK => self.exchange(work, rows, response).await,
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => Ok(None),
            status => bail!("{} answers {status}: {}", self.target.url, said(response).await),
        }
    }

    async fn exchange(
        &mut self,
        work: &mut Work,
        rows: mpsc::Sender<Bytes>,
        mut response: Response,
    ) -> anyhow::Result<Option<End>> {
        let mut rows = Some(rows);
        let mut received = Vec::new();
        let mut every_second = interval(Duration::from_secs(1));
        let mut stop_at: Option<Instant> = None;
        let mut heard = Instant::now();
        let mut is_closed = false;
        loop {
            // Where all that may be sent has to be sent again, a new connection does it.
            let is_stuck = !work.may_send() && work.on_their_way() == 0;
            if work.is_all_sent() || is_stuck || is_closed || stop_at.is_some() {
                // The end of the body; the answers go on.
                rows = None;
            }
            let has_expired = stop_at.is_some_and(|at| at < Instant::now());
            if has_expired || (stop_at.is_some() && work.on_their_way() == 0) {
                return Ok(Some(End::Interrupted));
            }
            let may_send = rows.is_some() && work.may_send();
            tokio::select! {
                biased;
                _ = self.signals.next() => {
                    let is_second = stop_at.is_some();
                    stop_at = Some(if is_second { Instant::now() } else { Instant::now() + LAST_ANSWERS });
                }
                _ = every_second.tick() => {
                    work.save()?;
                    self.progress.show(work);
                    if work.on_their_way() == 0 {
                        heard = Instant::now();
                    } else if heard.elapsed() > SILENCE {
                        return Ok(None);
                    }
                }
                piece = response.chunk() => {
                    let Ok(Some(piece)) = piece else { return Ok(ended(work, stop_at.is_some())) };
                    heard = Instant::now();
                    received.extend_from_slice(&piece);
                    self.take(work, &mut received)?;
                }
                place = reserve(rows.as_ref()), if may_send => {
                    let Some(place) = place else { is_closed = true; continue };
                    if let Some(row) = work.next()? {
                        place.send(row);
                    }
                }
            }
        }
    }

    /// Takes the whole lines out of what was received.
    fn take(&mut self, work: &mut Work, received: &mut Vec<u8>) -> anyhow::Result<()> {
        let mut from = 0;
        while let Some(at) = received[from..].iter().position(|byte| *byte == b'\n') {
            let line = &received[from..from + at];
            let answer = Answer::read(line).context("the gateway's answer cannot be read")?;
            if !work.answered(&answer)? {
                self.last_answer = Instant::now();
            }
            from += at + 1;
        }
        received.drain(..from);
        Ok(())
    }
}

async fn reserve(rows: Option<&mpsc::Sender<Bytes>>) -> Option<mpsc::Permit<'_, Bytes>> {
    rows?.reserve().await.ok()
}

/// The answer has ended or broke off.
fn ended(work: &Work, is_interrupted: bool) -> Option<End> {
    if work.is_done() {
        Some(End::Done)
    } else {
        is_interrupted.then_some(End::Interrupted)
    }
}

/// What a refusal says of itself.
async fn said(response: Response) -> String {
    let text = response.text().await.unwrap_or_default();
    let problem = serde_json::from_str::<Problem>(&text);
    problem.map_or_else(
        |_| String::new(),
        |problem| format!("{} {}", problem.code, problem.detail),
    )
}
