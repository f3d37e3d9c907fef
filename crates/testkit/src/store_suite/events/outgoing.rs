//! Events that go out, and the endpoints that they go to.

use std::sync::Arc;

use upsert_core::{EventId, Word as _};
use upsert_store::{EndpointRecord, EventCount, Expect, OutgoingEvent, OutgoingFilter, OutgoingState, Store, Write};

use super::super::{almost_a_minute_from_their_ids, holds, put, put_for, put_for_each, spans};
use crate::records::{disabled_endpoint, event_id, failed_attempt, outgoing_event, outgoing_event_due, seconds};

use OutgoingState::{Discarded, Failed, Pending, Retrying, Succeeded};

const ENDPOINTS: [(&str, &str); 4] = [
    ("acme", "hook"),
    ("acme", "audit"),
    ("globex", "hook"),
    ("globex", "zulu"),
];

fn due_at(endpoint: &str, number: u32, state: OutgoingState, at: i64) -> OutgoingEvent {
    outgoing_event_due("acme", endpoint, number, state, seconds(at))
}

async fn put_all(store: &dyn Store, events: &[OutgoingEvent]) {
    let write = |event: &OutgoingEvent| Write::PutOutgoingEvent(event.clone());
    put_for_each(
        store,
        events.iter().map(|event| (event.merchant.as_str(), write(event))),
    )
    .await;
}

fn ids(events: &[OutgoingEvent]) -> Vec<EventId> {
    events.iter().map(|event| event.id).collect()
}

fn of_numbers(numbers: &[u32]) -> Vec<EventId> {
    numbers.iter().map(|number| event_id(*number)).collect()
}

pub(in super::super) async fn an_event_that_goes_out_comes_back_as_it_was_put(store: Arc<dyn Store>) {
    let mut event = outgoing_event("acme", "hook", 1, Pending);
    let other = outgoing_event("globex", "hook", 2, Succeeded);
    put_all(&*store, &[event.clone(), other.clone()]).await;
    assert_eq!(
        store.outgoing_event("acme", event_id(1)).await.unwrap(),
        Some(event.clone())
    );
    assert_eq!(store.outgoing_event("globex", event_id(2)).await.unwrap(), Some(other));
    assert_eq!(store.outgoing_event("acme", event_id(3)).await.unwrap(), None);
    assert_eq!(store.incoming_event("acme", event_id(1)).await.unwrap(), None);
    assert!(holds(&*store, event.change()).await);
    event.note_try(Some(410), None, seconds(60));
    event.keep_answer(failed_attempt());
    event.give_up("gone", seconds(61));
    put_all(&*store, &[event.clone()]).await;
    assert_eq!(
        store.outgoing_event("acme", event_id(1)).await.unwrap(),
        Some(event.clone())
    );
    assert_eq!(event.failed_attempts(), [failed_attempt()]);
    event.replay(seconds(70));
    put_all(&*store, &[event.clone()]).await;
    assert_eq!(store.outgoing_event("acme", event_id(1)).await.unwrap(), Some(event));
}

pub(in super::super) async fn an_event_that_goes_out_is_expected_at_its_revision(store: Arc<dyn Store>) {
    let expect = |number, revision| Expect::OutgoingEvent {
        id: event_id(number),
        revision,
    };
    assert!(!holds(&*store, expect(1, 0)).await);
    let mut event = outgoing_event("acme", "hook", 1, Pending);
    put_all(&*store, &[event.clone()]).await;
    assert!(holds(&*store, expect(1, 1)).await);
    let _as_before = event.change();
    put_all(&*store, &[event]).await;
    assert!(holds(&*store, expect(1, 2)).await);
    for unmet in [expect(1, 1), expect(1, 3), expect(2, 2)] {
        assert!(!holds(&*store, unmet).await);
    }
}

