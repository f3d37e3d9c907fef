//! What is told to a merchant's own systems. An event is written in the same transaction as what it tells of, so none is
//! lost and none tells of what never was.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value as Json, json};

use upsert_api::{Erasure, EventBody};
use upsert_core::{EventKind, EventPayload, Word as _, utc_day};
use upsert_store::{
    Applied, Changeset, DeliveryRecord, DeliveryState, EventTrace, Expect, Hints, OutgoingEvent, OutgoingState, Pause,
    StoreError, UpsertRecord, UpsertState, Write,
};

use crate::audit::act::Act;
use crate::directory::merchant::{Connection, Merchant};
use crate::directory::webhooks::Endpoint;
use crate::outbox::Outbox;
use crate::outbox::calls::Calls;
use crate::runtime::counters::Counters;
use crate::runtime::wakeups::{QueueKey, Reach};
use crate::view::answer::Answering;
use crate::view::delivery::listed_delivery;

/// A quota is running out when no more than this part of the day's calls is left.
const NEARLY_SPENT: f64 = 0.1;

/// What happened, as the API shows it and by its ids alone.
pub(crate) struct NewEvent<T> {
    pub(crate) kind: EventKind,
    pub(crate) full: T,
    pub(crate) ids: Json,
    /// The request that made it happen, if it is known.
    pub(crate) trace: Option<EventTrace>,
}

impl Outbox {
    /// Applies a changeset, and with it the events that tell of deliveries which it ends badly. Every change that the use
    /// cases make goes through here.
    pub(crate) async fn apply(&self, mut changes: Changeset) -> Result<Applied, StoreError> {
        if changes.write.iter().any(|write| is_failure(write).is_some()) {
            // Of a merchant that cannot be served nobody is told, and what happened is recorded all the same.
            let _known_or_not = self.context.directory_with(&changes.merchant).await;
        }
        let writes = changes.write.iter();
        let failures: Vec<Write> = writes.flat_map(|write| self.events_of_failure(write)).collect();
        changes.write.extend(failures);
        let told: Vec<QueueKey> = changes.write.iter().filter_map(marked_by).collect();
        let hints = hints_of(&changes.write, self.context.clock.now());
        let ended = self.context.counters.ended_by(&changes.write);
        let calls = Calls::of(&changes);
        let applied = self.context.store.apply(changes).await?;
        match applied {
            Applied::Done => {
                Counters::count(ended);
                for place in told {
                    self.context.wake(place, Reach::Due);
                }
                if !hints.is_empty() {
                    self.context.store.tell(hints);
                }
                calls.count(&self.context.directory());
            }
            Applied::Unmet(index) => {
                if let Some(day) = calls.limited_by(index) {
                    self.context.learn_calls(day).await?;
                }
            }
        }
        Ok(applied)
    }

    /// Applies a changeset together with what the audit trail tells of it.
    pub(crate) async fn apply_audited(&self, changes: Changeset, acts: &[Act]) -> Result<Applied, StoreError> {
        self.context
            .audit
            .commit_with(changes, acts, |changes| self.apply(changes))
            .await
    }

    /// Applies these writes of one merchant's, where what is expected holds.
    pub(crate) async fn write(
        &self,
        merchant: &str,
        expect: Vec<Expect>,
        write: Vec<Write>,
    ) -> Result<Applied, StoreError> {
        self.apply(Changeset {
            expect,
            write,
            ..Changeset::of(merchant)
        })
        .await
    }

    /// One event for each endpoint that wants to know.
    pub(crate) fn publish<T: Serialize>(&self, merchant: &Merchant, event: &NewEvent<T>) -> Vec<Write> {
        let now = self.context.clock.now();
        let wants = |endpoint: &&std::sync::Arc<Endpoint>| endpoint.events.contains(&event.kind);
        let events = merchant.endpoints.iter().filter(wants).map(|endpoint| {
            let word = event.kind.as_str();
            let body = match endpoint.payload {
                EventPayload::Ids => body(word, now, &event.ids),
                EventPayload::Full => body(word, now, &event.full),
            };
            let id = self.context.ids.event(&merchant.id);
            let trace = event.trace.clone();
            let mut event = OutgoingEvent::new(id, &merchant.id, &endpoint.name, word, body, now);
            event.trace = trace;
            if self.context.endpoints.is_disabled(&merchant.id, &endpoint.name) {
                event.give_up("the endpoint is disabled", now);
            }
            Write::PutOutgoingEvent(event)
        });
        events.collect()
    }

