//! Refusals, on their way to becoming a problem document (RFC 9457).

use serde::Serialize;

use upsert_api::{Beside, Conflict, Cover as _, Own, Problem as Document, ProblemCode, Visibility};
use upsert_core::{Problem, Word as _};
use upsert_store::StoreError;

/// A request that was refused; nothing was stored and nothing sent, unless `beside` says so.
#[derive(Clone)]
pub struct Refusal {
    /// The code.
    pub code: ProblemCode,
    /// A sentence for the caller.
    pub detail: String,
    /// What is wrong, by pointer.
    pub errors: Vec<Problem>,
    /// Who is in the way.
    pub conflicts: Vec<Conflict>,
    /// Seconds after which to try again.
    pub retry_after: Option<u64>,
    /// What else the document says.
    pub beside: Option<Beside>,
}

/// Leaves out what stands beside: it may be about a person.
impl std::fmt::Debug for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Refusal")
            .field("code", &self.code)
            .field("detail", &self.detail)
            .field("errors", &self.errors)
            .field("conflicts", &self.conflicts)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    problem: Document,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(flatten)]
    beside: Option<&'a Beside>,
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
            beside: None,
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

    /// 422 with one thing that is wrong.
    pub(crate) fn invalid_at(pointer: &str, code: &str, detail: &str) -> Self {
        Self::invalid(vec![Problem::new(pointer, code, detail)])
    }

    /// These are in the way.
    pub(crate) fn conflict(code: ProblemCode, detail: &str, conflicts: Vec<Conflict>) -> Self {
        Self {
            conflicts,
            ..Self::new(code, detail)
        }
    }

    /// 503, for a second: others are before it.
    pub(crate) fn overloaded(detail: impl Into<String>) -> Self {
        Self::new(ProblemCode::Overloaded, detail).retry_after(1)
    }

    /// 503: others change the customer faster than this can be decided on.
    pub(crate) fn too_many_changes() -> Self {
        Self::overloaded("too many changes of this customer at once")
    }

    /// 400 with everything that is wrong, by query parameter.
    pub fn invalid_query(errors: Vec<Problem>) -> Self {
        Self {
            errors,
            ..Self::new(ProblemCode::InvalidQuery, "a query parameter is not valid")
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

    /// As somebody is told who may see so much of customers: what is wrong with a field may repeat what stands in it.
    #[must_use]
    pub fn seen_by(self, visibility: Visibility) -> Self {
        self.seen_beside(visibility, Own::default())
    }

    /// The same of a caller who has sent this of the customer.
    #[must_use]
    pub(crate) fn seen_beside(mut self, visibility: Visibility, own: Own<'_>) -> Self {
        if visibility == Visibility::Masked {
            self.errors.cover(own);
        }
        self
    }

    /// The problem.
    pub fn problem(&self, instance: &str, request_id: &str) -> Document {
        let has_conflicts = self.code.status() == 409 || !self.conflicts.is_empty();
        Document {
            r#type: format!("/problems/{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: self.code.status(),
            code: self.code,
            detail: self.detail.clone(),
            instance: instance.to_owned(),
            request_id: request_id.to_owned(),
            errors: self.errors.clone(),
            conflicts: has_conflicts.then(|| self.conflicts.clone()),
        }
    }

    /// The whole document.
    pub fn document(&self, instance: &str, request_id: &str) -> String {
        self.written(instance, request_id, None)
    }

    /// The same, for a line of a batch, which has no headers of its own.
    pub fn document_of_line(&self, instance: &str, request_id: &str) -> String {
        self.written(instance, request_id, self.retry_after)
    }

    fn written(&self, instance: &str, request_id: &str, retry_after: Option<u64>) -> String {
        let whole = Whole {
            problem: self.problem(instance, request_id),
            retry_after,
            beside: self.beside.as_ref(),
        };
        // Only a map with keys that are no texts could not be written.
        serde_json::to_string(&whole).unwrap_or_default()
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy => Self::overloaded("the store cannot take more now"),
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
