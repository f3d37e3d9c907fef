//! What a connection may set.

use serde::Deserialize;

use upsert_provider_kit::ClearWith;

/// The versions that the docs allow: this one alone. They call the header required, though the samples leave it out
/// `[S0]`.
const API_VERSION: &str = "1.1.0";

/// The `settings` of a Rotor connection.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RotorSettings {
    /// How to clear a field. No page says that Rotor can, so by default nothing is cleared and the delivery warns.
    pub clear_with: Option<ClearWith>,
    /// How phone numbers are written. Rotor's pages are silent, and it may match by the very text: change it only
    /// before the first delivery.
    pub phone_format: PhoneFormat,
    /// Sent as `rotor-api-version`.
    pub api_version: String,
}

impl Default for RotorSettings {
    fn default() -> Self {
        Self {
            clear_with: None,
            phone_format: PhoneFormat::default(),
            api_version: API_VERSION.to_owned(),
        }
    }
}

/// How phone numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhoneFormat {
    /// `+12025550123`.
    #[default]
    E164,
    /// `(202) 555-0123`: the country's own notation, without its code.
    National,
}
