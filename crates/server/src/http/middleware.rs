//! What every request passes, outermost: its id, one line in the log, its metrics, and the one place where refusals
//! become documents. A panic below becomes a 500 that says nothing of the inside.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use actix_cors::CorsError;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse};
use futures_util::FutureExt as _;
use tokio::time::Instant;

use upsert_api::ProblemCode;
use upsert_app::Spans;
use upsert_core::UpsertId;
use upsert_settings::BasePath;

use crate::config::key_store::{Key, Left};
use crate::http::cors;
use crate::http::metrics;
use crate::http::mount;
use crate::http::pacing::{self, Pace};
use crate::http::problem::{self, Problem};
use crate::http::request_id::{RequestId, X_REQUEST_ID};
use crate::http::request_span::{self, Came, RequestSpan};
use crate::http::standing::Standing;
use crate::http::tracestate::tracestate as read_tracestate;
use crate::lifecycle::Phase;
use crate::net::client_address;
use crate::net::connections::Guest;
use crate::state::State;

/// What is known of a request beside the request itself.
#[derive(Debug)]
pub(crate) struct Observed {
    /// Its id.
    pub(crate) id: RequestId,
    /// The template of its route; none where no route has this path.
    pub(crate) template: Option<Arc<str>>,
    /// The key it came with, once that is known.
    pub(crate) key: Option<Arc<Key>>,
    /// What it was let in for.
    pub(crate) standing: Option<Standing>,
    /// What that key has left of its limit, if it has one.
    pub(crate) left: Option<Left>,
    /// Whether something else than a key says who it is of: a signature, a session.
    pub(crate) is_signed: bool,
    /// The upsert that it made, or asked for: from here on its deliveries' lines can be followed.
    pub(crate) upsert: Option<UpsertId>,
    /// What everything that it leads to is a part of, as a `traceparent`.
    pub(crate) traceparent: Option<String>,
    /// What other systems say of that trace.
    pub(crate) tracestate: Option<String>,
}

impl Observed {
    /// Whether it is no stranger's.
    fn is_known(&self) -> bool {
        self.key.is_some() || self.is_signed
    }
}

/// The request came with what is as good as a key.
pub(crate) fn is_signed(request: &HttpRequest) {
    if let Some(observed) = request.extensions_mut().get_mut::<Observed>() {
        observed.is_signed = true;
    }
    pacing::shows_key(request);
}

/// What the key that a request came with has left of its limit: every answer says it.
pub(crate) fn has_left(request: &HttpRequest, left: Option<Left>) {
    if let Some(observed) = request.extensions_mut().get_mut::<Observed>() {
        observed.left = left;
    }
}

/// Notes for whom a request is, once that is known.
pub(crate) fn speaks_for(request: &HttpRequest, merchant: &str) {
    if let Some(observed) = request.extensions_mut().get_mut::<Observed>() {
        observed.standing = observed.standing.take().map(|standing| standing.for_merchant(merchant));
    }
}

/// Whether the caller still may do what it was let in for, by the configuration in force. One without a key stands.
///
/// # Errors
/// See [`Standing::among`].
pub(crate) fn still_stands(request: &HttpRequest) -> Result<(), Problem> {
    let extensions = request.extensions();
    let standing = extensions.get::<Observed>().and_then(|seen| seen.standing.as_ref());
    let (Some(standing), Some(state)) = (standing, State::of(request)) else {
        return Ok(());
    };
    let now = state.gateway.clock().now();
    standing.among(&state.served.load().keys, now).map(drop)
}