pub(in super::super) async fn only_what_is_to_be_sent_is_due_oldest_due_first(store: Arc<dyn Store>) {
    let mut events = vec![
        due_at("hook", 1, Retrying, 30),
        due_at("hook", 2, Pending, 10),
        due_at("hook", 3, Retrying, 10),
        due_at("hook", 4, Succeeded, 1),
        due_at("hook", 5, Failed, 1),
        due_at("hook", 6, Discarded, 1),
        due_at("hook", 8, Pending, 31),
        due_at("audit", 9, Pending, 31),
    ];
    put_all(&*store, &events).await;
    let due = async |now, limit| {
        let due = store.due_to("acme", "hook", seconds(now), limit).await;
        (
            ids(&due.unwrap()),
            store.due_endpoints(seconds(now)).await.unwrap().len(),
        )
    };
    assert_eq!(due(9, 10).await, (vec![], 0));
    assert_eq!(due(10, 10).await, (of_numbers(&[2, 3]), 1));
    assert_eq!(due(10, 1).await, (of_numbers(&[2]), 1));
    assert_eq!(due(30, 10).await, (of_numbers(&[2, 3, 1]), 1));
    assert_eq!(due(31, 10).await, (of_numbers(&[2, 3, 1, 8]), 2));
    let found = store.due_to("acme", "hook", seconds(10), 1).await.unwrap();
    assert_eq!(found, events[1..2]);

    events[1].succeed(seconds(11));
    events[2].retry_at(seconds(40));
    put_all(&*store, &events[1..3]).await;
    assert_eq!(due(30, 10).await, (of_numbers(&[1]), 1));
}

pub(in super::super) async fn endpoints_where_something_is_due_are_named_in_order(store: Arc<dyn Store>) {
    // Names are met in another order than they sort in, and most waits where the merchant's first one is.
    let mut events = Vec::new();
    for (number, (merchant, endpoint)) in (1..).zip(ENDPOINTS.iter().rev()) {
        events.push(outgoing_event(merchant, endpoint, number, Pending));
        events.push(outgoing_event(merchant, endpoint, number + 10, Retrying));
    }
    events.extend((100..150).map(|number| outgoing_event("acme", "audit", number, Pending)));
    put_all(&*store, &events).await;
    let named = async |now| store.due_endpoints(seconds(now)).await.unwrap();
    let name = |(merchant, endpoint): (&str, &str)| (merchant.to_owned(), endpoint.to_owned());
    let in_order = [ENDPOINTS[1], ENDPOINTS[0], ENDPOINTS[2], ENDPOINTS[3]].map(name);
    assert!(named(0).await.is_empty());
    assert_eq!(named(1).await, in_order[3..]);
    assert_eq!(named(2).await, in_order[2..]);
    assert_eq!(named(200).await, in_order);
    for (merchant, endpoint) in ENDPOINTS {
        let due = store.due_to(merchant, endpoint, seconds(50), 10).await.unwrap();
        assert_eq!(due.len(), 2, "{merchant} {endpoint}");
        assert!(
            due.iter()
                .all(|event| (&*event.merchant, &*event.endpoint) == (merchant, endpoint))
        );
    }
    assert!(store.due_to("acme", "zulu", seconds(50), 10).await.unwrap().is_empty());
    assert!(
        store
            .due_to("acme", "nowhere", seconds(50), 10)
            .await
            .unwrap()
            .is_empty()
    );
}

pub(in super::super) async fn what_waits_for_an_endpoint_is_read_page_by_page(store: Arc<dyn Store>) {
    let events = [
        outgoing_event("acme", "hook", 9, Retrying),
        due_at("hook", 1, Retrying, 9_000),
        outgoing_event("acme", "hook", 2, Succeeded),
        outgoing_event("acme", "audit", 3, Pending),
        outgoing_event("globex", "hook", 4, Pending),
        due_at("hook", 5, Pending, 9_000),
        outgoing_event("acme", "hook", 6, Failed),
        outgoing_event("acme", "hook", 7, Discarded),
        outgoing_event("acme", "hook", 8, Pending),
    ];
    put_all(&*store, &events).await;
    let page = async |after: Option<u32>, limit| {
        let waiting = store
            .waiting_for_endpoint("acme", "hook", after.map(event_id), limit)
            .await;
        ids(&waiting.unwrap())
    };
    assert_eq!(page(None, 10).await, of_numbers(&[1, 5, 8, 9]));
    assert_eq!(page(None, 2).await, of_numbers(&[1, 5]));
    assert_eq!(page(Some(5), 2).await, of_numbers(&[8, 9]));
    assert_eq!(page(Some(9), 2).await, of_numbers(&[]));
    let nowhere = store.waiting_for_endpoint("nobody", "hook", None, 10).await.unwrap();
    assert!(nowhere.is_empty());
}

