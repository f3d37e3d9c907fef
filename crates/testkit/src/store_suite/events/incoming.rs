//! Events that came in.

use std::collections::BTreeSet;
use std::sync::Arc;

use upsert_api::{Conflict, EventProblem};
use upsert_core::{Problem, Word as _};
use upsert_store::{
    DeliveryFilter, EventCount, Expect, IncomingEvent, IncomingFilter, IncomingOutcome, IncomingState, OutgoingFilter,
    Store, Write,
};

use super::super::{almost_a_minute_from_their_ids, holds, holds_for, put_for_each, spans};
use crate::records::{
    content_of, customer_id, event_id, event_problem, ignored_phone, incoming_event, incoming_event_about, seconds,
    upsert_id,
};

use IncomingState::{Accepted, Discarded, Echo, Failed, Outdated};

const SOURCES: [(&str, &str); 3] = [("acme", "shop"), ("acme", "erp"), ("globex", "shop")];

async fn put_all(store: &dyn Store, events: &[IncomingEvent]) {
    let write = |event: &IncomingEvent| Write::PutIncomingEvent(event.clone());
    put_for_each(
        store,
        events.iter().map(|event| (event.merchant.as_str(), write(event))),
    )
    .await;
}

pub(in super::super) async fn an_id_with_a_nul_in_it_is_an_id_like_any_other(store: Arc<dyn Store>) {
    let ids = ["a\0b", "a\u{FFFF}0b", "ab", "a\u{FFFF}\u{FFFF}b"];
    let events: Vec<IncomingEvent> = (1..)
        .zip(ids)
        .map(|(number, sent_as)| {
            let came = IncomingEvent::new(
                event_id(number),
                "acme",
                "shop",
                sent_as,
                &content_of(sent_as),
                seconds(1),
            );
            came.became(IncomingOutcome::Echo {
                customer: customer_id(1),
            })
        })
        .collect();
    put_all(&*store, &events).await;
    for event in &events {
        let content = content_of(&event.event_id);
        let found = store.event_of_source("acme", "shop", &event.event_id, &content).await;
        assert_eq!(found.unwrap().as_ref(), Some(event));
        let filter = IncomingFilter {
            event_id: Some(event.event_id.clone()),
            ..IncomingFilter::default()
        };
        let page = store.incoming_events(&filter, None, 10).await.unwrap();
        assert_eq!(page.entries, std::slice::from_ref(event));
        let is_there = Expect::IncomingEvent {
            source: "shop".to_owned(),
            event_id: event.event_id.clone(),
            content,
            revision: Some(event.revision()),
        };
        assert!(holds(&*store, is_there).await);
    }
}

pub(in super::super) async fn a_name_with_a_nul_in_it_finds_nothing(store: Arc<dyn Store>) {
    let name = || Some("sh\0op".to_owned());
    put_all(&*store, &[incoming_event("acme", "shop", 1, Accepted)]).await;
    let merchants: BTreeSet<String> = ["ac\0me".to_owned()].into();
    for filter in [
        IncomingFilter {
            source: name(),
            ..IncomingFilter::default()
        },
        IncomingFilter {
            merchants: Some(merchants.clone()),
            ..IncomingFilter::default()
        },
    ] {
        let found = store.incoming_events(&filter, None, 10).await.unwrap();
        assert!(found.entries.is_empty());
    }
    for filter in [
        OutgoingFilter {
            endpoint: name(),
            ..OutgoingFilter::default()
        },
        OutgoingFilter {
            merchants: Some(merchants.clone()),
            ..OutgoingFilter::default()
        },
    ] {
        let found = store.outgoing_events(&filter, None, 10).await.unwrap();
        assert!(found.entries.is_empty());
    }
    for filter in [
        DeliveryFilter {
            connection: name(),
            ..DeliveryFilter::default()
        },
        DeliveryFilter {
            merchants: Some(merchants.clone()),
            ..DeliveryFilter::default()
        },
    ] {
        let found = store.deliveries(&filter, None, 10).await.unwrap();
        assert!(found.entries.is_empty());
        assert_eq!(store.count_deliveries(&filter, 10).await.unwrap().count, 0);
    }
    assert_eq!(store.incoming_event("ac\0me", event_id(1)).await.unwrap(), None);
    assert_eq!(store.customer("ac\0me", customer_id(1)).await.unwrap(), None);
    assert!(store.merchant("ac\0me").await.unwrap().is_none());
    assert!(store.merchants(Some("a\0"), 10).await.unwrap().is_empty());
    assert!(
        holds(
            &*store,
            Expect::EventMarks {
                customer: customer_id(1),
                source: "sh\0op".to_owned(),
                revision: None,
            }
        )
        .await
    );
}

