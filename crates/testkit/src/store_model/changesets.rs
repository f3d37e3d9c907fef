//! Random changesets over the small world.

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;

use upsert_core::{CustomerId, DeliveryId, UpsertId, Word as _};
use upsert_store::{
    Changeset, CustomerRecord, DeliveryRecord, DeliveryState, Expect, HistoryRecord, IdempotencyRecord, Lane, Progress,
    UpsertState, Write,
};

use super::{CONNECTIONS, MERCHANTS, MOST, VENDOR_IDS, days, events, identifiers, keys, variant_of_a_person};
use crate::records::{
    at_revision, attempt_record, customer_id, customer_record, delivery_id, delivery_record, due_progress,
    full_delivery_error, history_record, idempotency_record, ignored_phone, linked_lane, paused_connection,
    plain_progress, seconds, sent_request, stored_answer, upsert_id, upsert_in_state,
};

/// So many changesets at most, to be applied one after another.
pub fn changesets(most: usize) -> impl Strategy<Value = Vec<Changeset>> {
    let changeset = (vec(expect(), 0..=1), vec(write(), 0..=5));
    vec(
        changeset.prop_map(|(expect, write)| Changeset { expect, write }),
        1..=most,
    )
}

pub(super) fn number() -> impl Strategy<Value = u8> {
    1..=MOST
}

pub(super) fn customer() -> impl Strategy<Value = CustomerId> {
    number().prop_map(|number| customer_id(number.into()))
}

fn upsert() -> impl Strategy<Value = UpsertId> {
    number().prop_map(|number| upsert_id(number.into()))
}

fn delivery() -> impl Strategy<Value = DeliveryId> {
    number().prop_map(|number| delivery_id(number.into()))
}

fn merchant() -> impl Strategy<Value = String> {
    select(&MERCHANTS[..]).prop_map(str::to_owned)
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
    let place = || (merchant(), connection());
    prop_oneof![
        (customer(), option::of(revision())).prop_map(|(id, revision)| Expect::Customer { id, revision }),
        (merchant(), select(identifiers().to_vec()), vec(customer(), 0..=2)).prop_map(
            |(merchant, identifier, customers)| Expect::Holders {
                merchant,
                identifier,
                customers
            }
        ),
        (customer(), connection(), option::of(revision())).prop_map(|(customer, connection, revision)| Expect::Lane {
            customer,
            connection,
            revision
        }),
        (place(), vec(select(keys().to_vec()), 0..=2), customer()).prop_map(
            |((merchant, connection), keys, customer)| Expect::KeysFree {
                merchant,
                connection,
                keys,
                customer
            }
        ),
        (place(), vendor_id(), customer()).prop_map(|((merchant, connection), provider_customer_id, customer)| {
            Expect::RecordFree {
                merchant,
                connection,
                provider_customer_id,
                customer,
            }
        }),
        (upsert(), revision()).prop_map(|(id, revision)| Expect::Upsert { id, revision }),
        (delivery(), revision()).prop_map(|(id, fence)| Expect::Delivery { id, fence }),
        (number(), moment()).prop_map(|(key, now)| Expect::IdempotencyFree { key: [key; 32], now }),
        events::expects(),
    ]
}

fn write() -> impl Strategy<Value = Write> {
    prop_oneof![customer_writes(), delivery_writes(), other_writes(), events::writes()]
}

fn customer_writes() -> impl Strategy<Value = Write> {
    let identifier = || (merchant(), select(identifiers().to_vec()), customer());
    let put = (merchant(), customer(), revision(), number(), moment());
    let version = (customer(), upsert(), number(), any::<bool>());
    prop_oneof![
        3 => put.prop_map(|(merchant, id, revision, variant, updated_at)| {
            Write::PutCustomer(CustomerRecord {
                revision,
                updated_at,
                customer: variant_of_a_person(variant),
                ..customer_record(&merchant, id)
            })
        }),
        1 => customer().prop_map(Write::DeleteCustomer),
        3 => identifier().prop_map(|(merchant, identifier, customer)| Write::AddIdentifier {
            merchant,
            identifier,
            customer
        }),
        1 => identifier().prop_map(|(merchant, identifier, customer)| Write::RemoveIdentifier {
            merchant,
            identifier,
            customer
        }),
        2 => version.prop_map(|(customer, upsert, variant, refused)| {
            Write::PutHistory(HistoryRecord {
                version: variant.into(),
                refused,
                record: variant_of_a_person(variant),
                links: (variant % 2 == 1)
                    .then(|| ("crm".to_owned(), format!("v-{variant}")))
                    .into_iter()
                    .collect(),
                ignored: (variant % 3 == 1).then(ignored_phone).into_iter().collect(),
                ..history_record(customer, upsert)
            })
        }),
    ]
}

