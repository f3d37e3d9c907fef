//! Whether an expectation holds, as the batch sees the rows.

use upsert_core::CustomerId;
use upsert_store::{Expect, IdentityView};

use super::batch::{Batch, OURS};
use super::keys::{customer_key, day_key};
use super::rows::Key;
use super::table::Table;
use super::tables::{
    AUDIT_HEAD, CALLS, CONNECTIONS, CUSTOMERS, ENDPOINTS, ERASURES, IDEMPOTENCY, INCIDENTS, INCOMING, KEYS, MARKS,
    MERCHANTS, OUTGOING, UPSERTS,
};
use super::write::audit::head_key;

impl Batch<'_> {
    /// Notes the rows by which it is judged.
    pub(super) fn need_to_judge(&mut self, merchant: &str, expect: &Expect) {
        if let Some((table, key, _)) = row_at_revision(merchant, expect) {
            self.of(table).need(key);
        }
        for key in self.keys_of(merchant, expect) {
            self.of(&KEYS).need(key);
        }
        match expect {
            Expect::IncomingEvent {
                source,
                event_id,
                content,
                ..
            } => {
                let content = self.content_key(merchant, source, event_id, content);
                self.by_content.entry(content).or_default();
            }
            Expect::IdempotencyFree { key, .. } => {
                let key = self.idempotency_key(merchant, key);
                self.of(&IDEMPOTENCY).need(key);
            }
            Expect::CallsBelow { connection, day, .. } => self.of(&CALLS).need(day_key(merchant, connection, *day)),
            _ => {}
        }
    }

    /// The keys whose holders it is about.
    fn keys_of(&self, merchant: &str, expect: &Expect) -> Vec<Key> {
        match expect {
            Expect::Holders { identifier, .. } => vec![self.identifier_key(merchant, identifier)],
            Expect::KeysFree { connection, keys, .. } => {
                let keys = keys.iter().map(|key| self.match_key(merchant, connection, key));
                keys.collect()
            }
            Expect::RecordFree {
                connection,
                provider_customer_id,
                ..
            } => vec![self.record_key(merchant, connection, provider_customer_id)],
            _ => Vec::new(),
        }
    }

    /// Whether it holds.
    pub(super) fn holds(&mut self, merchant: &str, expect: &Expect) -> bool {
        match expect {
            Expect::Customer { .. }
            | Expect::Lane { .. }
            | Expect::Upsert { .. }
            | Expect::Delivery { .. }
            | Expect::EventMarks { .. }
            | Expect::Erasure { .. }
            | Expect::Incident { .. }
            | Expect::Merchant { .. }
            | Expect::AuditHead { .. }
            | Expect::OutgoingEvent { .. }
            | Expect::Connection { .. }
            | Expect::Endpoint { .. } => row_at_revision(merchant, expect)
                .is_some_and(|(table, key, revision)| self.revision(table, &key) == revision),
            Expect::Holders { customers, .. } => self.are_holders(&self.keys_of(merchant, expect), customers),
            Expect::KeysFree { customer, .. } | Expect::RecordFree { customer, .. } => {
                let keys = self.keys_of(merchant, expect);
                keys.iter().all(|key| self.is_free_for(key, *customer))
            }
            Expect::IncomingEvent {
                source,
                event_id,
                content,
                revision,
            } => {
                let known = self
                    .by_content
                    .get(&self.content_key(merchant, source, event_id, content));
                let known = known.copied().flatten();
                known.and_then(|id| self.revision(&INCOMING, &vec![merchant.into(), id.into()])) == *revision
            }
            Expect::CallsBelow { connection, day, limit } => {
                let counted = self.revision(&CALLS, &day_key(merchant, connection, *day));
                counted.unwrap_or_default() < u64::from(*limit)
            }
            Expect::IdempotencyFree { key, now } => {
                let found = self.judged(&IDEMPOTENCY, &self.idempotency_key(merchant, key));
                let expires_at = found.and_then(|found| found.first()?.big());
                expires_at.is_none_or(|expires_at| expires_at <= now.as_microsecond())
            }
        }
    }

    /// The first judged value of a row; none: the row is not there.
    fn revision(&self, table: &'static Table, key: &Key) -> Option<u64> {
        let revision = self.judged(table, key)?.first()?.big()?;
        u64::try_from(revision).ok()
    }

    /// As a set, as far as anybody is told of it.
    fn are_holders(&mut self, keys: &[Key], customers: &[CustomerId]) -> bool {
        let mut expected = customers.to_vec();
        expected.sort_unstable();
        expected.dedup();
        let found = keys.iter().flat_map(|key| self.holders(key)).map(CustomerId::from_uuid);
        found
            .take(IdentityView::MOST)
            .eq(expected.into_iter().take(IdentityView::MOST))
    }

    fn is_free_for(&mut self, key: &Key, customer: CustomerId) -> bool {
        self.holders(key).iter().all(|holder| holder == customer.as_uuid())
    }
}

/// The row that it expects at a revision, or not to be there.
fn row_at_revision(merchant: &str, expect: &Expect) -> Option<(&'static Table, Key, Option<u64>)> {
    Some(match expect {
        Expect::Customer { id, revision } => (&CUSTOMERS, customer_key(merchant, *id, OURS), *revision),
        Expect::Lane {
            customer,
            connection,
            revision,
        } => (&CUSTOMERS, customer_key(merchant, *customer, connection), *revision),
        Expect::Upsert { id, revision } => (&UPSERTS, vec![merchant.into(), id.as_uuid().into()], Some(*revision)),
        Expect::Delivery { id, fence } => (&UPSERTS, vec![merchant.into(), id.as_uuid().into()], Some(*fence)),
        Expect::EventMarks {
            customer,
            source,
            revision,
        } => {
            let key = vec![merchant.into(), customer.as_uuid().into(), source.as_str().into()];
            (&MARKS, key, *revision)
        }
        Expect::OutgoingEvent { id, revision } => {
            (&OUTGOING, vec![merchant.into(), id.as_uuid().into()], Some(*revision))
        }
        Expect::Erasure { id, revision } => (&ERASURES, vec![merchant.into(), id.as_uuid().into()], *revision),
        Expect::Incident { id, revision } => (&INCIDENTS, vec![merchant.into(), id.as_uuid().into()], *revision),
        Expect::Merchant { revision } => (&MERCHANTS, vec![merchant.into()], *revision),
        Expect::AuditHead { revision } => (&AUDIT_HEAD, head_key(), *revision),
        Expect::Connection { connection, revision } => (
            &CONNECTIONS,
            vec![merchant.into(), connection.as_str().into()],
            *revision,
        ),
        Expect::Endpoint { endpoint, revision } => {
            (&ENDPOINTS, vec![merchant.into(), endpoint.as_str().into()], *revision)
        }
        Expect::CallsBelow { .. }
        | Expect::Holders { .. }
        | Expect::KeysFree { .. }
        | Expect::RecordFree { .. }
        | Expect::IncomingEvent { .. }
        | Expect::IdempotencyFree { .. } => return None,
    })
}
