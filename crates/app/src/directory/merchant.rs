//! Merchants and their connections as requests see them: one unchanging snapshot.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value as Json;

use upsert_api::ConnectionState;
use upsert_core::{
    Canonical, CustomerReader, EventKind, Field, Handling, Held, Identifier, IdentifierKind, NeverMatch, OnCollision,
    OnKeyChange, Payload, Priority, Problem, ProviderError, Repeat, Terms, UpsertProvider, VendorBlocks, When,
    canonicalise,
};

use crate::directory::stored::StoredMerchants;
use crate::directory::webhooks::{Endpoint, Source};
use crate::problem::Refusal;

/// All merchants, by id: those in files, and those in the store as far as they were needed. A file wins over the store.
#[derive(Debug, Default)]
pub struct Directory {
    merchants: HashMap<String, Arc<Merchant>>,
    stored: Arc<StoredMerchants>,
}

impl Directory {
    /// Of these merchants, and none in the store.
    pub fn new(merchants: impl IntoIterator<Item = Merchant>) -> Self {
        Self::beside(merchants, Arc::default())
    }

    /// Of these merchants in files beside those in the store, which outlive a change of the files.
    pub fn beside(merchants: impl IntoIterator<Item = Merchant>, stored: Arc<StoredMerchants>) -> Self {
        let merchants = merchants.into_iter();
        let merchants = merchants.map(|merchant| (merchant.id.clone(), Arc::new(merchant)));
        Self {
            merchants: merchants.collect(),
            stored,
        }
    }

    /// One merchant. One in the store is known once it was loaded.
    pub fn get(&self, id: &str) -> Option<Arc<Merchant>> {
        self.merchants.get(id).cloned().or_else(|| self.stored.get(id))
    }

    /// Whether a file has it.
    pub fn is_in_file(&self, id: &str) -> bool {
        self.merchants.contains_key(id)
    }

    /// How many files have.
    pub fn in_files(&self) -> usize {
        self.merchants.len()
    }

    /// A merchant's connection, where both are configured.
    pub(crate) fn connection(&self, merchant: &str, name: &str) -> Option<Arc<Connection>> {
        self.get(merchant)?.connection(name).cloned()
    }

    /// All of them, in no order; of those in the store the ones that were loaded.
    pub fn iter(&self) -> impl Iterator<Item = Arc<Merchant>> {
        let stored = self.stored.loaded().into_iter();
        let stored = stored.filter(|merchant| !self.is_in_file(&merchant.id));
        self.merchants.values().cloned().chain(stored)
    }

    /// Those in the store.
    pub fn stored(&self) -> &Arc<StoredMerchants> {
        &self.stored
    }
}

/// The tenant on whose behalf a customer is upserted.
#[derive(Debug)]
pub struct Merchant {
    /// Its id.
    pub id: String,
    /// ISO 3166-1 alpha-2: how phone numbers without a country code are read.
    pub default_region: Option<String>,
    /// By what customers without a reference are recognised, in order.
    pub match_on: Vec<IdentifierKind>,
    /// Values that recognise nobody.
    pub never_match: Arc<NeverMatch>,
    /// How long a request waits for required connections.
    pub sync_deadline: Duration,
    /// Its accounts at vendors, in the configuration's order.
    pub connections: Vec<Arc<Connection>>,
    /// The first that holds picks the connections; without any, all of them.
    pub routes: Vec<Route>,
    /// Where events come from.
    pub sources: Vec<Arc<Source>>,
    /// Who is told of what happened.
    pub endpoints: Vec<Arc<Endpoint>>,
}

impl Merchant {
    /// The connection of this name.
    pub fn connection(&self, name: &str) -> Option<&Arc<Connection>> {
        self.connections.iter().find(|connection| connection.name == name)
    }

    /// The source of this name.
    pub fn source(&self, name: &str) -> Option<&Arc<Source>> {
        self.sources.iter().find(|source| source.name == name)
    }

    /// The endpoint of this name.
    pub fn endpoint(&self, name: &str) -> Option<&Arc<Endpoint>> {
        self.endpoints.iter().find(|endpoint| endpoint.name == name)
    }

    /// Whether this value recognises a customer. It is asked wherever one is looked for or held against another: what is
    /// kept of customers stays as it is whatever the configuration lists.
    pub(crate) fn is_identified_by(&self, identifier: &Identifier) -> bool {
        self.never_match.unfit(identifier.kind, &identifier.value).is_none()
    }

    /// Step 4: what a body asks for, in this merchant's terms.
    ///
    /// # Errors
    /// Every problem that the body has.
    pub(crate) fn canonicalise(&self, body: &Json, handling: Handling) -> Result<Canonical, Vec<Problem>> {
        let needed: BTreeSet<Field> = self.routes.iter().flat_map(|route| route.when.fields()).collect();
        let terms = Terms {
            region: self.default_region.as_deref(),
            handling,
            needed: &needed,
            match_on: &self.match_on,
            never_match: &self.never_match,
        };
        let mut canonical = canonicalise(body, &terms)?;
        // Vendors' ids are compared and kept in one form, however they were written.
        for (name, record) in &mut canonical.patch.links {
            if let Some(connection) = self.connection(name) {
                *record = connection.adapter.canonical_id(record);
            }
        }
        Ok(canonical)
    }

