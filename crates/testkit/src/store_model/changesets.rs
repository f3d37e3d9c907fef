//! Random changesets over the small world.

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;

use upsert_core::{CustomerId, DeliveryId, ErasureId, UpsertId, Word as _};
use upsert_store::{
    AttemptRecord, Changeset, CustomerChange, CustomerRecord, DeliveryRecord, DeliveryState, ErasureRecord, Expect,
    IdempotencyRecord, Lane, MerchantRecord, Progress, TouchedRecord, UpsertState, Write,
};

use super::{
    CONNECTIONS, MERCHANTS, MOST, PARTS, VENDOR_IDS, days, events, idempotency_key, identifiers, keys, of_number,
    tombstone_keys, variant_of_a_person,
};
use crate::records::{
    at_revision, attempt_record, audit_head, audit_record, customer_id, customer_record, delivery_of, delivery_record,
    due_progress, full_delivery_error, idempotency_record, ignored_phone, incident_id, incident_record, linked_lane,
    paused_connection, plain_progress, seconds, sent_request, stored_answer, stored_merchant, upsert_id,
    upsert_in_state,
};

/// So many changesets at most, to be applied one after another.
pub fn changesets(most: usize) -> impl Strategy<Value = Vec<Changeset>> {
    let [acme, globex] = MERCHANTS.map(changeset);
    vec(prop_oneof![acme, globex], 1..=most)
}

fn changeset(merchant: &'static str) -> impl Strategy<Value = Changeset> {
    (vec(expect(), 0..=1), vec(write(merchant), 0..=5)).prop_map(move |(expect, write)| Changeset {
        expect,
        write,
        ..Changeset::of(merchant)
    })
}

pub(super) fn number() -> impl Strategy<Value = u8> {
    1..=MOST
}

/// Of rows whose merchant goes by their number.
pub(super) fn number_at(merchant: &'static str) -> impl Strategy<Value = u8> {
    let numbers = (1..=MOST).filter(|number| of_number(*number, &MERCHANTS) == merchant);
    select(numbers.collect::<Vec<_>>())
}

pub(super) fn customer() -> impl Strategy<Value = CustomerId> {
    number().prop_map(|number| customer_id(number.into()))
}

fn upsert() -> impl Strategy<Value = UpsertId> {
    number().prop_map(|number| upsert_id(number.into()))
}

fn delivery() -> impl Strategy<Value = DeliveryId> {
    (number(), 1..=PARTS).prop_map(|(number, part)| delivery_of(number.into(), part))
}

fn connection() -> impl Strategy<Value = String> {
    select(&CONNECTIONS[..]).prop_map(str::to_owned)
}

fn vendor_id() -> impl Strategy<Value = String> {
    select(&VENDOR_IDS[..]).prop_map(str::to_owned)
}

pub(super) fn moment() -> impl Strategy<Value = Timestamp> {
    (0..4_i64).prop_map(seconds)
}

pub(super) fn revision() -> impl Strategy<Value = u64> {
    1..=2_u64
}

fn expect() -> impl Strategy<Value = Expect> {
    prop_oneof![
        (customer(), option::of(revision())).prop_map(|(id, revision)| Expect::Customer { id, revision }),
        (select(identifiers().to_vec()), vec(customer(), 0..=2))
            .prop_map(|(identifier, customers)| Expect::Holders { identifier, customers }),
        (customer(), connection(), option::of(revision())).prop_map(|(customer, connection, revision)| Expect::Lane {
            customer,
            connection,
            revision
        }),
        (connection(), vec(select(keys().to_vec()), 0..=2), customer()).prop_map(|(connection, keys, customer)| {
            Expect::KeysFree {
                connection,
                keys,
                customer,
            }
        }),
        (connection(), vendor_id(), customer()).prop_map(|(connection, provider_customer_id, customer)| {
            Expect::RecordFree {
                connection,
                provider_customer_id,
                customer,
            }
        }),
        (upsert(), revision()).prop_map(|(id, revision)| Expect::Upsert { id, revision }),
        (delivery(), revision()).prop_map(|(id, fence)| Expect::Delivery { id, fence }),
        (select(&MERCHANTS[..]), number(), moment()).prop_map(|(merchant, number, now)| {
            Expect::IdempotencyFree {
                key: idempotency_key(merchant, number),
                now,
            }
        }),
        (connection(), option::of(revision()))
            .prop_map(|(connection, revision)| Expect::Connection { connection, revision }),
        (connection(), select(days().to_vec()), 0..=2_u32).prop_map(|(connection, day, limit)| Expect::CallsBelow {
            connection,
            day,
            limit
        }),
        option::of(revision()).prop_map(|revision| Expect::Merchant { revision }),
        option::of(revision()).prop_map(|revision| Expect::AuditHead { revision }),
        events::expects(),
    ]
}

