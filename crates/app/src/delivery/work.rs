//! One delivery on its way, and what holds for each of them.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use jiff::{SignedDuration, Timestamp};

use upsert_core::{Held, PreparedUpsert, Priority, utc_day};
use upsert_store::{AttemptRecord, CustomerRecord, DeliveryRecord, Expect, Lane, SentRequest, UpsertRecord, Write};

use crate::directory::merchant::Connection;

/// A lease lasts the attempt's time-out plus this: a slow commit before it, the wait for a place, the recording of what
/// came of it, and clocks of several processes that differ.
pub(crate) const LEASE_MARGIN: SignedDuration = SignedDuration::from_secs(25);
/// How often a delivery that waits behind another one looks for itself, should nobody call it.
pub(crate) const PREDECESSOR_CHECK: SignedDuration = SignedDuration::from_secs(60);

/// A durable upsert.
pub(crate) struct Committed {
    pub(crate) upsert: UpsertRecord,
    /// The customer as this upsert made it.
    pub(crate) record: CustomerRecord,
    /// All of its deliveries, in the order of the connections.
    pub(crate) deliveries: Vec<DeliveryRecord>,
    /// What is to be sent now.
    pub(crate) works: Vec<Work>,
    /// Connections whose worker has something new to take.
    pub(crate) to_wake: Vec<String>,
}

/// One delivery on its way: its attempt is durable.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub(crate) connection: Arc<Connection>,
    pub(crate) delivery: DeliveryRecord,
    pub(crate) lane: Lane,
    pub(crate) prepared: Box<PreparedUpsert>,
    pub(crate) replaces_link: bool,
    /// Its upsert, where it is the only delivery of it: then its end is the upsert's.
    pub(crate) sole_of: Option<UpsertRecord>,
    /// How many deliveries of the upsert have not been recorded once, this one included: whoever comes last looks
    /// whether the upsert has ended. None: nobody counts, so everybody looks.
    pub(crate) open_siblings: Option<Arc<AtomicUsize>>,
    /// Whether somebody is to be told when its upsert has ended well.
    pub(crate) owes_event: bool,
    /// Whether somebody asked for this call: it goes out whatever the vendor said before.
    pub(crate) is_trial: bool,
}

impl Work {
    /// What goes out, and whether it leaves the present link behind.
    pub(crate) fn new(
        connection: Arc<Connection>,
        delivery: DeliveryRecord,
        lane: Lane,
        (prepared, replaces_link): (Box<PreparedUpsert>, bool),
    ) -> Self {
        Self {
            connection,
            delivery,
            lane,
            prepared,
            replaces_link,
            sole_of: None,
            open_siblings: None,
            owes_event: false,
            is_trial: false,
        }
    }

    /// Whether it went out with the commit of the request that it is of, which waits for it in this process.
    pub(crate) const fn is_its_requests(&self) -> bool {
        self.open_siblings.is_some() || self.sole_of.is_some()
    }
}

/// The attempt that is about to go out.
pub(crate) fn attempt(delivery: &DeliveryRecord, prepared: &PreparedUpsert, now: Timestamp) -> AttemptRecord {
    AttemptRecord {
        delivery: delivery.id,
        number: delivery.attempts() + 1,
        fence: delivery.fence(),
        started_at: now,
        ended_at: None,
        result: None,
        vendor_status: None,
        vendor_said: serde_json::Map::new(),
        request: Some(SentRequest::from(&prepared.request)),
        error: None,
    }
}

/// One more call on this moment's day.
pub(crate) fn count_call(connection: &str, at: Timestamp) -> Write {
    Write::CountCall {
        connection: connection.to_owned(),
        day: utc_day(at),
    }
}

/// That there is room for one more on this moment's day; none: nobody limits them.
pub(crate) fn calls_below(connection: &Connection, priority: Priority, at: Timestamp) -> Option<Expect> {
    let limit = connection.status.day_limit(priority)?;
    Some(Expect::CallsBelow {
        connection: connection.name.clone(),
        day: utc_day(at),
        limit,
    })
}

/// A call that was counted at this moment, and then did not go out.
pub(crate) fn give_back_call(connection: &str, at: Timestamp) -> Write {
    Write::GiveBackCall {
        connection: connection.to_owned(),
        day: utc_day(at),
    }
}

/// The vendor has accepted all of it before: no call.
pub(crate) fn unchanged(delivery: &mut DeliveryRecord, lane: &mut Lane, now: Timestamp) {
    delivery.end_unchanged(lane.linked_to(), now);
    lane.mark_accepted(delivery.version(), now);
}

/// The connection lets nothing through now: it waits for what holds the connection back.
pub(crate) fn park(delivery: &mut DeliveryRecord, held: Held, now: Timestamp) {
    let wait = held.for_at_least.and_then(|wait| SignedDuration::try_from(wait).ok());
    let until = wait.and_then(|wait| now.checked_add(wait).ok());
    delivery.wait(held.waiting_for, until, now);
}

/// Until when whoever sends to this connection from now on has the delivery for itself.
pub(crate) fn lease_until(connection: &Connection, now: Timestamp) -> Timestamp {
    let timeout = SignedDuration::try_from(connection.timeout).unwrap_or(LEASE_MARGIN);
    now.checked_add(timeout + LEASE_MARGIN).unwrap_or(Timestamp::MAX)
}
