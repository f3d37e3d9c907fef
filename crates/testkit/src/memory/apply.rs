//! Judging expectations and applying writes.

use std::collections::BTreeSet;

use upsert_core::{CustomerId, Identifier, MatchKey};

use super::Tables;
use upsert_store::{AttemptRecord, Expect, IdentityView, IncomingEvent, Lane, Write};

impl Tables {
    pub(super) fn holds(&self, expect: &Expect) -> bool {
        match expect {
            Expect::Customer { id, revision } => self.customers.get(id).map(|row| row.revision) == *revision,
            Expect::Holders {
                merchant,
                identifier,
                customers,
            } => {
                let expected: BTreeSet<CustomerId> = customers.iter().copied().collect();
                let expected = expected.into_iter().take(IdentityView::MOST);
                self.holders(merchant, identifier).take(IdentityView::MOST).eq(expected)
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
                merchant,
                connection,
                keys,
                customer,
            } => keys.iter().all(|key| {
                self.holders_of_key(merchant, connection, key)
                    .all(|holder| holder == *customer)
            }),
            Expect::RecordFree {
                merchant,
                connection,
                provider_customer_id,
                customer,
            } => self
                .owners(merchant, connection, provider_customer_id)
                .all(|owner| owner == *customer),
            Expect::Upsert { id, revision } => self.upserts.get(id).is_some_and(|row| row.revision() == *revision),
            Expect::Delivery { id, fence } => self.deliveries.get(id).is_some_and(|row| row.fence() == *fence),
            Expect::IncomingEvent {
                merchant,
                source,
                event_id,
                content,
                revision,
            } => {
                let event = self.events.of_source(merchant, source, event_id, content);
                event.map(IncomingEvent::revision) == *revision
            }
            Expect::EventMarks {
                customer,
                source,
                revision,
            } => self.events.marks(*customer, source).map(|row| row.revision) == *revision,
            Expect::OutgoingEvent { id, revision } => {
                let event = self.events.outgoing(*id);
                event.is_some_and(|row| row.revision() == *revision)
            }
            Expect::IdempotencyFree { key, now } => self.idempotency.get(key).is_none_or(|row| row.expires_at <= *now),
        }
    }

    pub(super) fn write(&mut self, write: Write) {
        match write {
            Write::PutCustomer(row) => drop(self.customers.insert(row.id, row)),
            Write::DeleteCustomer(id) => self.delete_customer(id),
            Write::AddIdentifier {
                merchant,
                identifier,
                customer,
            } => drop(self.identifiers.insert((merchant, identifier, customer))),
            Write::RemoveIdentifier {
                merchant,
                identifier,
                customer,
            } => drop(self.identifiers.remove(&(merchant, identifier, customer))),
            Write::PutHistory(row) => drop(self.history.insert((row.customer, row.upsert), row)),
            Write::PutUpsert(row) => drop(self.upserts.insert(row.id, row)),
            Write::PutDelivery(row) => drop(self.deliveries.insert(row.id, row)),
            Write::PutAttempt(row) => self.put_attempt(row),
            Write::PutLane(row) => drop(self.lanes.insert((row.customer, row.connection.clone()), row)),
            Write::Reserve {
                merchant,
                connection,
                key,
                customer,
            } => drop(self.reservations.insert((merchant, connection, key, customer))),
            Write::Release {
                merchant,
                connection,
                key,
                customer,
            } => drop(self.reservations.remove(&(merchant, connection, key, customer))),
            Write::PutIdempotency(row) => drop(self.idempotency.insert(row.key, row)),
            Write::PutAnswer { key, answer } => {
                if let Some(row) = self.idempotency.get_mut(&key) {
                    row.answer.get_or_insert(answer);
                }
            }
            Write::PutConnection(row) => {
                let key = (row.merchant.clone(), row.connection.clone());
                self.connections.insert(key, row);
            }
            Write::PutIncomingEvent(row) => self.events.put_incoming(row),
            Write::PutEventMarks(row) => self.events.put_marks(row),
            Write::PutOutgoingEvent(row) => self.events.put_outgoing(row),
            Write::PutEndpoint(row) => self.events.put_endpoint(row),
            Write::CountCall {
                merchant,
                connection,
                day,
            } => *self.calls.entry((day, merchant, connection)).or_default() += 1,
            Write::GiveBackCall {
                merchant,
                connection,
                day,
            } => {
                if let Some(count) = self.calls.get_mut(&(day, merchant, connection)) {
                    *count = count.saturating_sub(1);
                }
            }
        }
    }

    fn put_attempt(&mut self, mut row: AttemptRecord) {
        let key = (row.delivery, row.number);
        let before = self.attempts.remove(&key);
        row.request = row.request.or_else(|| before.and_then(|before| before.request));
        self.attempts.insert(key, row);
    }

    fn delete_customer(&mut self, id: CustomerId) {
        self.customers.remove(&id);
        self.lanes.retain(|(customer, _), _| *customer != id);
        self.events.delete_customer(id);
    }

    /// Whom this identifier finds, oldest first.
    pub(super) fn holders(&self, merchant: &str, identifier: &Identifier) -> impl Iterator<Item = CustomerId> {
        let of_it = move |(of, held, _): &&(String, Identifier, CustomerId)| of == merchant && held == identifier;
        self.identifiers.iter().filter(of_it).map(|(_, _, customer)| *customer)
    }

    /// Who has reserved this key, oldest first.
    pub(super) fn holders_of_key(
        &self,
        merchant: &str,
        connection: &str,
        key: &MatchKey,
    ) -> impl Iterator<Item = CustomerId> {
        let of_it = move |row: &&(String, String, MatchKey, CustomerId)| {
            row.0 == merchant && row.1 == connection && row.2 == *key
        };
        self.reservations.iter().filter(of_it).map(|row| row.3)
    }

    /// Who is linked to this vendor record, oldest first.
    pub(super) fn owners(&self, merchant: &str, connection: &str, vendor_id: &str) -> impl Iterator<Item = CustomerId> {
        self.lanes
            .values()
            .filter(move |lane| {
                lane.merchant == merchant && lane.connection == connection && lane.linked_to() == Some(vendor_id)
            })
            .map(|lane| lane.customer)
    }
}
