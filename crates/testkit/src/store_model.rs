//! Two stores side by side: random changesets over a small world, and all that can be asked about it.

mod changesets;
mod events;

use jiff::Timestamp;
use jiff::civil::{Date, date};

use upsert_core::{
    CustomerId, DeliveryId, ErasureId, Field, Identifier, IncidentId, KeyKind, MatchKey, Value, Word as _,
};
use upsert_store::{
    AttemptRecord, AuditFilter, AuditPage, AuditStretch, ConnectionRecord, Counted, CustomerFilter, CustomerPage,
    DeliveryFilter, DeliveryPage, DeliveryRecord, DeliveryState, EndpointRecord, ErasureRecord, EventCount, EventMarks,
    FailedCount, HistoryPage, IdempotencyRecord, IdentityQuery, IdentityView, IncidentFilter, IncidentRecord,
    IncidentState, IncomingEvent, IncomingPage, IncomingState, MerchantChange, MerchantRecord, OutgoingEvent,
    OutgoingPage, OutgoingState, Store, TombstoneKey, UpsertFilter, UpsertPage, UpsertRecord, UpsertState,
    WaitingCount,
};

pub use changesets::changesets;

use crate::records::{
    customer_id, delivery_id, delivery_of, email, email_key, incident_id, phone, reference, seconds, upsert_id,
    upsert_record,
};

const MERCHANTS: [&str; 2] = ["acme", "globex"];
const CONNECTIONS: [&str; 2] = ["crm", "erp"];
const VENDOR_IDS: [&str; 2] = ["v-1", "v-2"];
/// Ids, numbers of keys and the like run from 1 to this.
const MOST: u8 = 4;
/// An upsert's deliveries run from 1 to this.
const PARTS: u16 = 2;

fn identifiers() -> [Identifier; 4] {
    [
        email("a@example.com"),
        email("b@example.com"),
        phone("a@example.com"),
        reference("r"),
    ]
}

fn keys() -> [MatchKey; 3] {
    let by_id = MatchKey::new(KeyKind::Id, "a@example.com");
    [email_key("a@example.com"), email_key("b@example.com"), by_id]
}

fn days() -> [Date; 2] {
    [date(2026, 11, 20), date(2026, 11, 21)]
}

fn numbers() -> impl Iterator<Item = u128> {
    (1..=MOST).map(u128::from)
}

/// What is for good in a row goes by its number.
fn of_number<'a>(number: u8, all: &[&'a str]) -> &'a str {
    all[usize::from(number) % all.len()]
}

/// Every delivery that there may be.
fn deliveries() -> impl Iterator<Item = DeliveryId> {
    numbers().flat_map(|number| (1..=PARTS).map(move |part| delivery_of(number, part)))
}

fn another(merchant: &str) -> &'static str {
    MERCHANTS[usize::from(merchant == MERCHANTS[0])]
}

/// A key that is used at this merchant: none is used at two.
fn idempotency_key(merchant: &str, number: u8) -> [u8; 32] {
    [number + if merchant == MERCHANTS[0] { 0 } else { MOST }; 32]
}

/// Everything that a store answers about the small world.
#[derive(PartialEq)]
pub struct Observed {
    customers: Vec<CustomerPage>,
    identity: Vec<IdentityView>,
    history: Vec<HistoryPage>,
    key_holders: Vec<Vec<(MatchKey, CustomerId)>>,
    record_owners: Vec<Vec<CustomerId>>,
    idempotency: Vec<Option<IdempotencyRecord>>,
    upserts: Vec<Option<(UpsertRecord, Vec<DeliveryRecord>)>>,
    deliveries: Vec<Option<DeliveryRecord>>,
    attempts: Vec<Vec<AttemptRecord>>,
    due_connections: Vec<Vec<(String, String)>>,
    due: Vec<Vec<DeliveryRecord>>,
    waiting_at: Vec<Vec<DeliveryRecord>>,
    unsettled: Vec<Vec<UpsertRecord>>,
    abandoned: Vec<Vec<DeliveryRecord>>,
    waiting: Vec<WaitingCount>,
    failed: Vec<FailedCount>,
    lists: Vec<(DeliveryPage, Counted)>,
    upsert_lists: Vec<UpsertPage>,
    connections: Vec<ConnectionRecord>,
    calls: Vec<Vec<(String, String, u32)>>,
    owing: Vec<Vec<UpsertRecord>>,
    incoming: Vec<Option<IncomingEvent>>,
    incoming_lists: Vec<IncomingPage>,
    failed_incoming: Vec<EventCount<IncomingState>>,
    marks: Vec<Option<EventMarks>>,
    outgoing: Vec<Option<OutgoingEvent>>,
    outgoing_lists: Vec<OutgoingPage>,
    due_endpoints: Vec<Vec<(String, String)>>,
    due_to: Vec<Vec<OutgoingEvent>>,
    waiting_for_endpoint: Vec<Vec<OutgoingEvent>>,
    open_outgoing: Vec<EventCount<OutgoingState>>,
    endpoints: Vec<EndpointRecord>,
    merchants: Vec<(Option<MerchantRecord>, Vec<MerchantRecord>)>,
    merchant_changes: Vec<MerchantChange>,
    sealing_keys: Vec<(String, Vec<MerchantRecord>)>,
    audit: (AuditStretch, AuditPage),
    erasures: Vec<Option<ErasureRecord>>,
    open_erasures: Vec<ErasureRecord>,
    incidents: (Vec<Option<IncidentRecord>>, Vec<Vec<IncidentRecord>>),
    incidents_ended: Vec<(String, IncidentId)>,
    tombstones: Vec<Vec<Vec<ErasureId>>>,
    upserts_of: Vec<Vec<(UpsertRecord, Vec<DeliveryRecord>)>>,
    /// How many there are: each store keeps them in its way.
    keys_of_upserts: Vec<usize>,
}

