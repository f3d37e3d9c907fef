//! What somebody does.

use serde_json::{Map, Value as Json};

use upsert_api::AuditAction;

/// Stands in the place of a key's name where files of the configuration were changed.
pub const BY_FILES: &str = "(files)";

/// Stands in the place of a key's name where a key is not known.
pub const BY_UNKNOWN: &str = "(unknown)";

/// What somebody does, as it is written down. Nothing in it may say who a customer is.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    pub(crate) by: String,
    pub(crate) action: AuditAction,
    pub(crate) merchant: Option<String>,
    pub(crate) subject: String,
    pub(crate) detail: Map<String, Json>,
}

impl Act {
    /// Somebody (the name of a key) does this to that. It is about the gateway as a whole, unless it is said to be a merchant's.
    pub fn new(by: &str, action: AuditAction, subject: impl Into<String>) -> Self {
        Self {
            by: by.to_owned(),
            action,
            merchant: None,
            subject: subject.into(),
            detail: Map::new(),
        }
    }

    /// It is about this merchant.
    #[must_use]
    pub fn of(mut self, merchant: &str) -> Self {
        self.merchant = Some(merchant.to_owned());
        self
    }

    /// What else is to be told of it, by name.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.detail.insert(name.to_owned(), value.into());
        self
    }

    /// As JSON; none: there is nothing to tell.
    pub(crate) fn detail(&self) -> Option<String> {
        (!self.detail.is_empty()).then(|| Json::Object(self.detail.clone()).to_string())
    }
}
