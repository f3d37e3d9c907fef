//! A provider and reader that answers as its script says and counts what reached it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::json;
use tokio::time::{Instant, sleep};

use upsert_core::{
    CallContext, Capabilities, Clock, Customer, CustomerReader, ErrorKind, Evidence, Exchange, FieldOutcomes, Held,
    InLine, Intent, KeyKind, ListQuery, MatchKey, Outcome, Payload, PreparedUpsert, Priority, Problem, ProviderError,
    ProviderInfo, ReadCustomer, ReadPage, Repeat, RetryAdvice, StateAtVendor, UpsertProvider, UpsertReceipt,
    UpsertRequest, Violation, WaitingFor, WireRequest,
};
use upsert_policy::{ConnectionNames, Jitter};

/// Stands in every text that may hold a personal datum.
pub(crate) const CANARY: &str = "canary.person@example.com";

/// What one call comes to.
pub(crate) enum Answer {
    /// A receipt, or an empty page.
    Taken,
    /// This error.
    Error(ProviderError),
    /// A receipt after this long.
    Slow(Duration),
    /// This error after this long.
    SlowError(Duration, ProviderError),
    /// Nothing, ever.
    Never,
}

/// Answers by its script, then always with a receipt.
pub(crate) struct Scripted {
    info: ProviderInfo,
    script: Mutex<VecDeque<Answer>>,
    begun: AtomicU32,
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

impl Scripted {
    pub(crate) fn new(script: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        let capabilities = Capabilities {
            title: "Scripted",
            docs_url: "https://vendor.example/docs",
            forms: Vec::new(),
            tells_created_from_updated: true,
            can_clear: true,
            merges_tags: false,
            updates_by_id: true,
            default_payload: Payload::Full,
            credentials: &[],
            protected: &[],
            can_read: true,
            known_daily_limit: None,
        };
        Arc::new(Self {
            info: ProviderInfo {
                kind: "scripted",
                capabilities,
            },
            script: Mutex::new(script.into_iter().collect()),
            begun: AtomicU32::new(0),
        })
    }

    /// Calls that reached it.
    pub(crate) fn sent(&self) -> u32 {
        self.begun.load(Ordering::SeqCst)
    }

    pub(crate) fn then(&self, answers: impl IntoIterator<Item = Answer>) {
        self.script.lock().extend(answers);
    }

    async fn answer(&self) -> Result<(), ProviderError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let answer = self.script.lock().pop_front().unwrap_or(Answer::Taken);
        match answer {
            Answer::Taken => Ok(()),
            Answer::Error(error) => Err(error),
            Answer::Slow(time) => {
                sleep(time).await;
                Ok(())
            }
            Answer::SlowError(time, error) => {
                sleep(time).await;
                Err(error)
            }
            Answer::Never => pending().await,
        }
    }
}

#[async_trait]
impl UpsertProvider for Scripted {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn prepare(&self, request: &UpsertRequest<'_>) -> Result<PreparedUpsert, Vec<Violation>> {
        if request.tags_lost {
            return Err(vec![violation()]);
        }
        Ok(prepared())
    }

    fn canonical_id(&self, id: &str) -> String {
        id.to_lowercase()
    }

    async fn upsert(&self, _context: &CallContext, _prepared: &PreparedUpsert) -> Result<UpsertReceipt, ProviderError> {
        self.answer().await.map(|()| receipt())
    }
}

#[async_trait]
impl CustomerReader for Scripted {
    fn check(&self, query: &ListQuery) -> Result<(), Vec<Problem>> {
        if query.archived.is_some() {
            Err(Vec::new())
        } else {
            Ok(())
        }
    }

    async fn list(&self, _context: &CallContext, _query: &ListQuery) -> Result<ReadPage, ProviderError> {
        self.answer().await.map(|()| ReadPage {
            next: Some("page-2".to_owned()),
            ..ReadPage::default()
        })
    }

    async fn read(
        &self,
        _context: &CallContext,
        provider_customer_id: &str,
    ) -> Result<Option<ReadCustomer>, ProviderError> {
        self.answer().await.map(|()| Some(record(provider_customer_id)))
    }
}

pub(crate) fn violation() -> Violation {
    Violation {
        pointer: "/email".to_owned(),
        code: "required",
        detail: "this vendor asks for an e-mail address".to_owned(),
    }
}

pub(crate) fn record(id: &str) -> ReadCustomer {
    ReadCustomer {
        provider_customer_id: Some(id.to_owned()),
        customer: Customer::default(),
        unreadable: vec![upsert_core::Unreadable::new("/notes", serde_json::Value::Null)],
        vendor_fields: serde_json::Map::new(),
    }
}

