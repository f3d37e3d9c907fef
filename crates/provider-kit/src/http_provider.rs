//! [`UpsertProvider`] and [`CustomerReader`] for every [`HttpVendor`], over a transport.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use url::Url;

use upsert_core::{
    CallContext, Clock, CustomerReader, ErrorKind, ListQuery, PreparedUpsert, Problem, ProviderError, ProviderInfo,
    ReadCustomer, ReadPage, RetryAdvice, StateAtVendor, UpsertProvider, UpsertReceipt, UpsertRequest, Violation,
    WireRequest,
};

use crate::classify::of_read;
use crate::reply::WireReply;
use crate::retry_after::RetryAfter;
use crate::transport::{Outgoing, Transport, TransportError};
use crate::vendor::{HttpReads, HttpVendor};

/// One connection to an HTTP vendor.
pub struct HttpProvider<V> {
    info: ProviderInfo,
    vendor: V,
    base_url: Url,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    send_traceparent: bool,
}

impl<V: HttpVendor> fmt::Debug for HttpProvider<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpProvider({})", V::KIND)
    }
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
        let broken = |what: &str| {
            ProviderError::new(
                ErrorKind::Rejected,
                StateAtVendor::Unchanged,
                RetryAdvice::Never,
                what.to_owned(),
            )
            .with_context(what)
        };
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
        let began_at = self.clock.now();
        let incoming = self.transport.send(outgoing).await.map_err(transport_error)?;
        Ok(WireReply {
            status: incoming.status,
            retry_after: RetryAfter::of(&incoming.headers, self.clock.now()),
            headers: incoming.headers,
            began_at,
            body: incoming.body,
        })
    }

    /// The record with its id in the form that ids are compared in.
    fn known(&self, mut record: ReadCustomer) -> ReadCustomer {
        record.provider_customer_id = record.provider_customer_id.map(|id| self.vendor.canonical_id(&id));
        record
    }

    fn reads(&self) -> Result<&dyn HttpReads, ProviderError> {
        self.vendor.reads().ok_or_else(|| {
            let detail = "this provider cannot read what the vendor holds";
            let mut error = ProviderError::new(
                ErrorKind::Rejected,
                StateAtVendor::Unchanged,
                RetryAdvice::Never,
                detail,
            );
            error.sent = false;
            error
        })
    }
}

fn transport_error(error: TransportError) -> ProviderError {
    let new = |kind, state, advice, detail: &str| ProviderError::new(kind, state, advice, detail);
    match error {
        TransportError::NotSent(context) => new(
            ErrorKind::Transient,
            StateAtVendor::Unchanged,
            RetryAdvice::Backoff,
            "the vendor could not be reached; nothing was sent",
        )
        .with_context(context),
        TransportError::Interrupted(context) => new(
            ErrorKind::Transient,
            StateAtVendor::Unknown,
            RetryAdvice::Backoff,
            "the call broke off after the request went out; whether the vendor wrote is not known",
        )
        .with_context(context),
        TransportError::TooLarge(status) => {
            let mut error = new(
                ErrorKind::BrokenContract,
                StateAtVendor::Unknown,
                RetryAdvice::Never,
                "the vendor's answer is longer than any it should give; whether it wrote is not known",
            )
            .with_context("answer over the limit");
            error.vendor_status = Some(status);
            error
        }
    }
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
        let mut receipt = self.vendor.decode(prepared, &reply)?;
        receipt.provider_customer_id = self.vendor.canonical_id(&receipt.provider_customer_id);
        Ok(receipt)
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
        let mut page = reads.decode_list(query, &reply).map_err(of_read)?;
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
        let record = reads.decode_read(&reply).map_err(of_read)?;
        Ok(record.map(|record| self.known(record)))
    }
}
