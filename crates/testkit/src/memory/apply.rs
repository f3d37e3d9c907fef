//! Judging expectations and applying writes, among one merchant's tables.

use std::collections::BTreeSet;

use upsert_core::{CustomerId, Identifier, MatchKey};

use super::tables::{AuditTables, Tables};
use upsert_store::{
    AttemptRecord, DeliveryRecord, ErasureRecord, Expect, IdentityView, IncidentRecord, IncomingEvent, Lane,
    StoredAnswer, Write,
};

impl Tables {
    /// Among these, and the audit trail.
    pub(crate) fn holds(&self, expect: &Expect, audit: &AuditTables) -> bool {
        match expect {
            Expect::AuditHead { revision } => audit.head.as_ref().map(|head| head.revision) == *revision,
            Expect::Customer { id, revision } => self.customers.get(id).map(|row| row.revision) == *revision,
            Expect::Holders { identifier, customers } => {
                let expected: BTreeSet<CustomerId> = customers.iter().copied().collect();
                let expected = expected.into_iter().take(IdentityView::MOST);
                self.holders(identifier).take(IdentityView::MOST).eq(expected)
            }
            Expect::Lane {
                customer,
                connection,
                revision,
            } => {
                let lane = self.lanes.get(&(*customer, connection.clone()));
                lane.map(Lane::revision) == *revision
            }
            Expect::KeysFree {
                connection,
                keys,
                customer,
            } => {
                let is_free = |key| self.holders_of_key(connection, key).all(|holder| holder == *customer);
                keys.iter().all(is_free)
            }
            Expect::RecordFree {
                connection,
                provider_customer_id,
                customer,
            } => {
                let mut owners = self.owners(connection, provider_customer_id);
                owners.all(|owner| owner == *customer)
            }
            Expect::Upsert { id, revision } => self.upserts.get(id).is_some_and(|row| row.revision() == *revision),
            Expect::Delivery { id, fence } => self.deliveries.get(id).is_some_and(|row| row.fence() == *fence),
            Expect::IncomingEvent {
                source,
                event_id,
                content,
                revision,
            } => {
                let event = self.events.of_source(source, event_id, content);
                event.map(IncomingEvent::revision) == *revision
            }
            Expect::EventMarks {
                customer,
                source,
                revision,
            } => self.events.marks(*customer, source).map(|row| row.revision) == *revision,
            Expect::OutgoingEvent { id, revision } => {
                let event = self.events.outgoing.get(id);
                event.is_some_and(|row| row.revision() == *revision)
            }
            Expect::Connection { connection, revision } => {
                self.connections.get(connection).map(|row| row.revision) == *revision
            }
            Expect::Endpoint { endpoint, revision } => {
                self.events.endpoints.get(endpoint).map(|row| row.revision) == *revision
            }
            Expect::CallsBelow { connection, day, limit } => {
                let counted = self.calls.get(&(*day, connection.clone()));
                counted.copied().unwrap_or_default() < *limit
            }
            Expect::Incident { id, revision } => self.incidents.get(id).map(IncidentRecord::revision) == *revision,
            Expect::Erasure { id, revision } => self.erasures.get(id).map(ErasureRecord::revision) == *revision,
            Expect::Merchant { revision } => self.own.as_ref().map(|(_, row)| row.revision) == *revision,
            Expect::IdempotencyFree { key, now } => self.idempotency.get(key).is_none_or(|row| row.expires_at <= *now),
        }
    }

