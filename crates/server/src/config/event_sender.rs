//! Bringing events to endpoints over HTTP, through the one place that sends.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::time::timeout;
use url::Url;

use upsert_app::{EndpointAnswer, EventSender, SignedEvent};
use upsert_core::Clock;
use upsert_provider_kit::{Outgoing, RetryAfter, Transport, TransportError};

/// How long an endpoint may take, as Standard Webhooks recommends.
const TIMEOUT: Duration = Duration::from_secs(15);

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
            }),
            // Nobody wants to read it: its status says it all.
            Ok(Err(TransportError::TooLarge(status))) => Ok(EndpointAnswer {
                status,
                retry_after: None,
            }),
            Ok(Err(TransportError::NotSent(why) | TransportError::Interrupted(why))) => Err(why),
            Ok(Err(TransportError::Replaced)) => Err("the endpoint is not configured any more".to_owned()),
        }
    }
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
