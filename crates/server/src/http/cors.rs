//! Pages of other origins (`[server] cors_origins`): which of them a browser lets call the API. They never get to the
//! dashboard, and never come with a cookie: who calls is told by a key alone.

use std::sync::Arc;

use actix_cors::Cors;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue,
    ORIGIN, VARY,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest};

use crate::http::problem::Problem;
use crate::state::State;

/// How long a browser may rely on what it was told, in seconds. Most go no further.
const RELY: usize = 600;

/// What scripts may read beside the body and the few headers that they always may.
const EXPOSED: [&str; 12] = [
    "accept-encoding",
    "allow",
    "etag",
    "idempotent-replayed",
    "link",
    "location",
    "preference-applied",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "www-authenticate",
    "x-request-id",
];

/// The layer that tells browsers so, by the configuration in force.
pub(crate) fn cors(state: &Arc<State>) -> Cors {
    let state = state.clone();
    Cors::default()
        .allowed_origin_fn(move |origin, head| {
            let path = head.uri.path();
            let is_of_dashboard = path == "/ops" || path.starts_with("/ops/");
            !is_of_dashboard && covers(&state, origin)
        })
        .allowed_methods(["GET", "HEAD", "POST", "PUT", "DELETE"])
        .allow_any_header()
        .expose_headers(EXPOSED)
        .max_age(RELY)
        // Said where answers are coded: of every answer, once there are origins, and of none before.
        .disable_vary_header()
}

/// The layer around that one. Where no origin is named nothing is told of origins at all: what would ask ahead is an OPTIONS
/// as any other, which its path answers.
pub(crate) async fn unless_none(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if !has_origins(request.request()) {
        request.headers_mut().remove(ACCESS_CONTROL_REQUEST_METHOD);
    }
    let mut response = next.call(request).await?;
    if !response.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        // Nobody was let in who could be told which headers to read.
        response.headers_mut().remove(ACCESS_CONTROL_EXPOSE_HEADERS);
    }
    Ok(response)
}

/// Whether any page of another origin may call.
pub(crate) fn has_origins(request: &HttpRequest) -> bool {
    State::of(request).is_some_and(|state| !state.served.load().cors_origins.is_empty())
}

fn covers(state: &State, origin: &HeaderValue) -> bool {
    let origins = &state.served.load().cors_origins;
    origin.to_str().is_ok_and(|origin| origins.covers(origin))
}

/// What was told a browser goes along where another answer takes the place of this one.
pub(crate) fn keep(told: &HeaderMap, headers: &mut HeaderMap) {
    let allows = [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS];
    for name in allows.into_iter().chain([VARY]) {
        for value in told.get_all(&name) {
            headers.append(name.clone(), value.clone());
        }
    }
}

/// What a browser asked for ahead, and may not do.
pub(crate) fn refused() -> Problem {
    let detail = "may not do this from a browser: `[server] cors_origins` names those that may call the API";
    Problem::invalid_header(ORIGIN.as_str(), detail)
}
