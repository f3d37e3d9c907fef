//! A store as one process sees it: what it commits is noted, a write may be made to fail, and a dead process gets no
//! answer any more. A store with threads of its own is waited for on the spot, so that the paused clock stands still.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;

use upsert_core::{Clock, CustomerId, DeliveryId, EventId, MatchKey, UpsertId};
use upsert_store::{
    Applied, AttemptRecord, Changeset, ConnectionRecord, Counted, CustomerFilter, CustomerRecord, DeliveryFilter,
    DeliveryPage, DeliveryRecord, EndpointRecord, EventCount, EventMarks, FailedCount, HistoryPage, IdempotencyRecord,
    IdentityQuery, IdentityView, IncomingEvent, IncomingFilter, IncomingPage, IncomingState, Known, OutgoingEvent,
    OutgoingFilter, OutgoingPage, OutgoingState, Store, StoreError, UpsertFilter, UpsertPage, UpsertRecord,
    WaitingCount,
};

use crate::books::Shared;

#[derive(Debug)]
pub struct Watched {
    pub inner: Arc<dyn Store>,
    pub books: Shared,
    pub clock: Arc<dyn Clock>,
    pub dead: Arc<AtomicBool>,
    /// Writes until one fails; below zero: none does.
    pub fails_in: Arc<AtomicI64>,
    pub has_threads: bool,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    // Outside of the runtime's budget, which would never be filled up while this thread is held.
    let mut future = pin!(tokio::task::unconstrained(future));
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

impl Watched {
    async fn run<T>(&self, call: impl Future<Output = T>) -> T {
        if self.dead.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.has_threads { block_on(call) } else { call.await }
    }
}

macro_rules! passed_on {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Store for Watched {
            async fn apply(&self, changes: Changeset) -> Result<Applied, StoreError> {
                if self.fails_in.fetch_sub(1, Ordering::SeqCst) == 0 && !self.dead.load(Ordering::SeqCst) {
                    return Err(StoreError::Failed("told to fail".to_owned()));
                }
                let writes = changes.write.clone();
                let applied = self.run(self.inner.apply(changes)).await?;
                if applied == Applied::Done {
                    self.books.lock().committed(&writes, self.clock.now());
                }
                Ok(applied)
            }
            $(async fn $name(&self, $($argument: $kind),*) -> Result<$answer, StoreError> {
                self.run(self.inner.$name($($argument),*)).await
            })*
        }
    };
}

passed_on! {
    identify(merchant: &str, query: &IdentityQuery) -> IdentityView;
    customer(merchant: &str, id: CustomerId) -> Option<Known>;
    customers(merchant: &str, filter: &CustomerFilter, after: Option<CustomerId>, limit: usize) -> Vec<CustomerRecord>;
    history(customer: CustomerId, before: Option<UpsertId>, limit: usize) -> HistoryPage;
    key_holders(merchant: &str, connection: &str, keys: &[MatchKey], except: CustomerId) -> Vec<(MatchKey, CustomerId)>;
    record_owners(merchant: &str, connection: &str, provider_customer_id: &str) -> Vec<CustomerId>;
    idempotency(key: &[u8; 32], now: Timestamp) -> Option<IdempotencyRecord>;
    upsert(merchant: &str, id: UpsertId) -> Option<(UpsertRecord, Vec<DeliveryRecord>)>;
    delivery(id: DeliveryId) -> Option<DeliveryRecord>;
    deliveries(filter: &DeliveryFilter, before: Option<DeliveryId>, limit: usize) -> DeliveryPage;
    count_deliveries(filter: &DeliveryFilter, most: usize) -> Counted;
    upserts(filter: &UpsertFilter, before: Option<UpsertId>, limit: usize) -> UpsertPage;
    attempts(delivery: DeliveryId) -> Vec<AttemptRecord>;
    due_connections(now: Timestamp) -> Vec<(String, String)>;
    due_at(merchant: &str, connection: &str, now: Timestamp, limit: usize) -> Vec<DeliveryRecord>;
    waiting_at(merchant: &str, connection: &str, after: Option<DeliveryId>, limit: usize) -> Vec<DeliveryRecord>;
    unsettled(after: Option<UpsertId>, limit: usize) -> Vec<UpsertRecord>;
    owing(after: Option<UpsertId>, limit: usize) -> Vec<UpsertRecord>;
    abandoned(now: Option<Timestamp>, limit: usize) -> Vec<DeliveryRecord>;
    waiting() -> Vec<WaitingCount>;
    failed_deliveries() -> Vec<FailedCount>;
    connections() -> Vec<ConnectionRecord>;
    calls(day: Date) -> Vec<(String, String, u32)>;
    forget_expired(now: Timestamp, limit: usize) -> usize;
    incoming_event(id: EventId) -> Option<IncomingEvent>;
    event_of_source(merchant: &str, source: &str, event_id: &str, content: &str) -> Option<IncomingEvent>;
    incoming_events(filter: &IncomingFilter, before: Option<EventId>, limit: usize) -> IncomingPage;
    failed_incoming() -> Vec<EventCount<IncomingState>>;
    event_marks(customer: CustomerId, source: &str) -> Option<EventMarks>;
    outgoing_event(id: EventId) -> Option<OutgoingEvent>;
    outgoing_events(filter: &OutgoingFilter, before: Option<EventId>, limit: usize) -> OutgoingPage;
    due_endpoints(now: Timestamp) -> Vec<(String, String)>;
    due_to(merchant: &str, endpoint: &str, now: Timestamp, limit: usize) -> Vec<OutgoingEvent>;
    waiting_for_endpoint(merchant: &str, endpoint: &str, after: Option<EventId>, limit: usize) -> Vec<OutgoingEvent>;
    open_outgoing() -> Vec<EventCount<OutgoingState>>;
    endpoints() -> Vec<EndpointRecord>;
    forget_events(done_before: Timestamp, failed_before: Timestamp, limit: usize) -> usize;
    check() -> ();
}
