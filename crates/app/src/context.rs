//! What every use case works with.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use data_encoding::HEXLOWER;
use jiff::SignedDuration;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use upsert_api::ProblemCode;
use upsert_core::{Clock, CustomerId, IdSource, MerchantMark, UpsertId};
use upsert_sealing::SigningKey;
use upsert_store::{DeliveryFilter, DeliveryRecord, Hints, Known, Store, StoreError};

use crate::audit::Auditing;
use crate::audit::chain::AuditKeys;
use crate::audit::failed_sign_ins::FailedSignIns;
use crate::directory::merchant::{Directory, Merchant};
use crate::problem::Refusal;
use crate::runtime::admission::Admission;
use crate::runtime::connections::Connections;
use crate::runtime::counters::Counters;
use crate::runtime::endpoints::Endpoints;
use crate::runtime::in_flight::InFlight;
use crate::runtime::notifier::Notifier;
use crate::runtime::successors::Successors;
use crate::runtime::tracing::Spans;
use crate::runtime::troubles::Troubles;
use crate::runtime::wakeups::{QueueKey, Reach, Wakeups};

/// How long what has ended is kept; none: for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Upserts that have ended, with their deliveries and attempts.
    pub upserts: Option<SignedDuration>,
    /// Their attempts, with what went out and what was answered, where that is shorter.
    pub attempts: Option<SignedDuration>,
    /// Versions of customers. Never shorter than upserts are kept.
    pub history: Option<SignedDuration>,
    /// Entries of the audit trail.
    pub audit: Option<SignedDuration>,
}

/// What a gateway is made of.
#[derive(Debug)]
pub struct GatewayParts {
    /// Where everything durable goes.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The merchants at the start.
    pub directory: Directory,
    /// How long idempotency keys are kept.
    pub idempotency_keep: Duration,
    /// How long what has ended is kept.
    pub retention: Retention,
    /// Where spans go; none: nowhere, and nothing is done for them.
    pub spans: Option<Arc<dyn Spans>>,
    /// How often it is looked what is due, and what other processes have done. [`LOOK_EVERY`] suits a gateway.
    pub look_every: Duration,
    /// What the audit trail is keyed with.
    pub audit_keys: Arc<dyn AuditKeys>,
    /// What signs certificates of erasures; none: they are not signed.
    pub signing_key: Option<SigningKey>,
}

/// How often a gateway looks by itself.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What all wings share. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct Context(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Writes down what is done.
    pub(crate) audit: Auditing,
    pub(crate) failed_sign_ins: FailedSignIns,
    pub(crate) ids: IdSource,
    pub(crate) directory: ArcSwap<Directory>,
    pub(crate) connections: Connections,
    pub(crate) troubles: Troubles,
    pub(crate) admission: Arc<Admission>,
    pub(crate) wakeups: Wakeups,
    pub(crate) successors: Successors,
    pub(crate) in_flight: Arc<InFlight>,
    /// Idempotency keys whose answer is being made.
    pub(crate) answering: Arc<Mutex<HashSet<[u8; 32]>>>,
    pub(crate) idempotency_keep: Duration,
    pub(crate) retention: Retention,
    pub(crate) spans: Option<Arc<dyn Spans>>,
    pub(crate) look_every: Duration,
    pub(crate) signing_key: Option<SigningKey>,
    pub(crate) tasks: TaskTracker,
    /// Nothing new is begun.
    pub(crate) stopping: CancellationToken,
    /// What was begun is cut short, too.
    pub(crate) cut_short: CancellationToken,
    pub(crate) notifier: Notifier,
    pub(crate) endpoints: Endpoints,
    pub(crate) counters: Counters,
    /// Upserts that the store could not end, by merchant.
    pub(crate) to_settle: Mutex<Vec<(String, UpsertId)>>,
    /// Held while a connection's own record is written.
    pub(crate) pausing: tokio::sync::Mutex<()>,
}

impl Deref for Context {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Context")
    }
}

impl Context {
    pub(crate) fn new(parts: GatewayParts) -> Self {
        Self(Arc::new(Shared {
            ids: IdSource::new(parts.clock.clone()),
            audit: Auditing::new(parts.store.clone(), parts.clock.clone(), parts.audit_keys),
            failed_sign_ins: FailedSignIns::default(),
            store: parts.store,
            clock: parts.clock,
            directory: ArcSwap::from_pointee(parts.directory),
            connections: Connections::default(),
            troubles: Troubles::default(),
            admission: Arc::default(),
            wakeups: Wakeups::default(),
            successors: Successors::default(),
            in_flight: Arc::default(),
            answering: Arc::default(),
            idempotency_keep: parts.idempotency_keep,
            retention: parts.retention,
            spans: parts.spans,
            look_every: parts.look_every,
            signing_key: parts.signing_key,
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            cut_short: CancellationToken::new(),
            notifier: Notifier::default(),
            endpoints: Endpoints::default(),
            counters: Counters::default(),
            to_settle: Mutex::default(),
            pausing: tokio::sync::Mutex::default(),
        }))
    }

