//! What a connection may set.

use serde::Deserialize;

use upsert_provider_kit::ClearWith;

/// `settings` of an April connection.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AprilSettings {
    /// The merchant at April, sent as `Merchant-Id` whenever it is set `[S4]`; the answer has to name the same one.
    /// Required with a marketplace key, which implies no merchant `[D]`.
    pub merchant_id: Option<String>,
    /// Asks for phone and family name of a person, as the API before this one did `[L]`. On.
    pub strict: bool,
    /// What is said of a customer whose `verified` nobody set. Unless set nothing is said: false would un-verify.
    pub default_verified: Option<bool>,
    /// The wrapper of an organisation's request: an assumption `[A]`. `UpsertOrganisationCustomer`.
    pub organisation_wrapper: String,
    /// How a field is cleared. Unless set nothing is cleared: no page of April's says that it can be `[A]`.
    pub clear_with: Option<ClearWith>,
}

impl Default for AprilSettings {
    fn default() -> Self {
        Self {
            merchant_id: None,
            strict: true,
            default_verified: None,
            organisation_wrapper: "UpsertOrganisationCustomer".to_owned(),
            clear_with: None,
        }
    }
}
