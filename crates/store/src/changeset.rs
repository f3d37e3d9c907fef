//! What is applied at once: expectations, then writes.

use jiff::civil::Date;

use upsert_core::{CustomerId, DeliveryId, ErasureId, EventId, Identifier, IncidentId, MatchKey, UpsertId};

use crate::{
    AttemptRecord, AuditHead, AuditRecord, ConnectionRecord, CustomerChange, CustomerRecord, DeliveryRecord,
    EndpointRecord, ErasureRecord, EventMarks, IdempotencyRecord, IncidentRecord, IncomingEvent, KeptAnswerKey, Lane,
    MerchantRecord, OutgoingEvent, StoredAnswer, TombstoneKey, UpsertRecord,
};

/// All of it or nothing. Everything in it is one merchant's, but for what the audit trail tells of it: what is kept can be
/// spread over machines by merchant.
#[derive(Debug, Clone)]
pub struct Changeset {
    /// Whose. The records in it name nobody else. Empty: nobody's, where only the audit trail is written.
    pub merchant: String,
    /// Has to hold when the writes are applied.
    pub expect: Vec<Expect>,
    /// Applied in order.
    pub write: Vec<Write>,
    /// Whether nothing is amiss where a crash loses it, such as the note that nothing had to be done. It may be answered as
    /// soon as it is applied, before it is durable.
    pub can_be_lost: bool,
}

impl Changeset {
    /// An empty one.
    pub fn of(merchant: &str) -> Self {
        Self {
            merchant: merchant.to_owned(),
            expect: Vec::new(),
            write: Vec::new(),
            can_be_lost: false,
        }
    }

    /// Whether it writes the merchant's own row, or of the audit trail, and nothing that is the merchant's: nothing is kept of a
    /// merchant yet that was only put there.
    pub fn is_of_merchant_alone(&self) -> bool {
        self.write.iter().all(|write| {
            matches!(
                write,
                Write::PutMerchant(_) | Write::PutAuditEntry(_) | Write::ForgetAuditEntry(_) | Write::PutAuditHead(_)
            )
        })
    }
}

/// Whether a changeset was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// All of it is durable; of what can be lost, that it will be unless the process dies now.
    Done,
    /// Nothing was written: the expectation at this index does not hold.
    Unmet(usize),
}

/// Something that has to be so still. The whole of concurrency control is in here: whoever decides on what was read
/// says what was read, and decides anew if it has changed.
#[derive(Debug, Clone)]
pub enum Expect {
    /// The customer has this revision; none: it does not exist.
    Customer {
        /// Which.
        id: CustomerId,
        /// Its row's revision.
        revision: Option<u64>,
    },
    /// These customers hold this identifier, and no others (compared as sets; where there are more than
    /// [`crate::IdentityView::MOST`], their oldest so many).
    Holders {
        /// The identifier.
        identifier: Identifier,
        /// Sorted.
        customers: Vec<CustomerId>,
    },
    /// The lane has this revision; none: it does not exist.
    Lane {
        /// Whose.
        customer: CustomerId,
        /// To where.
        connection: String,
        /// Its row's revision.
        revision: Option<u64>,
    },
    /// No other customer has reserved any of these keys.
    KeysFree {
        /// At which connection.
        connection: String,
        /// The keys.
        keys: Vec<MatchKey>,
        /// Who may hold them.
        customer: CustomerId,
    },
    /// No other customer is linked to this vendor record.
    RecordFree {
        /// At which connection.
        connection: String,
        /// The vendor's id.
        provider_customer_id: String,
        /// Who may be.
        customer: CustomerId,
    },
    /// The upsert has this revision.
    Upsert {
        /// Which.
        id: UpsertId,
        /// Its row's revision.
        revision: u64,
    },
    /// The delivery has this fence: nobody has claimed it since.
    Delivery {
        /// Which.
        id: DeliveryId,
        /// Its fencing token.
        fence: u64,
    },
    /// The event that came in has this revision; none: it is not known.
    IncomingEvent {
        /// The source.
        source: String,
        /// The sender's id of it.
        event_id: String,
        /// Its [`IncomingEvent::content`].
        content: String,
        /// Its row's revision.
        revision: Option<u64>,
    },
    /// What events of a source said of a customer has this revision; none: there is nothing.
    EventMarks {
        /// Whose.
        customer: CustomerId,
        /// The source.
        source: String,
        /// Its row's revision.
        revision: Option<u64>,
    },
    /// The event that goes out has this revision.
    OutgoingEvent {
        /// Which.
        id: EventId,
        /// Its row's revision.
        revision: u64,
    },
    /// The connection's own state has this revision; none: nothing is known of it.
    Connection {
        /// Which.
        connection: String,
        /// Its row's revision.
        revision: Option<u64>,
    },
    /// The endpoint's own state has this revision; none: nothing is known of it.
    Endpoint {
        /// Which.
        endpoint: String,
        /// Its row's revision.
        revision: Option<u64>,
    },
    /// Fewer calls than this were counted on this day.
    CallsBelow {
        /// At which connection.
        connection: String,
        /// UTC.
        day: Date,
        /// How many are too many.
        limit: u32,
    },
    /// The changeset's merchant has this revision in the store; none: it was never put there.
    Merchant {
        /// Its row's revision.
        revision: Option<u64>,
    },
    /// The audit trail's head has this revision; none: nothing was ever written.
    AuditHead {
        /// Its row's revision.
        revision: Option<u64>,
    },
    /// The erasure has this revision; none: there is none.
    Erasure {
        /// Which.
        id: ErasureId,
        /// Its row's revision.
        revision: Option<u64>,
    },
    /// The incident has this revision; none: there is none.
    Incident {
        /// Which.
        id: IncidentId,
        /// Its row's revision.
        revision: Option<u64>,
    },
    /// The idempotency key is not taken, or its record has expired by `now`.
    IdempotencyFree {
        /// The key's hash.
        key: [u8; 32],
        /// The present moment.
        now: jiff::Timestamp,
    },
}

