//! Refusals: every code of the contract with its status and title, and the document that carries it (RFC 9457).

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use upsert_core::{CustomerId, Problem};
use upsert_store::StoreError;

macro_rules! codes {
    ($($name:ident = $code:literal, $status:literal, $title:literal;)*) => {
        /// A stable code of the contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the title says it")]
        pub enum ProblemCode {
            $($name,)*
        }

        impl ProblemCode {
            /// Every code.
            pub const ALL: &'static [ProblemCode] = &[$(ProblemCode::$name,)*];

            /// As it stands in `code`.
            pub const fn as_str(self) -> &'static str {
                match self { $(ProblemCode::$name => $code,)* }
            }

            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(ProblemCode::$name => $status,)* }
            }

            /// For people.
            pub const fn title(self) -> &'static str {
                match self { $(ProblemCode::$name => $title,)* }
            }
        }
    };
}

codes! {
    MalformedJson = "malformed_json", 400, "The body is not valid JSON";
    MerchantRequired = "merchant_required", 400, "It has to be said for which merchant";
    InvalidHeader = "invalid_header", 400, "A header is not valid";
    InvalidQuery = "invalid_query", 400, "A query parameter is not valid";
    Unauthenticated = "unauthenticated", 401, "A valid API key or signature is needed";
    ScopeMissing = "scope_missing", 403, "The API key may not do this";
    MerchantForbidden = "merchant_forbidden", 403, "The API key may not speak for this merchant";
    NotFound = "not_found", 404, "There is no such thing";
    MethodNotAllowed = "method_not_allowed", 405, "The method is not known here";
    NotAcceptable = "not_acceptable", 406, "No answer in the wanted form can be given";
    RequestTimeout = "request_timeout", 408, "The request took too long to arrive";
    IdentityConflict = "identity_conflict", 409, "The identifiers belong to more than one customer";
    LinkConflict = "link_conflict", 409, "The vendor's record is linked otherwise";
    MatchKeyCollision = "match_key_collision", 409, "A vendor would take the customer for another one";
    BusinessKeyChange = "business_key_change", 409, "A vendor cannot change the key that the customer was made with";
    IdempotencyInProgress = "idempotency_in_progress", 409, "A request with this key is still being answered";
    Erased = "erased", 409, "The person was erased";
    BodyTooLarge = "body_too_large", 413, "The body is too large";
    UnsupportedMediaType = "unsupported_media_type", 415, "The body has to be JSON";
    ValidationFailed = "validation_failed", 422, "The request is not valid";
    ProviderRejected = "provider_rejected", 422, "A vendor refuses the data";
    IdempotencyKeyReused = "idempotency_key_reused", 422, "The key was used for another request";
    RateLimited = "rate_limited", 429, "Too many requests";
    Internal = "internal", 500, "Something went wrong inside";
    UnsupportedByProvider = "unsupported_by_provider", 501, "The provider cannot do this";
    ProviderFailed = "provider_failed", 502, "A vendor failed";
    Overloaded = "overloaded", 503, "Too much is going on";
    ShuttingDown = "shutting_down", 503, "The gateway is shutting down";
}

/// Who holds an identifier or a key in question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// The customer.
    pub customer_id: CustomerId,
    /// Pointer of the identifier.
    pub pointer: String,
    /// The connection whose vendor would mix them up, if it is one.
    pub connection: Option<String>,
}

/// A request that was refused; nothing was stored and nothing sent, unless `beside` says so.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The code.
    pub code: ProblemCode,
    /// A sentence for the caller.
    pub detail: String,
    /// What is wrong, by pointer.
    pub errors: Vec<Problem>,
    /// Who is in the way (409 only).
    pub conflicts: Vec<Conflict>,
    /// Seconds after which to try again.
    pub retry_after: Option<u64>,
    /// Further members of the document.
    pub beside: Map<String, Json>,
}

impl Refusal {
    /// With this code and sentence.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            conflicts: Vec::new(),
            retry_after: None,
            beside: Map::new(),
        }
    }

    /// 422 with everything that is wrong.
    pub fn invalid(errors: Vec<Problem>) -> Self {
        let detail = match errors.len() {
            1 => "1 field is not valid".to_owned(),
            n => format!("{n} fields are not valid"),
        };
        Self {
            errors,
            ..Self::new(ProblemCode::ValidationFailed, detail)
        }
    }

    /// 404.
    pub fn not_found(what: &str) -> Self {
        Self::new(ProblemCode::NotFound, format!("there is no such {what}"))
    }

    /// Adds when to try again, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The problem document.
    pub fn document(&self, instance: &str, request_id: &str) -> Json {
        let mut document = json!({
            "type": format!("https://upsert-gateway.example/problems/{}", self.code.as_str()),
            "title": self.code.title(),
            "status": self.code.status(),
            "code": self.code.as_str(),
            "detail": self.detail,
            "instance": instance,
            "request_id": request_id,
            "errors": self.errors,
        });
        if let Json::Object(members) = &mut document {
            if self.code.status() == 409 {
                members.insert("conflicts".to_owned(), json!(self.conflicts));
            }
            members.extend(self.beside.clone());
        }
        document
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy => Self::new(ProblemCode::Overloaded, "the store cannot take more now").retry_after(1),
            StoreError::Unavailable(inside) => {
                tracing::error!(error = %inside, "the store cannot write");
                Self::new(ProblemCode::Overloaded, "the store cannot write now").retry_after(5)
            }
            StoreError::Failed(inside) => {
                tracing::error!(error = %inside, "the store failed");
                Self::new(ProblemCode::Internal, "the request could not be handled")
            }
        }
    }
}
