//! One request after the other, each of a bounded size and whole before it is sent, until every row has its answer. So it
//! comes through whatever stands in front of the gateway: proxies that gather a request before they pass it on, that let
//! 1 MB through, and that wait for a minute.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method, Response, StatusCode};
use tokio::time::{Instant, interval, sleep, timeout};

use crate::http_client;
use crate::import::answer::Answer;
use crate::import::progress::Progress;
use crate::import::proxy_answer::Refused;
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
/// The same where the gateway has answered nothing at all: it may be starting.
const UNTIL_FOUND: Duration = Duration::from_secs(20);
/// So long an interrupted import waits for what is on its way.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
const NDJSON: &str = "application/x-ndjson";

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
    /// Whether the gateway has answered at all.
    is_found: bool,
    /// Why the last request came to nothing.
    trouble: Option<String>,
    /// What was complained of last.
    told: Option<String>,
    /// Rows of the last request have to go out again.
    has_laters: bool,
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
            is_found: false,
            trouble: None,
            told: None,
            has_laters: false,
        })
    }

    /// Sends all rows that have no answer yet.
    pub(crate) async fn send_all(&mut self, work: &mut Work) -> anyhow::Result<End> {
        let mut wait = FIRST_WAIT;
        loop {
            let before = self.last_answer;
            (self.trouble, self.has_laters) = (None, false);
            let over = self.one_request(work).await;
            work.save()?;
            self.progress.show(work);
            if let Some(end) = over? {
                return Ok(end);
            }
            if self.trouble.is_none() && !self.has_laters {
                wait = FIRST_WAIT;
                continue;
            }
            self.unless_late()?;
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

    /// # Errors
    /// Nothing was answered for too long.
    fn unless_late(&self) -> anyhow::Result<()> {
        let (patience, so_far) = if self.is_found {
            (
                PATIENCE,
                "what was answered is kept: the same command goes on from here",
            )
        } else {
            (UNTIL_FOUND, "nothing was sent: the same command begins")
        };
        if self.last_answer.elapsed() <= patience {
            return Ok(());
        }
        let url = &self.target.url;
        let why = self.trouble.as_deref().unwrap_or("it takes no row");
        bail!(
            "{url} has taken nothing for {} s: {why}. {so_far} once it does",
            patience.as_secs()
        )
    }

    /// What went wrong and may go well later, once for each thing.
    fn is_in_trouble(&mut self, why: String) {
        if self.told.as_ref() != Some(&why) {
            complain(&format!("{why}; it is tried again"));
            self.told = Some(why.clone());
        }
        self.trouble = Some(why);
    }

    /// None: there is more to do.
    async fn one_request(&mut self, work: &mut Work) -> anyhow::Result<Option<End>> {
        let body = Bytes::from(work.request()?);
        if body.is_empty() {
            return Ok(Some(End::Done));
        }
        let length = body.len();
        let mut request = self
            .target
            .request(&self.client, Method::POST, "v1/customers/batch")?
            .header(CONTENT_TYPE, NDJSON)
            .body(body);
        if let Some(prefer) = &self.prefer {
            request = request.header("prefer", prefer);
        }
        let response = tokio::select! {
            response = timeout(SILENCE, request.send()) => response,
            _ = self.signals.next() => return Ok(Some(End::Interrupted)),
        };
        match response {
            Ok(Ok(response)) if response.status() == StatusCode::OK && is_ndjson(response.headers()) => {
                self.is_found = true;
                self.exchange(work, response).await
            }
            Ok(Ok(response)) => self.refused(response, length).await,
            Ok(Err(error)) => {
                let url = &self.target.url;
                let why = format!(
                    "{url} cannot be reached ({}): start the gateway (`upsert-gateway serve`), or give its address with --url",
                    innermost(&error)
                );
                self.is_in_trouble(why);
                Ok(None)
            }
            Err(_) => {
                let why = format!("{} has not answered for {} s", self.target.url, SILENCE.as_secs());
                self.is_in_trouble(why);
                Ok(None)
            }
        }
    }

    /// Not one row was taken.
    async fn refused(&mut self, response: Response, length: usize) -> anyhow::Result<Option<End>> {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = timeout(SILENCE, response.text()).await;
        let body = body.ok().and_then(Result::ok).unwrap_or_default();
        let refused = Refused::read(status, &headers, &body);
        let why = refused.told(&self.target.url, length);
        if !refused.is_for_later() {
            bail!("{why}");
        }
        self.is_found |= refused.problem.is_some();
        self.is_in_trouble(why);
        Ok(None)
    }

    async fn exchange(&mut self, work: &mut Work, mut response: Response) -> anyhow::Result<Option<End>> {
        let mut received = Vec::new();
        let mut every_second = interval(Duration::from_secs(1));
        let mut stop_at: Option<Instant> = None;
        let mut heard = Instant::now();
        loop {
            let has_expired = stop_at.is_some_and(|at| at < Instant::now());
            if has_expired || (stop_at.is_some() && work.on_their_way() == 0) {
                return Ok(Some(End::Interrupted));
            }
            tokio::select! {
                biased;
                _ = self.signals.next() => {
                    let is_second = stop_at.is_some();
                    stop_at = Some(if is_second { Instant::now() } else { Instant::now() + LAST_ANSWERS });
                }
                _ = every_second.tick() => {
                    work.save()?;
                    self.progress.show(work);
                    if heard.elapsed() > SILENCE {
                        self.has_laters = true;
                        return Ok(None);
                    }
                }
                piece = response.chunk() => {
                    let Ok(Some(piece)) = piece else {
                        self.has_laters |= work.on_their_way() > 0;
                        return Ok(stop_at.map(|_| End::Interrupted));
                    };
                    heard = Instant::now();
                    received.extend_from_slice(&piece);
                    self.take(work, &mut received)?;
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
            if work.answered(&answer)? {
                self.has_laters = true;
            } else {
                self.last_answer = Instant::now();
            }
            from += at + 1;
        }
        received.drain(..from);
        Ok(())
    }
}

fn is_ndjson(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with(NDJSON))
}

/// What the system says: the rest repeats the address.
fn innermost(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
