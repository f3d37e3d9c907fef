//! Real headless Chromium, as the tests of what people see drive it. Every step waits until it can be done, and fails
//! with what was on the page if it cannot.

mod act;
mod driver;
mod picture;
mod vendor;
mod watch;

use std::time::{Duration, Instant};

use driver::Driver;
use fantoccini::error::CmdError;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use parking_lot::Mutex;
use serde_json::{Map, Value as Json, json};
use watch::Seen;

use crate::give_up;

pub use picture::Scheme;
pub use watch::ConsoleMessage;

/// How long a step waits if it is not told otherwise.
pub const PATIENCE: Duration = Duration::from_secs(10);

const PAGE: &str = include_str!("browser/page.js");
/// How much of a page's words a failure shows.
const SHOWN: usize = 4000;

const ARGUMENTS: [&str; 14] = [
    "--headless=new",
    // Containers run as root, where the sandbox does not start.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-breakpad",
    "--window-size=1280,900",
    "--lang=en-US",
    // The browser ends when its chromedriver does, however that ends.
    "--remote-debugging-pipe",
];

/// A browser with an empty profile, on the pages of one origin. It ends when this is dropped.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    origin: String,
    patience: Duration,
    seen: Mutex<Seen>,
    driver: Driver,
}

impl Browser {
    /// Starts a browser for the pages of this origin, such as `http://127.0.0.1:8080`.
    pub async fn start(origin: &str) -> Self {
        let driver = Driver::start().await;
        let client = match connect(&driver).await {
            Ok(client) => client,
            Err(error) => give_up(&format!("no browser: {error}\n{}", driver.output())),
        };
        let browser = Self {
            client,
            origin: origin.trim_end_matches('/').to_owned(),
            patience: PATIENCE,
            seen: Mutex::default(),
            driver,
        };
        // A new tab is a page of the browser's own, with requests of its own.
        if let Err(error) = browser.client.goto("about:blank").await {
            browser.fail(&format!("the first page does not open: {error}")).await;
        }
        browser.forget().await;
        browser
    }

    /// With steps that wait so long if they are not told.
    #[must_use]
    pub fn patient_for(mut self, limit: Duration) -> Self {
        self.patience = limit;
        self
    }

    /// Where its pages are.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Asks the page: the body of a function over its arguments, with the words of `page.js` at hand.
    async fn asked(&self, question: &str, arguments: Vec<Json>) -> Result<Json, CmdError> {
        self.client.execute(&format!("{PAGE}\n{question}"), arguments).await
    }

    async fn ask(&self, question: &str, arguments: Vec<Json>) -> Json {
        match self.asked(question, arguments).await {
            Ok(answer) => answer,
            Err(error) => self.fail(&format!("{question}: {error}")).await,
        }
    }

    /// Waits until the page is drawn as it is now.
    async fn settle(&self) {
        let script = format!("{PAGE}\nsettled(arguments[0])");
        if let Err(error) = self.client.execute_async(&script, vec![]).await {
            self.fail(&format!("the page is never drawn: {error}")).await;
        }
    }

    /// Tries until it works, for at most so long; then fails with the last reason and what was on the page.
    async fn until<T>(&self, what: &str, limit: Duration, mut attempt: impl AsyncFnMut() -> Result<T, String>) -> T {
        let deadline = Instant::now() + limit;
        loop {
            let reason = match attempt().await {
                Ok(done) => return done,
                Err(reason) => reason,
            };
            if Instant::now() >= deadline {
                self.fail(&format!("{what}: {reason}, for {limit:?}")).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn fail(&self, problem: &str) -> ! {
        let address = match self.client.current_url().await {
            Ok(address) => address.to_string(),
            Err(error) => format!("an unknown address ({error})"),
        };
        let words: String = self.words().await.unwrap_or_default().chars().take(SHOWN).collect();
        let console: Vec<String> = self.console().await.iter().map(ToString::to_string).collect();
        give_up(&format!(
            "{problem}.\nThe page at {address} said:\n{words}\n\nThe console:\n{}",
            console.join("\n")
        ))
    }

    /// All visible words.
    async fn words(&self) -> Result<String, CmdError> {
        let words = self.asked("return document.body?.innerText ?? ''", vec![]).await?;
        Ok(words.as_str().unwrap_or_default().to_owned())
    }

    /// The folder that goes with the browser.
    pub fn folder(&self) -> &std::path::Path {
        self.driver.folder()
    }
}

async fn connect(driver: &Driver) -> Result<Client, fantoccini::error::NewSessionError> {
    let profile = format!("--user-data-dir={}", driver.folder().join("profile").display());
    let arguments: Vec<&str> = ARGUMENTS.into_iter().chain([profile.as_str()]).collect();
    let mut capabilities = Map::new();
    capabilities.insert("browserName".to_owned(), json!("chrome"));
    capabilities.insert("goog:chromeOptions".to_owned(), json!({ "args": arguments }));
    capabilities.insert(
        "goog:loggingPrefs".to_owned(),
        json!({ "browser": "ALL", "performance": "ALL" }),
    );
    ClientBuilder::new(HttpConnector::new())
        .capabilities(capabilities)
        .connect(&driver.url())
        .await
}
