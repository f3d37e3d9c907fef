//! Pages of deliveries and upserts.

use std::sync::Arc;

use upsert_core::{DeliveryId, ErrorKind, UpsertId, WaitingFor, Word as _};
use upsert_store::{
    Counted, DeliveryFilter, DeliveryRecord, DeliveryState, Progress, Store, UpsertFilter, UpsertRecord, UpsertState,
};

use super::{almost_a_minute_from_their_ids, put_deliveries, put_upserts, spans};
use crate::records::{
    customer_id, delivery_error, delivery_id, delivery_of, delivery_record, plain_progress, seconds, upsert_id,
    upsert_in_state, upsert_record,
};

use DeliveryState::{Discarded, Failed, InFlight, Pending, Retrying, Succeeded, Superseded, Waiting};

const PLACES: [(&str, &str); 4] = [("acme", "crm"), ("acme", "erp"), ("globex", "crm"), ("globex", "pos")];

/// The id of the delivery of this number, where there are two an upsert.
fn nth(number: u128) -> DeliveryId {
    delivery_of(number.div_ceil(2), if number % 2 == 1 { 1 } else { 2 })
}

/// Every state at every place, dealt out so that neighbours differ; two an upsert.
fn deliveries() -> Vec<DeliveryRecord> {
    let deal = |number: u128| {
        let index = usize::try_from(number).unwrap() - 1;
        let (merchant, connection) = PLACES[index % 4];
        let state = DeliveryState::ALL[(index / 4 + index) % 8];
        let mut record = delivery_record(merchant, connection, nth(number), state);
        record.customer = customer_id(number.div_ceil(2) % 8 + 1);
        record.created_at = seconds(i64::try_from(number).unwrap());
        let (kinds, reasons) = (
            [ErrorKind::Rejected, ErrorKind::Transient],
            [WaitingFor::Paused, WaitingFor::Quota],
        );
        let turn = index / 8 % 2;
        record.with_progress(match plain_progress(state) {
            Progress::Failed { ended_at, .. } => Progress::Failed {
                error: Box::new(delivery_error(kinds[turn], (index % 3 == 0).then_some("E1"))),
                ended_at,
            },
            Progress::Waiting { until, .. } => Progress::Waiting {
                waiting_for: reasons[turn],
                until,
            },
            other => other,
        })
    };
    (1..=64).map(deal).collect()
}

async fn filled(store: &dyn Store) -> Vec<DeliveryRecord> {
    let all = deliveries();
    put_upserts(store, &upserts()).await;
    put_deliveries(store, &all).await;
    all
}

/// All pages of this size, as one.
async fn walked(store: &dyn Store, filter: &DeliveryFilter, limit: usize) -> Vec<DeliveryRecord> {
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = store.deliveries(filter, before, limit).await.unwrap();
        assert!(page.entries.len() <= limit);
        found.extend(page.entries);
        match page.next {
            Some(next) => before = Some(next),
            None => return found,
        }
    }
}

fn ids(records: &[DeliveryRecord]) -> Vec<DeliveryId> {
    records.iter().map(|record| record.id).collect()
}

fn filter(change: impl FnOnce(&mut DeliveryFilter)) -> DeliveryFilter {
    let mut filter = DeliveryFilter::default();
    change(&mut filter);
    filter
}

fn of_merchants(names: &[&str]) -> DeliveryFilter {
    filter(|f| f.merchants = Some(names.iter().map(|name| (*name).to_owned()).collect()))
}

fn of_states(states: &[DeliveryState]) -> DeliveryFilter {
    filter(|f| f.state = states.iter().copied().collect())
}

