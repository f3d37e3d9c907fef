//! Whom identifiers find.

use std::sync::Arc;

use upsert_core::{CustomerId, Identifier};
use upsert_store::{Expect, IdentityQuery, IdentityView, Lane, Store, Write};

use super::{holds, put, put_for};
use crate::records::{at_revision, customer_id, customer_record, email, phone, reference};

fn known_by(merchant: &str, number: u128, identifiers: &[Identifier]) -> Vec<Write> {
    let customer = customer_id(number);
    let mut writes = vec![Write::PutCustomer(customer_record(merchant, customer))];
    writes.extend(identifiers.iter().map(|identifier| Write::AddIdentifier {
        identifier: identifier.clone(),
        customer,
    }));
    writes
}

async fn found(store: &dyn Store, merchant: &str, identifier: Identifier) -> Vec<CustomerId> {
    let query = IdentityQuery {
        id: None,
        identifiers: vec![identifier],
    };
    let view = store.identify(merchant, &query).await.unwrap();
    assert!(view.by_id.is_none());
    assert_eq!(view.holders.len(), 1);
    view.holders[0].iter().map(|known| known.record.id).collect()
}

fn held_by(identifier: &Identifier, customers: &[u128]) -> Expect {
    Expect::Holders {
        identifier: identifier.clone(),
        customers: customers.iter().copied().map(customer_id).collect(),
    }
}

pub(super) async fn each_identifier_answers_on_its_own_with_lanes_in_order(store: Arc<dyn Store>) {
    put(&*store, known_by("acme", 1, &[reference("r-1"), phone("+1")])).await;
    put(&*store, known_by("acme", 2, &[email("a@example.com"), phone("+1")])).await;
    let lane = |connection: &str| at_revision(Lane::new("acme", customer_id(1), connection), 3);
    let lanes = ["west", "east", "north"].map(|name| Write::PutLane(lane(name)));
    put(&*store, lanes.to_vec()).await;

    let query = IdentityQuery {
        id: Some(customer_id(2)),
        identifiers: vec![
            phone("+1"),
            email("nobody@example.com"),
            reference("r-1"),
            email("a@example.com"),
        ],
    };
    let view = store.identify("acme", &query).await.unwrap();
    assert_eq!(view.by_id.unwrap().record.id, customer_id(2));
    let found = view
        .holders
        .iter()
        .map(|holders| holders.iter().map(|known| known.record.id).collect());
    let found: Vec<Vec<CustomerId>> = found.collect();
    let (one, two) = (customer_id(1), customer_id(2));
    assert_eq!(found, [vec![one, two], vec![], vec![one], vec![two]]);
    assert_eq!(view.holders[0][0].lanes, [lane("east"), lane("north"), lane("west")]);
    assert!(view.holders[0][1].lanes.is_empty());
    assert_eq!(view.holders[2][0], view.holders[0][0]);
}

pub(super) async fn an_identifier_finds_by_merchant_kind_and_whole_value(store: Arc<dyn Store>) {
    put(&*store, known_by("acme", 1, &[email("a@example.com")])).await;
    put_for(&*store, "globex", known_by("globex", 2, &[email("a@example.com")])).await;
    assert_eq!(found(&*store, "acme", email("a@example.com")).await, [customer_id(1)]);
    assert_eq!(found(&*store, "globex", email("a@example.com")).await, [customer_id(2)]);
    assert!(found(&*store, "nobody", email("a@example.com")).await.is_empty());
    assert!(found(&*store, "acme", reference("a@example.com")).await.is_empty());
    assert!(found(&*store, "acme", email("a@example.co")).await.is_empty());
    assert!(found(&*store, "acme", email("A@example.com")).await.is_empty());
}

pub(super) async fn the_sixteen_oldest_holders_are_answered(store: Arc<dyn Store>) {
    for number in (1..=20).rev() {
        put(&*store, known_by("acme", number, &[phone("+1")])).await;
    }
    let oldest: Vec<_> = (1..=20).map(customer_id).take(IdentityView::MOST).collect();
    assert_eq!(found(&*store, "acme", phone("+1")).await, oldest);
}

pub(super) async fn holders_are_expected_as_a_set(store: Arc<dyn Store>) {
    assert!(holds(&*store, held_by(&phone("+1"), &[])).await);
    assert!(!holds(&*store, held_by(&phone("+1"), &[1])).await);
    for number in [2, 1] {
        put(&*store, known_by("acme", number, &[phone("+1")])).await;
    }
    put_for(&*store, "globex", known_by("globex", 3, &[phone("+1")])).await;
    for (customers, expected) in [
        (&[1, 2][..], true),
        (&[2, 1], true),
        (&[1, 2, 2], true),
        (&[1], false),
        (&[], false),
        (&[1, 2, 3], false),
        (&[1, 3], false),
    ] {
        let holds = holds(&*store, held_by(&phone("+1"), customers)).await;
        assert_eq!(holds, expected, "{customers:?}");
    }
}

pub(super) async fn holders_beyond_the_sixteenth_are_not_compared(store: Arc<dyn Store>) {
    for number in 1..=16 {
        put(&*store, known_by("acme", number, &[phone("+1")])).await;
    }
    let seen: Vec<u128> = (1..=16).collect();
    assert!(holds(&*store, held_by(&phone("+1"), &seen)).await);
    assert!(!holds(&*store, held_by(&phone("+1"), &seen[..15])).await);
    put(&*store, known_by("acme", 17, &[phone("+1")])).await;
    assert!(holds(&*store, held_by(&phone("+1"), &seen)).await);
    let mut more = seen.clone();
    more.push(18);
    assert!(holds(&*store, held_by(&phone("+1"), &more)).await);
    more.remove(0);
    assert!(!holds(&*store, held_by(&phone("+1"), &more)).await);
}

pub(super) async fn a_removed_identifier_finds_nobody(store: Arc<dyn Store>) {
    for number in [1, 2] {
        put(&*store, known_by("acme", number, &[phone("+1"), phone("+2")])).await;
        put(&*store, known_by("acme", number, &[phone("+1")])).await;
    }
    let remove = |number| Write::RemoveIdentifier {
        identifier: phone("+1"),
        customer: customer_id(number),
    };
    put(&*store, vec![remove(1), remove(9)]).await;
    assert_eq!(found(&*store, "acme", phone("+1")).await, [customer_id(2)]);
    assert!(holds(&*store, held_by(&phone("+1"), &[2])).await);
    let both = [customer_id(1), customer_id(2)];
    assert_eq!(found(&*store, "acme", phone("+2")).await, both);
}
