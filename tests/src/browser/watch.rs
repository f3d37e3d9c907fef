//! What a browser tells of the pages it shows: the console, and every request.

use std::fmt;

use parking_lot::MutexGuard;
use reqwest::Url;
use serde_json::Value as Json;

use super::Browser;
use super::vendor::VendorCommand;
use crate::give_up;

/// A warning or an error on the console: what a page wrote, what it threw, and what the browser refused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleMessage {
    /// `WARNING` or `SEVERE`.
    pub level: String,
    /// Where it comes from: `console-api`, `javascript`, `network`, `security`, ….
    pub source: String,
    /// The address, the place in it, and the words.
    pub text: String,
}

impl fmt::Display for ConsoleMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.level, self.source, self.text)
    }
}

/// What has been read out of chromedriver's logs so far: it hands each entry out once.
#[derive(Debug, Default)]
pub(super) struct Seen {
    console: Vec<ConsoleMessage>,
    requests: Vec<String>,
}

impl Browser {
    /// All warnings and errors on the console since the start, or since [`Browser::forget`].
    pub async fn console(&self) -> Vec<ConsoleMessage> {
        let entries = self.log("browser").await;
        let new = entries.iter().filter_map(|entry| {
            let level = text_at(entry, "/level")?;
            let is_bad = level == "WARNING" || level == "SEVERE";
            is_bad.then(|| ConsoleMessage {
                level,
                source: text_at(entry, "/source").unwrap_or_default(),
                text: text_at(entry, "/message").unwrap_or_default(),
            })
        });
        let mut seen = self.seen();
        seen.console.extend(new);
        seen.console.clone()
    }

    /// The address of every request since the start, or since [`Browser::forget`], also of those that were refused.
    pub async fn requests(&self) -> Vec<String> {
        let entries = self.log("performance").await;
        let new: Vec<String> = entries.iter().filter_map(requested).collect();
        let mut seen = self.seen();
        seen.requests.extend(new);
        seen.requests.clone()
    }

    /// Forgets what the console and the requests were so far: a test that has provoked an error goes on from there.
    pub async fn forget(&self) {
        self.console().await;
        self.requests().await;
        *self.seen() = Seen::default();
    }

    /// Fails if there was a warning or an error on the console, or a request to another origin.
    pub async fn assert_clean(&self) {
        let console = self.console().await;
        let requests = self.requests().await;
        let own = Url::parse(self.origin()).expect("the origin is a URL").origin();
        let elsewhere = requests.into_iter().filter(|address| {
            let is_inline = ["data:", "about:"].iter().any(|scheme| address.starts_with(scheme));
            !is_inline && Url::parse(address).map_or(true, |address| address.origin() != own)
        });
        let all: Vec<String> = console
            .iter()
            .map(ToString::to_string)
            .chain(elsewhere.map(|address| format!("a request to another origin: {address}")))
            .collect();
        if !all.is_empty() {
            give_up(&format!("the pages are not clean:\n{}", all.join("\n")));
        }
    }

    async fn log(&self, kind: &str) -> Vec<Json> {
        match self.client.issue_cmd(VendorCommand::log(kind)).await {
            Ok(Json::Array(entries)) => entries,
            other => give_up(&format!("chromedriver has no {kind} log: {other:?}")),
        }
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock()
    }
}

/// The address in an entry of the performance log that tells of a request.
fn requested(entry: &Json) -> Option<String> {
    let event: Json = serde_json::from_str(entry["message"].as_str()?).ok()?;
    let event = &event["message"];
    match event["method"].as_str()? {
        "Network.requestWillBeSent" => text_at(event, "/params/request/url"),
        "Network.webSocketCreated" => text_at(event, "/params/url"),
        _ => None,
    }
}

fn text_at(value: &Json, pointer: &str) -> Option<String> {
    Some(value.pointer(pointer)?.as_str()?.to_owned())
}