pub(in super::super) async fn an_event_that_came_in_comes_back_as_it_was_put(store: Arc<dyn Store>) {
    let (id, content, at) = (event_id(1), content_of("in-1"), seconds(1));
    let came = IncomingEvent::new(id, "acme", "shop", "in-1", &content, at);
    let mut event = came.became(IncomingOutcome::Failed {
        problem: EventProblem {
            errors: vec![Problem::new("/a/0", "invalid_email", "is no \"address\" — ü")],
            conflicts: Some(vec![Conflict {
                customer_id: customer_id(2),
                pointer: "/email".to_owned(),
                connection: None,
            }]),
            ..event_problem()
        },
        raw: "{ \"name\" : \"Adä\",\n\"n\":1.0}".to_owned(),
    });
    (event.tries, event.ignored) = (3, vec![ignored_phone()]);
    event.unbelieved_time = Some(seconds(90));
    let other = incoming_event("globex", "shop", 2, Accepted);
    put_all(&*store, &[event.clone(), other.clone()]).await;
    assert_eq!(
        store.incoming_event("acme", event_id(1)).await.unwrap(),
        Some(event.clone())
    );
    assert_eq!(
        store.incoming_event("globex", event_id(2)).await.unwrap(),
        Some(other.clone())
    );
    assert_eq!(store.incoming_event("acme", event_id(3)).await.unwrap(), None);

    let event = event.again(&content, seconds(60)).became(IncomingOutcome::Accepted {
        customer: customer_id(1),
        upsert: upsert_id(1),
    });
    put_all(&*store, std::slice::from_ref(&event)).await;
    assert_eq!(
        store.incoming_event("acme", event_id(1)).await.unwrap(),
        Some(event.clone())
    );
    let found = store
        .event_of_source("acme", "shop", "in-1", &content_of("in-1"))
        .await
        .unwrap();
    assert_eq!(found, Some(event));
    let found = store
        .event_of_source("globex", "shop", "in-2", &content_of("in-2"))
        .await
        .unwrap();
    assert_eq!(found, Some(other));
    for (merchant, source, id) in [
        ("globex", "shop", "in-1"),
        ("acme", "erp", "in-1"),
        ("acme", "shop", "IN-1"),
        ("acme", "shop", "in-2"),
    ] {
        let found = store
            .event_of_source(merchant, source, id, &content_of(id))
            .await
            .unwrap();
        assert!(found.is_none(), "{merchant} {source} {id}");
    }
}

pub(in super::super) async fn an_id_has_a_row_for_each_content_that_came_under_it(store: Arc<dyn Store>) {
    let first = incoming_event("acme", "shop", 1, Failed);
    let mut second = incoming_event("acme", "shop", 1, Accepted);
    (second.id, second.content) = (event_id(2), "other news".to_owned());
    put_all(&*store, &[first.clone(), second.clone()]).await;
    let found = async |content: &str| store.event_of_source("acme", "shop", "in-1", content).await.unwrap();
    assert_eq!(found(&first.content).await, Some(first.clone()));
    assert_eq!(found("other news").await, Some(second.clone()));
    let filter = IncomingFilter {
        event_id: Some("in-1".to_owned()),
        ..IncomingFilter::default()
    };
    let page = store.incoming_events(&filter, None, 10).await.unwrap();
    assert_eq!(page.entries, [second, first.clone()]);
    // What is taken of one may be another thing once its source is configured anew.
    let mended = first.again("mended", seconds(2)).became(IncomingOutcome::Echo {
        customer: customer_id(1),
    });
    put_all(&*store, std::slice::from_ref(&mended)).await;
    assert_eq!(found("mended").await, Some(mended));
    assert_eq!(found(&first.content).await, None);
}

