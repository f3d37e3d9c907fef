//! What every worker shares.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::web::Data;
use arc_swap::ArcSwap;
use jiff::Timestamp;

use upsert_api::{Page, Provider};
use upsert_app::{Gateway, Refusal};

use crate::config::audit_keys::AuditKeys;
use crate::config::history::ConfigHistory;
use crate::config::snapshot::ConfigSnapshot;
use crate::config::stored_merchants::MerchantBuilder;
use crate::http::coded_once::CodedOnce;
use crate::http::documented::Documented;
use crate::http::shared_answer::SharedAnswer;
use crate::http::shared_page::SharedPage;
use crate::lifecycle::Lifecycle;
use crate::net::connections::Connections;
use crate::telemetry::traces::Traces;

/// Made once, shared by all workers.
#[derive(Debug)]
pub(crate) struct State {
    /// The use cases.
    pub(crate) gateway: Gateway,
    /// Keys and merchants as they are now. A request takes one snapshot and keeps it.
    pub(crate) served: ArcSwap<ConfigSnapshot>,
    /// What merchants in the store are sealed and built with.
    pub(crate) merchant_builder: Arc<MerchantBuilder>,
    /// What the audit trail is keyed with.
    pub(crate) audit_keys: AuditKeys,
    /// How what is served came to be.
    pub(crate) history: ConfigHistory,
    /// Who is connected.
    pub(crate) connections: Arc<Connections>,
    /// Where in its life the server is.
    pub(crate) lifecycle: Lifecycle,
    /// `GET /v1/providers`, which nothing changes while the process lives.
    pub(crate) providers: Page<Provider>,
    /// What is documented; made when it is asked for.
    pub(crate) documented: LazyLock<Documented>,
    /// How long a body may take to arrive.
    pub(crate) body_timeout: Duration,
    /// The page of all metrics.
    pub(crate) metrics: SharedPage,
    /// Files, the document and that page, compressed.
    pub(crate) coded: CodedOnce,
    /// Whether the store can be used, and why it cannot.
    pub(crate) readiness: SharedAnswer<Result<(), Refusal>>,
    /// Who is connected where the metrics have an address of their own.
    pub(crate) metrics_connections: Arc<Connections>,
    /// Whether `/metrics` has an address of its own.
    pub(crate) metrics_apart: bool,
    /// When the server started.
    pub(crate) started_at: Timestamp,
    /// Where spans go; none: nowhere.
    pub(crate) traces: Option<Arc<Traces>>,
}

impl State {
    /// The state of the server that this request came to. It is put there by the one assembler, so a request without
    /// one is a bug; it is answered with 500.
    pub(crate) fn of(request: &HttpRequest) -> Option<&Arc<State>> {
        request.app_data::<Data<State>>().map(|data| &**data as &Arc<State>)
    }
}

/// One answer that is being streamed, until it is dropped.
#[derive(Debug)]
pub(crate) struct Streaming(Arc<State>);

impl Streaming {
    pub(crate) fn of(state: &Arc<State>) -> Self {
        state.lifecycle.one_more();
        Self(state.clone())
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.0.lifecycle.one_less();
    }
}
