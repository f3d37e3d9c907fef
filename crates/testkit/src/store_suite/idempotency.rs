//! Idempotency keys and the answers that they keep.

use std::sync::Arc;

use upsert_store::{Expect, IdempotencyRecord, Store, Write};

use super::{holds, put};
use crate::records::{idempotency_record, noon, seconds, stored_answer, upsert_id};

fn expiring(key: u8, at: i64) -> IdempotencyRecord {
    IdempotencyRecord {
        expires_at: seconds(at),
        ..idempotency_record("acme", key, upsert_id(key.into()))
    }
}

pub(super) async fn a_key_is_free_until_it_is_used_and_after_it_has_expired(store: Arc<dyn Store>) {
    let free = |key: u8, at| Expect::IdempotencyFree {
        key: [key; 32],
        now: seconds(at),
    };
    assert!(holds(&*store, free(1, 0)).await);
    let record = expiring(1, 60);
    put(&*store, vec![Write::PutIdempotency(record.clone())]).await;
    assert!(!holds(&*store, free(1, 0)).await);
    assert!(!holds(&*store, free(1, 59)).await);
    assert!(holds(&*store, free(1, 60)).await);
    assert!(holds(&*store, free(2, 0)).await);
    assert_eq!(
        store.idempotency("acme", &[1; 32], seconds(59)).await.unwrap(),
        Some(record)
    );
    assert_eq!(store.idempotency("acme", &[1; 32], seconds(60)).await.unwrap(), None);
    assert_eq!(store.idempotency("acme", &[2; 32], seconds(0)).await.unwrap(), None);
}

pub(super) async fn a_key_has_one_answer(store: Arc<dyn Store>) {
    let answer = |key: u8, status| Write::PutAnswer {
        key: [key; 32],
        answer: stored_answer(status),
    };
    put(&*store, vec![answer(1, 500)]).await;
    assert_eq!(store.idempotency("acme", &[1; 32], noon()).await.unwrap(), None);
    put(
        &*store,
        vec![
            Write::PutIdempotency(expiring(1, 60)),
            Write::PutIdempotency(expiring(2, 60)),
        ],
    )
    .await;
    put(&*store, vec![answer(1, 201)]).await;
    put(&*store, vec![answer(1, 200)]).await;
    let kept = store.idempotency("acme", &[1; 32], noon()).await.unwrap().unwrap();
    assert_eq!(kept.answer, Some(stored_answer(201)));
    let other = store.idempotency("acme", &[2; 32], noon()).await.unwrap().unwrap();
    assert_eq!(other.answer, None);
}

pub(super) async fn a_new_record_takes_the_place_of_an_expired_one(store: Arc<dyn Store>) {
    let first = IdempotencyRecord {
        answer: Some(stored_answer(201)),
        ..expiring(1, 60)
    };
    put(&*store, vec![Write::PutIdempotency(first.clone())]).await;
    assert_eq!(store.idempotency("acme", &[1; 32], noon()).await.unwrap(), Some(first));
    let second = IdempotencyRecord {
        fingerprint: [7; 32],
        upsert: upsert_id(9),
        created_at: seconds(60),
        ..expiring(1, 120)
    };
    put(&*store, vec![Write::PutIdempotency(second.clone())]).await;
    assert_eq!(
        store.idempotency("acme", &[1; 32], seconds(61)).await.unwrap(),
        Some(second)
    );
}

/// It is a digest: one in 256 begins with any byte there is.
pub(super) async fn a_fingerprint_is_what_it_was_however_it_begins(store: Arc<dyn Store>) {
    for first in 0..=u8::MAX {
        let mut fingerprint = [1; 32];
        fingerprint[0] = first;
        let record = IdempotencyRecord {
            fingerprint,
            ..expiring(first, 60)
        };
        put(&*store, vec![Write::PutIdempotency(record.clone())]).await;
        let kept = store.idempotency("acme", &[first; 32], noon()).await.unwrap();
        assert_eq!(kept, Some(record));
    }
}

pub(super) async fn the_longest_expired_are_forgotten_first(store: Arc<dyn Store>) {
    let writes = [(1, 30), (2, 10), (3, 20), (4, 40)].map(|(key, at)| Write::PutIdempotency(expiring(key, at)));
    put(&*store, writes.to_vec()).await;
    let left = || async {
        let mut left = Vec::new();
        for key in 1..=4 {
            if store.idempotency("acme", &[key; 32], noon()).await.unwrap().is_some() {
                left.push(key);
            }
        }
        left
    };
    assert_eq!(store.forget_expired(seconds(9), 10).await.unwrap(), 0);
    assert_eq!(left().await, [1, 2, 3, 4]);
    assert_eq!(store.forget_expired(seconds(30), 2).await.unwrap(), 2);
    assert_eq!(left().await, [1, 4]);
    assert_eq!(store.forget_expired(seconds(30), 10).await.unwrap(), 1);
    assert_eq!(left().await, [4]);
}
