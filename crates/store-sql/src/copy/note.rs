//! What the target notes of a copy, so that it can be gone on with after any interruption.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::microsecond as timestamp;
use serde::{Deserialize, Serialize};

use super::end::{Broken, EndResult, Place};
use super::form::Part;
use crate::kept;

/// How far a copy is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// From where, for people: without a user's name and a password.
    pub(crate) from: String,
    #[serde(with = "timestamp::required")]
    pub(crate) begun_at: Timestamp,
    /// By the parts' names.
    parts: BTreeMap<String, Progress>,
}

/// How far it is with one part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Progress {
    rows: u64,
    after: Option<Place>,
}

impl Note {
    pub(crate) fn new(from: &str, now: Timestamp) -> Self {
        Self {
            from: from.to_owned(),
            begun_at: now,
            parts: BTreeMap::new(),
        }
    }

    /// Rows of a part that are there.
    pub(crate) fn rows(&self, part: &Part) -> u64 {
        self.parts.get(part.name).map_or(0, |progress| progress.rows)
    }

    /// Where reading goes on; none: at the beginning.
    pub(crate) fn after(&self, part: &Part) -> Option<&Place> {
        self.parts.get(part.name)?.after.as_ref()
    }

    /// So many more rows are there, up to this place.
    pub(crate) fn go_on(&mut self, part: &Part, rows: usize, last: Place) {
        let progress = self.parts.entry(part.name.to_owned()).or_default();
        progress.rows += rows as u64;
        progress.after = Some(last);
    }

    pub(crate) fn to_bytes(&self) -> EndResult<Vec<u8>> {
        kept::to_bytes(self, "copying").map_err(|_| Broken("how far the copy is cannot be written".to_owned()))
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> EndResult<Self> {
        let unreadable = |_| Broken("how far the copy is cannot be read: another version may have begun it".to_owned());
        kept::from_bytes(bytes, "copying").map_err(unreadable)
    }
}