/// Every state of every endpoint, dealt out so that neighbours differ.
async fn filled(store: &dyn Store) -> Vec<OutgoingEvent> {
    let deal = |number: u32| {
        let index = usize::try_from(number).unwrap() - 1;
        let (merchant, endpoint) = ENDPOINTS[index % 4];
        let mut event = outgoing_event(merchant, endpoint, number, OutgoingState::ALL[index % 5]);
        if index % 3 == 0 {
            "connection.paused".clone_into(&mut event.kind);
        }
        event
    };
    let all: Vec<_> = (1..=40).map(deal).collect();
    put_all(store, &all).await;
    all
}

/// All pages of this size, as one.
async fn walked(store: &dyn Store, filter: &OutgoingFilter, limit: usize) -> Vec<OutgoingEvent> {
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = store.outgoing_events(filter, before, limit).await.unwrap();
        assert!(page.entries.len() <= limit);
        found.extend(page.entries);
        match page.next {
            Some(next) => before = Some(next),
            None => return found,
        }
    }
}

fn filter(change: impl FnOnce(&mut OutgoingFilter)) -> OutgoingFilter {
    let mut filter = OutgoingFilter::default();
    change(&mut filter);
    filter
}

fn of_merchants(names: &[&str]) -> OutgoingFilter {
    filter(|f| f.merchants = Some(names.iter().map(|name| (*name).to_owned()).collect()))
}

