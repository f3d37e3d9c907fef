//! Those who are served: with a key, an upsert every few milliseconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Client;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::hostile::gateway::{Gateway, KEY};

/// Callers that keep their connection; one more makes a new one each time.
const KEEPERS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(10);
/// A call that took longer has failed.
const LONGEST: Duration = Duration::from_secs(10);

pub(crate) struct Callers {
    url: String,
    kept: Client,
    fresh: Client,
}

/// How long calls took, those that failed left out.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    took: Vec<Duration>,
    failed: usize,
}

impl Calls {
    pub(crate) fn p99(&self) -> Duration {
        let mut sorted = self.took.clone();
        sorted.sort_unstable();
        let index = (sorted.len() * 99).div_ceil(100).saturating_sub(1);
        sorted.get(index).copied().unwrap_or_default()
    }

    pub(crate) fn answered(&self) -> usize {
        self.took.len()
    }

    pub(crate) fn failed(&self) -> usize {
        self.failed
    }
}

impl Callers {
    pub(crate) fn new(gateway: &Gateway) -> anyhow::Result<Self> {
        let client = || Client::builder().no_proxy().timeout(LONGEST);
        Ok(Self {
            url: format!("http://{}/v1/customers", gateway.address()),
            kept: client().build().context("a client")?,
            fresh: client().pool_max_idle_per_host(0).build().context("a client")?,
        })
    }

    /// Calls for so long.
    pub(crate) async fn call(&self, length: Duration) -> Calls {
        self.call_while(sleep(length)).await.1
    }

    /// Calls until this is done.
    pub(crate) async fn call_while<T>(&self, until: impl Future<Output = T>) -> (T, Calls) {
        let over = Arc::new(AtomicBool::new(false));
        let mut callers = JoinSet::new();
        for number in 0..=KEEPERS {
            let client = if number < KEEPERS { &self.kept } else { &self.fresh };
            callers.spawn(calls(client.clone(), self.url.clone(), number, over.clone()));
        }
        let done = until.await;
        over.store(true, Ordering::Relaxed);
        let mut all = Calls::default();
        while let Some(calls) = callers.join_next().await {
            let calls = calls.unwrap_or_default();
            all.took.extend(calls.took);
            all.failed += calls.failed;
        }
        (done, all)
    }
}

async fn calls(client: Client, url: String, number: u32, over: Arc<AtomicBool>) -> Calls {
    let mut calls = Calls::default();
    let mut count = 0_u64;
    while !over.load(Ordering::Relaxed) {
        count += 1;
        let body = format!("{{\"reference\":\"C-{number}\",\"notes\":\"{count}\"}}");
        let request = client.post(&url).header("X-Api-Key", KEY).header("Merchant-Id", "acme");
        let request = request.header("Content-Type", "application/json").body(body);
        let began = Instant::now();
        if is_answered(request).await {
            calls.took.push(began.elapsed());
        } else {
            calls.failed += 1;
        }
        sleep(PAUSE).await;
    }
    calls
}

async fn is_answered(request: reqwest::RequestBuilder) -> bool {
    match request.send().await {
        Ok(answer) => answer.status().is_success() && answer.bytes().await.is_ok(),
        Err(_) => false,
    }
}
