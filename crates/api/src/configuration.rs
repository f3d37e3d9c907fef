//! The configuration in force.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The configuration in force, and how it came to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = EffectiveConfiguration)]
pub struct Configuration {
    /// Grows with each one taken over, from 1.
    pub generation: u64,
    /// Since when it is in force.
    pub since: Timestamp,
    /// Whether the last reading of the files was refused, so that this is an older configuration.
    pub stale: bool,
    /// When it was refused.
    pub refused_at: Option<Timestamp>,
    /// Why it was refused, in files that the key may see.
    pub problems: Vec<ConfigurationProblem>,
    /// Problems in files that it may not.
    pub other_problems: usize,
    /// What takes effect with the next start.
    pub waits_for_restart: Vec<ConfigurationChange>,
    /// The last 50 generations since the start, the newest first.
    pub history: Vec<ConfigurationGeneration>,
    /// What is configured for the merchant in `Merchant-Id`; without one what is the gateway's own, to a key for all
    /// merchants.
    pub configured: Vec<ConfigurationLine>,
}

/// One thing that is wrong in the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigurationProblem {
    /// The file.
    pub file: String,
    /// The line, from 1; 0: none.
    pub line: usize,
    /// The column, from 1; 0: none.
    pub column: usize,
    /// The member, such as `connections[2].timeout`.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
}

/// One configuration that was taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigurationGeneration {
    /// Its number.
    pub generation: u64,
    /// When.
    pub at: Timestamp,
    /// What it has otherwise than the one before.
    pub changes: Vec<ConfigurationChange>,
    /// Changes beyond the 500 that are told, of all merchants.
    pub left_out: usize,
}

/// What one configuration has otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigurationChange {
    /// Such as `merchants/acme: connections.crm.timeout`.
    pub place: String,
    /// What was configured; null: it was not there.
    pub from: Option<String>,
    /// What is configured; null: it is gone.
    pub to: Option<String>,
}

/// One thing that is configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigurationLine {
    /// Such as `merchants/acme: connections.crm.timeout`.
    pub place: String,
    /// As people read it; a secret is where it is kept.
    pub text: String,
}
