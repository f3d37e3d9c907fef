//! Refusals: every code of the contract with its status and title, and the documents that carry it (RFC 9457).

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use upsert_core::{CustomerId, Problem as Wrong};

use crate::cover::{Cover, Own};
use crate::delivery::DeliveryError;
use crate::masks::{cover_pointer, cover_words};
use crate::upsert::UpsertAnswer;
use crate::webhooks::TakenEvent;

macro_rules! codes {
    ($($name:ident = $status:literal, $title:literal;)*) => {
        /// A stable code of the contract, for programs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        #[derive(Display, EnumString, IntoStaticStr, VariantArray)]
        #[serde(rename_all = "snake_case")]
        #[strum(serialize_all = "snake_case")]
        #[expect(missing_docs, reason = "the title says it")]
        pub enum ProblemCode {
            $($name,)*
        }

        impl ProblemCode {
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
    MalformedJson = 400, "The body is not valid JSON";
    MerchantRequired = 400, "It has to be said for which merchant";
    InvalidHeader = 400, "A header is not valid";
    InvalidQuery = 400, "A query parameter is not valid";
    Unauthenticated = 401, "A valid API key or signature is needed";
    ScopeMissing = 403, "The API key may not do this";
    MerchantForbidden = 403, "The API key may not speak for this merchant";
    NotFound = 404, "There is no such thing";
    MethodNotAllowed = 405, "The method is not known here";
    NotAcceptable = 406, "No answer in the wanted form can be given";
    RequestTimeout = 408, "The request took too long to arrive";
    IdentityConflict = 409, "The identifiers belong to more than one customer";
    LinkConflict = 409, "The vendor's record is linked otherwise";
    MatchKeyCollision = 409, "A vendor would take the customer for another one";
    BusinessKeyChange = 409, "A vendor cannot change the key that the customer was made with";
    IdempotencyInProgress = 409, "A request with this key is still being answered";
    Erased = 409, "The person was erased";
    ConnectionPaused = 409, "The connection is paused by hand";
    NothingToTry = 409, "There is nothing to call the vendor with";
    MerchantInFile = 409, "A file has the merchant";
    PreconditionFailed = 412, "It is not as the request expects";
    BodyTooLarge = 413, "The body is too large";
    UnsupportedMediaType = 415, "The body has to be JSON";
    ValidationFailed = 422, "The request is not valid";
    ProviderRejected = 422, "A vendor refuses the data";
    IdempotencyKeyReused = 422, "The key was used for another request";
    RateLimited = 429, "Too many requests";
    Internal = 500, "Something went wrong inside";
    UnsupportedByProvider = 501, "The provider cannot do this";
    ProviderFailed = 502, "A vendor failed";
    Overloaded = 503, "Too much is going on";
    ShuttingDown = 503, "The gateway is shutting down";
}

/// A problem document (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Where the gateway itself says what the code means: a path, as whoever asks sees it.
    #[schema(format = "uri-reference")]
    pub r#type: String,
    /// For people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable, for programs.
    pub code: ProblemCode,
    /// For people.
    pub detail: String,
    /// The path of the request.
    pub instance: String,
    /// The request's id.
    pub request_id: String,
    /// What is wrong, one by one.
    pub errors: Vec<Wrong>,
    /// Who is in the way; in 409 answers, and of events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub conflicts: Option<Vec<Conflict>>,
}

/// Who holds an identifier or a key in question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Conflict {
    /// `cus_…`
    pub customer_id: CustomerId,
    /// JSON Pointer of the identifier.
    pub pointer: String,
    /// The connection whose vendor would mix them up, if it is one.
    pub connection: Option<String>,
}

/// What may stand beside the members of a problem. (No `Debug`: it may be about a person.)
#[derive(Clone, Serialize)]
#[serde(untagged)]
pub enum Beside {
    /// The upsert that vendors refused or failed.
    Upsert(Box<FailedUpsert>),
    /// What a vendor said to a read.
    Vendor(Box<VendorRefusal>),
    /// What became of each part of an event.
    Events(RefusedEvents),
}

/// An upsert that is durable, and that vendors refused or failed for good.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FailedUpsert {
    /// As it stands.
    #[serde(flatten)]
    pub answer: UpsertAnswer,
    /// Whether the change was taken back, since every connection refused it.
    pub rolled_back: bool,
}

/// What a vendor said to a read, as a delivery's `error` would say it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VendorRefusal {
    /// What went wrong.
    pub error: DeliveryError,
}

/// What became of each part of an event that could not be taken as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedEvents {
    /// The code of what was refused.
    pub reason: ProblemCode,
    /// One entry for each customer in the event.
    pub events: Vec<TakenEvent>,
}

/// `provider_rejected` and `provider_failed`, with the upsert's answer beside. (No `Debug`: it is about a person.)
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UpsertProblem {
    /// The problem.
    #[serde(flatten)]
    pub problem: Problem,
    /// The upsert.
    #[serde(flatten)]
    pub failed: FailedUpsert,
}

macro_rules! with_receipts {
    ($(#[$doc:meta])* $name:ident, $other:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl PartialSchema for $name {
            /// Whatever is the first is the other one as well, so this is no `oneOf`. The first is to be tried first.
            fn schema() -> RefOr<Schema> {
                let either = [UpsertProblem::name(), $other::name()];
                let choice = either.into_iter().map(Ref::from_schema_name).fold(AnyOfBuilder::new(), AnyOfBuilder::item);
                let says = "With `provider_rejected` and `provider_failed` the upsert's answer stands beside the problem.";
                choice.description(Some(says)).into()
            }
        }

        impl ToSchema for $name {
            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                schemas.push((UpsertProblem::name().into(), UpsertProblem::schema()));
                schemas.push(($other::name().into(), $other::schema()));
                UpsertProblem::schemas(schemas);
                $other::schemas(schemas);
            }
        }
    };
}

with_receipts!(
    /// 422 of an upsert, for the document alone.
    UpsertRefusal,
    Problem
);
with_receipts!(
    /// What is wrong with a line of a batch, for the document alone.
    LineProblem,
    BatchProblem
);

/// A vendor that cannot be read, with its words beside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VendorProblem {
    /// The problem.
    #[serde(flatten)]
    pub problem: Problem,
    /// What the vendor said.
    #[serde(flatten)]
    pub refusal: VendorRefusal,
}

/// An event that could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookProblem {
    /// The problem.
    #[serde(flatten)]
    pub problem: Problem,
    /// What became of its parts.
    #[serde(flatten)]
    pub refused: RefusedEvents,
}

/// The problem of a line of a batch; of an upsert that vendors refused or failed, its answer stands beside.
#[derive(Clone, Deserialize, ToSchema)]
pub struct BatchProblem {
    /// The problem.
    #[serde(flatten)]
    pub problem: Problem,
    /// Seconds after which to try again: `Retry-After` of a request of its own.
    #[schema(required = false)]
    pub retry_after: Option<u64>,
}

impl Cover for UpsertProblem {
    fn cover(&mut self, own: Own<'_>) {
        self.problem.cover(own);
        self.failed.answer.cover(own);
    }
}

impl Cover for Problem {
    fn cover(&mut self, own: Own<'_>) {
        self.errors.cover(own);
    }
}

impl Cover for Wrong {
    /// What is wrong with a field may repeat what stands in it: whoever has sent that may read it again.
    fn cover(&mut self, own: Own<'_>) {
        if own.has_sent(&self.pointer) {
            return;
        }
        cover_words(&mut self.detail);
        cover_pointer(&mut self.pointer);
    }
}
