//! What a page cannot show, and why: a refusal of the use cases, or of the dashboard itself.

use std::fmt;
use upsert_core::Word as _;

use actix_web::ResponseError;
use actix_web::http::StatusCode;

use upsert_api::ProblemCode;
use upsert_app::Refusal;
use upsert_settings::Scope;

/// It becomes a page at the door.
#[derive(Debug)]
pub(crate) struct PageError {
    pub(crate) status: StatusCode,
    /// Sentences for people: what is wrong first, then each field.
    pub(crate) says: Vec<String>,
    /// Of an address that is asked for with another method.
    pub(crate) allows: Option<&'static str>,
}

impl PageError {
    pub(crate) fn new(status: StatusCode, says: impl Into<String>) -> Self {
        Self {
            status,
            says: vec![says.into()],
            allows: None,
        }
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Refusal::not_found(what).into()
    }

    /// The address is there, and takes these methods alone.
    pub(crate) fn not_allowed(allows: &'static str) -> Self {
        Self {
            allows: Some(allows),
            ..Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("only {allows} is known here"))
        }
    }

    /// A form or an address that cannot be read.
    pub(crate) fn unreadable(says: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, says)
    }

    pub(crate) fn lacks(scope: Scope) -> Self {
        let says = format!("your key lacks the scope `{}`", scope.as_str());
        Self::new(StatusCode::FORBIDDEN, says)
    }

    /// What is wrong with a field may repeat what stands in it.
    pub(crate) fn for_eyes_of(mut self, sees_people: bool) -> Self {
        if !sees_people {
            self.says.truncate(1);
        }
        self
    }

    /// Nobody can be looked up, or nothing written.
    pub(crate) fn store_is_away() -> Self {
        let says = "the store does not answer: try again in a moment";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, says)
    }

    /// In one line.
    pub(crate) fn sentence(&self) -> String {
        self.says.join("; ")
    }
}

impl From<Refusal> for PageError {
    fn from(refusal: Refusal) -> Self {
        let mut says = vec![refusal.detail.clone()];
        says.extend(refusal.errors.iter().map(|error| {
            let at = if error.pointer.is_empty() {
                "the whole"
            } else {
                &error.pointer
            };
            format!("{at}: {}", error.detail)
        }));
        Self {
            status: StatusCode::from_u16(refusal.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            says,
            allows: None,
        }
    }
}

impl From<askama::Error> for PageError {
    fn from(error: askama::Error) -> Self {
        tracing::error!(%error, "a page could not be made");
        Refusal::new(ProblemCode::Internal, "the page could not be made").into()
    }
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence())
    }
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        self.status
    }
}
