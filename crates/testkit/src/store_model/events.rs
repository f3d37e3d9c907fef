//! The part of the small world that is about webhook events.

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::sample::select;

use upsert_core::Word as _;
use upsert_store::{
    EventMark, Expect, IncomingEvent, IncomingFilter, IncomingState, OutgoingEvent, OutgoingFilter, OutgoingState,
    Store, Write,
};

use super::changesets::{customer, moment, number, number_at, revision};
use super::{MERCHANTS, MOST, Observed, numbers, of_number};
use crate::records::{
    content_of, customer_id, disabled_endpoint, event_id, event_marks, incoming_event_about, outgoing_event_due,
    seconds,
};

/// One is named as a connection is.
const SOURCES: [&str; 2] = ["shop", "crm"];
const ENDPOINTS: [&str; 2] = ["hook", "shop"];

/// What is for good goes by the number.
fn incoming(merchant: &'static str) -> impl Strategy<Value = IncomingEvent> {
    let state = select(IncomingState::ALL);
    let row = (number_at(merchant), state, revision(), customer(), moment());
    row.prop_map(move |(number, state, revision, customer, received_at)| {
        let source = of_number(number / 2, &SOURCES);
        let mut event = incoming_event_about(merchant, source, number.into(), state, customer);
        event.received_at = received_at;
        while event.revision() < revision {
            let _nobody_asks = event.change();
        }
        event
    })
}

/// What is for good goes by the number.
fn outgoing(merchant: &'static str) -> impl Strategy<Value = OutgoingEvent> {
    let state = select(OutgoingState::ALL);
    (number_at(merchant), state, revision(), moment()).prop_map(move |(number, state, revision, due)| {
        let endpoint = of_number(number / 2, &ENDPOINTS);
        let mut event = outgoing_event_due(merchant, endpoint, number.into(), state, due);
        event.created_at = seconds(i64::from(number % 3));
        while event.revision() < revision {
            let _nobody_asks = event.change();
        }
        event
    })
}

pub(super) fn writes(merchant: &'static str) -> impl Strategy<Value = Write> {
    let marks = (customer(), select(&SOURCES[..]), revision(), vec(any::<bool>(), 0..=2));
    let endpoint = (select(&ENDPOINTS[..]), any::<bool>(), revision());
    prop_oneof![
        3 => incoming(merchant).prop_map(Write::PutIncomingEvent),
        2 => marks.prop_map(|(customer, source, revision, marks)| {
            let mut record = event_marks(customer, source);
            record.revision = revision;
            let marks = marks.into_iter().enumerate();
            record.marks = marks.map(|(order, has_name)| EventMark {
                order: order.to_string(),
                fields: has_name.then(|| "/given_name".to_owned()).into_iter().collect(),
            }).collect();
            Write::PutEventMarks(record)
        }),
        3 => outgoing(merchant).prop_map(Write::PutOutgoingEvent),
        1 => number_at(merchant).prop_map(|number| Write::ForgetIncomingEvent(event_id(number.into()))),
        1 => number_at(merchant).prop_map(|number| Write::ForgetOutgoingEvent(event_id(number.into()))),
        1 => endpoint.prop_map(move |(endpoint, is_disabled, revision)| {
            let mut record = disabled_endpoint(merchant, endpoint);
            record.revision = revision;
            record.disabled = record.disabled.filter(|_| is_disabled);
            Write::PutEndpoint(record)
        }),
    ]
}

pub(super) fn expects() -> impl Strategy<Value = Expect> {
    let of_endpoint = (select(&ENDPOINTS[..]), option::of(revision()));
    let of_sender = (select(&SOURCES[..]), number());
    let of_customer = (customer(), select(&SOURCES[..]));
    prop_oneof![
        of_endpoint.prop_map(|(endpoint, revision)| Expect::Endpoint {
            endpoint: endpoint.to_owned(),
            revision,
        }),
        (of_sender, option::of(revision())).prop_map(|((source, number), revision)| Expect::IncomingEvent {
            source: source.to_owned(),
            event_id: format!("in-{number}"),
            content: content_of(&format!("in-{number}")),
            revision,
        }),
        (of_customer, option::of(revision())).prop_map(|((customer, source), revision)| Expect::EventMarks {
            customer,
            source: source.to_owned(),
            revision,
        }),
        (number(), revision()).prop_map(|(number, revision)| Expect::OutgoingEvent {
            id: event_id(number.into()),
            revision,
        }),
    ]
}

