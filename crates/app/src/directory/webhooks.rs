//! A merchant's webhooks as requests see them: where events come from, and who is told of what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value as Json;

use upsert_core::{EventKind, EventPayload, Handling};
use upsert_webhook::{Mapping, Ping, SigningKey, Verifier};

/// A system that sends events.
#[derive(Debug)]
pub struct Source {
    /// Unique in the merchant.
    pub name: String,
    /// How an event proves who sent it.
    pub verifier: Verifier,
    /// What an event becomes.
    pub mapping: Mapping,
    /// The connection whose vendor it is: its events may tell of what was written there.
    pub connection: Option<String>,
    /// What becomes of an optional member that cannot be read.
    pub handling: Handling,
    /// The longest event, in bytes.
    pub body_limit: usize,
    /// How a test call is told from an event.
    pub ping: Option<Ping>,
}

/// A URL of the merchant's that is told of events.
#[derive(Debug)]
pub struct Endpoint {
    /// Unique in the merchant, and the same as long as its URL is.
    pub name: String,
    /// Where it is, without what may be secret in a URL: for people.
    pub shown_url: String,
    /// What it is told of.
    pub events: BTreeSet<EventKind>,
    /// How much it is told.
    pub payload: EventPayload,
    /// What signs; while secrets are rotated both the new and the old one.
    pub keys: Vec<SigningKey>,
    /// What brings events there.
    pub sender: Arc<dyn EventSender>,
}

/// An event on the wire, but for where it goes.
#[derive(Debug, Clone, Copy)]
pub struct SignedEvent<'a> {
    /// `webhook-id`: the same with every try.
    pub id: &'a str,
    /// `webhook-timestamp`: seconds since 1970, of this try.
    pub timestamp: i64,
    /// `webhook-signature`.
    pub signature: &'a str,
    /// The body.
    pub body: &'a str,
}

/// What an endpoint answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointAnswer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, if it sent one.
    pub retry_after: Option<Duration>,
    /// What it said beside them, where it did not take the event.
    pub words: EndpointWords,
}

impl EndpointAnswer {
    /// A status alone.
    pub fn bare(status: u16) -> Self {
        Self {
            status,
            retry_after: None,
            words: EndpointWords::default(),
        }
    }
}

/// What an endpoint said that did not take an event, without its own address, which may be a secret. (`Debug` leaves it out:
/// it may repeat what it was sent.)
#[derive(Clone, Default, PartialEq, Eq)]
pub struct EndpointWords {
    /// Headers, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The beginning of what it answered.
    pub body: Option<Json>,
}

impl fmt::Debug for EndpointWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EndpointWords")
    }
}

/// Brings one event to one endpoint, once: no redirects, no retries, within a time of its own.
#[async_trait]
pub trait EventSender: Debug + Send + Sync + 'static {
    /// Host and port that it sends to, for spans; none where it does not say.
    fn server(&self) -> Option<(&str, Option<u16>)> {
        None
    }

    /// Sends it.
    ///
    /// # Errors
    /// No answer came: why, in words that are free of personal data.
    async fn send(&self, event: SignedEvent<'_>) -> Result<EndpointAnswer, String>;
}