pub(in super::super) async fn an_event_that_came_in_is_expected_by_its_senders_id(store: Arc<dyn Store>) {
    let expect = |source: &str, id: &str, revision| Expect::IncomingEvent {
        source: source.to_owned(),
        event_id: id.to_owned(),
        content: content_of(id),
        revision,
    };
    assert!(holds(&*store, expect("shop", "in-1", None)).await);
    assert!(!holds(&*store, expect("shop", "in-1", Some(1))).await);
    let mut event = incoming_event("acme", "shop", 1, Failed);
    put_all(&*store, std::slice::from_ref(&event)).await;
    assert!(holds(&*store, event.change()).await);
    put_all(&*store, &[event]).await;
    assert!(holds(&*store, expect("shop", "in-1", Some(2))).await);
    for revision in [None, Some(1), Some(3)] {
        assert!(!holds(&*store, expect("shop", "in-1", revision)).await);
    }
    for (merchant, source, id) in [
        ("globex", "shop", "in-1"),
        ("acme", "erp", "in-1"),
        ("acme", "shop", "in-2"),
    ] {
        assert!(holds_for(&*store, merchant, expect(source, id, None)).await);
    }
}

/// Every state of every source, dealt out so that neighbours differ.
async fn filled(store: &dyn Store) -> Vec<IncomingEvent> {
    let deal = |number: u32| {
        let index = usize::try_from(number).unwrap() - 1;
        let (merchant, source) = SOURCES[index % 3];
        let (state, customer) = (IncomingState::ALL[index % 5], customer_id(u128::from(number % 4)));
        let mut event = incoming_event_about(merchant, source, number, state, customer);
        event.event_id = format!("in-{}", number % 10);
        event.content = content_of(&event.event_id);
        event
    };
    // Ten events a source, each with an id of its own there: 3 and 10 have no common divisor.
    let all: Vec<_> = (1..=30).map(deal).collect();
    let mut shuffled = all.clone();
    shuffled.sort_by_key(|event| event.event_id.clone());
    put_all(store, &shuffled).await;
    all
}

/// All pages of this size, as one.
async fn walked(store: &dyn Store, filter: &IncomingFilter, limit: usize) -> Vec<IncomingEvent> {
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = store.incoming_events(filter, before, limit).await.unwrap();
        assert!(page.entries.len() <= limit);
        found.extend(page.entries);
        match page.next {
            Some(next) => before = Some(next),
            None => return found,
        }
    }
}

fn filter(change: impl FnOnce(&mut IncomingFilter)) -> IncomingFilter {
    let mut filter = IncomingFilter::default();
    change(&mut filter);
    filter
}

fn of_merchants(names: &[&str]) -> IncomingFilter {
    filter(|f| f.merchants = Some(names.iter().map(|name| (*name).to_owned()).collect()))
}

/// What each list narrows down, and how many there are of it.
fn filters() -> Vec<(IncomingFilter, usize)> {
    let from = |source: &str, filter: IncomingFilter| IncomingFilter {
        source: Some(source.to_owned()),
        ..filter
    };
    let in_states = |states: &[IncomingState], filter: IncomingFilter| IncomingFilter {
        state: states.iter().copied().collect(),
        ..filter
    };
    let with_id = |id: &str, filter: IncomingFilter| IncomingFilter {
        event_id: Some(id.to_owned()),
        ..filter
    };
    let about = |number, filter: IncomingFilter| IncomingFilter {
        customer_id: Some(customer_id(number)),
        ..filter
    };
    let all = IncomingFilter::default;
    let acme = || of_merchants(&["acme"]);
    let mut filters = vec![
        (all(), 30),
        (acme(), 20),
        (of_merchants(&["globex", "acme", "nobody"]), 30),
        (of_merchants(&[]), 0),
        (of_merchants(&["nobody"]), 0),
        (from("shop", all()), 20),
        (from("nowhere", all()), 0),
        (from("shop", acme()), 10),
        (from("erp", of_merchants(&["globex"])), 0),
        (in_states(&[Failed], acme()), 4),
        (in_states(&[Failed], from("shop", all())), 4),
        (in_states(&[Failed], from("shop", acme())), 2),
        (in_states(&[Failed, Discarded], acme()), 8),
        (in_states(&[Accepted, Echo, Outdated], from("erp", all())), 6),
        (with_id("in-3", all()), 3),
        (with_id("in-3", acme()), 2),
        (with_id("in-3", from("shop", acme())), 1),
        (with_id("in-3", in_states(&[Failed], all())), 0),
        (with_id("in-4", in_states(&[Failed], all())), 3),
        (with_id("in-99", all()), 0),
        (about(2, all()), 5),
        (about(2, acme()), 3),
        (about(1, all()), 4),
        (about(9, all()), 0),
        (filter(|f| f.since = Some(seconds(28))), 3),
        (
            filter(|f| (f.since, f.until) = (Some(seconds(10)), Some(seconds(20)))),
            10,
        ),
        (filter(|f| f.until = Some(seconds(5))), 4),
        (in_states(&[Failed], filter(|f| f.since = Some(seconds(27)))), 1),
        (about(2, filter(|f| f.until = Some(seconds(5)))), 1),
        (with_id("in-3", filter(|f| f.since = Some(seconds(13)))), 2),
    ];
    let of_state = |state| (in_states(&[state], all()), 6);
    filters.extend(IncomingState::all().map(of_state));
    filters
}

