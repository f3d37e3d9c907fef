//! What a layer is: something around one attempt, the same for writing and for reading.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use upsert_core::{
    CallContext, CustomerReader, ListQuery, PreparedUpsert, Problem, ProviderError, ProviderInfo, ReadCustomer,
    ReadPage, UpsertProvider, UpsertReceipt, UpsertRequest, Violation, Word as _,
};

/// A rule around each attempt of one connection.
///
/// `call` is the attempt, not begun: dropping it unpolled sends nothing. A layer polls it at most once and hands its
/// result on unchanged. The future may be dropped at any moment, which must leave no count or slot behind.
pub trait Layer: Debug + Send + Sync + 'static {
    /// Lets the call through, or answers in its place.
    fn around<T: Answer>(
        &self,
        context: &CallContext,
        call: impl Future<Output = Result<T, ProviderError>> + Send,
    ) -> impl Future<Output = Result<T, ProviderError>> + Send;
}

/// What a call may answer.
pub trait Answer: Send {
    /// The value of the metrics' `outcome` label.
    fn outcome(&self) -> &'static str;
}

impl Answer for UpsertReceipt {
    fn outcome(&self) -> &'static str {
        self.outcome.as_str()
    }
}

impl Answer for ReadPage {
    fn outcome(&self) -> &'static str {
        "listed"
    }
}

impl Answer for Option<ReadCustomer> {
    fn outcome(&self) -> &'static str {
        if self.is_some() { "read" } else { "not_found" }
    }
}

/// A trait that layers can be put around: writing, and reading under the same layers.
pub trait Seam: Debug + Send + Sync + 'static {
    /// Puts the layer around it.
    fn under<L: Layer>(self: Arc<Self>, layer: Arc<L>) -> Arc<Self>;
}

impl Seam for dyn UpsertProvider {
    fn under<L: Layer>(self: Arc<Self>, layer: Arc<L>) -> Arc<Self> {
        Arc::new(Layered { layer, inner: self })
    }
}

impl Seam for dyn CustomerReader {
    fn under<L: Layer>(self: Arc<Self>, layer: Arc<L>) -> Arc<Self> {
        Arc::new(Layered { layer, inner: self })
    }
}

/// Puts the layer around a provider or a reader.
pub fn wrap<P: Seam + ?Sized>(layer: &Arc<impl Layer>, inner: Arc<P>) -> Arc<P> {
    inner.under(Arc::clone(layer))
}

#[derive(Debug)]
struct Layered<L, P: ?Sized> {
    layer: Arc<L>,
    inner: Arc<P>,
}

#[async_trait]
impl<L: Layer> UpsertProvider for Layered<L, dyn UpsertProvider> {
    fn info(&self) -> &ProviderInfo {
        self.inner.info()
    }

    fn prepare(&self, request: &UpsertRequest<'_>) -> Result<PreparedUpsert, Vec<Violation>> {
        self.inner.prepare(request)
    }

    fn canonical_id(&self, id: &str) -> String {
        self.inner.canonical_id(id)
    }

    async fn upsert(&self, context: &CallContext, prepared: &PreparedUpsert) -> Result<UpsertReceipt, ProviderError> {
        let call = self.inner.upsert(context, prepared);
        self.layer.around(context, call).await
    }
}

#[async_trait]
impl<L: Layer> CustomerReader for Layered<L, dyn CustomerReader> {
    fn check(&self, query: &ListQuery) -> Result<(), Vec<Problem>> {
        self.inner.check(query)
    }

    async fn list(&self, context: &CallContext, query: &ListQuery) -> Result<ReadPage, ProviderError> {
        let call = self.inner.list(context, query);
        self.layer.around(context, call).await
    }

    async fn read(
        &self,
        context: &CallContext,
        provider_customer_id: &str,
    ) -> Result<Option<ReadCustomer>, ProviderError> {
        let call = self.inner.read(context, provider_customer_id);
        self.layer.around(context, call).await
    }
}
