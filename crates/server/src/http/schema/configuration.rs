//! The configuration in force.

use serde::Serialize;
use utoipa::ToSchema;

/// The configuration in force, and how it came to be.
#[derive(Debug, Serialize, ToSchema)]
pub struct Configuration {
    /// Grows with each one taken over, from 1.
    pub generation: u64,
    /// Since when it is in force.
    #[schema(format = DateTime)]
    pub since: String,
    /// Whether the last reading of the files was refused, so that this is an older configuration.
    pub stale: bool,
    /// When it was refused.
    #[schema(format = DateTime)]
    pub refused_at: Option<String>,
    /// Why it was refused, in files that the key may see.
    pub problems: Vec<ConfigurationProblem>,
    /// Problems in files that it may not.
    pub other_problems: u64,
    /// What takes effect with the next start.
    pub waits_for_restart: Vec<ConfigurationChange>,
    /// The last 50 generations since the start, the newest first.
    pub history: Vec<ConfigurationGeneration>,
    /// What is configured for the merchant in `Merchant-Id`; without one what is the gateway's own, to a key for all
    /// merchants.
    pub configured: Vec<ConfigurationLine>,
}

/// One thing that is wrong in the files.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConfigurationProblem {
    /// The file.
    pub file: String,
    /// The line, from 1; 0: none.
    pub line: u64,
    /// The column, from 1; 0: none.
    pub column: u64,
    /// The member, such as `connections[2].timeout`.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
}

/// One configuration that was taken over.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConfigurationGeneration {
    /// Its number.
    pub generation: u64,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// What it has otherwise than the one before.
    pub changes: Vec<ConfigurationChange>,
    /// Changes beyond the 500 that are told, of all merchants.
    pub left_out: u64,
}

/// What one configuration has otherwise.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConfigurationChange {
    /// Such as `merchants/acme: connections.rotor.timeout`.
    pub place: String,
    /// What was configured; null: it was not there.
    pub from: Option<String>,
    /// What is configured; null: it is gone.
    pub to: Option<String>,
}

/// One thing that is configured.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConfigurationLine {
    /// Such as `merchants/acme: connections.rotor.timeout`.
    pub place: String,
    /// As people read it; a secret is where it is kept.
    pub text: String,
}
