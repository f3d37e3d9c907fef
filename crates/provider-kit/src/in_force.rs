//! Whether a connection is still the one that the configuration names. What was removed or replaced sends nothing more,
//! whatever had been planned for it and waited for its turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use crate::transport::{Incoming, Outgoing, Transport, TransportError};

/// Whether the configuration in force has it. All clones are one.
#[derive(Debug, Clone, Default)]
pub struct InForce(Arc<AtomicBool>);

impl InForce {
    /// Another configuration has come into force that does not have it. For good.
    pub fn end(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether another configuration has come into force since.
    pub fn is_over(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A transport that sends nothing for what the configuration does not have any more. It is asked as late as can be: limits,
/// places and the store may have held a call up since it was planned.
#[derive(derive_more::Debug)]
#[debug("WhileInForce({inner:?})")]
pub struct WhileInForce {
    inner: Arc<dyn Transport>,
    in_force: InForce,
}

impl WhileInForce {
    /// Requests of `inner`, as long as this holds.
    pub fn new(inner: Arc<dyn Transport>, in_force: InForce) -> Self {
        Self { inner, in_force }
    }
}

#[async_trait]
impl Transport for WhileInForce {
    async fn send(&self, outgoing: Outgoing) -> Result<Incoming, TransportError> {
        if self.in_force.is_over() {
            return Err(TransportError::Replaced);
        }
        self.inner.send(outgoing).await
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method};

    use super::*;

    #[derive(Debug)]
    struct Answers;

    #[async_trait]
    impl Transport for Answers {
        async fn send(&self, _: Outgoing) -> Result<Incoming, TransportError> {
            Ok(Incoming {
                status: 204,
                headers: HeaderMap::new(),
                body: Bytes::new(),
            })
        }
    }

    #[tokio::test]
    async fn what_is_not_configured_any_more_sends_nothing() {
        let in_force = InForce::default();
        let transport = WhileInForce::new(Arc::new(Answers), in_force.clone());
        let send = async || {
            let outgoing = Outgoing {
                method: Method::POST,
                url: "https://vendor.example/".parse().unwrap(),
                headers: HeaderMap::new(),
                body: None,
            };
            transport.send(outgoing).await.map(|answer| answer.status)
        };
        assert!(matches!(send().await, Ok(204)));
        in_force.end();
        assert!(matches!(send().await, Err(TransportError::Replaced)));
    }
}