pub(in super::super) async fn events_that_came_in_are_listed_newest_first_by_every_filter(store: Arc<dyn Store>) {
    let page = store
        .incoming_events(&IncomingFilter::default(), None, 10)
        .await
        .unwrap();
    assert!(page.entries.is_empty() && page.next.is_none());
    let all = filled(&*store).await;
    for (filter, count) in filters() {
        let mut expected: Vec<_> = all.iter().filter(|event| event.matches(&filter)).cloned().collect();
        expected.reverse();
        assert_eq!(expected.len(), count, "{filter:?}");
        for limit in [1, 3, 30, 100] {
            assert_eq!(walked(&*store, &filter, limit).await, expected, "{filter:?}");
        }
    }
    let page = store
        .incoming_events(&IncomingFilter::default(), None, 30)
        .await
        .unwrap();
    assert_eq!(page.next, None, "a full page with nothing below it is the last");
    let page = store
        .incoming_events(&IncomingFilter::default(), Some(event_id(3)), 1)
        .await
        .unwrap();
    assert_eq!((page.entries[0].id, page.next), (event_id(2), Some(event_id(2))));
}

pub(in super::super) async fn an_event_that_came_in_moves_between_lists_with_its_state(store: Arc<dyn Store>) {
    for now in IncomingState::all().chain(IncomingState::all().rev()) {
        let event = incoming_event("acme", "shop", 7, now);
        let is_about_somebody = event.customer().is_some();
        put_all(&*store, &[event]).await;
        for state in IncomingState::all() {
            let in_state = filter(|f| f.state = [state].into());
            let found = walked(&*store, &in_state, 10).await;
            assert_eq!(found.len(), usize::from(state == now), "{state:?} while it is {now:?}");
        }
        let about = filter(|f| f.customer_id = Some(customer_id(7)));
        assert_eq!(walked(&*store, &about, 10).await.len(), usize::from(is_about_somebody));
        let failed = store.failed_incoming().await.unwrap();
        assert_eq!(failed.len(), usize::from(now == Failed));
    }
}

pub(in super::super) async fn an_event_that_came_in_within_a_minute_of_its_id_is_listed_by_time(store: Arc<dyn Store>) {
    let all: Vec<_> = almost_a_minute_from_their_ids()
        .map(|(number, moment)| {
            let mut event = incoming_event("acme", "shop", number, Failed);
            event.received_at = moment;
            event
        })
        .collect();
    put_all(&*store, &all).await;
    for (since, until) in all.iter().flat_map(|event| spans(event.received_at)) {
        for state in [[].into(), [Failed].into()] {
            let filter = IncomingFilter {
                state,
                since,
                until,
                ..IncomingFilter::default()
            };
            let mut expected: Vec<_> = all.iter().filter(|event| event.matches(&filter)).cloned().collect();
            expected.reverse();
            assert!(!expected.is_empty());
            assert_eq!(walked(&*store, &filter, 2).await, expected, "{filter:?}");
        }
    }
}

pub(in super::super) async fn dead_letters_are_counted_by_source(store: Arc<dyn Store>) {
    assert!(store.failed_incoming().await.unwrap().is_empty());
    filled(&*store).await;
    // A source whose name was met before another one's that sorts after it, and a dead letter that came before its id says.
    let mut early = incoming_event("acme", "aaa", 31, Failed);
    early.received_at = seconds(-1);
    let late = incoming_event("acme", "aaa", 32, Failed);
    put_all(&*store, &[late, early]).await;
    let count = |merchant: &str, source: &str, oldest| EventCount {
        merchant: merchant.to_owned(),
        name: source.to_owned(),
        state: Failed,
        count: 2,
        oldest: seconds(oldest),
    };
    let expected = [
        count("acme", "aaa", -1),
        count("acme", "erp", 14),
        count("acme", "shop", 4),
        count("globex", "shop", 9),
    ];
    assert_eq!(store.failed_incoming().await.unwrap(), expected);
}
