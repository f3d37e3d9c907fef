//! What was changed of rows on their way in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Of one row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    /// Cells that lost a spreadsheet's guard.
    pub(crate) guards: u64,
    /// Codes of members that were left out.
    pub(crate) ignored: Vec<String>,
}

/// Of all rows so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Changes {
    /// Cells that lost a spreadsheet's guard.
    pub(crate) guards_taken_off: u64,
    /// Members that were left out, by code.
    pub(crate) ignored: BTreeMap<String, u64>,
}

impl Changes {
    pub(crate) fn note(&mut self, row: &Changed) {
        self.guards_taken_off += row.guards;
        row.ignored.iter().for_each(|code| self.leave_out(code));
    }

    /// A member with this code.
    pub(crate) fn leave_out(&mut self, code: &str) {
        *self.ignored.entry(code.to_owned()).or_default() += 1;
    }
}