    /// The merchants as they are now. A request takes one snapshot and keeps it.
    pub(crate) fn directory(&self) -> Arc<Directory> {
        self.directory.load_full()
    }

    /// The same, with this merchant in it wherever it lives: whoever works without a request asks for it so.
    ///
    /// # Errors
    /// The store failed, or the merchant is there and cannot be served.
    pub(crate) async fn directory_with(&self, merchant: &str) -> Result<Arc<Directory>, StoreError> {
        let directory = self.directory();
        if !directory.is_in_file(merchant) {
            let today = self.clock.now().to_zoned(TimeZone::UTC).date();
            let hear = |merchant: &Merchant, before: Option<&Merchant>| self.hear_of_vendors(merchant, before);
            directory.stored().load(&*self.store, today, merchant, &hear).await?;
        }
        Ok(directory)
    }

    /// What is known already of the vendors of a merchant that was just loaded, by whatever process: its connections need not
    /// find it out by a call. Not of one that was there before and is another one now.
    pub(crate) fn hear_of_vendors(&self, merchant: &Merchant, before: Option<&Merchant>) {
        let is_new = |name: &str| before.is_none_or(|before| before.connection(name).is_none());
        for connection in merchant.connections.iter().filter(|one| is_new(&one.name)) {
            let known = self.connections.record(&merchant.id, &connection.name);
            if let Some(until) = known.open_until {
                connection.status.hear_of_opening(until);
            }
            connection.status.hear_of_blocks(known.blocks);
        }
    }

    /// What is kept of a vendor's id of a record where nobody may read it: a keyed hash, in hexadecimal.
    pub(crate) async fn record_hash(&self, connection: &str, record: &str) -> Result<String, StoreError> {
        let hash = self.store.keyed_hash(&format!("{connection}\n{record}")).await?;
        Ok(HEXLOWER.encode(&hash))
    }

    /// The customer whom a delivery brings, with its lanes.
    pub(crate) async fn customer_of(&self, delivery: &DeliveryRecord) -> Result<Option<Known>, StoreError> {
        self.store.customer(&delivery.merchant, delivery.customer).await
    }

    /// Merchants that may have what is kept under an id with this mark, among those that may be seen (none: all).
    pub(crate) async fn merchants_of(
        &self,
        mark: MerchantMark,
        visible: Option<&BTreeSet<String>>,
    ) -> Result<Vec<String>, StoreError> {
        let mut merchants = self.store.merchants_of(mark).await?;
        merchants.retain(|merchant| visible.is_none_or(|visible| visible.contains(merchant)));
        Ok(merchants)
    }

    /// The same filter: one that means an upsert or a customer says at which merchants that can be.
    pub(crate) async fn at_merchants(&self, filter: &DeliveryFilter) -> Result<DeliveryFilter, StoreError> {
        let mut filter = filter.clone();
        let upsert = filter.upsert_id.map(|id| id.mark());
        if let Some(mark) = upsert.or(filter.customer_id.map(|id| id.mark())) {
            let merchants = self.merchants_of(mark, filter.merchants.as_ref()).await?;
            filter.merchants = Some(merchants.into_iter().collect());
        }
        Ok(filter)
    }

    /// How many calls this day has seen, by whichever process: connections go by it.
    pub(crate) async fn learn_calls(&self, day: Date) -> Result<(), StoreError> {
        let directory = self.directory();
        for (merchant, connection, used) in self.store.calls(day).await? {
            if let Some(connection) = directory.connection(&merchant, &connection) {
                connection.status.learn_calls(day, used);
            }
        }
        Ok(())
    }

    /// Runs a task that the shutdown waits for.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// What comes of a call, unless calls are cut short first: then nobody knows.
    pub(crate) async fn unless_cut_short<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            came = call => Some(came),
            () = self.cut_short.cancelled() => None,
        }
    }

    /// Does `what` on a task of its own: a client that hangs up changes nothing about what becomes of it.
    pub(crate) async fn on_own_task<T: Send + 'static>(
        &self,
        what: &str,
        task: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    ) -> Result<T, Refusal> {
        ended(what, self.tasks.spawn(task)).await
    }

    /// Something of this customer has changed: whoever waits for it looks again, in whichever process.
    pub(crate) fn ring_everywhere(&self, customer: CustomerId) {
        self.notifier.ring(customer);
        self.store.tell(Hints::of_customer(customer));
    }

    /// Says that a connection's queue has work.
    pub(crate) fn wake_connection(&self, merchant: &str, connection: &str, reach: Reach) {
        self.wakeups
            .mark(QueueKey::Connection(merchant.to_owned(), connection.to_owned()), reach);
    }

    /// Says that a queue has work.
    pub(crate) fn wake(&self, queue: QueueKey, reach: Reach) {
        self.wakeups.mark(queue, reach);
    }
}

/// What came of a task that somebody waits for.
pub(crate) async fn ended<T>(what: &str, task: JoinHandle<Result<T, Refusal>>) -> Result<T, Refusal> {
    task.await.unwrap_or_else(|_| {
        tracing::error!("{what}'s task ended before its time");
        Err(Refusal::new(ProblemCode::Internal, "the request could not be handled"))
    })
}
