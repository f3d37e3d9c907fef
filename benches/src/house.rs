//! A gateway in one process, without a network: real adapters under their policies, over a real store, with a vendor that
//! answers at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::{Map, Value as Json, json};

use upsert_api::ConnectionState;
use upsert_app::{
    Answer, Caller, Connection, ConnectionStatus, Directory, Gateway, GatewayParts, LOOK_EVERY, Merchant, NextStep,
    NoAuditKeys, OnCollision, OnKeyChange, Retention, RetryRule, UpsertCommand,
};
use upsert_core::{
    CallContext, Clock, Customer, CustomerId, Exchange, Handling, Held, IdentifierKind, InLine, Payload, Priority,
    ProviderError, Repeat, Selection, SystemClock, Terms, UpsertRequest, canonicalise,
};
use upsert_policy::{ConnectionPolicy, Decision, InMemoryDayCount, Jitter, Outside, standard_stack};
use upsert_provider_kit::{ConnectionSetup, Credentials, Incoming, Outgoing, Transport, TransportError};
use upsert_sealing::Keyring;
use upsert_store::Through;
use upsert_store_sql::sqlite::{SqliteOptions, SqliteStore};

const MERCHANT: &str = "acme";

/// Answers every request with what it was sent, as the add-update API does. No network.
#[derive(Debug)]
struct Echo;

#[async_trait]
impl Transport for Echo {
    async fn send(&self, outgoing: Outgoing) -> Result<Incoming, TransportError> {
        let mut record: Map<String, Json> =
            serde_json::from_slice(&outgoing.body.unwrap_or_default()).unwrap_or_default();
        record.insert("createdAt".to_owned(), json!("2026-11-21T00:00:00.000Z"));
        Ok(Incoming {
            status: 200,
            headers: http::HeaderMap::new(),
            body: serde_json::to_vec(&record).unwrap_or_default().into(),
        })
    }
}

/// The gateway, and whose customers are sent.
pub struct House {
    gateway: Gateway,
    merchant: Arc<Merchant>,
}

impl fmt::Debug for House {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("House")
    }
}

impl House {
    /// Over a store in this folder, with one connection.
    ///
    /// # Errors
    /// The store cannot be opened or read.
    pub async fn open(folder: &Path) -> anyhow::Result<Self> {
        Self::of(folder, MERCHANT).await
    }

    /// The same over a store that is sealed with a key.
    ///
    /// # Errors
    /// See [`House::open`].
    pub async fn sealed(folder: &Path) -> anyhow::Result<Self> {
        Self::with_keys(folder, MERCHANT, upsert_testkit::keys::ring()).await
    }

    /// The same for a merchant of this id.
    ///
    /// # Errors
    /// See [`House::open`].
    pub async fn of(folder: &Path, id: &str) -> anyhow::Result<Self> {
        Self::with_keys(folder, id, Arc::default()).await
    }

