//! How long calls took on the wire, by OpenTelemetry's names: around the transport, for one peer of the configuration.

use std::sync::Arc;

use async_trait::async_trait;
use http::Method;
use metrics::{Histogram, Unit, describe_histogram, histogram};
use parking_lot::RwLock;
use tokio::time::Instant;

use crate::transport::{Incoming, Outgoing, Transport, TransportError};

const DURATION: &str = "http_client_request_duration_seconds";

/// Tells the metrics recorder what the metrics of this crate mean. Once, after the recorder is installed.
pub fn describe_metrics() {
    describe_histogram!(
        DURATION,
        Unit::Seconds,
        "How long HTTP requests to vendors and endpoints took, from the first byte to the end of the answer."
    );
}

/// Whom the requests go to, in the configuration's words.
#[derive(Debug, Clone)]
pub enum Peer {
    /// A vendor.
    Connection {
        /// Whose account.
        merchant: String,
        /// Its name in the configuration.
        connection: String,
        /// The provider's name.
        provider: String,
    },
    /// Somebody who is told of events.
    Endpoint {
        /// Whose system.
        merchant: String,
        /// Its name in the configuration.
        endpoint: String,
    },
}

impl Peer {
    fn labels(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Connection {
                merchant,
                connection,
                provider,
            } => vec![
                ("merchant", merchant.clone()),
                ("connection", connection.clone()),
                ("provider", provider.clone()),
            ],
            Self::Endpoint { merchant, endpoint } => {
                vec![("merchant", merchant.clone()), ("endpoint", endpoint.clone())]
            }
        }
    }
}

/// How a request ended. The words are labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct End {
    /// Of the answer; 0: none came.
    status: u16,
    error_type: Option<&'static str>,
}

impl End {
    /// Whoever waited gave up: its time-out passed.
    const ABANDONED: Self = Self {
        status: 0,
        error_type: Some("timeout"),
    };

    fn of(result: &Result<Incoming, TransportError>) -> Self {
        let (status, error_type) = match result {
            Ok(incoming) => (incoming.status, None),
            Err(TransportError::NotSent(_) | TransportError::Replaced) => (0, Some("not_sent")),
            Err(TransportError::Interrupted(_)) => (0, Some("interrupted")),
            Err(TransportError::BrokeOff(incoming)) => (incoming.status, Some("interrupted")),
            Err(TransportError::TooLarge(incoming)) => (incoming.status, Some("too_large")),
        };
        Self { status, error_type }
    }

    /// A vendor may make up numbers: those that no status has are one.
    fn status(self) -> Option<String> {
        match self.status {
            0 => None,
            100..=599 => Some(self.status.to_string()),
            _ => Some("_OTHER".to_owned()),
        }
    }
}

struct Meter {
    method: Method,
    end: End,
    duration: Histogram,
}

/// A transport whose requests to one peer are timed. What it registered once it finds without building labels.
#[derive(derive_more::Debug)]
#[debug("Measured({inner:?})")]
pub struct Measured {
    inner: Arc<dyn Transport>,
    peer: Peer,
    meters: RwLock<Vec<Meter>>,
}

impl Measured {
    /// Requests of `inner`, which go to this peer alone.
    pub fn new(inner: Arc<dyn Transport>, peer: Peer) -> Self {
        Self {
            inner,
            peer,
            meters: RwLock::default(),
        }
    }

    fn record(&self, request: &UnderWay<'_>, end: End) {
        let took = request.began.elapsed();
        let is_it = |meter: &&Meter| meter.end == end && meter.method == request.method;
        let meters = self.meters.read();
        if let Some(meter) = meters.iter().find(is_it) {
            meter.duration.record(took);
            return;
        }
        drop(meters);
        let duration = self.registered(request, end);
        duration.record(took);
        // Two that come at once register the same histogram; the second entry is never found.
        let mut meters = self.meters.write();
        meters.push(Meter {
            method: request.method.clone(),
            end,
            duration,
        });
    }

    fn registered(&self, request: &UnderWay<'_>, end: End) -> Histogram {
        let mut labels = self.peer.labels();
        labels.push(("http_request_method", request.method.as_str().to_owned()));
        labels.push(("server_address", request.address.clone()));
        labels.extend(end.status().map(|status| ("http_response_status_code", status)));
        labels.extend(end.error_type.map(|error| ("error_type", error.to_owned())));
        histogram!(DURATION, &labels)
    }
}

#[async_trait]
impl Transport for Measured {
    async fn send(&self, outgoing: Outgoing) -> Result<Incoming, TransportError> {
        let mut under_way = UnderWay {
            measured: self,
            method: outgoing.method.clone(),
            address: outgoing.url.host_str().unwrap_or_default().to_owned(),
            began: Instant::now(),
            end: End::ABANDONED,
        };
        let result = self.inner.send(outgoing).await;
        under_way.end = End::of(&result);
        result
    }
}

