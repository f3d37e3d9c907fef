//! What holds of methods for every path: HEAD wherever there is GET, and what OPTIONS and 405 allow.

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Has a HEAD answered as a GET. Whether it was one.
pub(crate) fn as_get(request: &mut ServiceRequest) -> bool {
    let is_head = request.method() == Method::HEAD;
    if is_head {
        request.head_mut().method = Method::GET;
    }
    is_head
}

/// The answer to a HEAD. A body that is there is left out by the connection, which says how long it would have been; one
/// that would go on is ended here.
pub(crate) fn without_stream(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    match response.response().body().size() {
        BodySize::Stream => response.map_body(|_, _| BoxBody::new(Ended)),
        _ => response,
    }
}

/// A stream of nothing.
struct Ended;

impl MessageBody for Ended {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(None)
    }
}

/// All that a path knows, where routes name these: HEAD comes with GET, and OPTIONS with anything.
pub(crate) fn allowed(routed: &[Method]) -> Vec<Method> {
    let mut allowed = routed.to_vec();
    if let Some(get) = allowed.iter().position(|method| method == Method::GET) {
        allowed.insert(get + 1, Method::HEAD);
    }
    allowed.push(Method::OPTIONS);
    allowed
}

/// The answer to OPTIONS.
pub(crate) fn options(allowed: &[Method]) -> HttpResponse {
    let mut response = HttpResponse::build(StatusCode::NO_CONTENT);
    if let Ok(value) = HeaderValue::from_str(&listed(allowed)) {
        response.insert_header((header::ALLOW, value));
    }
    response.finish()
}

/// As `Allow` has them.
pub(crate) fn listed(methods: &[Method]) -> String {
    let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    names.join(", ")
}
