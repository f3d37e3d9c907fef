//! The way of one event to one hook: signed, tried until it is taken or refused.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::web::Bytes;
use reqwest::{Client, StatusCode, Url};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Semaphore, watch};

use crate::clock::Clock;
use crate::hook::Hook;
use crate::hook_journal::{HookJournal, LineNumber, Told};
use crate::signing::Signer;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(15);
/// What lets the bytes of an answer out of the process before the event that comes after it.
const AFTER_ANSWER: Duration = Duration::from_millis(5);
/// Requests that a hook gets at one time; the others wait.
const AT_ONCE: usize = 64;

/// A hook that was found right.
pub(crate) struct Target {
    pub(crate) hook: Hook,
    url: Url,
    signer: Signer,
    gate: Semaphore,
}

impl Target {
    pub(crate) fn new(hook: Hook) -> io::Result<Arc<Self>> {
        let wrong = |_| io::Error::new(io::ErrorKind::InvalidInput, "url: expected an absolute URL");
        Ok(Arc::new(Self {
            url: Url::parse(&hook.url).map_err(wrong)?,
            signer: Signer::new(&hook.secret)?,
            gate: Semaphore::new(AT_ONCE),
            hook,
        }))
    }
}

/// One change, the same for all hooks, copies and attempts.
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) record: String,
    pub(crate) version: u64,
    pub(crate) body: Bytes,
}

/// Where events leave from: a thread of its own, so that a caller who waits for the vendor's answer does not hold them
/// up. There is none until there is a hook.
#[derive(Default)]
pub(crate) struct Post(OnceLock<Counter>);

/// What a parcel is handed in at.
#[derive(Clone)]
pub(crate) struct Clerk {
    client: Client,
    handle: Handle,
}

struct Counter {
    clerk: Clerk,
    runtime: Option<Runtime>,
}

impl Post {
    /// Starts the thread, once.
    pub(crate) fn open(&self) -> io::Result<()> {
        if self.0.get().is_none() {
            // Of two that come at once the second's thread ends again.
            let _ = self.0.set(Counter::start()?);
        }
        Ok(())
    }

    pub(crate) fn clerk(&self) -> Option<Clerk> {
        self.0.get().map(|counter| counter.clerk.clone())
    }
}

impl Counter {
    fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("simulator-hooks")
            .enable_all()
            .build()?;
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .map_err(io::Error::other)?;
        let handle = runtime.handle().clone();
        Ok(Self {
            clerk: Clerk { client, handle },
            runtime: Some(runtime),
        })
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        // A runtime that is dropped inside another one would panic; what is on its way ends with the simulator.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Counts one copy of an event as long as it lives.
pub(crate) struct UnderWay(watch::Sender<u64>);

impl UnderWay {
    pub(crate) fn new(counter: &watch::Sender<u64>) -> Self {
        counter.send_modify(|under_way| *under_way += 1);
        Self(counter.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|under_way| *under_way -= 1);
    }
}

/// One copy of an event for one hook.
pub(crate) struct Parcel {
    pub(crate) target: Arc<Target>,
    pub(crate) event: Arc<Event>,
    pub(crate) line: LineNumber,
    pub(crate) pause: Duration,
    pub(crate) journal: Arc<HookJournal>,
    pub(crate) clock: Clock,
    pub(crate) given_up: watch::Receiver<u64>,
    #[expect(dead_code, reason = "it counts by being there")]
    pub(crate) under_way: UnderWay,
    pub(crate) clerk: Option<Clerk>,
}

impl Parcel {
    /// Sends it on its way and returns at once.
    pub(crate) fn send(mut self, after_answer: bool) {
        let Some(Clerk { client, handle }) = self.clerk.take() else {
            return;
        };
        if after_answer {
            self.pause += AFTER_ANSWER;
        }
        let mut given_up = self.given_up.clone();
        handle.spawn(async move {
            tokio::select! {
                biased;
                // An error says that the simulator is gone.
                _ = given_up.changed() => {}
                () = self.deliver(&client) => {}
            }
        });
    }

    async fn deliver(&self, client: &Client) {
        tokio::time::sleep(self.pause).await;
        let mut pause = FIRST_PAUSE;
        loop {
            let status = self.attempt(client).await;
            let told = verdict(status);
            self.journal.note(self.line, status.map(|status| status.as_u16()), told);
            if told != Told::OnItsWay {
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Each attempt has its own stamp, and so its own signature.
    async fn attempt(&self, client: &Client) -> Option<StatusCode> {
        let _turn = self.target.gate.acquire().await.ok()?;
        let (event, seconds) = (&self.event, (self.clock)().as_second());
        let request = client
            .post(self.target.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", &event.id)
            .header("webhook-timestamp", seconds.to_string())
            .header(
                "webhook-signature",
                self.target.signer.sign(&event.id, seconds, &event.body),
            )
            .body(event.body.clone());
        let response = request.send().await.ok()?;
        let status = response.status();
        // Only a body that was read leaves its connection to the next one; the status counts all the same.
        let _ = response.bytes().await;
        Some(status)
    }
}

fn verdict(status: Option<StatusCode>) -> Told {
    match status {
        Some(status) if status.is_success() => Told::Taken,
        Some(StatusCode::TOO_MANY_REQUESTS) | None => Told::OnItsWay,
        Some(status) if status.is_client_error() => Told::Refused,
        Some(_) => Told::OnItsWay,
    }
}