fn write(merchant: &'static str) -> impl Strategy<Value = Write> {
    prop_oneof![
        customer_writes(merchant),
        work_writes(merchant),
        other_writes(merchant),
        events::writes(merchant)
    ]
}

fn customer_writes(merchant: &'static str) -> impl Strategy<Value = Write> {
    let identifier = || (select(identifiers().to_vec()), customer());
    let put = (customer(), revision(), number(), moment());
    prop_oneof![
        3 => put.prop_map(move |(id, revision, variant, updated_at)| {
            Write::PutCustomer(CustomerRecord {
                revision,
                updated_at,
                customer: variant_of_a_person(variant),
                ..customer_record(merchant, id)
            })
        }),
        1 => customer().prop_map(Write::DeleteCustomer),
        3 => identifier().prop_map(|(identifier, customer)| Write::AddIdentifier { identifier, customer }),
        1 => identifier().prop_map(|(identifier, customer)| Write::RemoveIdentifier { identifier, customer }),
    ]
}

fn change() -> impl Strategy<Value = CustomerChange> {
    number().prop_map(|variant| CustomerChange {
        record: variant_of_a_person(variant),
        links: (variant % 2 == 1)
            .then(|| ("crm".to_owned(), format!("v-{variant}")))
            .into_iter()
            .collect(),
    })
}

/// What is for good goes by the number.
fn upsert_write(merchant: &'static str) -> impl Strategy<Value = Write> {
    let kind = (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        option::weighted(0.1, Just(())),
    );
    let row = (
        number_at(merchant),
        select(UpsertState::ALL),
        revision(),
        kind,
        option::of(change()),
    );
    row.prop_map(
        move |(number, state, revision, (owes_event, refused, ignores, forgotten), change)| {
            let mut record = upsert_in_state(merchant, upsert_id(number.into()), customer_of(number), state);
            while record.revision() < revision {
                let _nobody_asks = record.change();
            }
            if owes_event {
                record.owe_event();
            }
            if refused {
                record.roll_back();
            }
            if forgotten.is_some() {
                record.forget();
            }
            record.ignored = ignores.then(ignored_phone).into_iter().collect();
            Write::PutUpsert(record, change)
        },
    )
}

/// Of the upsert of this number and its deliveries.
fn customer_of(upsert: u8) -> CustomerId {
    customer_id(u128::from(upsert.div_ceil(3)))
}

/// What is for good goes by the number.
fn delivery_record_of_the_world(merchant: &'static str) -> impl Strategy<Value = DeliveryRecord> {
    use DeliveryState::{Discarded, Failed, InFlight, Pending, Retrying, Succeeded, Superseded, Waiting};
    let state = select(vec![
        Pending, InFlight, Succeeded, Retrying, Waiting, Superseded, Failed, Discarded,
    ]);
    let times = (option::of(moment()), option::of(moment()));
    let row = (number_at(merchant), 1..=PARTS, state, times, 0..=2_u64);
    row.prop_map(move |(number, part, state, (due, lease), fence)| {
        let connection = CONNECTIONS[usize::from((u16::from(number / 2) + part) % 2)];
        let mut record = delivery_record(merchant, connection, delivery_of(number.into(), part), Pending);
        (0..fence).for_each(|_| record.claim(1, seconds(0)));
        record.customer = customer_of(number);
        record.created_at = seconds(i64::from(number % 3));
        record.with_progress(match (state, due) {
            (InFlight, _) => Progress::InFlight { lease_until: lease },
            (_, Some(due)) => due_progress(state, due),
            (_, None) => plain_progress(state),
        })
    })
}

/// None, or an attempt that begins or ends.
fn attempt() -> impl Strategy<Value = Option<AttemptRecord>> {
    let attempt = (1..=3_u32, option::of(moment()), option::of(1..=2_u32));
    option::of(attempt.prop_map(|(number, ended_at, request)| {
        let mut record = attempt_record(delivery_of(1, 1), number);
        record.ended_at = ended_at;
        record.request = request.map(sent_request);
        record.error = ended_at.map(|_| full_delivery_error());
        record
    }))
}

