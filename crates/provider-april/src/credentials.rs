//! The key: what its prefix tells, whether it fits the host, and the headers that come of it.

use http::{HeaderMap, HeaderValue, header};
use secrecy::ExposeSecret as _;

use upsert_provider_kit::{SettingProblem, VendorSetup, secret_header};

use crate::settings::AprilSettings;

/// Name of the one credential.
pub(crate) const SECRET_KEY: &str = "secret_key";

/// April's two known hosts, and how the keys of the other one start `[D]`.
const HOSTS: [(&str, &str); 2] = [
    ("api.sandbox.au.meetapril.io", "live_"),
    ("api.au.meetapril.io", "sandbox_"),
];

/// What a key is for, told by its prefix `[D]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyUse {
    /// `sandbox_api_`, `live_api_`: acts for any merchant of a marketplace, and may list customers.
    Marketplace,
    /// `sandbox_sk_`, `live_sk_`, and what has no known prefix (tokens): acts for one merchant.
    Merchant,
    /// `sandbox_pk_`, `live_pk_`: for browsers; it may not upsert.
    Public,
}

impl KeyUse {
    fn of(key: &str) -> Self {
        let Some(rest) = key.strip_prefix("sandbox_").or_else(|| key.strip_prefix("live_")) else {
            return Self::Merchant;
        };
        if rest.starts_with("pk_") {
            Self::Public
        } else if rest.starts_with("api_") {
            Self::Marketplace
        } else {
            Self::Merchant
        }
    }
}

/// Checks key and settings against each other and against the host.
pub(crate) fn check(setup: &VendorSetup<AprilSettings>) -> Result<(HeaderMap, KeyUse), Vec<SettingProblem>> {
    let mut problems = Vec::new();
    let mut headers = HeaderMap::new();
    let mut key_use = None;
    match setup.credentials.require(SECRET_KEY) {
        Err(missing) => problems.push(missing),
        Ok(key) => match bearer(key.expose_secret(), setup.base_url.host_str()) {
            Err(message) => problems.push(SettingProblem::new("credentials.secret_key", message)),
            Ok(value) => {
                headers.insert(header::AUTHORIZATION, value);
                key_use = Some(KeyUse::of(key.expose_secret()));
            }
        },
    }
    match setup.settings.merchant_id.as_deref() {
        Some(id) => match HeaderValue::from_str(id) {
            Ok(value) if !id.trim().is_empty() => drop(headers.insert("merchant-id", value)),
            _ => problems.push(SettingProblem::new(
                "settings.merchant_id",
                "is empty or holds characters that no header can carry",
            )),
        },
        None if key_use == Some(KeyUse::Marketplace) => {
            problems.push(SettingProblem::new(
                "settings.merchant_id",
                "is required with a marketplace key",
            ));
        }
        None => {}
    }
    if setup.settings.organisation_wrapper.trim().is_empty() {
        problems.push(SettingProblem::new("settings.organisation_wrapper", "is empty"));
    }
    match key_use {
        Some(key_use) if problems.is_empty() => Ok((headers, key_use)),
        _ => Err(problems),
    }
}

fn bearer(key: &str, host: Option<&str>) -> Result<HeaderValue, &'static str> {
    if key.trim().is_empty() {
        return Err("is empty");
    }
    if KeyUse::of(key) == KeyUse::Public {
        return Err("is a public key; April takes a merchant's secret key or a marketplace key here");
    }
    let known = HOSTS.iter().find(|(known, _)| host == Some(*known));
    if known.is_some_and(|(_, foreign)| key.starts_with(foreign)) {
        return Err("is a key of April's other environment than base_url's (sandbox or live)");
    }
    secret_header(&format!("Bearer {key}"))
}
