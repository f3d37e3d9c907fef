//! Erasures, tombstones, and what is removed of whoever is erased.

use std::sync::Arc;

use upsert_core::{ErasureId, Identifier};
use upsert_store::{
    Changeset, DeliveryState, ErasedRecord, ErasureRecord, Expect, IncomingFilter, IncomingState, KeptAnswerKey, Left,
    OutgoingState, RecordId, Store, StoredAnswer, TombstoneKey, UpsertState, Write,
};

use super::{holds, put};
use crate::records::{
    attempt_record, customer_change, customer_id, delivery_of, delivery_record, email, event_id, idempotency_record,
    incoming_event, noon, outgoing_event, phone, reference, seconds, stored_answer, upsert_id, upsert_in_state,
};

/// That the customer of this number was erased at noon, and had a record at one vendor.
pub(super) fn erasure(merchant: &str, number: u128) -> ErasureRecord {
    let mut erasure = ErasureRecord::new(customer_id(number), merchant, "ann", noon());
    erasure.vendors = vec![ErasedRecord {
        connection: "crm".to_owned(),
        record: Some("0a0b".to_owned()),
        id: Some(RecordId("v-1".to_owned())),
        left: Left::Record,
    }];
    erasure.held = [email("a@example.com").kind].into();
    erasure
}

fn tombstone(key: TombstoneKey, number: u128) -> Write {
    Write::AddTombstone {
        key,
        erasure: ErasureId::of(customer_id(number)),
    }
}

fn named(identifier: Identifier) -> TombstoneKey {
    TombstoneKey::Identifier(identifier)
}

fn record(connection: &str, id: &str) -> TombstoneKey {
    TombstoneKey::VendorRecord {
        connection: connection.to_owned(),
        provider_customer_id: id.to_owned(),
    }
}