/// What each list narrows down, and how many there are of it.
fn filters() -> Vec<(DeliveryFilter, usize)> {
    let to = |connection: &str, filter: DeliveryFilter| DeliveryFilter {
        connection: Some(connection.to_owned()),
        ..filter
    };
    let in_states = |states: &[DeliveryState], filter: DeliveryFilter| DeliveryFilter {
        state: states.iter().copied().collect(),
        ..filter
    };
    let of_customer = |number, filter: DeliveryFilter| DeliveryFilter {
        customer_id: Some(customer_id(number)),
        ..filter
    };
    let of_upsert = |number| filter(|f| f.upsert_id = Some(upsert_id(number)));
    let all = DeliveryFilter::default;
    let acme = || of_merchants(&["acme"]);
    let mut filters = vec![
        (acme(), 32),
        (of_merchants(&["globex", "acme", "nobody"]), 64),
        (of_merchants(&[]), 0),
        (of_merchants(&["nobody"]), 0),
        (to("crm", all()), 32),
        (to("nowhere", all()), 0),
        (to("crm", acme()), 16),
        (of_states(&[Failed, Discarded, Superseded]), 24),
        (of_states(&[Pending, InFlight, Retrying, Waiting]), 32),
        (in_states(&[Succeeded, Failed], acme()), 8),
        (
            in_states(&[Failed, Waiting], to("crm", of_merchants(&["acme", "globex"]))),
            8,
        ),
        (in_states(&[Failed], to("crm", all())), 4),
        (in_states(&[Retrying], acme()), 4),
        (filter(|f| f.error_kind = Some(ErrorKind::Rejected)), 4),
        (filter(|f| f.error_code = Some("E1".to_owned())), 3),
        (filter(|f| f.waiting_for = Some(WaitingFor::Quota)), 4),
        (of_customer(3, all()), 8),
        (of_customer(3, of_states(&[Failed, Succeeded])), 4),
        (of_customer(3, acme()), 0),
        (of_upsert(5), 2),
        (to("crm", of_upsert(5)), 1),
        (filter(|f| f.since = Some(seconds(60))), 5),
        (
            filter(|f| (f.since, f.until) = (Some(seconds(10)), Some(seconds(20)))),
            10,
        ),
        (filter(|f| f.until = Some(seconds(5))), 4),
        (of_customer(1, filter(|f| f.since = Some(seconds(61)))), 2),
        (in_states(&[Failed], filter(|f| f.since = Some(seconds(33)))), 4),
    ];
    filters.extend(DeliveryState::all().map(|state| (of_states(&[state]), 8)));
    filters
}

pub(super) async fn deliveries_are_listed_newest_first_and_paged(store: Arc<dyn Store>) {
    let all = DeliveryFilter::default();
    let page = store.deliveries(&all, None, 10).await.unwrap();
    assert!(page.entries.is_empty() && page.next.is_none());
    let mut expected = filled(&*store).await;
    expected.reverse();
    for limit in [1, 7, 63, 64, 100] {
        assert_eq!(walked(&*store, &all, limit).await, expected, "{limit} a page");
    }
    let page = store.deliveries(&all, Some(nth(3)), 2).await.unwrap();
    assert_eq!((ids(&page.entries), page.next), (vec![nth(2), nth(1)], None));
    let page = store.deliveries(&all, None, 64).await.unwrap();
    assert_eq!(page.next, None, "a full page with nothing below it is the last");
}

pub(super) async fn every_filter_of_deliveries_has_to_hold(store: Arc<dyn Store>) {
    let all = filled(&*store).await;
    for (filter, count) in filters() {
        let mut expected: Vec<_> = all.iter().filter(|row| row.matches(&filter)).cloned().collect();
        expected.reverse();
        assert_eq!(expected.len(), count, "{filter:?}");
        for limit in [1, 3, 100] {
            assert_eq!(
                ids(&walked(&*store, &filter, limit).await),
                ids(&expected),
                "{filter:?}"
            );
        }
        let counted = store.count_deliveries(&filter, 100).await.unwrap();
        assert_eq!(counted, Counted { count, is_all: true }, "{filter:?}");
    }
}

pub(super) async fn a_delivery_moves_between_lists_with_its_state(store: Arc<dyn Store>) {
    for now in DeliveryState::all().chain(DeliveryState::all().rev()) {
        let record = delivery_record("acme", "crm", delivery_id(1), now);
        put_deliveries(&*store, &[record]).await;
        for state in DeliveryState::all() {
            let found = store.deliveries(&of_states(&[state]), None, 10).await.unwrap().entries;
            assert_eq!(found.len(), usize::from(state == now), "{state:?} while it is {now:?}");
        }
    }
}

pub(super) async fn pages_have_no_gaps_while_new_deliveries_come_in(store: Arc<dyn Store>) {
    let all = filled(&*store).await;
    let mut next = 100;
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = store.deliveries(&DeliveryFilter::default(), before, 5).await.unwrap();
        found.extend(page.entries);
        next += 1;
        let newer = delivery_record("acme", "crm", delivery_id(next), Failed);
        put_deliveries(&*store, &[newer]).await;
        match page.next {
            Some(id) => before = Some(id),
            None => break,
        }
    }
    found.reverse();
    assert_eq!(found, all);
}

pub(super) async fn deliveries_are_counted_up_to_a_limit(store: Arc<dyn Store>) {
    filled(&*store).await;
    let failed = of_states(&[Failed]);
    let rejected = DeliveryFilter {
        error_kind: Some(ErrorKind::Rejected),
        ..failed.clone()
    };
    for (filter, all) in [(failed, 8), (rejected, 4)] {
        for most in [1, all - 1, all, all + 1] {
            let counted = store.count_deliveries(&filter, most).await.unwrap();
            let expected = Counted {
                count: most.min(all),
                is_all: most >= all,
            };
            assert_eq!(counted, expected, "at most {most} of {all}");
        }
    }
}

