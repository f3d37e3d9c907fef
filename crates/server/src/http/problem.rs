//! Refusals on their way out: the application's, with the headers that HTTP adds to them.

use std::fmt;

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, ResponseError};

use upsert_api::ProblemCode;
use upsert_app::Refusal;
use upsert_core::{Problem as Wrong, Word as _};

use crate::http::methods;

/// `Content-Type` of a problem document.
pub(crate) const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A refused request. The document is made where request id and path are known: see `observe.rs`.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) refusal: Refusal,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// With this code and sentence.
    pub(crate) fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Refusal::new(code, detail).into()
    }

    /// 400 for one header.
    pub(crate) fn invalid_header(name: &str, detail: &str) -> Self {
        let mut problem = Self::new(ProblemCode::InvalidHeader, format!("the header `{name}` {detail}"));
        problem.refusal.errors = vec![Wrong::new(name, "invalid_header", detail)];
        problem
    }

    /// 400 for one query parameter.
    pub(crate) fn invalid_query(name: &str, code: &str, detail: impl Into<String>) -> Self {
        Refusal::invalid_query(vec![Wrong::new(name, code, detail)]).into()
    }

    /// 405, saying what is allowed.
    pub(crate) fn method_not_allowed(allowed: &[Method]) -> Self {
        let names = methods::listed(allowed);
        let problem = Self::new(ProblemCode::MethodNotAllowed, format!("only {names} is known here"));
        match HeaderValue::from_str(&names) {
            Ok(value) => problem.with(header::ALLOW, value),
            Err(_) => problem,
        }
    }

    /// Adds a header.
    #[must_use]
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The answer with its document.
    pub(crate) fn to_response(&self, instance: &str, request_id: &str) -> HttpResponse {
        let mut response = self.error_response();
        response.headers_mut().insert(header::CONTENT_TYPE, PROBLEM_JSON);
        response.set_body(actix_web::body::BoxBody::new(
            self.refusal.document(instance, request_id),
        ))
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            headers: Vec::new(),
        }
    }
}

/// The code alone: details may repeat what the caller sent.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.refusal.code.as_str())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.refusal.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Status and headers; the document is put in where request id and path are known.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(self.status_code());
        let code = self.refusal.code;
        if matches!(code, ProblemCode::RequestTimeout | ProblemCode::BodyTooLarge) {
            // The rest of the body may still be on its way: nothing more can be read from this connection.
            response
                .head_mut()
                .set_connection_type(actix_web::http::ConnectionType::Close);
        }
        let headers = response.headers_mut();
        for (name, value) in &self.headers {
            headers.append(name.clone(), value.clone());
        }
        if let Some(seconds) = self.refusal.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What an error that is none of ours (made by the HTTP library) means by its status.
pub(crate) fn of_status(status: StatusCode) -> Problem {
    let code = match status.as_u16() {
        404 => ProblemCode::NotFound,
        405 => ProblemCode::MethodNotAllowed,
        406 => ProblemCode::NotAcceptable,
        408 => ProblemCode::RequestTimeout,
        413 => ProblemCode::BodyTooLarge,
        415 => ProblemCode::UnsupportedMediaType,
        503 => ProblemCode::Overloaded,
        400..=499 => ProblemCode::InvalidQuery,
        _ => ProblemCode::Internal,
    };
    Problem::new(code, code.title())
}
