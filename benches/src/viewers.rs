//! People who look at the dashboard: pages that lie open and keep themselves up to date, and pages that are loaded.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use reqwest::header;
use reqwest::redirect::Policy;
use tokio::task::JoinSet;

/// How often somebody who watches loads another page.
const LOADS_EVERY: Duration = Duration::from_secs(5);

/// Somebody who has signed in.
#[derive(Debug, Clone)]
pub struct Viewer {
    base: String,
    cookie: String,
    client: reqwest::Client,
}

impl Viewer {
    /// Signs in.
    ///
    /// # Errors
    /// The key does not open the door.
    pub async fn sign_in(base: &str, key: &str) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().redirect(Policy::none()).build()?;
        let answer = client
            .post(format!("{base}/ops/session"))
            .form(&[("key", key)])
            .send()
            .await?;
        let cookie = answer
            .headers()
            .get(header::SET_COOKIE)
            .context("the dashboard lets nobody in")?;
        let cookie = cookie.to_str()?.split(';').next().unwrap_or_default().to_owned();
        Ok(Self {
            base: base.to_owned(),
            cookie,
            client,
        })
    }

    /// Loads a page, or posts a form: how long it took, and how long the page is.
    ///
    /// # Errors
    /// It is no page.
    pub async fn load(&self, path: &str, form: Option<&[(&str, &str)]>) -> anyhow::Result<(Duration, usize)> {
        let url = format!("{}{path}", self.base);
        let request = match form {
            None => self.client.get(url),
            Some(form) => self.client.post(url).form(form),
        };
        let began = Instant::now();
        let answer = request.header(header::COOKIE, &self.cookie).send().await?;
        let status = answer.status();
        let html = answer.bytes().await?;
        let took = began.elapsed();
        let is_page = status.is_success() || status.is_redirection();
        anyhow::ensure!(is_page, "{path}: {status}: {}", String::from_utf8_lossy(&html));
        Ok((took, html.len()))
    }

    /// Leaves the overview open, and loads these pages in turn, for as long as this is polled.
    async fn watch(self, pages: Vec<String>) -> anyhow::Result<()> {
        let open = async {
            let live = self.client.get(format!("{}/ops/live/overview", self.base));
            let mut live = live.header(header::COOKIE, &self.cookie).send().await?;
            while live.chunk().await?.is_some() {}
            anyhow::bail!("the live part ended")
        };
        let loads = async {
            for path in pages.iter().cycle() {
                self.load(path, None).await?;
                tokio::time::sleep(LOADS_EVERY).await;
            }
            Ok(())
        };
        tokio::select! { ended = open => ended, ended = loads => ended }
    }
}

/// So many who watch, until this is dropped.
///
/// # Errors
/// The key does not open the door.
pub async fn watching(
    base: &str,
    key: &str,
    viewers: usize,
    pages: &[String],
) -> anyhow::Result<JoinSet<anyhow::Result<()>>> {
    let mut all = JoinSet::new();
    for _viewer in 0..viewers {
        let viewer = Viewer::sign_in(base, key).await?;
        all.spawn(viewer.watch(pages.to_vec()));
    }
    Ok(all)
}