    fn events_of_failure(&self, write: &Write) -> Vec<Write> {
        let Some(delivery) = is_failure(write) else {
            return Vec::new();
        };
        let directory = self.context.directory();
        let kind = EventKind::CustomerDeliveryFailed;
        let merchant = directory.get(&delivery.merchant);
        let Some(merchant) = merchant.filter(|merchant| merchant.tells(kind)) else {
            return Vec::new();
        };
        let event = NewEvent {
            kind,
            full: listed_delivery(delivery),
            ids: json!({ "id": delivery.id, "upsert_id": delivery.upsert(), "customer_id": delivery.customer }),
            trace: EventTrace::of(delivery),
        };
        self.publish(&merchant, &event)
    }

    /// That an upsert's required deliveries have ended well, with its answer.
    pub(crate) async fn events_of_upsert(
        &self,
        upsert: &UpsertRecord,
        own: &[DeliveryRecord],
        effective: &[DeliveryRecord],
    ) -> Result<Vec<Write>, StoreError> {
        let directory = self.context.directory_with(&upsert.merchant).await?;
        let kind = EventKind::CustomerUpserted;
        let merchant = directory.get(&upsert.merchant);
        let Some(merchant) = merchant.filter(|merchant| merchant.tells(kind)) else {
            return Ok(Vec::new());
        };
        let Some(record) = self.context.record_at(upsert).await? else {
            return Ok(Vec::new());
        };
        let answering = Answering {
            upsert,
            record: &record,
            own,
            effective,
            request_id: "",
            instance: "",
            now: self.context.clock.now(),
        };
        let deliveries: Vec<Json> = own.iter().map(|delivery| json!({ "id": delivery.id })).collect();
        let event = NewEvent {
            kind,
            full: answering.shape(),
            ids: json!({ "upsert_id": upsert.id, "customer": { "id": record.id }, "deliveries": deliveries }),
            trace: own.first().and_then(EventTrace::of),
        };
        Ok(self.publish(&merchant, &event))
    }

    /// That a customer was erased, with the certificate that is kept.
    pub(crate) fn events_of_erasure(&self, merchant: &Merchant, certificate: Erasure) -> Vec<Write> {
        let event = NewEvent {
            kind: EventKind::CustomerErased,
            ids: json!({ "erasure_id": certificate.erasure_id, "customer_id": certificate.customer_id }),
            full: certificate,
            trace: None,
        };
        self.publish(merchant, &event)
    }

    /// That a connection was paused or goes on, as it will be seen from then on.
    pub(crate) async fn events_of_pause(
        &self,
        merchant: &str,
        connection: &str,
        (before, after): (Option<&Pause>, Option<&Pause>),
    ) -> Result<Vec<Write>, StoreError> {
        let kind = match (before, after) {
            (None, Some(_)) => EventKind::ConnectionPaused,
            (Some(_), None) => EventKind::ConnectionResumed,
            _ => return Ok(Vec::new()),
        };
        let directory = self.context.directory_with(merchant).await?;
        let merchant = directory.get(merchant).filter(|merchant| merchant.tells(kind));
        let merchant = merchant.as_deref();
        match merchant.and_then(|merchant| Some((merchant, merchant.connection(connection)?))) {
            Some((merchant, connection)) => self.events_of_connection(merchant, connection, kind, after).await,
            None => Ok(Vec::new()),
        }
    }

