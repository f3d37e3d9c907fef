//! Refusals on their way out: the application's, with the headers that HTTP adds to them.

use std::borrow::Cow;
use std::fmt;

use actix_web::body::BoxBody;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, ResponseError};

use upsert_api::ProblemCode;
use upsert_app::Refusal;
use upsert_core::{Problem as Wrong, Word as _};
use upsert_settings::BasePath;

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

    /// The answer with its document, to a request for this path below that one.
    pub(crate) fn to_response(&self, base: &BasePath, path: &str, request_id: &str) -> HttpResponse {
        let mut response = self.error_response();
        response.headers_mut().insert(header::CONTENT_TYPE, PROBLEM_JSON);
        let document = self.refusal.document(path, request_id);
        response.set_body(BoxBody::new(below(&document, base).into_owned()))
    }
}

/// How a problem document begins: with where its code is explained, and with the path of its request further on.
const PATHS: [&str; 2] = ["\"type\":\"", "\"instance\":\""];

/// A problem document as its reader sees the paths in it, where it was written without: it may be one that is kept.
pub(crate) fn below<'d>(document: &'d str, base: &BasePath) -> Cow<'d, str> {
    if base.is_empty() {
        return document.into();
    }
    // They stand before whatever a sender or a vendor may have put in.
    PATHS.iter().fold(document.into(), |document: Cow<'d, str>, member| {
        let led = format!("{member}{}/", base.as_str());
        document.replacen(&format!("{member}/"), &led, 1).into()
    })
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
