//! What a request asks of its answer whatever the route: that it has no body (HEAD), and how it is coded. And what it says
//! more than once.

use actix_web::Error;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderValue, VARY};
use actix_web::middleware::Next;
use actix_web::web::Data;

use crate::http::coding::{self, Coding};
use crate::http::{methods, repeated};
use crate::state::State;

/// The layer next to the routes.
pub(crate) async fn answer_as_asked(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if let Err(problem) = repeated::settle(&mut request.head_mut().headers) {
        return Ok(request.error_response(problem));
    }
    let is_head = methods::as_get(&mut request);
    let Some(coding) = Coding::wanted(request.headers()) else {
        return Ok(request.error_response(coding::refused()));
    };
    let has_origins = request
        .app_data::<Data<State>>()
        .is_some_and(|state| !state.served.load().cors_origins.is_empty());
    let mut response = coding::coded(next.call(request).await?, coding).await;
    if has_origins {
        response.headers_mut().append(VARY, HeaderValue::from_static("origin"));
    }
    Ok(if is_head {
        methods::without_stream(response)
    } else {
        response
    })
}