    /// Has whatever of it is not in what has taken its place (none: it is gone) send nothing more.
    pub(crate) fn retire(&self, after: Option<&Self>) {
        let is_kept = |connection: &Connection| {
            let named_alike = after.and_then(|after| after.connection(&connection.name));
            named_alike.is_some_and(|kept| kept.is_the_same(connection))
        };
        let gone = self.connections.iter().filter(|connection| !is_kept(connection));
        gone.for_each(|connection| connection.status.retire());
    }

    /// Whether the vendor of this connection sends events that come in.
    pub(crate) fn hears_of(&self, connection: &str) -> bool {
        let is_its = |source: &Arc<Source>| source.connection.as_deref() == Some(connection);
        self.sources.iter().any(is_its)
    }

    /// Whether anybody is told of what happens of this kind.
    pub(crate) fn tells(&self, kind: EventKind) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.events.contains(&kind))
    }
}

/// One merchant's account at one vendor, ready to call.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Unique in the merchant.
    pub name: String,
    /// The provider's name.
    pub provider: String,
    /// Whether an upsert fails with it.
    pub required: bool,
    /// What is sent when something has changed.
    pub payload: Payload,
    /// See [`OnCollision`].
    pub on_collision: OnCollision,
    /// See [`OnKeyChange`].
    pub on_key_change: OnKeyChange,
    /// The merchant's values that recognise nobody: a vendor that matches by such a field does not get them.
    pub never_match: Arc<NeverMatch>,
    /// How long an attempt may take.
    pub timeout: Duration,
    /// How long a delivery is tried, not counting pauses and quotas.
    pub max_age: Duration,
    /// Whether calls are counted by day.
    pub counts_calls: bool,
    /// The provider under its policies.
    pub adapter: Arc<dyn UpsertProvider>,
    /// Its reader under the same policies, if it can read.
    pub reader: Option<Arc<dyn CustomerReader>>,
    /// Whether to try again.
    pub retry: Arc<dyn RetryRule>,
    /// How it is doing.
    pub status: Arc<dyn ConnectionStatus>,
    /// Changes whenever credentials or configuration do: lifts a pause by the vendor.
    pub fingerprint: String,
}

impl Connection {
    /// Whether both are one, under the same policies: a connection that says the same after a reload is taken over.
    fn is_the_same(&self, other: &Self) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.status), Arc::as_ptr(&other.status))
    }
}

/// What to do after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// Again after this long.
    Again(Duration),
    /// Not until the connection is free again.
    Hold(Held),
    /// Never.
    Fail,
}

/// The retry rule of one connection, as a port: the rule itself is a pure function in `upsert-policy`.
pub trait RetryRule: Debug + Send + Sync + 'static {
    /// `attempts`: calls that were sent so far. `time_left`: until the delivery's `max_age`.
    fn next(&self, error: &ProviderError, attempts: u32, repeat: Repeat, time_left: Duration) -> NextStep;
}

/// How a connection is doing, for operators.
pub trait ConnectionStatus: Debug + Send + Sync + 'static {
    /// Breaker, limits, quota, health.
    fn snapshot(&self) -> upsert_api::ConnectionStatus;

    /// In one word; a pause is not known here.
    fn state(&self) -> ConnectionState;

    /// How many calls could go out now. None may be free for the moment, and a call may wait a little for its place.
    ///
    /// # Errors
    /// What the whole connection waits for, and for how long at least.
    fn room(&self, priority: Priority) -> Result<usize, Held>;

    /// How long it takes until so many calls have gone out, as far as limits, quota and the vendor's usual latency tell.
    fn through_in(&self, calls: u64) -> Option<Duration>;

    /// Calls that work of this kind may make a day; none: nobody limits them.
    fn day_limit(&self, _priority: Priority) -> Option<u32> {
        None
    }

    /// What is counted of its calls is there from now on, at zero, unless it has counted already.
    fn begin_at_zero(&self) {}

    /// So many calls were counted on this day, by whichever process.
    fn learn_calls(&self, _day: Date, _used: u32) {}

    /// Another process has found that the vendor fails: nothing goes there until then.
    fn hear_of_opening(&self, _until: Timestamp) {}

    /// Another process has found that the vendor is back.
    fn hear_of_closing(&self) {}

    /// Whether an open breaker waits for a probe that nobody's call has made; it is said once an open time. For how long nobody
    /// else need make one then.
    fn wants_probe(&self) -> Option<Duration> {
        None
    }

    /// The vendor has said this of waiting to another process.
    fn hear_of_blocks(&self, _blocks: VendorBlocks) {}

    /// Somebody wants calls to go out again: whatever the vendor said of waiting is over. The breaker and our own limits are
    /// not, but a breaker that waits because the vendor named a time lets one call find out.
    fn lift_blocks(&self) {}

    /// One more was counted on this day, or one fewer.
    fn count_call(&self, _day: Date, _is_more: bool) {}

    /// The configuration in force has another connection in its place, or none: nothing goes out by this one any more, for
    /// good. What it still had to bring fails unsent, and is taken anew by what is configured then.
    fn retire(&self) {}
}

/// Conditions, and the connections that they pick.
#[derive(Debug, Clone, Default)]
pub struct Route {
    /// All have to hold.
    pub when: When,
    /// Names of connections.
    pub to: Vec<String>,
}

pub(crate) fn named<'a>(merchant: &'a Merchant, connection: &str) -> Result<&'a Connection, Refusal> {
    let found = merchant.connection(connection).map(AsRef::as_ref);
    found.ok_or_else(|| Refusal::not_found("connection"))
}
