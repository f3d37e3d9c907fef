//! `GET /v1/configuration`.

use jiff::Timestamp;
use serde::Deserialize;

/// The configuration in force.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct InForce {
    pub(crate) generation: u64,
    pub(crate) since: Timestamp,
    pub(crate) stale: bool,
    pub(crate) refused_at: Option<Timestamp>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) other_problems: u64,
    pub(crate) waits_for_restart: Vec<Change>,
    pub(crate) history: Vec<Generation>,
    pub(crate) configured: Vec<Line>,
}

/// One thing that is wrong in the files.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Problem {
    pub(crate) file: String,
    pub(crate) line: u64,
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// One configuration that was taken over.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Generation {
    #[serde(rename = "generation")]
    pub(crate) number: u64,
    pub(crate) at: Timestamp,
    pub(crate) changes: Vec<Change>,
    pub(crate) left_out: u64,
}

/// What it has otherwise.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Change {
    pub(crate) place: String,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
}

/// One thing that is configured.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Line {
    pub(crate) place: String,
    pub(crate) text: String,
}