fn work_writes(merchant: &'static str) -> impl Strategy<Value = Write> {
    let delivery = (delivery_record_of_the_world(merchant), attempt());
    prop_oneof![
        5 => upsert_write(merchant),
        1 => number_at(merchant).prop_map(|number| Write::ForgetUpsert(upsert_id(number.into()))),
        1 => (number_at(merchant), 1..=PARTS, 0..=3_u32).prop_map(|(number, part, attempts)| Write::ForgetDelivery {
            id: delivery_of(number.into(), part),
            attempts,
        }),
        10 => delivery.prop_map(|(delivery, attempt)| {
            let of_it = |attempt| AttemptRecord { delivery: delivery.id, ..attempt };
            let attempt = attempt.map(of_it);
            Write::PutDelivery(delivery, attempt)
        }),
    ]
}

fn lane(merchant: &'static str) -> impl Strategy<Value = Lane> {
    let place = (customer(), connection());
    (place, option::of(vendor_id()), revision()).prop_map(move |((customer, connection), link, revision)| {
        let lane = match link {
            Some(vendor_id) => linked_lane(merchant, customer, &connection, &vendor_id),
            None => Lane::new(merchant, customer, &connection),
        };
        at_revision(lane, revision)
    })
}

fn other_writes(merchant: &'static str) -> impl Strategy<Value = Write> {
    let reservation = || (connection(), select(keys().to_vec()), customer());
    let key = || number().prop_map(move |number| idempotency_key(merchant, number));
    let call = (connection(), select(days().to_vec()), any::<bool>());
    prop_oneof![
        3 => lane(merchant).prop_map(Write::PutLane),
        3 => reservation().prop_map(|(connection, key, customer)| Write::Reserve { connection, key, customer }),
        1 => reservation().prop_map(|(connection, key, customer)| Write::Release { connection, key, customer }),
        2 => (key(), upsert(), moment()).prop_map(move |(key, upsert, expires_at)| {
            Write::PutIdempotency(IdempotencyRecord {
                key,
                expires_at,
                ..idempotency_record(merchant, 0, upsert)
            })
        }),
        1 => (key(), prop_oneof![Just(201_u16), Just(200)]).prop_map(|(key, status)| Write::PutAnswer {
            key,
            answer: stored_answer(status)
        }),
        2 => (select(tombstone_keys()), customer()).prop_map(|(key, customer)| Write::AddTombstone {
            key,
            erasure: ErasureId::of(customer),
        }),
        2 => (customer(), revision(), any::<bool>()).prop_map(move |(customer, revision, has_ended)| {
            let mut record = ErasureRecord::new(customer, merchant, "ann", seconds(0));
            while record.revision() < revision {
                let _nobody_asks = record.change();
            }
            if has_ended {
                record.end(seconds(1));
            }
            Write::PutErasure(record)
        }),
        2 => (number_at(merchant), revision(), any::<bool>()).prop_map(move |(number, revision, has_ended)| {
            let connection = of_number(number, &CONNECTIONS);
            let mut record = incident_record(merchant, connection, number.into());
            while record.revision() < revision {
                let _nobody_asks = record.change();
            }
            if has_ended {
                record.end(seconds(number.into()), TouchedRecord::default());
            }
            Write::PutIncident(record)
        }),
        1 => number().prop_map(|number| Write::ForgetIncident(incident_id(number.into()))),
        1 => (connection(), any::<bool>(), revision()).prop_map(move |(connection, paused, revision)| {
            let mut record = paused_connection(merchant, &connection);
            record.revision = revision;
            record.pause = record.pause.filter(|_| paused);
            Write::PutConnection(record)
        }),
        1 => (revision(), number()).prop_map(move |(revision, variant)| {
            let mut row = stored_merchant(merchant, revision);
            row.sealed_with = (variant > 1).then(|| format!("key-{}", variant % 2));
            row.body = row.body.filter(|_| variant != 2);
            Write::PutMerchant(MerchantRecord { put_at: seconds(variant.into()), ..row })
        }),
        1 => number().prop_map(|number| Write::PutAuditEntry(audit_record(number.into()))),
        1 => number().prop_map(|number| Write::ForgetAuditEntry(number.into())),
        1 => revision().prop_map(|revision| Write::PutAuditHead(audit_head(revision))),
        1 => call.prop_map(|(connection, day, counts)| if counts {
            Write::CountCall { connection, day }
        } else {
            Write::GiveBackCall { connection, day }
        }),
    ]
}