/// Shows nothing: the parts are told apart by [`Observed::assert_same`].
impl std::fmt::Debug for Observed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Observed")
    }
}

macro_rules! each_part {
    ($one:expr, $other:expr, $check:expr) => {
        each_part!(@ $one, $other, $check, customers, identity, history, key_holders, record_owners, idempotency,
            upserts, deliveries, attempts, due_connections, due, waiting_at, unsettled, abandoned, waiting, failed, lists,
            upsert_lists, connections, calls, owing, incoming, incoming_lists, failed_incoming, marks, outgoing,
            outgoing_lists, due_endpoints, due_to, waiting_for_endpoint, open_outgoing, endpoints,
            merchants, merchant_changes, sealing_keys, audit, erasures, open_erasures, incidents, incidents_ended, tombstones,
            upserts_of, keys_of_upserts)
    };
    (@ $one:expr, $other:expr, $check:expr, $($part:ident),+) => {
        // The pattern makes sure that no part is left out.
        let Observed { $($part),+ } = $one;
        $($check(stringify!($part), $part == &$other.$part);)+
    };
}

impl Observed {
    /// # Panics
    ///
    /// Where they differ; the message names the first part that does.
    pub fn assert_same(&self, other: &Self) {
        each_part!(self, other, |part: &str, same: bool| assert!(same, "`{part}` differ"));
    }

    /// # Panics
    ///
    /// Where a part is the same; the message names it. Nothing is in flight in this world, so nothing is abandoned, no incident ends, and
    /// what is due stays at the same connections and endpoints, with no upsert left to settle.
    pub(crate) fn assert_each_part_differs_from(&self, other: &Self) {
        each_part!(self, other, |part: &str, same: bool| assert!(
            !same
                || [
                    "abandoned",
                    "due_connections",
                    "due_endpoints",
                    "incidents_ended",
                    "unsettled"
                ]
                .contains(&part),
            "`{part}` are the same"
        ));
    }
}

/// Asks everything.
///
/// # Panics
///
/// Where the store fails.
pub async fn observe(store: &dyn Store) -> Observed {
    let mut seen = Observed {
        customers: Vec::new(),
        identity: Vec::new(),
        history: Vec::new(),
        key_holders: Vec::new(),
        record_owners: Vec::new(),
        idempotency: Vec::new(),
        upserts: Vec::new(),
        deliveries: Vec::new(),
        attempts: Vec::new(),
        due_connections: Vec::new(),
        due: Vec::new(),
        waiting_at: Vec::new(),
        unsettled: Vec::new(),
        abandoned: Vec::new(),
        waiting: store.waiting().await.unwrap(),
        failed: store.failed_deliveries().await.unwrap(),
        lists: Vec::new(),
        upsert_lists: Vec::new(),
        connections: store.connections().await.unwrap(),
        calls: Vec::new(),
        owing: Vec::new(),
        incoming: Vec::new(),
        incoming_lists: Vec::new(),
        failed_incoming: store.failed_incoming().await.unwrap(),
        marks: Vec::new(),
        outgoing: Vec::new(),
        outgoing_lists: Vec::new(),
        due_endpoints: Vec::new(),
        due_to: Vec::new(),
        waiting_for_endpoint: Vec::new(),
        open_outgoing: store.open_outgoing().await.unwrap(),
        endpoints: store.endpoints().await.unwrap(),
        merchants: Vec::new(),
        merchant_changes: store.merchant_changes(0, 10).await.unwrap(),
        sealing_keys: Vec::new(),
        audit: (
            store.audit_after(0, 10).await.unwrap(),
            store.audit_entries(&AuditFilter::default(), None, 2).await.unwrap(),
        ),
        erasures: Vec::new(),
        open_erasures: store.open_erasures(None, 10).await.unwrap(),
        incidents: Default::default(),
        incidents_ended: store.incidents_ended_before(seconds(9), 10).await.unwrap(),
        tombstones: Vec::new(),
        upserts_of: Vec::new(),
        keys_of_upserts: Vec::new(),
    };
    observe_customers(store, &mut seen).await;
    observe_connections(store, &mut seen).await;
    observe_work(store, &mut seen).await;
    observe_lists(store, &mut seen).await;
    events::observe_incoming(store, &mut seen).await;
    events::observe_outgoing(store, &mut seen).await;
    observe_merchants(store, &mut seen).await;
    observe_erasures(store, &mut seen).await;
    observe_incidents(store, &mut seen).await;
    seen
}

