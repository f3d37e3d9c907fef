//! What no route takes: 404, or 405 where the path is known.

use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};

use upsert_app::Refusal;

use crate::http::access::count_in_vain;
use crate::http::middleware::Observed;
use crate::http::problem::Problem;
use crate::state::State;

/// Tells a wrong method from a wrong path. It needs no key; one that it came with is counted.
pub(crate) async fn fallback(request: HttpRequest) -> Result<HttpResponse, Problem> {
    count_in_vain(&request)?;
    let template = request
        .extensions()
        .get::<Observed>()
        .and_then(|observed| observed.template.clone());
    let methods = State::of(&request)
        .zip(template)
        .and_then(|(state, template)| state.documented.methods.get(&*template));
    Err(match methods {
        Some(methods) => Problem::method_not_allowed(methods),
        None => Refusal::not_found("page").into(),
    })
}
