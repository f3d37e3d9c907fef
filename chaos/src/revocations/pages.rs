//! A page of the dashboard that lies open, and keeps itself up to date.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use parking_lot::Mutex;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, header};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use upsert_core::{Clock as _, SystemClock};

use super::judge::is_late;

/// What came of it.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Log {
    pub(in super::super) key: String,
    /// When its stream ended.
    pub(in super::super) ended: Option<Timestamp>,
    /// What another page is answered at last: status.
    next_page: u16,
}

pub(in super::super) struct Page {
    log: Arc<Mutex<Log>>,
    reading: JoinHandle<()>,
    client: Client,
    address: SocketAddr,
    cookie: String,
}

impl Page {
    /// Signs in, and opens one.
    pub(in super::super) async fn open(client: &Client, address: SocketAddr, key: &str) -> anyhow::Result<Self> {
        let visitor = Client::builder().no_proxy().redirect(Policy::none()).build()?;
        let form = visitor.post(format!("http://{address}/ops/session"));
        let form = form.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = form.body(format!("key={key}&next=/ops")).send().await?;
        ensure!(answer.status() == 303, "{} may not sign in: {}", key, answer.status());
        let cookie = answer
            .headers()
            .get(header::SET_COOKIE)
            .context("no cookie")?
            .to_str()?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let live = visitor.get(format!("http://{address}/ops/live/overview"));
        let mut live = live.header(header::COOKIE, &cookie).send().await?;
        ensure!(live.status() == 200, "no page for {key}: {}", live.status());
        live.chunk().await?.context("a page ended at once")?;
        let log = Arc::new(Mutex::new(Log {
            key: key.to_owned(),
            ..Log::default()
        }));
        let reads = log.clone();
        let reading = Handle::current().spawn(async move {
            until_it_ends(live).await;
            reads.lock().ended = Some(SystemClock.now());
        });
        Ok(Self {
            log,
            reading,
            client: client.clone(),
            address,
            cookie,
        })
    }

    /// Asks for one more page with the same session, and goes.
    pub(in super::super) async fn close(self) -> anyhow::Result<Log> {
        self.reading.abort();
        let _aborted_or_done = self.reading.await;
        let page = self.client.get(format!("http://{}/ops/connections", self.address));
        let page = page
            .header(header::COOKIE, &self.cookie)
            .timeout(Duration::from_secs(20));
        let status = page.send().await?.status().as_u16();
        let mut log = self.log.lock().clone();
        log.next_page = status;
        Ok(log)
    }
}

async fn until_it_ends(mut live: Response) {
    while let Ok(Some(_part)) = live.chunk().await {}
}

impl Log {
    /// What of it is against that its key was revoked at this moment. A key that speaks for another merchant may look still.
    pub(in super::super) fn findings(&self, revoked_at: Timestamp) -> Vec<String> {
        if self.next_page == 200 {
            return self.of_a_page_that_stays();
        }
        let mut findings = Vec::new();
        if self.next_page != 401 {
            findings.push(format!("another page of {} was answered {}", self.key, self.next_page));
        }
        if self.ended.is_none_or(|ended| is_late(ended, revoked_at)) {
            findings.push(format!(
                "a page of {} stayed open: it ended at {:?}",
                self.key, self.ended
            ));
        }
        findings
    }

    fn of_a_page_that_stays(&self) -> Vec<String> {
        let ended = self
            .ended
            .map(|ended| format!("a page of {} that may look ended at {ended}", self.key));
        ended.into_iter().collect()
    }
}