/// What each list narrows down, and how many there are of it.
fn filters() -> Vec<(OutgoingFilter, usize)> {
    let to = |endpoint: &str, filter: OutgoingFilter| OutgoingFilter {
        endpoint: Some(endpoint.to_owned()),
        ..filter
    };
    let in_states = |states: &[OutgoingState], filter: OutgoingFilter| OutgoingFilter {
        state: states.iter().copied().collect(),
        ..filter
    };
    let paused = |filter: OutgoingFilter| OutgoingFilter {
        r#type: Some("connection.paused".to_owned()),
        ..filter
    };
    let all = OutgoingFilter::default;
    let acme = || of_merchants(&["acme"]);
    let mut filters = vec![
        (all(), 40),
        (acme(), 20),
        (of_merchants(&["globex", "acme", "nobody"]), 40),
        (of_merchants(&[]), 0),
        (of_merchants(&["nobody"]), 0),
        (to("hook", all()), 20),
        (to("nowhere", all()), 0),
        (to("hook", acme()), 10),
        (to("zulu", acme()), 0),
        (in_states(&[Failed], acme()), 4),
        (in_states(&[Failed], to("hook", all())), 4),
        (in_states(&[Pending, Retrying], to("hook", acme())), 4),
        (in_states(&[Retrying], to("hook", acme())), 2),
        (in_states(&[Pending, Failed], acme()), 8),
        (in_states(&[Succeeded, Pending], acme()), 8),
        (paused(all()), 14),
        (paused(in_states(&[Failed], all())), 3),
        (filter(|f| f.r#type = Some("nothing".to_owned())), 0),
        (filter(|f| f.since = Some(seconds(38))), 3),
        (
            filter(|f| (f.since, f.until) = (Some(seconds(10)), Some(seconds(20)))),
            10,
        ),
        (filter(|f| f.until = Some(seconds(5))), 4),
        (in_states(&[Failed], filter(|f| f.since = Some(seconds(37)))), 1),
        (to("hook", filter(|f| f.since = Some(seconds(37)))), 2),
    ];
    let of_state = |state| (in_states(&[state], all()), 8);
    filters.extend(OutgoingState::all().map(of_state));
    filters
}

pub(in super::super) async fn events_that_go_out_are_listed_newest_first_by_every_filter(store: Arc<dyn Store>) {
    let page = store
        .outgoing_events(&OutgoingFilter::default(), None, 10)
        .await
        .unwrap();
    assert!(page.entries.is_empty() && page.next.is_none());
    let all = filled(&*store).await;
    for (filter, count) in filters() {
        let mut expected: Vec<_> = all.iter().filter(|event| event.matches(&filter)).cloned().collect();
        expected.reverse();
        assert_eq!(expected.len(), count, "{filter:?}");
        for limit in [1, 3, 40, 100] {
            assert_eq!(walked(&*store, &filter, limit).await, expected, "{filter:?}");
        }
    }
    let page = store
        .outgoing_events(&OutgoingFilter::default(), None, 40)
        .await
        .unwrap();
    assert_eq!(page.next, None, "a full page with nothing below it is the last");
    let page = store
        .outgoing_events(&OutgoingFilter::default(), Some(event_id(3)), 1)
        .await
        .unwrap();
    assert_eq!((page.entries[0].id, page.next), (event_id(2), Some(event_id(2))));
}

pub(in super::super) async fn an_event_that_goes_out_moves_between_lists_with_its_state(store: Arc<dyn Store>) {
    for now in OutgoingState::all().chain(OutgoingState::all().rev()) {
        put_all(&*store, &[outgoing_event("acme", "hook", 1, now)]).await;
        for state in OutgoingState::all() {
            let in_state = filter(|f| f.state = [state].into());
            let found = walked(&*store, &in_state, 10).await;
            assert_eq!(found.len(), usize::from(state == now), "{state:?} while it is {now:?}");
        }
        let counts = store.open_outgoing().await.unwrap();
        let states: Vec<_> = counts.iter().map(|count| count.state).collect();
        let expected: Vec<_> = [now]
            .into_iter()
            .filter(|now| now.is_open() || *now == Failed)
            .collect();
        assert_eq!(states, expected);
    }
}

pub(in super::super) async fn an_event_that_was_made_within_a_minute_of_its_id_is_listed_by_time(
    store: Arc<dyn Store>,
) {
    let all: Vec<_> = almost_a_minute_from_their_ids()
        .map(|(number, moment)| {
            let mut event = outgoing_event("acme", "hook", number, Failed);
            event.created_at = moment;
            event
        })
        .collect();
    put_all(&*store, &all).await;
    for (since, until) in all.iter().flat_map(|event| spans(event.created_at)) {
        for state in [[].into(), [Failed].into()] {
            let filter = OutgoingFilter {
                state,
                since,
                until,
                ..OutgoingFilter::default()
            };
            let mut expected: Vec<_> = all.iter().filter(|event| event.matches(&filter)).cloned().collect();
            expected.reverse();
            assert!(!expected.is_empty());
            assert_eq!(walked(&*store, &filter, 2).await, expected, "{filter:?}");
        }
    }
}

pub(in super::super) async fn what_is_open_or_failed_is_counted_by_endpoint_and_state(store: Arc<dyn Store>) {
    assert!(store.open_outgoing().await.unwrap().is_empty());
    filled(&*store).await;
    let mut early = outgoing_event("globex", "zulu", 41, Pending);
    early.created_at = seconds(-1);
    put_all(&*store, &[early]).await;
    let count = |(merchant, endpoint): (&str, &str), state, oldest| EventCount {
        merchant: merchant.to_owned(),
        name: endpoint.to_owned(),
        state,
        count: if oldest < 0 { 3 } else { 2 },
        oldest: seconds(oldest),
    };
    let expected = [
        (ENDPOINTS[1], [14, 6, 2]),
        (ENDPOINTS[0], [9, 1, 17]),
        (ENDPOINTS[2], [19, 11, 7]),
        (ENDPOINTS[3], [4, -1, 12]),
    ];
    let in_states = |(endpoint, oldest): (_, [i64; 3])| {
        let states = [Failed, Pending, Retrying].into_iter().zip(oldest);
        states.map(move |(state, oldest)| count(endpoint, state, oldest))
    };
    let expected: Vec<_> = expected.into_iter().flat_map(in_states).collect();
    assert_eq!(store.open_outgoing().await.unwrap(), expected);
}

pub(in super::super) async fn an_endpoint_has_one_state(store: Arc<dyn Store>) {
    assert!(store.endpoints().await.unwrap().is_empty());
    let names = [("globex", "hook"), ("acme", "hook"), ("acme", "audit")];
    let [globex, hook, mut audit] = names.map(|(merchant, name)| disabled_endpoint(merchant, name));
    let write = |record: &EndpointRecord| Write::PutEndpoint(record.clone());
    put_for(&*store, "globex", vec![write(&globex)]).await;
    put(&*store, vec![write(&hook), write(&audit)]).await;
    let expected = [audit.clone(), hook.clone(), globex.clone()];
    assert_eq!(store.endpoints().await.unwrap(), expected);
    audit.disabled = None;
    put(&*store, vec![Write::PutEndpoint(audit.clone())]).await;
    assert_eq!(store.endpoints().await.unwrap(), [audit, hook, globex]);
    assert!(store.connections().await.unwrap().is_empty());
}