    async fn events_of_connection(
        &self,
        merchant: &Merchant,
        connection: &Connection,
        kind: EventKind,
        pause: Option<&Pause>,
    ) -> Result<Vec<Write>, StoreError> {
        let counts = self.context.counts().await?;
        let event = NewEvent {
            kind,
            full: self.context.connection_view(&merchant.id, connection, pause, &counts),
            ids: json!({ "merchant_id": merchant.id, "name": connection.name }),
            trace: None,
        };
        Ok(self.publish(merchant, &event))
    }

    /// Tells, once a day for each connection, that the day's calls are nearly used up.
    pub(crate) async fn publish_quota_warnings(&self, now: Timestamp) -> Result<(), StoreError> {
        let (directory, kind, today) = (self.context.directory(), EventKind::QuotaRunningOut, utc_day(now));
        for merchant in directory.iter().filter(|merchant| merchant.tells(kind)) {
            for connection in merchant.connections.iter().filter(|connection| connection.counts_calls) {
                let (connections, id, name) = (&self.context.connections, &merchant.id, &connection.name);
                if connections.record(id, name).quota_told == Some(today) || !is_running_out(connection) {
                    continue;
                }
                // A pause is part of the same record.
                let _one_at_a_time = self.context.pausing.lock().await;
                let mut record = connections.record(id, name);
                let mut write = self
                    .events_of_connection(&merchant, connection, kind, record.pause.as_ref())
                    .await?;
                let expected = record.change();
                record.quota_told = Some(today);
                write.push(Write::PutConnection(record.clone()));
                // Where another process was first, the next pass looks again.
                if self.write(id, vec![expected], write).await? == Applied::Done {
                    connections.learn(record);
                }
            }
        }
        Ok(())
    }
}

/// The delivery that ends badly with this.
fn is_failure(write: &Write) -> Option<&DeliveryRecord> {
    match write {
        Write::PutDelivery(delivery, _) if delivery.state() == DeliveryState::Failed => Some(delivery),
        _ => None,
    }
}

/// The queue that has work with this.
fn marked_by(write: &Write) -> Option<QueueKey> {
    match write {
        Write::PutOutgoingEvent(event) if event.state() == OutgoingState::Pending => {
            Some(QueueKey::Endpoint(event.merchant.clone(), event.endpoint.clone()))
        }
        _ => None,
    }
}

/// Where other processes may find something to do with these. What goes out at once is this process's alone.
fn hints_of(writes: &[Write], now: Timestamp) -> Hints {
    let mut hints = Hints::default();
    for write in writes {
        match write {
            Write::PutConnection(_) | Write::PutEndpoint(_) => hints.connections = true,
            Write::PutOutgoingEvent(event) => hints.events |= event.state() == OutgoingState::Pending,
            Write::PutDelivery(delivery, _) => {
                hints.deliveries |= delivery.next_attempt_at().is_some_and(|at| at <= now);
            }
            _ => {}
        }
    }
    hints
}

/// Whether every required delivery has ended well, so that the merchant may be told.
pub(crate) fn has_ended_well(state: UpsertState, effective: &[DeliveryRecord]) -> bool {
    let mut required = effective.iter().filter(|delivery| delivery.required).peekable();
    let ended = matches!(state, UpsertState::Succeeded | UpsertState::PartiallyFailed);
    ended || (required.peek().is_some() && required.all(|delivery| delivery.state() == DeliveryState::Succeeded))
}

/// The body of an event.
pub(crate) fn body(kind: &str, at: Timestamp, data: &impl Serialize) -> String {
    let body = EventBody {
        r#type: kind,
        timestamp: at,
        data,
    };
    serde_json::to_string(&body).unwrap_or_default()
}

fn is_running_out(connection: &Connection) -> bool {
    let limit = connection.status.snapshot().rate_limit;
    match (limit.left_today, limit.per_day) {
        (Some(left), Some(per_day)) => {
            f64::from(left) <= f64::from(per_day) * NEARLY_SPENT || limit.left_today_for_bulk == Some(0)
        }
        _ => false,
    }
}
