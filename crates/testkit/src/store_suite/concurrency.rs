//! Many at once.

use std::sync::Arc;

use tokio::task::JoinSet;

use upsert_store::{Applied, Changeset, Expect, Store, Write};

use super::put;
use crate::records::{customer_change, customer_id, customer_record, email, person, upsert_id, upsert_record};

/// Applies all of them at once and tells which were done.
async fn race(store: &Arc<dyn Store>, changesets: Vec<Changeset>) -> Vec<usize> {
    let mut tasks = JoinSet::new();
    for (number, changes) in changesets.into_iter().enumerate() {
        let store = Arc::clone(store);
        tasks.spawn(async move { (number, store.apply(changes).await.unwrap()) });
    }
    let outcomes = tasks.join_all().await;
    let done = outcomes.iter().filter(|(_, applied)| *applied == Applied::Done);
    done.map(|(number, _)| *number).collect()
}

pub(super) async fn of_64_conflicting_changesets_one_is_done(store: Arc<dyn Store>) {
    put(
        &*store,
        vec![Write::PutCustomer(customer_record("acme", customer_id(1)))],
    )
    .await;
    let change = |number: usize| {
        let mut record = customer_record("acme", customer_id(1));
        record.revision = 2;
        record.customer = person(&format!("Ada {number}"));
        let upsert = upsert_record("acme", upsert_id(number as u128), customer_id(1));
        Changeset {
            expect: vec![Expect::Customer {
                id: customer_id(1),
                revision: Some(1),
            }],
            write: vec![
                Write::PutCustomer(record),
                Write::PutUpsert(upsert, Some(customer_change("Ada"))),
            ],
            ..Changeset::of("acme")
        }
    };
    let done = race(&store, (0..64).map(change).collect()).await;
    assert_eq!(done.len(), 1);
    let known = store.customer("acme", customer_id(1)).await.unwrap().unwrap();
    assert_eq!(known.record.customer, person(&format!("Ada {}", done[0])));
    let history = store.history("acme", customer_id(1), None, 100).await.unwrap();
    let upserts: Vec<_> = history.entries.iter().map(|entry| entry.upsert).collect();
    assert_eq!(upserts, [upsert_id(done[0] as u128)]);
}

pub(super) async fn of_64_claims_of_one_identifier_one_is_done(store: Arc<dyn Store>) {
    let claim = |number: usize| {
        let customer = customer_id(number as u128);
        let holders = |customers| Expect::Holders {
            identifier: email("a@example.com"),
            customers,
        };
        Changeset {
            expect: vec![holders(Vec::new())],
            write: vec![
                Write::PutCustomer(customer_record("acme", customer)),
                Write::AddIdentifier {
                    identifier: email("a@example.com"),
                    customer,
                },
            ],
            ..Changeset::of("acme")
        }
    };
    let done = race(&store, (0..64).map(claim).collect()).await;
    assert_eq!(done.len(), 1);
    for number in 0..64 {
        let is_there = store
            .customer("acme", customer_id(number as u128))
            .await
            .unwrap()
            .is_some();
        assert_eq!(is_there, number == done[0]);
    }
}

/// Hands over a number of changesets without waiting in between; they are applied in that order.
pub(super) async fn changesets_of_one_caller_keep_their_order(store: Arc<dyn Store>) {
    let mut callers = JoinSet::new();
    for caller in 0..8_u128 {
        let store = Arc::clone(&store);
        callers.spawn(async move {
            let step = |revision: u64| {
                let mut record = customer_record("acme", customer_id(caller));
                record.revision = revision;
                let revision = (revision > 1).then(|| revision - 1);
                store.apply(Changeset {
                    expect: vec![Expect::Customer {
                        id: customer_id(caller),
                        revision,
                    }],
                    write: vec![Write::PutCustomer(record)],
                    ..Changeset::of("acme")
                })
            };
            // Each is polled once, in order, before the first is waited for.
            let mut steps: Vec<_> = (1..=50).map(step).collect();
            let mut outcomes = vec![None; steps.len()];
            std::future::poll_fn(|context| {
                for (step, outcome) in steps.iter_mut().zip(&mut outcomes) {
                    if outcome.is_none()
                        && let std::task::Poll::Ready(applied) = step.as_mut().poll(context)
                    {
                        *outcome = Some(applied.unwrap());
                    }
                }
                if outcomes.iter().all(Option::is_some) {
                    std::task::Poll::Ready(())
                } else {
                    std::task::Poll::Pending
                }
            })
            .await;
            assert_eq!(outcomes, vec![Some(Applied::Done); 50]);
        });
    }
    callers.join_all().await;
    for caller in 0..8 {
        let known = store.customer("acme", customer_id(caller)).await.unwrap().unwrap();
        assert_eq!(known.record.revision, 50);
    }
}

pub(super) async fn what_was_applied_is_read_at_once(store: Arc<dyn Store>) {
    let mut callers = JoinSet::new();
    for caller in 0..16_u128 {
        let store = Arc::clone(&store);
        callers.spawn(async move {
            for revision in 1..=20 {
                let mut record = customer_record("acme", customer_id(caller));
                record.revision = revision;
                put(&*store, vec![Write::PutCustomer(record)]).await;
                let known = store.customer("acme", customer_id(caller)).await.unwrap().unwrap();
                assert_eq!(known.record.revision, revision);
            }
        });
    }
    callers.join_all().await;
}
