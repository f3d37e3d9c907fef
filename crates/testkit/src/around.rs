//! A store around another one: what tests slow down, watch, or open anew between calls.

pub use async_trait::async_trait;

/// Implements every question of a store for a type that is built around another: `inner(&self)` waits for the other one,
/// `run(&self, call)` for the call. `Store` itself is left to the type.
#[macro_export]
macro_rules! questions_passed_on {
    ($around:ty) => {
        $crate::questions_passed_on! { $around: CustomerStore {
            identify(merchant: &str, query: &::upsert_store::IdentityQuery) -> ::upsert_store::IdentityView;
            customer(merchant: &str, id: ::upsert_core::CustomerId) -> Option<::upsert_store::Known>;
            customers(merchant: &str, filter: &::upsert_store::CustomerFilter, after: Option<::upsert_core::CustomerId>, limit: usize) -> ::upsert_store::CustomerPage;
            history(merchant: &str, customer: ::upsert_core::CustomerId, before: Option<::upsert_core::UpsertId>, limit: usize) -> ::upsert_store::HistoryPage;
            key_holders(merchant: &str, connection: &str, keys: &[::upsert_core::MatchKey], except: ::upsert_core::CustomerId) -> Vec<(::upsert_core::MatchKey, ::upsert_core::CustomerId)>;
            record_owners(merchant: &str, connection: &str, provider_customer_id: &str) -> Vec<::upsert_core::CustomerId>;
        } }
        $crate::questions_passed_on! { $around: UpsertStore {
            upsert(merchant: &str, id: ::upsert_core::UpsertId) -> Option<(::upsert_store::UpsertRecord, Vec<::upsert_store::DeliveryRecord>)>;
            upserts(filter: &::upsert_store::UpsertFilter, before: Option<::upsert_core::UpsertId>, limit: usize) -> ::upsert_store::UpsertPage;
            unsettled(after: Option<&::upsert_store::UpsertRecord>, limit: usize) -> Vec<::upsert_store::UpsertRecord>;
            owing(after: Option<&::upsert_store::UpsertRecord>, limit: usize) -> Vec<::upsert_store::UpsertRecord>;
            older_upserts(after: Option<&::upsert_store::UpsertRecord>, before: ::jiff::Timestamp, limit: usize) -> Vec<(::upsert_store::UpsertRecord, Vec<::upsert_store::DeliveryRecord>)>;
            idempotency(merchant: &str, key: &[u8; 32], now: ::jiff::Timestamp) -> Option<::upsert_store::IdempotencyRecord>;
            merchants_of(mark: ::upsert_core::MerchantMark) -> Vec<String>;
            made_until() -> Option<::jiff::Timestamp>;
            forget_expired(now: ::jiff::Timestamp, limit: usize) -> usize;
        } }
        $crate::questions_passed_on! { $around: DeliveryStore {
            delivery(merchant: &str, id: ::upsert_core::DeliveryId) -> Option<::upsert_store::DeliveryRecord>;
            deliveries(filter: &::upsert_store::DeliveryFilter, before: Option<::upsert_core::DeliveryId>, limit: usize) -> ::upsert_store::DeliveryPage;
            count_deliveries(filter: &::upsert_store::DeliveryFilter, most: usize) -> ::upsert_store::Counted;
            attempts(merchant: &str, delivery: ::upsert_core::DeliveryId) -> Vec<::upsert_store::AttemptRecord>;
            due_connections(now: ::jiff::Timestamp) -> Vec<(String, String)>;
            due_at(merchant: &str, connection: &str, now: ::jiff::Timestamp, limit: usize) -> Vec<::upsert_store::DeliveryRecord>;
            waiting_at(merchant: &str, connection: &str, after: Option<::upsert_core::DeliveryId>, limit: usize) -> Vec<::upsert_store::DeliveryRecord>;
            abandoned(now: Option<::jiff::Timestamp>, limit: usize) -> Vec<::upsert_store::DeliveryRecord>;
            waiting() -> Vec<::upsert_store::WaitingCount>;
            failed_deliveries() -> Vec<::upsert_store::FailedCount>;
        } }
        $crate::questions_passed_on! { $around: ConnectionStore {
            connections() -> Vec<::upsert_store::ConnectionRecord>;
            calls(day: ::jiff::civil::Date) -> Vec<(String, String, u32)>;
            endpoints() -> Vec<::upsert_store::EndpointRecord>;
        } }
        $crate::questions_passed_on! { $around: MerchantStore {
            merchant(id: &str) -> Option<::upsert_store::MerchantRecord>;
            merchants(after: Option<&str>, limit: usize) -> Vec<::upsert_store::MerchantRecord>;
            merchant_changes(after: u64, limit: usize) -> Vec<::upsert_store::MerchantChange>;
            last_merchant_change() -> u64;
            sealing_keys() -> Vec<String>;
            merchants_sealed_with(key: &str, limit: usize) -> Vec<::upsert_store::MerchantRecord>;
            calls_of(merchant: &str, day: ::jiff::civil::Date) -> Vec<(String, u32)>;
        } }
        $crate::questions_passed_on! { $around: SessionStore {
            session(id: &::upsert_store::SessionId) -> Option<::upsert_store::SessionRecord>;
            write_session(write: &::upsert_store::SessionWrite) -> ();
            forget_sessions(seen_before: ::jiff::Timestamp, limit: usize) -> usize;
        } }
        $crate::questions_passed_on! { $around: SealedStore {
            wrapping_keys() -> Vec<String>;
            can_open() -> bool;
            wrap_anew(limit: usize) -> usize;
            renew_data_keys(from: Option<Vec<u8>>, limit: usize) -> ::upsert_store::Walked;
            seal_older(from: Option<Vec<u8>>, limit: usize) -> ::upsert_store::Walked;
            seal_rows() -> ();
            seal_wholly() -> ();
        } }
        $crate::questions_passed_on! { $around: AuditStore {
            audit_head() -> Option<::upsert_store::AuditHead>;
            audit_entries(filter: &::upsert_store::AuditFilter, before: Option<u64>, limit: usize) -> ::upsert_store::AuditPage;
            audit_after(after: u64, limit: usize) -> ::upsert_store::AuditStretch;
        } }
        $crate::questions_passed_on! { $around: ErasureStore {
            erasure(merchant: &str, id: ::upsert_core::ErasureId) -> Option<::upsert_store::ErasureRecord>;
            has_erasures(merchant: &str) -> bool;
            erasures(merchant: &str, ids: &[::upsert_core::ErasureId]) -> Vec<::upsert_store::ErasureRecord>;
            open_erasures(after: Option<&::upsert_store::ErasureRecord>, limit: usize) -> Vec<::upsert_store::ErasureRecord>;
            tombstones(merchant: &str, keys: &[::upsert_store::TombstoneKey]) -> Vec<Vec<::upsert_core::ErasureId>>;
            upserts_of(merchant: &str, customer: ::upsert_core::CustomerId, limit: usize) -> Vec<(::upsert_store::UpsertRecord, Vec<::upsert_store::DeliveryRecord>)>;
            keys_of_upserts(merchant: &str, upserts: &[::upsert_core::UpsertId]) -> Vec<::upsert_store::KeptAnswerKey>;
            keyed_hash(text: &str) -> [u8; 16];
            scrub() -> ();
        } }
        $crate::questions_passed_on! { $around: IncidentStore {
            incident(merchant: &str, id: ::upsert_core::IncidentId) -> Option<::upsert_store::IncidentRecord>;
            incidents(filter: &::upsert_store::IncidentFilter, before: Option<::upsert_core::IncidentId>, limit: usize) -> Vec<::upsert_store::IncidentRecord>;
            incidents_ended_before(before: ::jiff::Timestamp, limit: usize) -> Vec<(String, ::upsert_core::IncidentId)>;
        } }
        $crate::questions_passed_on! { $around: EventStore {
            incoming_event(merchant: &str, id: ::upsert_core::EventId) -> Option<::upsert_store::IncomingEvent>;
            event_of_source(merchant: &str, source: &str, event_id: &str, content: &str) -> Option<::upsert_store::IncomingEvent>;
            incoming_events(filter: &::upsert_store::IncomingFilter, before: Option<::upsert_core::EventId>, limit: usize) -> ::upsert_store::IncomingPage;
            failed_incoming() -> Vec<::upsert_store::EventCount<::upsert_store::IncomingState>>;
            event_marks(merchant: &str, customer: ::upsert_core::CustomerId, source: &str) -> Option<::upsert_store::EventMarks>;
            outgoing_event(merchant: &str, id: ::upsert_core::EventId) -> Option<::upsert_store::OutgoingEvent>;
            outgoing_events(filter: &::upsert_store::OutgoingFilter, before: Option<::upsert_core::EventId>, limit: usize) -> ::upsert_store::OutgoingPage;
            due_endpoints(now: ::jiff::Timestamp) -> Vec<(String, String)>;
            due_to(merchant: &str, endpoint: &str, now: ::jiff::Timestamp, limit: usize) -> Vec<::upsert_store::OutgoingEvent>;
            waiting_for_endpoint(merchant: &str, endpoint: &str, after: Option<::upsert_core::EventId>, limit: usize) -> Vec<::upsert_store::OutgoingEvent>;
            open_outgoing() -> Vec<::upsert_store::EventCount<::upsert_store::OutgoingState>>;
            forget_events(done_before: ::jiff::Timestamp, failed_before: ::jiff::Timestamp, limit: usize) -> usize;
        } }
    };
    ($around:ty: $questions:ident { $($name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)* }) => {
        #[$crate::around::async_trait]
        impl ::upsert_store::$questions for $around {
            $(async fn $name(&self, $($argument: $kind),*) -> Result<$answer, ::upsert_store::StoreError> {
                let inner = self.inner().await;
                self.run(inner.$name($($argument),*)).await
            })*
        }
    };
}