/// One row's change. `Put` replaces the row with the same key, or makes it.
#[derive(Debug, Clone)]
pub enum Write {
    /// The customer's row. Its identifiers are written apart.
    PutCustomer(CustomerRecord),
    /// The customer's row, its lanes and its event marks. Its identifiers and reservations are written apart, as ever;
    /// upserts with what they changed, deliveries and events stay.
    DeleteCustomer(CustomerId),
    /// Makes the identifier find the customer.
    AddIdentifier {
        /// The identifier.
        identifier: Identifier,
        /// Whom it finds.
        customer: CustomerId,
    },
    /// Makes the identifier not find the customer any more.
    RemoveIdentifier {
        /// The identifier.
        identifier: Identifier,
        /// Whom it found.
        customer: CustomerId,
    },
    /// An upsert, and what it changed where it is put for the first time and changed anything: that stays with it for good,
    /// as do its merchant and its customer.
    PutUpsert(UpsertRecord, Option<CustomerChange>),
    /// A delivery, and the attempt that it begins or ends with this. Its upsert, merchant, customer, connection and
    /// `created_at` are for good: whoever puts it again puts the same ones. What went out is written once: an attempt that
    /// is put again without its request keeps the one that is there. A delivery whose attempts are forgotten has none any more.
    PutDelivery(DeliveryRecord, Option<AttemptRecord>),
    /// A delivery that is over is forgotten, with its attempts up to the one of this number.
    ForgetDelivery {
        /// Which.
        id: DeliveryId,
        /// The number of its last attempt.
        attempts: u32,
    },
    /// An upsert that is over is forgotten, with what it changed. Its deliveries are forgotten apart.
    ForgetUpsert(UpsertId),
    /// A lane; its link's vendor id finds it through `record_owners`.
    PutLane(Lane),
    /// Reserves a key at a connection for a customer.
    Reserve {
        /// At which connection.
        connection: String,
        /// The key.
        key: MatchKey,
        /// For whom.
        customer: CustomerId,
    },
    /// Gives a key back.
    Release {
        /// At which connection.
        connection: String,
        /// The key.
        key: MatchKey,
        /// Whose it was.
        customer: CustomerId,
    },
    /// An idempotency record, in the place of an expired one.
    PutIdempotency(IdempotencyRecord),
    /// The answer that an idempotency key gets from now on, unless it has one already or is not known.
    PutAnswer {
        /// The key's hash.
        key: [u8; 32],
        /// The answer.
        answer: StoredAnswer,
    },
    /// The idempotency key, if it is known, is answered by [`StoredAnswer::erased()`] from now on, whatever it was answered by
    /// before.
    EraseAnswer {
        /// The key, as the store keeps it ([`crate::ErasureStore::keys_of_upserts`]).
        key: KeptAnswerKey,
    },
    /// An erasure.
    PutErasure(ErasureRecord),
    /// The tombstone of an erasure has this key from now on, as a keyed hash.
    AddTombstone {
        /// The key.
        key: TombstoneKey,
        /// Whose.
        erasure: ErasureId,
    },
    /// An incident, by its id. Its connection is for good.
    PutIncident(IncidentRecord),
    /// An incident is forgotten.
    ForgetIncident(IncidentId),
    /// An event that came in is forgotten.
    ForgetIncomingEvent(EventId),
    /// An event that goes out is forgotten, whether or not it was sent.
    ForgetOutgoingEvent(EventId),
    /// A connection's own state.
    PutConnection(ConnectionRecord),
    /// An event that came in, by merchant, source and the sender's id. Those three and its own id are for good.
    PutIncomingEvent(IncomingEvent),
    /// What events of a source said of a customer, by both.
    PutEventMarks(EventMarks),
    /// An event that goes out, by its id. Its merchant, endpoint, kind and `created_at` are for good.
    PutOutgoingEvent(OutgoingEvent),
    /// An endpoint's own state, by merchant and name.
    PutEndpoint(EndpointRecord),
    /// The changeset's merchant itself; without a body it is gone. The change gets the next number of all.
    PutMerchant(MerchantRecord),
    /// An entry of the audit trail. Whoever writes one expects the head that it follows, and puts the next one.
    PutAuditEntry(AuditRecord),
    /// An entry of the audit trail is older than entries are kept. The head that is put with it tells of it.
    ForgetAuditEntry(u64),
    /// Where the audit trail ends and begins.
    PutAuditHead(AuditHead),
    /// One more call on this day.
    CountCall {
        /// At which connection.
        connection: String,
        /// UTC.
        day: Date,
    },
    /// One call fewer on this day, where any were counted: it was counted before it went out, and then did not.
    GiveBackCall {
        /// At which connection.
        connection: String,
        /// UTC.
        day: Date,
    },
}
