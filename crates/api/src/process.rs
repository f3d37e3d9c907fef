//! The process itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The process lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Alive {
    /// `alive`.
    pub status: String,
}

/// Requests are welcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ready {
    /// `ready`.
    pub status: String,
    /// What is served.
    pub configuration: ReadyConfiguration,
    /// `reachable`.
    pub store: String,
    /// `done`.
    pub migrations: String,
    /// `on`: everything that is stored of persons is sealed; `partly`: what is newer than the first key is, and what is older is
    /// being sealed, or its remains in the file and the log are still to be cleared; `credentials`: only credentials of merchants in the store are, until the gateway is started anew; `off`:
    /// there is no key to seal with.
    pub encryption: String,
}

/// What was done to the keys that seal what is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeysRotated {
    /// The id of the key that wraps and seals: the first one.
    pub key: String,
    /// Data keys that another key had wrapped.
    pub wrapped_anew: usize,
    /// Merchants in the store whose credentials another key had sealed.
    pub merchants_sealed_anew: usize,
    /// Merchants in the store whose credentials another key still seals, since they could not be sealed anew: the log says why.
    /// Of each key the first 100.
    #[serde(default)]
    pub merchants_left: Vec<String>,
    /// Data keys that were made.
    pub new_data_keys: usize,
    /// Other keys that entries of the audit trail are keyed with. They have to stay configured, behind the first, as long as
    /// these entries are kept: without them nobody can tell whether they were changed.
    #[serde(default)]
    pub audit_keys: Vec<String>,
    /// As `/readyz` says it.
    pub encryption: String,
}

/// Which configuration is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadyConfiguration {
    /// Grows with each one taken over.
    pub generation: u64,
    /// How many are in files.
    pub merchants: usize,
    /// `taken_over`, or `refused`: the files say something that is wrong.
    pub last_reading: String,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Logs {
    /// In force: a level, or directives such as `info,upsert_app=debug`.
    pub filter: String,
    /// What the configuration, or whoever started the process, says.
    pub configured: String,
    /// When the configured one comes back; null: not by itself.
    pub until: Option<Timestamp>,
}

/// What is to be logged from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogsChange {
    /// A level, or directives such as `info,upsert_app=debug`.
    pub filter: String,
    /// From `1s` to `24h`, such as `15m`; after it the configured filter comes back. None: it does not by itself.
    #[serde(rename = "for")]
    #[schema(required = false)]
    pub length: Option<String>,
}
