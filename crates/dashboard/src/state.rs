//! What the dashboard is given by the server, and whom it lets in.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use tokio_util::sync::CancellationToken;

use upsert_app::{Caller, ConfigurationRefused, Gateway};
use upsert_settings::{Reach, Scope};

use crate::auth::lookups::Lookups;
use crate::live::places::LivePlaces;
use crate::live::snapshots::SnapshotCache;

/// Somebody who has signed in: a key, as it is configured now.
#[derive(Clone)]
pub struct Principal {
    /// SHA-256 of the key.
    pub key_hash: [u8; 32],
    /// The key's name.
    pub name: String,
    /// The merchants that it may speak for.
    pub reach: Reach,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Principal({})", self.name)
    }
}

impl Principal {
    /// Whether its key has this scope.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Whether the merchant exists for it.
    pub fn covers(&self, merchant: &str) -> bool {
        self.reach.covers(merchant)
    }

    /// The merchants whose things it may see; none: all.
    pub(crate) fn in_sight(&self) -> Option<BTreeSet<String>> {
        match &self.reach {
            Reach::All => None,
            Reach::Merchants(merchants) => Some(merchants.iter().cloned().collect()),
        }
    }

    /// As the history and the log name it.
    pub(crate) fn caller(&self) -> Caller {
        Caller {
            name: self.name.clone(),
        }
    }
}

/// Why a key does not open the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthError {
    /// Nobody knows it.
    Unknown,
    /// It is one of ours, with a letter wrong or missing.
    Mistyped,
    /// It was valid until lately.
    Expired,
    /// It calls more often than it may.
    TooOften,
}

/// The API keys of the configuration in force.
pub trait KeyStore: fmt::Debug + Send + Sync + 'static {
    /// Whose key this is. This request, which brought it, counts against the key's limit.
    ///
    /// # Errors
    /// See [`AuthError`].
    fn open(&self, request: &HttpRequest, key: &str) -> Result<Principal, AuthError>;

    /// The key with this hash, as it is configured now; none: it is configured no more.
    fn still_open(&self, key_hash: &[u8; 32]) -> Option<Principal>;

    /// This request is made by somebody whom the key with this hash let in. `is_call`: it counts against the key's limit.
    ///
    /// # Errors
    /// The key calls more often than it may: seconds until it may again.
    fn count(&self, request: &HttpRequest, key_hash: &[u8; 32], is_call: bool) -> Result<(), u64>;
}

/// The configuration in force, and how it came to be.
pub trait Configuration: fmt::Debug + Send + Sync + 'static {
    /// As `GET /v1/configuration` answers somebody who sees these merchants (none: all, and what is the gateway's own), with
    /// what is configured for `merchant`, or with the gateway's own.
    fn shown(&self, merchants: Option<&BTreeSet<String>>, merchant: Option<&str>) -> upsert_api::Configuration;

    /// The last reading of the files, if it was refused.
    fn refused(&self) -> Option<ConfigurationRefused>;
}

/// What the dashboard is made of.
#[derive(Debug)]
pub struct DashboardParts {
    /// The use cases.
    pub gateway: Gateway,
    /// Who may come in.
    pub keys: Arc<dyn KeyStore>,
    /// What is configured.
    pub configuration: Arc<dyn Configuration>,
    /// So long a form may take to arrive.
    pub form_timeout: Duration,
    /// Cancelled when the server stops: pages that are kept up to date end then.
    pub stopping: CancellationToken,
}

/// Everything that a page needs, shared by all workers.
#[derive(Debug)]
pub struct Dashboard {
    pub(crate) parts: DashboardParts,
    pub(crate) snapshots: SnapshotCache,
    /// One for each page that is kept up to date.
    pub(crate) live_places: Arc<LivePlaces>,
    /// Whose session a cookie is of.
    pub(crate) lookups: Lookups,
}

impl Dashboard {
    /// A dashboard over these parts. [`Dashboard::observe`] has to run beside it.
    pub fn new(parts: DashboardParts) -> Self {
        Self {
            snapshots: SnapshotCache::new(),
            live_places: Arc::default(),
            lookups: Lookups::default(),
            parts,
        }
    }

    /// Watches the gateway for as long as the server runs: what the charts show of the last hour.
    pub async fn observe(&self) {
        self.snapshots.run(&self.parts.gateway, &self.parts.stopping).await;
    }
}