pub(super) async fn an_erasure_comes_back_as_it_was_put_and_is_expected_at_its_revision(store: Arc<dyn Store>) {
    let mut first = erasure("acme", 1);
    let is_at = |revision| Expect::Erasure {
        id: ErasureId::of(customer_id(1)),
        revision,
    };
    assert!(holds(&*store, is_at(None)).await);
    put(&*store, vec![Write::PutErasure(first.clone())]).await;
    assert!(holds(&*store, is_at(Some(1))).await && !holds(&*store, is_at(None)).await);
    assert_eq!(store.erasure("acme", first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(store.erasure("globex", first.id).await.unwrap(), None);
    let expected = first.change();
    first.note_record("erp", "0c".to_owned(), RecordId("v-2".to_owned()));
    first.lift(seconds(5));
    assert!(holds(&*store, expected).await);
    put(&*store, vec![Write::PutErasure(first.clone())]).await;
    assert!(holds(&*store, is_at(Some(2))).await);
    assert_eq!(store.erasure("acme", first.id).await.unwrap(), Some(first));
}

pub(super) async fn erasures_are_open_until_they_have_ended(store: Arc<dyn Store>) {
    for number in [2, 1, 3] {
        put(&*store, vec![Write::PutErasure(erasure("acme", number))]).await;
    }
    let elsewhere = Changeset {
        write: vec![Write::PutErasure(erasure("globex", 1))],
        ..Changeset::of("globex")
    };
    store.apply(elsewhere).await.unwrap();
    let mut ended = erasure("acme", 2);
    let _it_is_expected_nowhere = ended.change();
    ended.end(seconds(9));
    put(&*store, vec![Write::PutErasure(ended)]).await;
    let ids = [3, 9, 1, 3].map(|number| ErasureId::of(customer_id(number)));
    let several = store.erasures("acme", &ids).await.unwrap();
    assert_eq!(several, [erasure("acme", 1), erasure("acme", 3)], "by id, once each");
    assert!(store.erasures("initech", &ids).await.unwrap().is_empty());
    assert!(store.has_erasures("acme").await.unwrap() && !store.has_erasures("initech").await.unwrap());
    let mut after = None;
    let mut open = Vec::new();
    loop {
        let page = store.open_erasures(after.as_ref(), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
        open.extend(
            page.into_iter()
                .map(|erasure| (erasure.merchant, erasure.id.customer())),
        );
    }
    let of = |merchant: &str, number| (merchant.to_owned(), customer_id(number));
    assert_eq!(open, [of("acme", 1), of("acme", 3), of("globex", 1)]);
}

pub(super) async fn a_tombstone_is_found_by_each_of_its_keys_and_by_nothing_else(store: Arc<dyn Store>) {
    let ours = vec![
        tombstone(named(email("a@example.com")), 1),
        tombstone(named(phone("+12025550123")), 1),
        tombstone(named(phone("+12025550123")), 2),
        tombstone(record("crm", "v-1"), 1),
        // Twice does no harm.
        tombstone(record("crm", "v-1"), 1),
    ];
    put(&*store, ours).await;
    let keys = [
        named(email("a@example.com")),
        named(email("b@example.com")),
        named(phone("+12025550123")),
        named(reference("a@example.com")),
        record("crm", "v-1"),
        record("erp", "v-1"),
        named(email("v-1")),
    ];
    let found = store.tombstones("acme", &keys).await.unwrap();
    let of = |numbers: &[u128]| -> Vec<ErasureId> {
        numbers
            .iter()
            .map(|number| ErasureId::of(customer_id(*number)))
            .collect()
    };
    let expected = [of(&[1]), of(&[]), of(&[1, 2]), of(&[]), of(&[1]), of(&[]), of(&[])];
    assert_eq!(found, expected);
    let elsewhere = store.tombstones("globex", &keys).await.unwrap();
    assert!(elsewhere.iter().all(Vec::is_empty) && elsewhere.len() == keys.len());
    // It finds nobody among the living.
    assert!(
        holds(
            &*store,
            Expect::Holders {
                identifier: email("a@example.com"),
                customers: Vec::new()
            }
        )
        .await
    );
}

pub(super) async fn a_customers_upserts_are_answered_oldest_first_forgotten_ones_too(store: Arc<dyn Store>) {
    for number in [1, 2, 3] {
        let mut upsert = upsert_in_state("acme", upsert_id(number), customer_id(1), UpsertState::Failed);
        if number == 2 {
            upsert.forget();
        }
        let mut write = vec![Write::PutUpsert(upsert, Some(customer_change("Ada")))];
        for part in 1..=2_u16 {
            let id = delivery_of(number, part);
            let delivery = delivery_record("acme", "crm", id, DeliveryState::Failed);
            write.push(Write::PutDelivery(delivery, Some(attempt_record(id, 1))));
        }
        put(&*store, write).await;
    }
    let other = upsert_in_state("acme", upsert_id(4), customer_id(2), UpsertState::Pending);
    put(&*store, vec![Write::PutUpsert(other, None)]).await;
    let found = store.upserts_of("acme", customer_id(1), 10).await.unwrap();
    let seen: Vec<_> = found.iter().map(|(upsert, own)| (upsert.id, own.len())).collect();
    assert_eq!(seen, [1, 2, 3].map(|number| (upsert_id(number), 2)));
    assert!(found[1].0.is_forgotten());
    let first = store.upserts_of("acme", customer_id(1), 1).await.unwrap();
    assert_eq!(first[..], found[..1]);
    assert!(store.upserts_of("globex", customer_id(1), 10).await.unwrap().is_empty());
}

pub(super) async fn an_answer_is_erased_by_its_key_whether_or_not_there_is_one(store: Arc<dyn Store>) {
    for (key, upsert) in [(1, 1), (2, 1), (3, 2)] {
        let row = idempotency_record("acme", key, upsert_id(upsert));
        put(&*store, vec![Write::PutIdempotency(row)]).await;
    }
    let answer = |key: u8| Write::PutAnswer {
        key: [key; 32],
        answer: stored_answer(201),
    };
    put(&*store, vec![answer(1), answer(3)]).await;
    let keys = store
        .keys_of_upserts("acme", &[upsert_id(1), upsert_id(9)])
        .await
        .unwrap();
    assert_eq!(keys.len(), 2);
    assert!(keys.is_sorted());
    assert!(
        store
            .keys_of_upserts("globex", &[upsert_id(1)])
            .await
            .unwrap()
            .is_empty()
    );
    let mut write: Vec<Write> = keys.into_iter().map(|key| Write::EraseAnswer { key }).collect();
    write.push(Write::EraseAnswer {
        key: KeptAnswerKey(vec![9; 32]),
    });
    put(&*store, write).await;
    // One that comes late finds an answer there.
    put(&*store, vec![answer(2)]).await;
    for key in [1, 2, 3_u8] {
        let row = store.idempotency("acme", &[key; 32], noon()).await.unwrap().unwrap();
        let expected = if key == 3 {
            stored_answer(201)
        } else {
            StoredAnswer::erased()
        };
        assert_eq!(row.answer, Some(expected));
        assert_eq!((row.fingerprint, row.expires_at), ([0xAB; 32], seconds(86_400)));
    }
    assert!(store.idempotency("acme", &[9; 32], noon()).await.unwrap().is_none());
}

pub(super) async fn an_event_that_is_forgotten_is_gone_and_may_come_again(store: Arc<dyn Store>) {
    for number in [1, 2] {
        put(
            &*store,
            vec![
                Write::PutIncomingEvent(incoming_event("acme", "shop", number, IncomingState::Accepted)),
                Write::PutOutgoingEvent(outgoing_event("acme", "hook", number + 10, OutgoingState::Pending)),
            ],
        )
        .await;
    }
    put(
        &*store,
        vec![
            Write::ForgetIncomingEvent(event_id(1)),
            Write::ForgetOutgoingEvent(event_id(11)),
            Write::ForgetIncomingEvent(event_id(9)),
        ],
    )
    .await;
    for (number, is_there) in [(1, false), (2, true)] {
        let incoming = store.incoming_event("acme", event_id(number)).await.unwrap();
        let outgoing = store.outgoing_event("acme", event_id(number + 10)).await.unwrap();
        assert_eq!((incoming.is_some(), outgoing.is_some()), (is_there, is_there));
    }
    let due = store.due_to("acme", "hook", seconds(100), 10).await.unwrap();
    assert_eq!(due.len(), 1);
    put(
        &*store,
        vec![Write::PutIncomingEvent(incoming_event(
            "acme",
            "shop",
            1,
            IncomingState::Accepted,
        ))],
    )
    .await;
    let filter = IncomingFilter {
        merchants: Some(["acme".to_owned()].into()),
        ..IncomingFilter::default()
    };
    let page = store.incoming_events(&filter, None, 10).await.unwrap();
    assert_eq!(page.entries.len(), 2);
}

pub(super) async fn a_keyed_hash_is_of_its_text_and_a_store_can_be_scrubbed(store: Arc<dyn Store>) {
    let one = store.keyed_hash("crm\nv-1").await.unwrap();
    assert_eq!(store.keyed_hash("crm\nv-1").await.unwrap(), one);
    assert_ne!(store.keyed_hash("crm\nv-2").await.unwrap(), one);
    put(&*store, vec![Write::PutErasure(erasure("acme", 1))]).await;
    store.scrub().await.unwrap();
    assert!(
        store
            .erasure("acme", ErasureId::of(customer_id(1)))
            .await
            .unwrap()
            .is_some()
    );
}