    /// `change`: the number of the last change of a merchant, of all.
    pub(crate) fn write(&mut self, write: Write, change: &mut u64, audit: &mut AuditTables) {
        match write {
            Write::PutAuditEntry(entry) => drop(audit.entries.insert(entry.number, entry)),
            Write::ForgetAuditEntry(number) => drop(audit.entries.remove(&number)),
            Write::PutAuditHead(head) => audit.head = Some(head),
            Write::PutCustomer(row) => drop(self.customers.insert(row.id, row)),
            Write::DeleteCustomer(id) => self.delete_customer(id),
            Write::AddIdentifier { identifier, customer } => drop(self.identifiers.insert((identifier, customer))),
            Write::RemoveIdentifier { identifier, customer } => drop(self.identifiers.remove(&(identifier, customer))),
            Write::PutUpsert(row, change) => {
                if let Some(change) = change {
                    self.changes.entry(row.id).or_insert(change);
                }
                self.upserts.insert(row.id, row);
            }
            Write::PutDelivery(row, attempt) => self.put_delivery(row, attempt),
            Write::ForgetDelivery { id, attempts } => {
                self.deliveries.remove(&id);
                self.attempts
                    .retain(|(delivery, number), _| *delivery != id || *number > attempts.max(1));
            }
            Write::ForgetUpsert(id) => {
                self.upserts.remove(&id);
                self.changes.remove(&id);
            }
            Write::PutLane(row) => drop(self.lanes.insert((row.customer, row.connection.clone()), row)),
            Write::Reserve {
                connection,
                key,
                customer,
            } => drop(self.reservations.insert((connection, key, customer))),
            Write::Release {
                connection,
                key,
                customer,
            } => drop(self.reservations.remove(&(connection, key, customer))),
            Write::PutIdempotency(row) => drop(self.idempotency.insert(row.key, row)),
            Write::PutAnswer { key, answer } => {
                if let Some(row) = self.idempotency.get_mut(&key) {
                    row.answer.get_or_insert(answer);
                }
            }
            Write::EraseAnswer { key } => {
                let mut rows = self.idempotency.values_mut();
                if let Some(row) = rows.find(|row| row.key[..] == key.0) {
                    row.answer = Some(StoredAnswer::erased());
                }
            }
            Write::PutErasure(row) => drop(self.erasures.insert(row.id, row)),
            Write::PutIncident(row) => drop(self.incidents.insert(row.id, row)),
            Write::ForgetIncident(id) => drop(self.incidents.remove(&id)),
            Write::AddTombstone { key, erasure } => drop(self.tombstones.insert((key, erasure))),
            Write::ForgetIncomingEvent(id) => self.events.remove(id, false),
            Write::ForgetOutgoingEvent(id) => self.events.remove(id, true),
            Write::PutConnection(row) => drop(self.connections.insert(row.connection.clone(), row)),
            Write::PutIncomingEvent(row) => self.events.put_incoming(row),
            Write::PutEventMarks(row) => self.events.put_marks(row),
            Write::PutOutgoingEvent(row) => drop(self.events.outgoing.insert(row.id, row)),
            Write::PutEndpoint(row) => drop(self.events.endpoints.insert(row.endpoint.clone(), row)),
            Write::PutMerchant(row) => {
                *change += 1;
                self.own = Some((*change, row));
            }
            Write::CountCall { connection, day } => *self.calls.entry((day, connection)).or_default() += 1,
            Write::GiveBackCall { connection, day } => {
                if let Some(count) = self.calls.get_mut(&(day, connection)) {
                    *count = count.saturating_sub(1);
                }
            }
        }
    }

    fn put_delivery(&mut self, row: DeliveryRecord, attempt: Option<AttemptRecord>) {
        if let Some(mut attempt) = attempt {
            let key = (row.id, attempt.number);
            let before = self.attempts.remove(&key);
            attempt.request = attempt.request.or_else(|| before.and_then(|before| before.request));
            self.attempts.insert(key, attempt);
        }
        if row.attempts_are_forgotten() {
            let (id, last) = (row.id, row.last_attempt());
            self.attempts
                .retain(|(delivery, number), _| *delivery != id || *number > last);
        }
        self.deliveries.insert(row.id, row);
    }

    fn delete_customer(&mut self, id: CustomerId) {
        self.customers.remove(&id);
        self.lanes.retain(|(customer, _), _| *customer != id);
        self.events.delete_customer(id);
    }

    /// Whom this identifier finds, oldest first.
    pub(crate) fn holders(&self, identifier: &Identifier) -> impl Iterator<Item = CustomerId> {
        let of_it = move |(held, _): &&(Identifier, CustomerId)| held == identifier;
        self.identifiers.iter().filter(of_it).map(|(_, customer)| *customer)
    }

    /// Who has reserved this key, oldest first.
    pub(crate) fn holders_of_key(&self, connection: &str, key: &MatchKey) -> impl Iterator<Item = CustomerId> {
        let of_it = move |row: &&(String, MatchKey, CustomerId)| row.0 == connection && row.1 == *key;
        self.reservations.iter().filter(of_it).map(|row| row.2)
    }

    /// Who is linked to this vendor record, oldest first.
    pub(crate) fn owners(&self, connection: &str, vendor_id: &str) -> impl Iterator<Item = CustomerId> {
        let is_its = move |lane: &&Lane| lane.connection == connection && lane.linked_to() == Some(vendor_id);
        self.lanes.values().filter(is_its).map(|lane| lane.customer)
    }
}
