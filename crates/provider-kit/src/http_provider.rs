//! [`UpsertProvider`] and [`CustomerReader`] for every [`HttpVendor`], over a transport.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use url::Url;

use upsert_core::{
    CallContext, Clock, CustomerReader, ErrorKind, ListQuery, PreparedUpsert, Problem, ProviderError, ProviderInfo,
    ReadCustomer, ReadPage, RequestSeen, RetryAdvice, StateAtVendor, Unreadable, UpsertProvider, UpsertReceipt,
    UpsertRequest, Violation, WaitingFor, WireRequest,
};

use crate::classify::{UNKNOWN, of_read, unreadable, with_document};
use crate::own_secrets::OwnSecrets;
use crate::read_back::ID_POINTER;
use crate::record_id::is_fit;
use crate::reply::{WireReply, kept, said_as_kept};
use crate::retry_after::RetryAfter;
use crate::transport::{Incoming, Outgoing, Transport, TransportError};
use crate::vendor::{HttpReads, HttpVendor};

/// One connection to an HTTP vendor.
#[derive(derive_more::Debug)]
#[debug("HttpProvider({})", V::KIND)]
#[debug(bound(V: HttpVendor))]
pub struct HttpProvider<V> {
    info: ProviderInfo,
    vendor: V,
    base_url: Url,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    send_traceparent: bool,
}

impl<V: HttpVendor> HttpProvider<V> {
    /// `base_url` may have a path prefix; requests are put under it.
    pub fn new(
        info: ProviderInfo,
        vendor: V,
        base_url: Url,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        send_traceparent: bool,
    ) -> Self {
        Self {
            info,
            vendor,
            base_url,
            transport,
            clock,
            send_traceparent,
        }
    }

    fn outgoing(&self, request: &WireRequest, context: &CallContext) -> Result<Outgoing, ProviderError> {
        let broken = |what: &str| rejected(what).with_context(what);
        let base = self.base_url.as_str().trim_end_matches('/');
        let url = Url::parse(&format!("{base}{}", request.path)).map_err(|_| broken("the request has no valid URL"))?;
        let method =
            Method::from_bytes(request.method.as_bytes()).map_err(|_| broken("the request has no valid method"))?;
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let body = if request.body.is_null() {
            None
        } else {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Some(Bytes::from(request.body.to_string()))
        };
        self.vendor.authorise(&mut headers);
        if self.send_traceparent
            && let Some(Ok(value)) = context.traceparent.as_deref().map(HeaderValue::from_str)
        {
            headers.insert("traceparent", value);
            if let Some(Ok(value)) = context.tracestate.as_deref().map(HeaderValue::from_str) {
                headers.insert("tracestate", value);
            }
        }
        Ok(Outgoing {
            method,
            url,
            headers,
            body,
        })
    }

    async fn call(&self, request: &WireRequest, context: &CallContext) -> Result<WireReply, ProviderError> {
        let outgoing = self.outgoing(request, context)?;
        context.exchange.sends(RequestSeen {
            method: request.method.clone(),
            address: outgoing.url.host_str().unwrap_or_default().to_owned(),
            port: outgoing.url.port_or_known_default(),
            template: V::UPSERT_PATH.filter(|path| *path == request.path),
        });
        let began_at = self.clock.now();
        let result = self.transport.send(outgoing).await;
        let read = |incoming: Incoming| {
            context.exchange.answered(incoming.status);
            WireReply {
                status: incoming.status,
                retry_after: RetryAfter::of(&incoming.headers, self.clock.now()),
                headers: incoming.headers,
                began_at,
                body: incoming.body,
            }
        };
        match result {
            Ok(incoming) => Ok(read(incoming)),
            Err(TransportError::BrokeOff(incoming)) => Err(self.told(broke_off(&read(*incoming)))),
            Err(TransportError::TooLarge(incoming)) => Err(self.told(too_large(&read(*incoming)))),
            Err(TransportError::NotSent(context)) => Err(not_sent(context)),
            Err(TransportError::Replaced) => Err(replaced()),
            Err(TransportError::Interrupted(context)) => Err(interrupted(context)),
        }
    }

    /// Without what no code or id of a call looks like (the vendor's document beside it has it still), and without our
    /// credentials, which a vendor may repeat anywhere.
    fn told(&self, mut error: ProviderError) -> ProviderError {
        error.code = error.code.filter(|code| is_fit(code));
        error.vendor_request_id = error.vendor_request_id.filter(|id| is_fit(id));
        let mut headers = HeaderMap::new();
        self.vendor.authorise(&mut headers);
        OwnSecrets::of(&headers).cover_error(&mut error);
        error
    }

