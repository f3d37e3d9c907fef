//! What the dashboard is given by the server, and whom it lets in.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use upsert_app::{Caller, Gateway};
use upsert_settings::{Reach, Scope};

use crate::pages::MOST_LIVE;
use crate::pulse::Pulse;
use crate::sessions::Sessions;

/// Somebody who has signed in: a key, as it is configured now.
#[derive(Clone)]
pub struct Visitor {
    /// SHA-256 of the key.
    pub key_hash: [u8; 32],
    /// The key's name.
    pub name: String,
    /// The merchants that it may speak for.
    pub reach: Reach,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

impl fmt::Debug for Visitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Visitor({})", self.name)
    }
}

impl Visitor {
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
pub enum Closed {
    /// Nobody knows it.
    Unknown,
    /// It is one of ours, with a letter wrong or missing.
    Mistyped,
    /// It calls more often than it may.
    TooOften,
}

/// The API keys of the configuration in force.
pub trait Doors: fmt::Debug + Send + Sync + 'static {
    /// Whose key this is.
    ///
    /// # Errors
    /// See [`Closed`].
    fn open(&self, key: &str) -> Result<Visitor, Closed>;

    /// The key with this hash, as it is configured now; none: it is configured no more.
    fn still_open(&self, key_hash: &[u8; 32]) -> Option<Visitor>;
}

/// The configuration in force, and how it came to be.
pub trait Configuration: fmt::Debug + Send + Sync + 'static {
    /// As `GET /v1/configuration` answers somebody who sees these merchants (none: all, and what is the gateway's own), with
    /// what is configured for `merchant`, or with the gateway's own.
    fn json(&self, merchants: Option<&BTreeSet<String>>, merchant: Option<&str>) -> Json;

    /// With how many problems the last reading of the files was refused; none: it was taken over.
    fn refused_with(&self) -> Option<usize>;
}

/// What the dashboard is made of.
#[derive(Debug)]
pub struct DeskParts {
    /// The use cases.
    pub gateway: Gateway,
    /// Who may come in.
    pub doors: Arc<dyn Doors>,
    /// What is configured.
    pub configuration: Arc<dyn Configuration>,
    /// So long a form may take to arrive.
    pub form_timeout: Duration,
    /// Cancelled when the server stops: pages that are kept up to date end then.
    pub stopping: CancellationToken,
}

/// Everything that a page needs, shared by all workers.
#[derive(Debug)]
pub struct Desk {
    pub(crate) gateway: Gateway,
    pub(crate) doors: Arc<dyn Doors>,
    pub(crate) configuration: Arc<dyn Configuration>,
    pub(crate) sessions: Sessions,
    pub(crate) pulse: Pulse,
    /// One for each page that is kept up to date.
    pub(crate) live_places: Arc<Semaphore>,
    pub(crate) form_timeout: Duration,
    pub(crate) stopping: CancellationToken,
}

impl Desk {
    /// A dashboard over these parts. [`Desk::observe`] has to run beside it.
    pub fn new(parts: DeskParts) -> Self {
        Self {
            sessions: Sessions::new(parts.gateway.clock().clone()),
            pulse: Pulse::new(),
            live_places: Arc::new(Semaphore::new(MOST_LIVE)),
            gateway: parts.gateway,
            doors: parts.doors,
            configuration: parts.configuration,
            form_timeout: parts.form_timeout,
            stopping: parts.stopping,
        }
    }

    /// Watches the gateway for as long as the server runs: what the charts show of the last hour.
    pub async fn observe(&self) {
        self.pulse.run(&self.gateway, &self.stopping).await;
    }
}
