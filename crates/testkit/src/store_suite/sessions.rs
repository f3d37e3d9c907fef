//! Who has signed in at the dashboard.

use std::sync::Arc;

use tokio::task::JoinSet;

use upsert_store::{Notice, SessionId, SessionRecord, SessionWrite, Store};

use crate::records::seconds;

/// Of this key, begun and last looked at so many seconds after noon.
fn session(number: u8, key: u8, at: i64) -> SessionRecord {
    SessionRecord {
        id: SessionId([number; 32]),
        key_hash: [key; 32],
        begun_at: seconds(at),
        seen_at: seconds(at),
        notice: None,
    }
}

fn notice(text: &str) -> Notice {
    Notice {
        is_problem: true,
        text: text.to_owned(),
    }
}

async fn write(store: &dyn Store, write: SessionWrite) {
    store.write_session(&write).await.unwrap();
}

async fn begin(store: &dyn Store, session: &SessionRecord, most: usize) {
    write(store, SessionWrite::Begin(session.clone(), most)).await;
}

async fn left(store: &dyn Store, numbers: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let mut left = Vec::new();
    for number in numbers {
        if store.session(&SessionId([number; 32])).await.unwrap().is_some() {
            left.push(number);
        }
    }
    left
}

pub(super) async fn a_session_comes_back_as_it_began_and_is_gone_when_it_ends(store: Arc<dyn Store>) {
    let (one, other) = (
        session(1, 7, 0),
        SessionRecord {
            notice: Some(notice("welcome")),
            ..session(2, 8, 1)
        },
    );
    assert_eq!(store.session(&one.id).await.unwrap(), None);
    for session in [&one, &other] {
        begin(&*store, session, 20).await;
    }
    for session in [&one, &other] {
        assert_eq!(store.session(&session.id).await.unwrap().as_ref(), Some(session));
    }
    write(&*store, SessionWrite::End(one.id)).await;
    assert_eq!(left(&*store, 1..=2).await, [2]);
}

pub(super) async fn a_session_that_has_ended_stays_so_whatever_is_written_of_it(store: Arc<dyn Store>) {
    let ended = session(1, 7, 0);
    begin(&*store, &ended, 20).await;
    write(&*store, SessionWrite::End(ended.id)).await;
    for after in [
        SessionWrite::Seen(ended.id, seconds(9)),
        SessionWrite::Tell(ended.id, notice("done")),
        SessionWrite::Told(ended.id, notice("done")),
        SessionWrite::End(ended.id),
    ] {
        write(&*store, after).await;
        assert_eq!(store.session(&ended.id).await.unwrap(), None);
    }
}

pub(super) async fn the_last_look_at_a_session_is_the_latest_that_was_written(store: Arc<dyn Store>) {
    let begun = session(1, 7, 0);
    begin(&*store, &begun, 20).await;
    begin(&*store, &session(2, 7, 0), 20).await;
    for (at, last) in [(60, 60), (30, 60), (90, 90)] {
        write(&*store, SessionWrite::Seen(begun.id, seconds(at))).await;
        let seen = SessionRecord {
            seen_at: seconds(last),
            ..begun.clone()
        };
        assert_eq!(store.session(&begun.id).await.unwrap(), Some(seen));
    }
    let other = store.session(&SessionId([2; 32])).await.unwrap();
    assert_eq!(other, Some(session(2, 7, 0)));
}

pub(super) async fn a_notice_is_there_until_it_is_told_and_a_newer_one_stays(store: Arc<dyn Store>) {
    let begun = session(1, 7, 0);
    begin(&*store, &begun, 20).await;
    begin(&*store, &session(2, 7, 0), 20).await;
    let told = || async { store.session(&begun.id).await.unwrap().unwrap().notice };
    write(&*store, SessionWrite::Tell(begun.id, notice("first"))).await;
    assert_eq!(told().await, Some(notice("first")));
    write(&*store, SessionWrite::Tell(begun.id, notice("second"))).await;
    write(&*store, SessionWrite::Told(begun.id, notice("first"))).await;
    assert_eq!(told().await, Some(notice("second")));
    write(&*store, SessionWrite::Told(begun.id, notice("second"))).await;
    assert_eq!(told().await, None);
    // All of them are dropped at once where somebody was erased.
    let other = SessionId([2; 32]);
    for id in [begun.id, other] {
        write(&*store, SessionWrite::Tell(id, notice("words"))).await;
    }
    write(&*store, SessionWrite::TellNothing).await;
    assert_eq!(told().await, None);
    let other = store.session(&other).await.unwrap();
    assert_eq!(other, Some(session(2, 7, 0)));
}

pub(super) async fn a_key_has_so_many_sessions_and_those_that_were_looked_at_last_stay(store: Arc<dyn Store>) {
    begin(&*store, &session(9, 8, 0), 3).await;
    for number in 1..=3 {
        begin(&*store, &session(number, 7, i64::from(number)), 3).await;
    }
    write(&*store, SessionWrite::Seen(SessionId([1; 32]), seconds(60))).await;
    begin(&*store, &session(4, 7, 70), 3).await;
    assert_eq!(left(&*store, 1..=9).await, [1, 3, 4, 9]);
    begin(&*store, &session(6, 7, 80), 1).await;
    assert_eq!(left(&*store, 1..=9).await, [6, 9]);
}

pub(super) async fn of_many_that_sign_in_at_once_with_one_key_so_many_stay(store: Arc<dyn Store>) {
    let mut signing_in = JoinSet::new();
    for number in 1..=30 {
        let store = Arc::clone(&store);
        signing_in.spawn(async move { begin(&*store, &session(number, 7, i64::from(number)), 5).await });
    }
    signing_in.join_all().await;
    assert_eq!(left(&*store, 1..=30).await, [26, 27, 28, 29, 30]);
}

pub(super) async fn sessions_that_nobody_looked_at_are_forgotten_the_longest_ago_first(store: Arc<dyn Store>) {
    for (number, at) in [(1, 30), (2, 10), (3, 20), (4, 40)] {
        begin(&*store, &session(number, number, at), 20).await;
    }
    write(&*store, SessionWrite::Seen(SessionId([2; 32]), seconds(50))).await;
    assert_eq!(store.forget_sessions(seconds(40), 1).await.unwrap(), 1);
    assert_eq!(left(&*store, 1..=4).await, [1, 2, 4]);
    assert_eq!(store.forget_sessions(seconds(40), 10).await.unwrap(), 1);
    assert_eq!(left(&*store, 1..=4).await, [2, 4]);
    assert_eq!(store.forget_sessions(seconds(40), 10).await.unwrap(), 0);
}