    async fn with_keys(folder: &Path, id: &str, keys: Arc<Keyring>) -> anyhow::Result<Self> {
        let file = folder.join("gateway.db");
        let store = Arc::new(SqliteStore::open_sealed(file, SqliteOptions::default(), keys)?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let gateway = Gateway::new(GatewayParts {
            store,
            clock: Arc::clone(&clock),
            directory: Directory::new([merchant(id, &clock)?]),
            idempotency_keep: Duration::from_hours(24),
            retention: Retention::default(),
            spans: None,
            look_every: LOOK_EVERY,
            audit_keys: Arc::new(NoAuditKeys),
            signing_key: None,
        });
        gateway.recover().await?;
        let merchant = gateway.directory().get(id);
        let merchant = merchant.context("the merchant is there")?;
        Ok(Self { gateway, merchant })
    }

    /// What is an upsert's own work, without a store: the body canonicalised and merged into a customer, the vendor's
    /// request prepared and worded, and its answer read.
    ///
    /// # Errors
    /// The body is not a customer's, or the vendor would not take it.
    pub async fn pure(&self, body: &str) -> anyhow::Result<()> {
        let body: Json = serde_json::from_str(body)?;
        let canonical = canonicalise(&body, &Terms::strict(self.merchant.default_region.as_deref()));
        let canonical = canonical.map_err(|problems| anyhow!("{} problems", problems.len()))?;
        let customer = Customer::default().merged(&canonical.patch);
        let connection = self.merchant.connections.first().context("there is a connection")?;
        let prepared = connection.adapter.prepare(&UpsertRequest {
            customer: &customer,
            customer_id: CustomerId::from_uuid(uuid::Uuid::nil()),
            link: None,
            selection: Selection::All,
            cleared: &BTreeSet::new(),
            tags_lost: false,
            provider_fields: None,
        });
        let prepared = prepared.map_err(|violations| anyhow!("{} violations", violations.len()))?;
        let context = CallContext {
            deadline: tokio::time::Instant::now() + Duration::from_secs(60),
            attempt: 1,
            delivery_id: None,
            traceparent: None,
            tracestate: None,
            priority: Priority::Interactive,
            is_counted: false,
            is_trial: false,
            in_line: InLine::default(),
            exchange: Exchange::default(),
        };
        connection
            .adapter
            .upsert(&context, &prepared)
            .await
            .map(drop)
            .map_err(Into::into)
    }

    /// One upsert with this body, answered whole.
    ///
    /// # Errors
    /// It was not answered with one of these statuses.
    pub async fn upsert(&self, body: &str, statuses: &[u16]) -> anyhow::Result<Answer> {
        let caller = Caller {
            name: "bench".to_owned(),
        };
        let command = UpsertCommand {
            body: serde_json::from_str(body)?,
            idempotency_key: None,
            route: "POST /v1/customers",
            through: Through::Request,
            respond_async: false,
            force: false,
            traceparent: None,
            tracestate: None,
            handling: Handling::Strict,
            priority: Priority::Interactive,
            request_id: "req-1".to_owned(),
            visibility: upsert_api::Visibility::Whole,
        };
        let answer = self.gateway.upserts.upsert(&caller, &self.merchant, command).await;
        let answer = answer.map_err(|refusal| anyhow!("refused: {}", refusal.detail))?;
        ensure!(statuses.contains(&answer.status), "{}: {}", answer.status, answer.body);
        Ok(answer)
    }
}

fn merchant(id: &str, clock: &Arc<dyn Clock>) -> anyhow::Result<Merchant> {
    Ok(Merchant {
        id: id.to_owned(),
        default_region: Some("US".to_owned()),
        match_on: vec![IdentifierKind::Email, IdentifierKind::Phone],
        never_match: Arc::default(),
        sync_deadline: Duration::from_secs(10),
        connections: vec![Arc::new(connection(id, clock)?)],
        routes: Vec::new(),
        sources: Vec::new(),
        endpoints: Vec::new(),
    })
}

fn connection(merchant: &str, clock: &Arc<dyn Clock>) -> anyhow::Result<Connection> {
    let secret = SecretString::from("sandbox_sk_bench");
    let setup = ConnectionSetup {
        base_url: None,
        credentials: Credentials::new(BTreeMap::from([("api_key".to_owned(), secret)])),
        settings: json!({ "merchant_id": "m-1" }),
        transport: Arc::new(Echo),
        clock: Arc::clone(clock),
        send_traceparent: false,
    };
    let built = upsert_registry::registry().build("add-update", setup);
    let built = built.map_err(|problems| anyhow!("{} problems", problems.len()))?;
    let policy = ConnectionPolicy::default();
    let outside = Outside {
        clock: Arc::clone(clock),
        day_count: Arc::new(InMemoryDayCount::default()),
        jitter: Jitter::fair(),
        shared_rate: None,
    };
    let stack = standard_stack(built.provider, built.reader, &policy, merchant, "wallet", outside);
    Ok(Connection {
        name: "wallet".to_owned(),
        provider: "add-update".to_owned(),
        required: true,
        payload: Payload::Changed,
        on_collision: OnCollision::Refuse,
        on_key_change: OnKeyChange::Refuse,
        never_match: Arc::default(),
        timeout: policy.timeout,
        max_age: policy.retry.max_age,
        counts_calls: false,
        adapter: stack.provider,
        reader: stack.reader,
        retry: Arc::new(Retries(stack.retry)),
        status: Arc::new(Status(stack.status)),
        fingerprint: String::new(),
    })
}

#[derive(Debug)]
struct Retries(Arc<upsert_policy::RetryRule>);

impl RetryRule for Retries {
    fn next(&self, error: &ProviderError, attempts: u32, repeat: Repeat, time_left: Duration) -> NextStep {
        match self.0.decide(error, attempts, repeat, time_left) {
            Decision::Retry { after } | Decision::Later { after } => NextStep::Again(after),
            Decision::Hold(held) => NextStep::Hold(held),
            Decision::Fail => NextStep::Fail,
        }
    }
}

#[derive(Debug)]
struct Status(Arc<upsert_policy::ConnectionStatus>);

impl ConnectionStatus for Status {
    fn snapshot(&self) -> upsert_api::ConnectionStatus {
        self.0.snapshot()
    }

    fn state(&self) -> ConnectionState {
        self.0.state()
    }

    fn room(&self, priority: Priority) -> Result<usize, Held> {
        self.0.room(priority)
    }

    fn through_in(&self, calls: u64) -> Option<Duration> {
        self.0.through_in(calls)
    }
}