/// The layer around all routes.
pub(crate) async fn observe(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let base = mount::settle(&mut request);
    let pace = Pace::begin(request.request());
    let state = request.app_data::<Data<State>>().cloned();
    let _answering = state.as_ref().map(|state| state.lifecycle.answering());
    let phase = state.as_ref().map_or(Phase::Serving, |state| state.lifecycle.phase());
    let id = RequestId::of(request.headers());
    let template: Option<Arc<str>> = request.match_pattern().map(Arc::from);
    let (method, path) = (request.method().clone(), request.path().to_owned());
    let offers_upgrade = request.head().connection_type() == ConnectionType::Upgrade;
    let mut span = span_of(&request, template.as_deref());
    request.extensions_mut().insert(Observed {
        id: id.clone(),
        template: template.clone(),
        key: None,
        standing: None,
        left: None,
        is_signed: false,
        upsert: None,
        traceparent: span.traceparent().map(str::to_owned),
        tracestate: span.tracestate().map(str::to_owned),
    });

    let answered = if phase == Phase::Stopping && !is_about_the_process(&path) {
        let response = Problem::from(shutting_down()).to_response(&base, &path, id.as_str());
        Ok(Ok(request.into_response(response)))
    } else {
        AssertUnwindSafe(next.call(request)).catch_unwind().await
    };

    let ending = Ending {
        id: &id,
        path: &path,
        base: &base,
        // An upgrade that is offered is not taken, which actix-http says plainly only of a connection that ends.
        must_close: phase != Phase::Serving || offers_upgrade,
    };
    let (result, seen) = match answered {
        Ok(Ok(response)) => {
            let mut response = ending.finished(response);
            let seen = response.request().extensions_mut().remove::<Observed>();
            say_what_is_left(&mut response, seen.as_ref());
            let is_known = seen.as_ref().is_some_and(Observed::is_known);
            (Ok(pace.end(response, is_known)), seen)
        }
        Ok(Err(error)) => {
            pace.end_shortly();
            (Err(ending.failed(&error)), None)
        }
        // The hook has logged where; the request is gone with the panic.
        Err(_panic) => {
            pace.end_shortly();
            let problem = Problem::new(ProblemCode::Internal, "the request could not be handled");
            (Err(ending.refused(&problem)), None)
        }
    };
    let status = match &result {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    let key = seen.as_ref().and_then(|seen| Some(seen.key.as_ref()?.name.as_str()));
    let upsert = seen.as_ref().and_then(|seen| seen.upsert);
    span.answered(status.as_u16(), key, upsert);
    let line = metrics::Line {
        method: metrics::method_name(&method),
        template: template.as_deref().unwrap_or(metrics::NO_ROUTE),
        status: status.as_u16(),
        is_strangers: !seen.as_ref().is_some_and(Observed::is_known),
        took: started.elapsed(),
        request_id: id.as_str(),
        key,
        upsert,
        trace_id: span.trace_id(),
    };
    line.record();
    result
}

fn span_of(request: &ServiceRequest, template: Option<&str>) -> RequestSpan {
    if is_about_the_process(request.path()) {
        return RequestSpan::none();
    }
    let spans = request
        .app_data::<Data<State>>()
        .and_then(|state| state.traces.as_deref());
    let traceparent = request_span::traceparent(request.headers());
    let came = Came {
        method: metrics::method_name(request.method()),
        template,
        is_https: spans.is_some() && is_https(request.request()),
        version: request.version(),
        server: spans.and_then(|_| request_span::server(request.uri(), request.headers())),
        tracestate: traceparent.as_ref().and_then(|_| read_tracestate(request.headers())),
        traceparent,
    };
    RequestSpan::begin(spans.map(|traces| traces as &dyn Spans), came)
}

/// Whether the client spoke TLS to a proxy that is trusted.
fn is_https(request: &HttpRequest) -> bool {
    let peer = request.peer_addr().map(|peer| peer.ip());
    let guest = request.conn_data::<Guest>();
    guest.is_some_and(|guest| client_address::is_https(request.headers(), peer, &guest.proxies()))
}

/// Of the limit of the key that the request came with.
fn say_what_is_left(response: &mut ServiceResponse<BoxBody>, seen: Option<&Observed>) {
    let left = seen.and_then(|seen| seen.left.as_ref());
    for (name, value) in left.into_iter().flat_map(Left::headers) {
        response.headers_mut().insert(name, value);
    }
}

/// Life signs go on to the end.
fn is_about_the_process(path: &str) -> bool {
    matches!(path, "/livez" | "/readyz" | "/metrics")
}

/// 503 while the process is ending.
pub(crate) fn shutting_down() -> upsert_app::Refusal {
    upsert_app::Refusal::new(ProblemCode::ShuttingDown, "the gateway is shutting down").retry_after(1)
}

/// How an answer is finished, whatever made it.
struct Ending<'a> {
    id: &'a RequestId,
    path: &'a str,
    base: &'a BasePath,
    must_close: bool,
}

impl Ending<'_> {
    /// Gives a refusal its document, and every answer its request id.
    fn finished(&self, response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
        let refused = response.response().error().map(|error| {
            let made = error.as_error::<CorsError>().map(|_| cors::refused());
            let problem = made.as_ref().or_else(|| error.as_error::<Problem>());
            problem.map_or_else(
                || problem::of_status(response.status()).to_response(self.base, self.path, self.id.as_str()),
                |problem| problem.to_response(self.base, self.path, self.id.as_str()),
            )
        });
        let mut response = match refused {
            Some(mut refused) => {
                cors::keep(response.headers(), refused.headers_mut());
                response.into_response(refused)
            }
            None => response,
        };
        self.mark(response.response_mut());
        response
    }

    /// An error that no handler made.
    fn failed(&self, error: &Error) -> Error {
        self.refused(&problem::of_status(error.as_response_error().status_code()))
    }

    fn refused(&self, problem: &Problem) -> Error {
        let mut response = problem.to_response(self.base, self.path, self.id.as_str());
        self.mark(&mut response);
        InternalError::from_response("refused", response).into()
    }

    fn mark(&self, response: &mut HttpResponse) {
        response.headers_mut().insert(X_REQUEST_ID, self.id.value().clone());
        mount::lead_back(response.headers_mut(), self.base);
        if self.must_close {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
    }
}

/// What everything that the request leads to is a part of, as a `traceparent`.
pub(crate) fn traceparent(request: &HttpRequest) -> Option<String> {
    request.extensions().get::<Observed>()?.traceparent.clone()
}

/// What other systems say of that trace.
pub(crate) fn tracestate(request: &HttpRequest) -> Option<String> {
    request.extensions().get::<Observed>()?.tracestate.clone()
}