/// What each key of a tombstone may be here.
fn tombstone_keys() -> Vec<TombstoneKey> {
    let records = VENDOR_IDS.map(|id| TombstoneKey::VendorRecord {
        connection: CONNECTIONS[0].to_owned(),
        provider_customer_id: id.to_owned(),
    });
    identifiers()
        .map(TombstoneKey::Identifier)
        .into_iter()
        .chain(records)
        .collect()
}

async fn observe_erasures(store: &dyn Store, seen: &mut Observed) {
    let upserts: Vec<_> = numbers().map(upsert_id).collect();
    for merchant in MERCHANTS {
        for number in numbers() {
            let erasure = store.erasure(merchant, ErasureId::of(customer_id(number))).await;
            seen.erasures.push(erasure.unwrap());
            for limit in [1, 10] {
                let upserts = store.upserts_of(merchant, customer_id(number), limit).await;
                seen.upserts_of.push(upserts.unwrap());
            }
        }
        seen.tombstones
            .push(store.tombstones(merchant, &tombstone_keys()).await.unwrap());
        seen.keys_of_upserts
            .push(store.keys_of_upserts(merchant, &upserts).await.unwrap().len());
    }
}

async fn observe_incidents(store: &dyn Store, seen: &mut Observed) {
    for merchant in MERCHANTS {
        for number in 1..=MOST {
            let incident = store.incident(merchant, incident_id(number.into())).await;
            seen.incidents.0.push(incident.unwrap());
        }
    }
    for state in [None, Some(IncidentState::Open), Some(IncidentState::Ended)] {
        for connection in [None, Some(CONNECTIONS[0].to_owned())] {
            let filter = IncidentFilter {
                state: state.into_iter().collect(),
                connection,
                ..IncidentFilter::default()
            };
            for (before, limit) in [(None, 10), (Some(incident_id(3)), 2)] {
                seen.incidents
                    .1
                    .push(store.incidents(&filter, before, limit).await.unwrap());
            }
        }
    }
}

/// The last change has the greatest number.
async fn observe_merchants(store: &dyn Store, seen: &mut Observed) {
    for id in MERCHANTS {
        let row = store.merchant(id).await.unwrap();
        seen.merchants.push((row, store.merchants(Some(id), 1).await.unwrap()));
    }
    for key in store.sealing_keys().await.unwrap() {
        let sealed = store.merchants_sealed_with(&key, 1).await.unwrap();
        seen.sealing_keys.push((key, sealed));
    }
    let last = store.last_merchant_change().await.unwrap();
    assert_eq!(last, seen.merchant_changes.last().map_or(0, |change| change.number));
}

async fn observe_lists(store: &dyn Store, seen: &mut Observed) {
    let acme = || Some([MERCHANTS[0].to_owned()].into());
    for states in [&[][..], &[DeliveryState::Failed], DeliveryState::ALL] {
        for merchants in [None, acme()] {
            for connection in [None, Some(CONNECTIONS[1].to_owned())] {
                let filter = DeliveryFilter {
                    merchants: merchants.clone(),
                    connection,
                    state: states.iter().copied().collect(),
                    ..DeliveryFilter::default()
                };
                let page = store.deliveries(&filter, None, 2).await.unwrap();
                let counted = store.count_deliveries(&filter, 2).await.unwrap();
                seen.lists.push((page, counted));
            }
        }
    }
    for merchant in MERCHANTS {
        for state in [None, Some(UpsertState::Pending), Some(UpsertState::Failed)] {
            let filter = UpsertFilter {
                merchant: merchant.to_owned(),
                state: state.into_iter().collect(),
                ..UpsertFilter::default()
            };
            seen.upsert_lists.push(store.upserts(&filter, None, 1).await.unwrap());
        }
    }
}