fn upserts() -> Vec<UpsertRecord> {
    let deal = |number: u128| {
        let index = usize::try_from(number).unwrap() - 1;
        let merchant = ["acme", "globex"][index % 2];
        let state = UpsertState::ALL[index / 2 % 4];
        let mut record = upsert_in_state(merchant, upsert_id(number), customer_id(number % 8 + 1), state);
        record.created_at = seconds(i64::try_from(number).unwrap());
        record
    };
    (1..=32).map(deal).collect()
}

type Listed = (UpsertRecord, Vec<DeliveryRecord>);

async fn walked_upserts(store: &dyn Store, filter: &UpsertFilter, limit: usize) -> Vec<Listed> {
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = store.upserts(filter, before, limit).await.unwrap();
        assert!(page.entries.len() <= limit);
        found.extend(page.entries);
        match page.next {
            Some(next) => before = Some(next),
            None => return found,
        }
    }
}

fn upsert_filters() -> Vec<(UpsertFilter, usize)> {
    let acme = |change: &dyn Fn(&mut UpsertFilter)| {
        let mut filter = UpsertFilter {
            merchant: "acme".to_owned(),
            ..UpsertFilter::default()
        };
        change(&mut filter);
        filter
    };
    let in_states = |states: &[UpsertState]| acme(&|f| f.state = states.iter().copied().collect());
    let to = |connection: &str| acme(&|f| f.connection = Some(connection.to_owned()));
    let of_customer = |number| acme(&|f| f.customer_id = Some(customer_id(number)));
    let from_11_to_13 = acme(&|f| (f.since, f.until) = (Some(seconds(11)), Some(seconds(13))));
    vec![
        (acme(&|_| {}), 16),
        (acme(&|f| "nobody".clone_into(&mut f.merchant)), 0),
        (in_states(&[UpsertState::Failed]), 4),
        (in_states(&[UpsertState::Failed, UpsertState::PartiallyFailed]), 8),
        (in_states(&[UpsertState::Pending]), 4),
        (in_states(&[UpsertState::Succeeded, UpsertState::Failed]), 8),
        (to("crm"), 16),
        (to("pos"), 0),
        (of_customer(2), 4),
        (of_customer(3), 0),
        (acme(&|f| f.since = Some(seconds(30))), 1),
        (from_11_to_13, 1),
        (acme(&|f| f.until = Some(seconds(5))), 2),
    ]
}

pub(super) async fn every_filter_of_upserts_has_to_hold(store: Arc<dyn Store>) {
    let deliveries = filled(&*store).await;
    let of = |id: UpsertId| {
        let own = deliveries.iter().filter(|row| row.upsert() == id);
        own.cloned().collect::<Vec<_>>()
    };
    for (filter, count) in upsert_filters() {
        let all = upserts().into_iter().rev().map(|row| (row.clone(), of(row.id)));
        let expected: Vec<_> = all.filter(|(row, own)| row.matches(&filter, own)).collect();
        assert_eq!(expected.len(), count, "{filter:?}");
        for limit in [1, 3, 100] {
            assert!(walked_upserts(&*store, &filter, limit).await == expected, "{filter:?}");
        }
    }
}

pub(super) async fn what_was_made_within_a_minute_of_its_id_is_listed_by_time(store: Arc<dyn Store>) {
    let all: Vec<Listed> = almost_a_minute_from_their_ids()
        .map(|(number, made_at)| {
            let (id, customer) = (upsert_id(number.into()), customer_id(1));
            let mut upsert = upsert_record("acme", id, customer);
            let mut delivery = delivery_record("acme", "crm", delivery_id(number.into()), Failed);
            (upsert.created_at, delivery.created_at) = (made_at, made_at);
            (upsert, vec![delivery])
        })
        .collect();
    for (upsert, deliveries) in &all {
        put_upserts(&*store, std::slice::from_ref(upsert)).await;
        put_deliveries(&*store, deliveries).await;
    }
    for (since, until) in all.iter().flat_map(|(upsert, _)| spans(upsert.created_at)) {
        let filter = UpsertFilter {
            merchant: "acme".to_owned(),
            since,
            until,
            ..UpsertFilter::default()
        };
        let mut expected: Vec<_> = all
            .iter()
            .filter(|(row, own)| row.matches(&filter, own))
            .cloned()
            .collect();
        expected.reverse();
        assert!(!expected.is_empty());
        assert!(walked_upserts(&*store, &filter, 2).await == expected, "{filter:?}");

        let expected: Vec<_> = expected.into_iter().flat_map(|(_, own)| own).collect();
        for states in [&[][..], &[Failed]] {
            let filter = DeliveryFilter {
                since,
                until,
                ..of_states(states)
            };
            assert_eq!(ids(&walked(&*store, &filter, 2).await), ids(&expected), "{filter:?}");
            let counted = store.count_deliveries(&filter, 10).await.unwrap();
            assert_eq!((counted.count, counted.is_all), (expected.len(), true), "{filter:?}");
        }
    }
}