    /// The receipt in the form that it is kept in.
    fn received(&self, prepared: &PreparedUpsert, reply: &WireReply) -> Result<UpsertReceipt, ProviderError> {
        let mut receipt = self.vendor.decode(prepared, reply)?;
        receipt.provider_customer_id = self.known_id(&receipt.provider_customer_id).ok_or_else(|| {
            let what = "an id of a record is blank, longer than 255 characters or holds control characters";
            unreadable(reply, what)
        })?;
        receipt.vendor_request_id = receipt.vendor_request_id.filter(|id| is_fit(id));
        for differs in &mut receipt.fields.differs {
            differs.kept = kept(differs.kept.take());
        }
        receipt.vendor_said.members = said_as_kept(receipt.vendor_said.members);
        Ok(receipt)
    }

    /// The id in the form that ids are compared in; none if no vendor gives such ids.
    fn known_id(&self, id: &str) -> Option<String> {
        is_fit(id).then(|| self.vendor.canonical_id(id))
    }

    /// The record with its id in the form that ids are compared in. One that is none costs the record its id, and not the page
    /// that it is on.
    fn known(&self, mut record: ReadCustomer) -> ReadCustomer {
        if let Some(id) = record.provider_customer_id.take() {
            record.provider_customer_id = self.known_id(&id);
            if record.provider_customer_id.is_none() {
                record.unreadable.push(Unreadable::new(ID_POINTER, id.into()));
            }
        }
        record
    }

    fn reads(&self) -> Result<&dyn HttpReads, ProviderError> {
        self.vendor.reads().ok_or_else(|| {
            let mut error = rejected("this provider cannot read what the vendor holds");
            error.sent = false;
            error
        })
    }
}

fn rejected(detail: &str) -> ProviderError {
    let (kind, state) = (ErrorKind::Rejected, StateAtVendor::Unchanged);
    ProviderError::new(kind, state, RetryAdvice::Never, detail)
}

fn transient(state: StateAtVendor, detail: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorKind::Transient, state, RetryAdvice::Backoff, detail)
}

fn not_sent(context: String) -> ProviderError {
    let detail = "the vendor could not be reached; nothing was sent";
    transient(StateAtVendor::Unchanged, detail).with_context(context)
}

/// The connection itself is over, and says nothing of the vendor: what it was to bring is taken anew at once.
fn replaced() -> ProviderError {
    let detail = "the connection was configured anew before the call; nothing was sent";
    let mut error = ProviderError::held(WaitingFor::RateLimit, Some(Duration::ZERO), detail);
    error.kind = ErrorKind::Transient;
    error
}

fn interrupted(context: String) -> ProviderError {
    let detail = format!("no answer came after the request went out ({context}){UNKNOWN}");
    transient(StateAtVendor::Unknown, detail).with_context(context)
}

fn broke_off(reply: &WireReply) -> ProviderError {
    let what = "the answer broke off";
    let error = transient(StateAtVendor::Unknown, format!("{what} after it had begun{UNKNOWN}"));
    with_document(error.with_context(what), reply)
}

fn too_large(reply: &WireReply) -> ProviderError {
    let detail = format!("the vendor's answer is longer than any it should give{UNKNOWN}");
    let (kind, state) = (ErrorKind::BrokenContract, StateAtVendor::Unknown);
    let error = ProviderError::new(kind, state, RetryAdvice::Never, detail);
    with_document(error.with_context("answer over the limit"), reply)
}

#[async_trait]
impl<V: HttpVendor> UpsertProvider for HttpProvider<V> {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn prepare(&self, request: &UpsertRequest<'_>) -> Result<PreparedUpsert, Vec<Violation>> {
        self.vendor.encode(request)
    }

    fn canonical_id(&self, id: &str) -> String {
        self.vendor.canonical_id(id)
    }

    async fn upsert(&self, context: &CallContext, prepared: &PreparedUpsert) -> Result<UpsertReceipt, ProviderError> {
        let reply = self.call(&prepared.request, context).await?;
        self.received(prepared, &reply).map_err(|error| self.told(error))
    }
}

#[async_trait]
impl<V: HttpVendor> CustomerReader for HttpProvider<V> {
    fn check(&self, query: &ListQuery) -> Result<(), Vec<Problem>> {
        self.vendor.reads().map_or(Ok(()), |reads| reads.check(query))
    }

    async fn list(&self, context: &CallContext, query: &ListQuery) -> Result<ReadPage, ProviderError> {
        let reads = self.reads()?;
        let reply = self.call(&reads.list_request(query), context).await.map_err(of_read)?;
        let page = reads.decode_list(query, &reply);
        let mut page = page.map_err(|error| of_read(self.told(error)))?;
        page.data = page.data.into_iter().map(|record| self.known(record)).collect();
        Ok(page)
    }

    async fn read(
        &self,
        context: &CallContext,
        provider_customer_id: &str,
    ) -> Result<Option<ReadCustomer>, ProviderError> {
        let reads = self.reads()?;
        let request = reads.read_request(provider_customer_id);
        let reply = self.call(&request, context).await.map_err(of_read)?;
        let record = reads.decode_read(&reply);
        let record = record.map_err(|error| of_read(self.told(error)))?;
        Ok(record.map(|record| self.known(record)))
    }
}
