//! What a connection may set, and the headers that come of it.

use http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use upsert_provider_kit::{ClearWith, SettingProblem, VendorSetup, secret_header};

/// Name of the one credential.
pub(crate) const API_KEY: &str = "api_key";

/// `settings` of an add-update connection.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AddUpdateSettings {
    /// Required: the merchant at the vendor, sent as `x-merchant-id` `[S3]`.
    pub merchant_id: String,
    /// Where the key goes.
    pub auth: Auth,
    /// How a field is cleared. Unless set nothing is cleared: no page of the vendor says that it can be `[A]`.
    pub clear_with: Option<ClearWith>,
    /// Sends an organisation's name as `firstName`. Off: the vendor has persons only, and an organisation is refused.
    pub organisation_as_first_name: bool,
}

/// Where the key goes: the reference and the guides contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// `x-api-key`, as the reference has it `[S3]`.
    #[default]
    XApiKey,
    /// `Authorization: Bearer`, as the guides' prose has it `[D]`.
    Bearer,
    /// Both at once.
    Both,
}

/// The headers of every request.
pub(crate) fn headers(setup: &VendorSetup<AddUpdateSettings>) -> Result<HeaderMap, Vec<SettingProblem>> {
    let merchant_id = merchant_header(&setup.settings.merchant_id);
    let key = setup
        .credentials
        .require(API_KEY)
        .and_then(|key| key_headers(&key, setup.settings.auth));
    match (merchant_id, key) {
        (Ok(merchant_id), Ok(mut headers)) => {
            headers.insert("x-merchant-id", merchant_id);
            Ok(headers)
        }
        (merchant_id, key) => Err(merchant_id.err().into_iter().chain(key.err()).collect()),
    }
}

fn merchant_header(merchant_id: &str) -> Result<HeaderValue, SettingProblem> {
    let path = "settings.merchant_id";
    if merchant_id.trim().is_empty() {
        return Err(SettingProblem::new(
            path,
            "is required: the vendor's id of the merchant",
        ));
    }
    HeaderValue::from_str(merchant_id)
        .map_err(|_| SettingProblem::new(path, "holds characters that no header can carry"))
}

fn key_headers(key: &SecretString, auth: Auth) -> Result<HeaderMap, SettingProblem> {
    let path = "credentials.api_key";
    let key = key.expose_secret();
    if key.trim().is_empty() {
        return Err(SettingProblem::new(path, "is empty"));
    }
    let secret = |text: &str| secret_header(text).map_err(|message| SettingProblem::new(path, message));
    let mut headers = HeaderMap::new();
    if matches!(auth, Auth::XApiKey | Auth::Both) {
        headers.insert("x-api-key", secret(key)?);
    }
    if matches!(auth, Auth::Bearer | Auth::Both) {
        headers.insert(header::AUTHORIZATION, secret(&format!("Bearer {key}"))?);
    }
    Ok(headers)
}
