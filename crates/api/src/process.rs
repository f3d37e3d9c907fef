//! The process itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use utoipa::ToSchema;
use utoipa::openapi::{Object, ObjectBuilder, Type};

/// The process lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Alive {
    /// `alive`.
    #[schema(schema_with = alive)]
    pub status: String,
}

/// Requests are welcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ready {
    /// `ready`.
    #[schema(schema_with = ready)]
    pub status: String,
    /// What is served.
    pub configuration: ReadyConfiguration,
    /// `reachable`.
    #[schema(schema_with = reachable)]
    pub store: String,
    /// `done`.
    #[schema(schema_with = done)]
    pub migrations: String,
    /// How much is sealed of what is stored.
    pub encryption: Encryption,
}

/// How much is sealed of what is stored of persons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Encryption {
    /// Everything.
    On,
    /// What is newer than the first key; what is older is being sealed, or its remains in the file and its log are still to be
    /// cleared.
    Partly,
    /// Credentials of merchants in the store alone, until the gateway is started anew.
    Credentials,
    /// There is no key to seal with.
    Off,
}

/// What came of reading the files of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum LastReading {
    /// They are in force.
    TakenOver,
    /// They say something that is wrong: what was in force before stays.
    Refused,
}

fn alive() -> Object {
    only("alive")
}

fn ready() -> Object {
    only("ready")
}

fn reachable() -> Object {
    only("reachable")
}

fn done() -> Object {
    only("done")
}

/// One word: where it would be another one, the answer is another one.
fn only(word: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(format!("`{word}`.")))
        .enum_values(Some([word]))
        .build()
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
    pub encryption: Encryption,
}

/// Which configuration is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadyConfiguration {
    /// Grows with each one taken over.
    pub generation: u64,
    /// How many are in files.
    pub merchants: usize,
    /// What came of reading the files last.
    pub last_reading: LastReading,
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
#[serde(deny_unknown_fields)]
pub struct LogsChange {
    /// A level, or directives such as `info,upsert_app=debug`.
    pub filter: String,
    /// From `1s` to `24h`, such as `15m`; after it the configured filter comes back. None: it does not by itself.
    #[serde(rename = "for")]
    #[schema(required = false)]
    pub length: Option<String>,
}