pub(crate) fn prepared() -> PreparedUpsert {
    PreparedUpsert {
        request: WireRequest {
            method: "PUT".to_owned(),
            path: "/people".to_owned(),
            body: json!({ "email": CANARY }),
        },
        sent: BTreeMap::new(),
        match_key: None,
        matches_by: Vec::new(),
        known_by: Vec::new(),
        link_key: MatchKey {
            kind: KeyKind::Email,
            value: CANARY.to_owned(),
        },
        expected_id: None,
        intent: Intent::Upsert,
        repeat: Repeat::Safe,
        warnings: Vec::new(),
    }
}

pub(crate) fn receipt() -> UpsertReceipt {
    UpsertReceipt {
        outcome: Outcome::Created,
        evidence: Evidence::VendorSaid,
        matched_by: None,
        provider_customer_id: CANARY.to_owned(),
        fields: FieldOutcomes::default(),
        vendor_request_id: Some("call-1".to_owned()),
        vendor_said: upsert_core::VendorSaid::default(),
    }
}

/// A call with a minute's time.
pub(crate) fn context() -> CallContext {
    within(Duration::from_mins(1))
}

pub(crate) fn within(time: Duration) -> CallContext {
    CallContext {
        deadline: Instant::now() + time,
        attempt: 1,
        delivery_id: None,
        traceparent: None,
        tracestate: None,
        priority: Priority::Interactive,
        is_counted: false,
        is_trial: false,
        in_line: InLine::default(),
        exchange: Exchange::default(),
    }
}

pub(crate) fn bulk() -> CallContext {
    CallContext {
        priority: Priority::Bulk,
        ..context()
    }
}

pub(crate) fn names() -> ConnectionNames {
    ConnectionNames::new("acme", "crm", "scripted")
}

fn error(kind: ErrorKind, state: StateAtVendor, advice: RetryAdvice) -> ProviderError {
    ProviderError::new(kind, state, advice, format!("the vendor says {CANARY}"))
}

/// A fault of the vendor: it answered 500.
pub(crate) fn fault() -> ProviderError {
    error(ErrorKind::Transient, StateAtVendor::Unknown, RetryAdvice::Backoff)
}

/// 503 with a Retry-After.
pub(crate) fn unavailable_for(wait: Duration) -> ProviderError {
    error(ErrorKind::Transient, StateAtVendor::Unchanged, RetryAdvice::After(wait))
}

pub(crate) fn rejected() -> ProviderError {
    error(ErrorKind::Rejected, StateAtVendor::Unchanged, RetryAdvice::Never)
}

pub(crate) fn broken() -> ProviderError {
    error(ErrorKind::BrokenContract, StateAtVendor::Unknown, RetryAdvice::Never)
}

pub(crate) fn unauthorised() -> ProviderError {
    vendor_holds(ErrorKind::Unauthorised, WaitingFor::Paused, None)
}

/// 429, with or without a Retry-After.
pub(crate) fn throttled(wait: Option<Duration>) -> ProviderError {
    vendor_holds(ErrorKind::RateLimited, WaitingFor::RateLimit, wait)
}

pub(crate) fn quota_spent(wait: Option<Duration>) -> ProviderError {
    vendor_holds(ErrorKind::QuotaSpent, WaitingFor::Quota, wait)
}

fn vendor_holds(kind: ErrorKind, waiting_for: WaitingFor, for_at_least: Option<Duration>) -> ProviderError {
    let advice = for_at_least.map_or(RetryAdvice::Backoff, RetryAdvice::After);
    let mut error = error(kind, StateAtVendor::Unchanged, advice);
    error.held = Some(Held {
        waiting_for,
        for_at_least,
    });
    error
}

/// The same answer so many times.
pub(crate) fn times(count: usize, error: impl Fn() -> ProviderError) -> Vec<Answer> {
    (0..count).map(|_| Answer::Error(error())).collect()
}

/// One upsert through the stack.
pub(crate) async fn call(stack: &Arc<dyn UpsertProvider>) -> Result<UpsertReceipt, ProviderError> {
    stack.upsert(&context(), &prepared()).await
}

/// What a call that was held back waits for, and how long.
pub(crate) fn hold_of(result: Result<UpsertReceipt, ProviderError>) -> (WaitingFor, Option<Duration>) {
    let error = result.expect_err("the call should have been held back");
    assert!(!error.sent, "nothing may have been sent");
    assert_eq!(error.state, StateAtVendor::Unchanged);
    let held = error.held.expect("held");
    (held.waiting_for, held.for_at_least)
}

/// A wall clock that goes with tokio's paused time.
#[derive(Debug)]
pub(crate) struct PausedClock {
    start: Timestamp,
    origin: Instant,
}

impl PausedClock {
    pub(crate) fn at(start: &str) -> Arc<Self> {
        Arc::new(Self {
            start: start.parse().unwrap(),
            origin: Instant::now(),
        })
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        self.start + SignedDuration::try_from(self.origin.elapsed()).unwrap()
    }
}

pub(crate) fn noon() -> Arc<PausedClock> {
    PausedClock::at("2026-11-20T12:00:00Z")
}

pub(crate) fn jitter(shown: f64) -> Jitter {
    Jitter::loaded(move || shown)
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