pub(super) async fn observe_incoming(store: &dyn Store, seen: &mut Observed) {
    for number in 1..=u32::from(MOST) {
        for merchant in MERCHANTS {
            let found = store.incoming_event(merchant, event_id(number)).await;
            seen.incoming.push(found.unwrap());
            for source in SOURCES {
                let event_id = format!("in-{number}");
                let content = content_of(&event_id);
                let found = store.event_of_source(merchant, source, &event_id, &content).await;
                seen.incoming.push(found.unwrap());
            }
        }
    }
    for number in numbers() {
        for (merchant, source) in MERCHANTS
            .into_iter()
            .flat_map(|merchant| SOURCES.map(|source| (merchant, source)))
        {
            let marks = store.event_marks(merchant, customer_id(number), source).await;
            seen.marks.push(marks.unwrap());
        }
    }
    for filter in incoming_filters() {
        let page = store.incoming_events(&filter, None, 2).await;
        seen.incoming_lists.push(page.unwrap());
    }
}

fn incoming_filters() -> Vec<IncomingFilter> {
    let mut filters = Vec::new();
    for merchants in [None, Some([MERCHANTS[0].to_owned()].into())] {
        for source in [None, Some(SOURCES[0].to_owned())] {
            for states in [&[][..], &[IncomingState::Failed], &IncomingState::ALL[..2]] {
                filters.push(IncomingFilter {
                    merchants: merchants.clone(),
                    source: source.clone(),
                    state: states.iter().copied().collect(),
                    ..IncomingFilter::default()
                });
            }
            filters.push(IncomingFilter {
                merchants: merchants.clone(),
                source: source.clone(),
                event_id: Some("in-2".to_owned()),
                ..IncomingFilter::default()
            });
        }
    }
    filters.push(IncomingFilter {
        customer_id: Some(customer_id(1)),
        ..IncomingFilter::default()
    });
    filters.push(IncomingFilter {
        since: Some(seconds(1)),
        until: Some(seconds(3)),
        ..IncomingFilter::default()
    });
    filters
}

pub(super) async fn observe_outgoing(store: &dyn Store, seen: &mut Observed) {
    for number in 1..=u32::from(MOST) {
        for merchant in MERCHANTS {
            let found = store.outgoing_event(merchant, event_id(number)).await;
            seen.outgoing.push(found.unwrap());
        }
    }
    for filter in outgoing_filters() {
        let page = store.outgoing_events(&filter, None, 2).await;
        seen.outgoing_lists.push(page.unwrap());
    }
    for (now, limit) in [(seconds(1), 10), (seconds(3), 1)] {
        seen.due_endpoints.push(store.due_endpoints(now).await.unwrap());
        for merchant in MERCHANTS {
            for endpoint in ENDPOINTS {
                observe_endpoint(store, seen, (merchant, endpoint), now, limit).await;
            }
        }
    }
}

async fn observe_endpoint(
    store: &dyn Store,
    seen: &mut Observed,
    (merchant, endpoint): (&str, &str),
    now: Timestamp,
    limit: usize,
) {
    let due = store.due_to(merchant, endpoint, now, limit).await;
    seen.due_to.push(due.unwrap());
    for after in [None, Some(event_id(2))] {
        let waiting = store.waiting_for_endpoint(merchant, endpoint, after, limit).await;
        seen.waiting_for_endpoint.push(waiting.unwrap());
    }
}

fn outgoing_filters() -> Vec<OutgoingFilter> {
    use OutgoingState::{Failed, Pending, Retrying};
    let mut filters = Vec::new();
    for merchants in [None, Some([MERCHANTS[0].to_owned()].into())] {
        for endpoint in [None, Some(ENDPOINTS[0].to_owned())] {
            for states in [
                &[][..],
                &[Failed],
                &[Retrying],
                &[Failed, Pending],
                &OutgoingState::ALL[2..],
            ] {
                filters.push(OutgoingFilter {
                    merchants: merchants.clone(),
                    endpoint: endpoint.clone(),
                    state: states.iter().copied().collect(),
                    ..OutgoingFilter::default()
                });
            }
        }
    }
    filters.push(OutgoingFilter {
        r#type: Some("customer.upserted".to_owned()),
        since: Some(seconds(1)),
        until: Some(seconds(3)),
        ..OutgoingFilter::default()
    });
    filters
}