/// One request. Dropped before its end, it counts as abandoned.
struct UnderWay<'a> {
    measured: &'a Measured,
    method: Method,
    address: String,
    began: Instant,
    end: End,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.measured.record(self, self.end);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http::HeaderMap;
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn a_made_up_status_makes_no_new_label() {
        let end = |status| End {
            status,
            error_type: None,
        };
        assert_eq!(end(201).status().as_deref(), Some("201"));
        assert_eq!(end(799).status(), end(999).status());
        assert_eq!(End::ABANDONED.status(), None);
    }

    #[derive(Debug)]
    struct Answers(fn() -> Option<Result<Incoming, TransportError>>);

    #[async_trait]
    impl Transport for Answers {
        async fn send(&self, _: Outgoing) -> Result<Incoming, TransportError> {
            match (self.0)() {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        }
    }

    fn outgoing(method: Method) -> Outgoing {
        Outgoing {
            method,
            url: "https://hooks.example/a-secret".parse().unwrap(),
            headers: HeaderMap::new(),
            body: None,
        }
    }

    /// Answers the status that stands in the body; without one the connection breaks.
    #[derive(Debug)]
    struct AsAsked;

    #[async_trait]
    impl Transport for AsAsked {
        async fn send(&self, outgoing: Outgoing) -> Result<Incoming, TransportError> {
            let broken = || TransportError::Interrupted("the connection broke".to_owned());
            let status = outgoing.body.ok_or_else(broken)?;
            Ok(Incoming {
                status: str::from_utf8(&status).unwrap().parse().unwrap(),
                headers: HeaderMap::new(),
                body: Bytes::new(),
            })
        }
    }

    #[tokio::test]
    async fn requests_are_told_apart_by_method_and_by_end_and_the_metric_says_what_it_is() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let _guard = metrics::set_default_local_recorder(&recorder);
        describe_metrics();
        let peer = Peer::Connection {
            merchant: "acme".to_owned(),
            connection: "main".to_owned(),
            provider: "shouting".to_owned(),
        };
        let measured = Measured::new(Arc::new(AsAsked), peer);
        let ends = [
            (Method::GET, Some("200"), 2),
            (Method::GET, Some("404"), 3),
            (Method::POST, Some("200"), 4),
            (Method::POST, None, 5),
        ];
        for (method, status, times) in ends.iter().cycle().take(2 * ends.len()) {
            for _request in 0..*times {
                let mut outgoing = outgoing(method.clone());
                outgoing.body = status.map(|status| Bytes::from_static(status.as_bytes()));
                let _answer = measured.send(outgoing).await;
            }
        }
        let page = recorder.handle().render();
        for (method, status, times) in ends {
            let own = r#"merchant="acme",connection="main",provider="shouting""#;
            let asked = format!(r#"http_request_method="{method}",server_address="hooks.example""#);
            let end = match status {
                Some(status) => format!(r#"http_response_status_code="{status}""#),
                None => r#"error_type="interrupted""#.to_owned(),
            };
            let counted = format!("{DURATION}_count{{{own},{asked},{end}}} {}\n", 2 * times);
            assert!(page.contains(&counted), "{counted}{page}");
        }
        let told = format!("# HELP {DURATION} How long HTTP requests to vendors and endpoints took");
        assert!(page.contains(&told), "{page}");
    }

    async fn sent_twice(answers: fn() -> Option<Result<Incoming, TransportError>>) -> String {
        let recorder = PrometheusBuilder::new().build_recorder();
        let _guard = metrics::set_default_local_recorder(&recorder);
        let peer = Peer::Endpoint {
            merchant: "acme".to_owned(),
            endpoint: "crm".to_owned(),
        };
        let measured = Measured::new(Arc::new(Answers(answers)), peer);
        for _request in 0..2 {
            let outgoing = outgoing(Method::POST);
            let _ended_or_not = tokio::time::timeout(Duration::from_millis(1), measured.send(outgoing)).await;
        }
        recorder.handle().render()
    }

    fn of_status(status: u16) -> Incoming {
        Incoming {
            status,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    #[tokio::test]
    async fn every_request_is_timed_however_it_ends() {
        let own = r#"merchant="acme",endpoint="crm",http_request_method="POST",server_address="hooks.example""#;
        let page = sent_twice(|| Some(Ok(of_status(204)))).await;
        let counted = |end: &str| format!("{DURATION}_count{{{own},{end}}} 2");
        assert!(page.contains(&counted(r#"http_response_status_code="204""#)), "{page}");
        assert!(!page.contains("a-secret"), "{page}");
        let page = sent_twice(|| Some(Err(TransportError::NotSent("could not connect".to_owned())))).await;
        assert!(page.contains(&counted(r#"error_type="not_sent""#)), "{page}");
        let page = sent_twice(|| Some(Err(TransportError::TooLarge(of_status(200).into())))).await;
        let both = r#"http_response_status_code="200",error_type="too_large""#;
        assert!(page.contains(&counted(both)), "{page}");
        let page = sent_twice(|| Some(Err(TransportError::BrokeOff(of_status(200).into())))).await;
        let both = r#"http_response_status_code="200",error_type="interrupted""#;
        assert!(page.contains(&counted(both)), "{page}");
        let page = sent_twice(|| None).await;
        assert!(page.contains(&counted(r#"error_type="timeout""#)), "{page}");
    }
}
