//! What a request asks of its answer whatever the route: that it has no body (HEAD), and how it is coded. And what it says
//! more than once.

use actix_web::Error;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderValue, VARY};
use actix_web::middleware::Next;

use crate::http::access::count_in_vain;
use crate::http::coding::{self, Coding};
use crate::http::problem::Problem;
use crate::http::{cors, methods, repeated};

/// The layer next to the routes.
pub(crate) async fn answer_as_asked(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if let Err(problem) = repeated::settle(&mut request.head_mut().headers) {
        return Ok(refused(request, problem));
    }
    let is_head = methods::as_get(&mut request);
    let Some(coding) = Coding::wanted(request.headers()) else {
        return Ok(refused(request, coding::refused()));
    };
    let has_origins = cors::has_origins(request.request());
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

/// It counts against the limit of its key, whose state every answer tells.
fn refused(request: ServiceRequest, problem: Problem) -> ServiceResponse<BoxBody> {
    let problem = count_in_vain(request.request()).err().unwrap_or(problem);
    request.error_response(problem)
}
