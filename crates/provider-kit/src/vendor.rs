//! The trait that an adapter for an HTTP vendor implements: pure, so that dry runs, golden tests and benchmarks need
//! no network.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use http::{HeaderMap, HeaderValue};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use url::Url;

use upsert_core::{
    Capabilities, ListQuery, PreparedUpsert, Problem, ProviderError, ReadCustomer, ReadPage, UpsertReceipt,
    UpsertRequest, Violation, WireRequest,
};

use crate::reply::WireReply;

/// One vendor's words, both ways, without IO.
pub trait HttpVendor: fmt::Debug + Send + Sync + Sized + 'static {
    /// The provider's name in configuration.
    const KIND: &'static str;

    /// Where the vendor is reached unless a connection says otherwise, path prefix included.
    const DEFAULT_BASE_URL: &'static str;

    /// The path below the base URL that every write goes to, as spans show it; none where it depends on what is written.
    const UPSERT_PATH: Option<&'static str> = None;

    /// The `settings` of a connection. Unknown members have to be refused (`deny_unknown_fields`).
    type Settings: DeserializeOwned + Default;

    /// What it can do under these settings.
    fn capabilities(settings: &Self::Settings) -> Capabilities;

    /// Takes a connection's settings and credentials.
    ///
    /// # Errors
    /// Everything that is wrong with them, by configuration path.
    fn new(setup: VendorSetup<Self::Settings>) -> Result<Self, Vec<SettingProblem>>;

    /// Adds credentials and the vendor's fixed headers. They never show in a plan.
    fn authorise(&self, headers: &mut HeaderMap);

    /// Works out the request.
    ///
    /// # Errors
    /// What this vendor asks for and the customer does not have.
    fn encode(&self, request: &UpsertRequest<'_>) -> Result<PreparedUpsert, Vec<Violation>>;

    /// Reads the answer. Called for every status.
    ///
    /// # Errors
    /// What the answer means, if it is not an acceptance.
    fn decode(&self, prepared: &PreparedUpsert, reply: &WireReply) -> Result<UpsertReceipt, ProviderError>;

    /// A vendor's id of a record in the one form that ids are compared and kept in: see
    /// [`upsert_core::UpsertProvider::canonical_id`].
    fn canonical_id(&self, id: &str) -> String {
        id.to_owned()
    }

    /// How to read back, for vendors that can under the present settings and credentials.
    fn reads(&self) -> Option<&dyn HttpReads> {
        None
    }
}

/// Reading back, without IO.
pub trait HttpReads: Send + Sync {
    /// Checks whether the vendor knows these filters.
    ///
    /// # Errors
    /// Each filter that it does not know; the pointer is the query parameter's name (no slash).
    fn check(&self, query: &ListQuery) -> Result<(), Vec<Problem>>;

    /// The request for one page; `query.cursor` is what [`HttpReads::decode_list`] gave as `next`.
    fn list_request(&self, query: &ListQuery) -> WireRequest;

    /// Reads one page.
    ///
    /// # Errors
    /// What the answer means otherwise.
    fn decode_list(&self, query: &ListQuery, reply: &WireReply) -> Result<ReadPage, ProviderError>;

    /// The request for one record.
    fn read_request(&self, provider_customer_id: &str) -> WireRequest;

    /// Reads one record; none where the vendor does not know the id.
    ///
    /// # Errors
    /// What the answer means otherwise.
    fn decode_read(&self, reply: &WireReply) -> Result<Option<ReadCustomer>, ProviderError>;
}

/// What a connection is made of.
#[derive(Debug)]
pub struct VendorSetup<S> {
    /// The provider's own settings.
    pub settings: S,
    /// Secrets by name.
    pub credentials: Credentials,
    /// Where the vendor is reached.
    pub base_url: Url,
}

/// Secrets by name. Its `Debug` shows the names alone.
#[derive(Clone, Default, derive_more::Debug)]
#[debug("{:?}", _0.keys().collect::<BTreeSet<_>>())]
pub struct Credentials(BTreeMap<String, SecretString>);

impl Credentials {
    /// Of these secrets.
    pub fn new(secrets: BTreeMap<String, SecretString>) -> Self {
        Self(secrets)
    }

    /// The names that are there.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The secret of this name.
    ///
    /// # Errors
    /// A problem that names the missing member.
    pub fn require(&self, name: &str) -> Result<SecretString, SettingProblem> {
        let missing = || SettingProblem::new(format!("credentials.{name}"), "is required by this provider");
        self.0.get(name).cloned().ok_or_else(missing)
    }
}

/// Something wrong with a connection's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingProblem {
    /// Path within the connection, such as `settings.merchant_id`.
    pub path: String,
    /// A sentence for people; it repeats no secret.
    pub message: String,
}

impl SettingProblem {
    /// Of the member at this path.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

/// A header that holds a secret and never shows it.
///
/// # Errors
/// What is wrong with the secret, in words that do not repeat it.
pub fn secret_header(text: &str) -> Result<HeaderValue, &'static str> {
    let mut value = HeaderValue::from_str(text).map_err(|_| "holds characters that no header can carry")?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_secret_is_found_by_its_name_and_one_that_is_missing_is_named() {
        let credentials = Credentials::new(BTreeMap::from([("api_key".to_owned(), "k-1".into())]));
        assert_eq!(credentials.names().collect::<Vec<_>>(), ["api_key"]);
        assert_eq!(credentials.require("api_key").unwrap().expose_secret(), "k-1");
        let problem = SettingProblem {
            path: "credentials.token".to_owned(),
            message: "is required by this provider".to_owned(),
        };
        assert_eq!(credentials.require("token").unwrap_err(), problem);
    }
}
