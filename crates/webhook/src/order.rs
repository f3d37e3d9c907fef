//! What events of one customer are put in order by: a time or a version.

use serde_json::Value as Json;

/// A time or a version, so spelled that the later of two of a kind is the greater text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order(String);

impl Order {
    /// RFC 3339 times (any offset), whole or decimal numbers (also as text).
    pub fn read(_value: &Json) -> Option<Self> {
        None
    }

    /// As it is kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What was kept.
    pub fn kept(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether `self` is older than `other`. A time and a version cannot be compared: neither is older.
    pub fn is_older_than(&self, other: &Self) -> bool {
        self.0.as_bytes().first() == other.0.as_bytes().first() && self.0 < other.0
    }
}
