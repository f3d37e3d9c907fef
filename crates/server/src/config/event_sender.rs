//! Bringing events to endpoints over HTTP, through the one place that sends.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::time::timeout;
use url::{Position, Url};

use upsert_app::{EndpointAnswer, EndpointWords, EventSender, SignedEvent};
use upsert_core::Clock;
use upsert_provider_kit::{FailedAnswer, Incoming, Outgoing, RetryAfter, Transport, TransportError};

/// How long an endpoint may take, as Standard Webhooks recommends.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Of a path: a shorter part is a name.
const SHORTEST_TOKEN: usize = 16;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// One endpoint's URL, and what reaches it.
pub(crate) struct HttpEventSender {
    pub(crate) url: Url,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A URL may carry a secret.
impl fmt::Debug for HttpEventSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpEventSender")
    }
}

#[async_trait]
impl EventSender for HttpEventSender {
    fn server(&self) -> Option<(&str, Option<u16>)> {
        Some((self.url.host_str()?, self.url.port_or_known_default()))
    }

    async fn send(&self, event: SignedEvent<'_>) -> Result<EndpointAnswer, String> {
        let outgoing = Outgoing {
            method: Method::POST,
            url: self.url.clone(),
            headers: headers(event)?,
            body: Some(Bytes::copy_from_slice(event.body.as_bytes())),
        };
        let answer = timeout(TIMEOUT, self.transport.send(outgoing)).await;
        match answer {
            Err(_) => Err(format!("no answer within {} s", TIMEOUT.as_secs())),
            Ok(Ok(answer)) => Ok(EndpointAnswer {
                status: answer.status,
                retry_after: RetryAfter::of(&answer.headers, self.clock.now()).wait(),
                words: self.words(answer, event.signature),
            }),
            // It took the event, and nobody wants to read the rest: its status says it all.
            Ok(Err(TransportError::TooLarge(answer))) => Ok(EndpointAnswer::bare(answer.status)),
            Ok(Err(TransportError::BrokeOff(_))) => Err("the answer broke off".to_owned()),
            Ok(Err(TransportError::NotSent(why) | TransportError::Interrupted(why))) => Err(why),
            Ok(Err(TransportError::Replaced)) => Err("the endpoint is not configured any more".to_owned()),
        }
    }
}

impl HttpEventSender {
    /// What the endpoint said where it did not take the event. Pages of errors repeat the address that was called.
    fn words(&self, answer: Incoming, signature: &str) -> EndpointWords {
        if (200..300).contains(&answer.status) {
            return EndpointWords::default();
        }
        let secrets = secrets_of(&self.url);
        let all: Vec<&str> = secrets.iter().map(String::as_str).chain([signature]).collect();
        let FailedAnswer { headers, body } = FailedAnswer::of(answer, &all);
        EndpointWords { headers, body }
    }
}

/// What of an address may be a secret: all behind the host, as a whole and in its parts, and whoever it signs in as. A short
/// word of a path is a name, and stands in answers of other meaning.
fn secrets_of(url: &Url) -> Vec<String> {
    let is_like_a_token = |part: &&str| part.len() >= SHORTEST_TOKEN;
    let segments = url.path_segments().into_iter().flatten().filter(is_like_a_token);
    let mut secrets: Vec<String> = [
        &url[Position::BeforePath..],
        url.path(),
        url.query().unwrap_or_default(),
    ]
    .into_iter()
    .chain(segments)
    .chain([url.username(), url.password().unwrap_or_default()])
    .map(str::to_owned)
    .collect();
    secrets.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
    secrets
}

fn headers(event: SignedEvent<'_>) -> Result<HeaderMap, String> {
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| "a header cannot be written".to_owned());
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ID, value(event.id)?);
    headers.insert(TIMESTAMP, HeaderValue::from(event.timestamp));
    headers.insert(SIGNATURE, value(event.signature)?);
    Ok(headers)
}