/// What is for good in a row goes by its number.
pub(super) fn of_number<'a>(number: u8, all: &[&'a str]) -> &'a str {
    all[usize::from(number) % all.len()]
}

fn delivery_record_of_the_world() -> impl Strategy<Value = DeliveryRecord> {
    use DeliveryState::{Discarded, Failed, InFlight, Pending, Retrying, Succeeded, Superseded, Waiting};
    let state = select(vec![
        Pending, InFlight, Succeeded, Retrying, Waiting, Superseded, Failed, Discarded,
    ]);
    let times = (option::of(moment()), option::of(moment()));
    (number(), state, times, revision()).prop_map(|(number, state, (due, lease), fence)| {
        let (merchant, connection) = (of_number(number, &MERCHANTS), of_number(number / 2, &CONNECTIONS));
        let mut record = delivery_record(merchant, connection, delivery_id(number.into()), Pending);
        (0..fence).for_each(|_| record.claim(1, seconds(0)));
        record.upsert = upsert_id(u128::from(number % 2 + 1));
        record.created_at = seconds(i64::from(number % 2));
        record.with_progress(match (state, due) {
            (InFlight, _) => Progress::InFlight { lease_until: lease },
            (_, Some(due)) => due_progress(state, due),
            (_, None) => plain_progress(state),
        })
    })
}

fn delivery_writes() -> impl Strategy<Value = Write> {
    let attempt = (delivery(), 1..=2_u32, option::of(moment()), option::of(1..=2_u32));
    let states = select(UpsertState::ALL);
    prop_oneof![
        2 => delivery_record_of_the_world().prop_map(Write::PutDelivery),
        1 => (number(), states, revision(), any::<bool>()).prop_map(|(number, state, revision, owes_event)| {
            let customer = customer_id(u128::from(number % 2 + 1));
            let mut record = upsert_in_state(of_number(number, &MERCHANTS), upsert_id(number.into()), customer, state);
            while record.revision() < revision {
                let _nobody_asks = record.change();
            }
            if owes_event {
                record.owe_event();
            }
            Write::PutUpsert(record)
        }),
        1 => attempt.prop_map(|(delivery, number, ended_at, request)| {
            let mut record = attempt_record(delivery, number);
            record.ended_at = ended_at;
            record.request = request.map(sent_request);
            record.error = ended_at.map(|_| full_delivery_error());
            Write::PutAttempt(record)
        }),
    ]
}

fn lane() -> impl Strategy<Value = Lane> {
    let place = (merchant(), customer(), connection());
    (place, option::of(vendor_id()), revision()).prop_map(|((merchant, customer, connection), link, revision)| {
        let lane = match link {
            Some(vendor_id) => linked_lane(&merchant, customer, &connection, &vendor_id),
            None => Lane::new(&merchant, customer, &connection),
        };
        at_revision(lane, revision)
    })
}

fn other_writes() -> impl Strategy<Value = Write> {
    let reservation = || (merchant(), connection(), select(keys().to_vec()), customer());
    let idempotency = (merchant(), number(), upsert(), moment());
    let call = (merchant(), connection(), select(days().to_vec()), any::<bool>());
    let paused = (merchant(), connection(), any::<bool>());
    prop_oneof![
        3 => lane().prop_map(Write::PutLane),
        3 => reservation().prop_map(|(merchant, connection, key, customer)| Write::Reserve {
            merchant,
            connection,
            key,
            customer
        }),
        1 => reservation().prop_map(|(merchant, connection, key, customer)| Write::Release {
            merchant,
            connection,
            key,
            customer
        }),
        2 => idempotency.prop_map(|(merchant, key, upsert, expires_at)| {
            Write::PutIdempotency(IdempotencyRecord {
                expires_at,
                ..idempotency_record(&merchant, key, upsert)
            })
        }),
        1 => (number(), prop_oneof![Just(201_u16), Just(200)]).prop_map(|(key, status)| Write::PutAnswer {
            key: [key; 32],
            answer: stored_answer(status)
        }),
        1 => paused.prop_map(|(merchant, connection, paused)| {
            let mut record = paused_connection(&merchant, &connection);
            record.pause = record.pause.filter(|_| paused);
            Write::PutConnection(record)
        }),
        1 => call.prop_map(|(merchant, connection, day, counts)| if counts {
            Write::CountCall { merchant, connection, day }
        } else {
            Write::GiveBackCall { merchant, connection, day }
        }),
    ]
}