async fn observe_customers(store: &dyn Store, seen: &mut Observed) {
    for merchant in MERCHANTS {
        for filter in filters() {
            for after in [None, Some(customer_id(1))] {
                let page = store.customers(merchant, &filter, after, 2).await.unwrap();
                seen.customers.push(page);
            }
        }
        for number in numbers() {
            let query = IdentityQuery {
                id: Some(customer_id(number)),
                identifiers: identifiers().to_vec(),
            };
            seen.identity.push(store.identify(merchant, &query).await.unwrap());
            let known = store.customer(merchant, customer_id(number)).await.unwrap();
            assert!(known.as_ref() == seen.identity.last().unwrap().by_id.as_deref());
        }
    }
    for (merchant, number) in MERCHANTS
        .into_iter()
        .flat_map(|merchant| numbers().map(move |number| (merchant, number)))
    {
        for (before, limit) in [(None, 1), (None, 10), (Some(upsert_id(3)), 1)] {
            let page = store.history(merchant, customer_id(number), before, limit).await;
            seen.history.push(page.unwrap());
        }
    }
}

fn filters() -> Vec<CustomerFilter> {
    let none = CustomerFilter::default;
    let text = |text: &str| Some(text.to_owned());
    vec![
        none(),
        CustomerFilter {
            identifiers: identifiers()[..1].to_vec(),
            ..none()
        },
        CustomerFilter {
            tag: text("vip"),
            ..none()
        },
        CustomerFilter {
            status: text("inactive"),
            kind: text("person"),
            updated_since: Some(seconds(1)),
            ..none()
        },
    ]
}

async fn observe_connections(store: &dyn Store, seen: &mut Observed) {
    for merchant in MERCHANTS {
        for connection in CONNECTIONS {
            for except in [customer_id(1), customer_id(u128::from(MOST))] {
                let holders = store.key_holders(merchant, connection, &keys(), except).await;
                seen.key_holders.push(holders.unwrap());
            }
            for vendor_id in VENDOR_IDS {
                let owners = store.record_owners(merchant, connection, vendor_id).await;
                seen.record_owners.push(owners.unwrap());
            }
        }
    }
    for day in days() {
        seen.calls.push(store.calls(day).await.unwrap());
    }
}

async fn observe_work(store: &dyn Store, seen: &mut Observed) {
    for merchant in MERCHANTS {
        for number in 1..=MOST {
            for (of, now) in [(merchant, 0), (merchant, 2), (another(merchant), 0)] {
                let key = idempotency_key(of, number);
                let record = store.idempotency(merchant, &key, seconds(now)).await;
                seen.idempotency.push(record.unwrap());
            }
        }
        for number in numbers() {
            let found = store.upsert(merchant, upsert_id(number)).await;
            seen.upserts.push(found.unwrap());
        }
        for id in deliveries() {
            seen.deliveries.push(store.delivery(merchant, id).await.unwrap());
            seen.attempts.push(store.attempts(merchant, id).await.unwrap());
        }
    }
    for (now, limit) in [(1, 10), (3, 10), (3, 1)] {
        seen.due_connections
            .push(store.due_connections(seconds(now)).await.unwrap());
        for merchant in MERCHANTS {
            for connection in CONNECTIONS {
                let due = store.due_at(merchant, connection, seconds(now), limit).await;
                seen.due.push(due.unwrap());
                for after in [None, Some(delivery_id(2))] {
                    let waiting = store.waiting_at(merchant, connection, after, limit).await;
                    seen.waiting_at.push(waiting.unwrap());
                }
            }
        }
        observe_left(store, seen, limit).await;
        observe_abandoned(store, seen, seconds(now)).await;
    }
}

/// Upserts that somebody has to look at once more.
async fn observe_left(store: &dyn Store, seen: &mut Observed, limit: usize) {
    let after = |number: u8| upsert_record(of_number(number, &MERCHANTS), upsert_id(number.into()), customer_id(1));
    for after in [None, Some(after(2)), Some(after(1))] {
        seen.unsettled
            .push(store.unsettled(after.as_ref(), limit).await.unwrap());
        seen.owing.push(store.owing(after.as_ref(), limit).await.unwrap());
    }
}

/// They come in no order; of a page of them the number is all that can be said.
async fn observe_abandoned(store: &dyn Store, seen: &mut Observed, now: Timestamp) {
    for now in [Some(now), None] {
        let mut found = store.abandoned(now, 100).await.unwrap();
        found.sort_by_key(|row| row.id);
        let page = store.abandoned(now, 1).await.unwrap();
        assert_eq!(page.len(), found.len().min(1));
        assert!(page.iter().all(|row| found.contains(row)));
        seen.abandoned.push(found);
    }
}

/// A person, told apart by a number, that some of the filters find.
fn variant_of_a_person(number: u8) -> upsert_core::Customer {
    let mut customer = crate::records::person(&format!("Ada {number}"));
    if number == 1 {
        customer.set(Field::Tags, Value::Tags(["vip".to_owned()].into()));
    }
    if number == 2 {
        customer.set(Field::Status, Value::Text("inactive".to_owned()));
    }
    customer
}
