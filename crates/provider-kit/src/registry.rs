//! From a provider's name and a connection's configuration to a provider. Which vendors there are is said by the
//! crate `upsert-registry`, in one file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value as Json;
use url::Url;

use upsert_core::{Capabilities, Clock, CustomerReader, ProviderInfo, UpsertProvider};

use crate::http_provider::HttpProvider;
use crate::transport::Transport;
use crate::vendor::{Credentials, HttpVendor, SettingProblem, VendorSetup};

/// What a connection is built from.
#[derive(Debug)]
pub struct ConnectionSetup {
    /// Where the vendor is reached; none for the provider's default.
    pub base_url: Option<Url>,
    /// Secrets by name.
    pub credentials: Credentials,
    /// The provider's own settings.
    pub settings: Json,
    /// What sends; not asked for by providers that speak no HTTP.
    pub transport: Arc<dyn Transport>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Whether the trace context is passed on.
    pub send_traceparent: bool,
}

/// A provider for one connection, and its reader if it can read.
#[derive(Debug, Clone)]
pub struct Built {
    /// Creates and updates.
    pub provider: Arc<dyn UpsertProvider>,
    /// Reads back.
    pub reader: Option<Arc<dyn CustomerReader>>,
}

/// What a provider is, for people and programs.
#[derive(Debug, Clone)]
pub struct ProviderDescription {
    /// Its name in configuration.
    pub kind: &'static str,
    /// Its base URL unless a connection says otherwise.
    pub default_base_url: &'static str,
    /// What it can do under its default settings.
    pub capabilities: Capabilities,
}

type Maker = Arc<dyn Fn(ConnectionSetup) -> Result<Built, Vec<SettingProblem>> + Send + Sync>;

struct Entry {
    description: ProviderDescription,
    make: Maker,
}

/// The providers that this gateway knows, by name.
#[derive(Default, derive_more::Debug)]
#[debug("{:?}", entries.keys().collect::<BTreeSet<_>>())]
pub struct Registry {
    entries: BTreeMap<&'static str, Entry>,
}

impl Registry {
    /// Knows nobody yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an HTTP vendor.
    #[must_use]
    pub fn with<V: HttpVendor>(self) -> Self {
        let description = ProviderDescription {
            kind: V::KIND,
            default_base_url: V::DEFAULT_BASE_URL,
            capabilities: V::capabilities(&V::Settings::default()),
        };
        self.with_provider(description, make_http::<V>)
    }

    /// Adds a provider that brings its own way of talking to its vendor.
    #[must_use]
    pub fn with_provider(
        mut self,
        description: ProviderDescription,
        make: impl Fn(ConnectionSetup) -> Result<Built, Vec<SettingProblem>> + Send + Sync + 'static,
    ) -> Self {
        self.entries.insert(
            description.kind,
            Entry {
                description,
                make: Arc::new(make),
            },
        );
        self
    }

    /// Every provider, by name.
    pub fn describe(&self) -> impl Iterator<Item = &ProviderDescription> {
        self.entries.values().map(|entry| &entry.description)
    }

    /// One provider's description.
    pub fn description(&self, kind: &str) -> Option<&ProviderDescription> {
        self.entries.get(kind).map(|entry| &entry.description)
    }

    /// Builds a provider for one connection.
    ///
    /// # Errors
    /// Everything that is wrong with the connection's configuration; an unknown provider too.
    pub fn build(&self, kind: &str, setup: ConnectionSetup) -> Result<Built, Vec<SettingProblem>> {
        match self.entries.get(kind) {
            Some(entry) => (entry.make)(setup),
            None => {
                let known: Vec<&str> = self.entries.keys().copied().collect();
                let message = format!("is not a provider; known are: {}", known.join(", "));
                Err(vec![SettingProblem::new("provider", message)])
            }
        }
    }
}

fn make_http<V: HttpVendor>(setup: ConnectionSetup) -> Result<Built, Vec<SettingProblem>> {
    let problem = |path: &str, message: String| vec![SettingProblem::new(path, message)];
    let settings = if setup.settings.is_null() {
        Json::Object(serde_json::Map::new())
    } else {
        setup.settings
    };
    let settings: V::Settings =
        serde_json::from_value(settings).map_err(|error| problem("settings", error.to_string()))?;
    let base_url = match setup.base_url {
        Some(url) => url,
        None => Url::parse(V::DEFAULT_BASE_URL).map_err(|error| problem("base_url", error.to_string()))?,
    };
    let capabilities = V::capabilities(&settings);
    let unknown: Vec<SettingProblem> = setup
        .credentials
        .names()
        .filter(|name| !capabilities.credentials.contains(name))
        .map(|name| {
            let known = capabilities.credentials.join(", ");
            let message = format!("is not a credential of this provider; known are: {known}");
            SettingProblem::new(format!("credentials.{name}"), message)
        })
        .collect();
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let vendor = V::new(VendorSetup {
        settings,
        credentials: setup.credentials,
        base_url: base_url.clone(),
    })?;
    let can_read = vendor.reads().is_some();
    let info = ProviderInfo {
        kind: V::KIND,
        capabilities: Capabilities {
            can_read,
            ..capabilities
        },
    };
    let provider = Arc::new(HttpProvider::new(
        info,
        vendor,
        base_url,
        setup.transport,
        setup.clock,
        setup.send_traceparent,
    ));
    let reader = can_read.then(|| provider.clone() as Arc<dyn CustomerReader>);
    Ok(Built { provider, reader })
}
