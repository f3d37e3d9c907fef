//! What is kept of a connection itself.

use std::sync::Arc;

use jiff::civil::date;

use upsert_store::{ConnectionRecord, Store, Write};

use super::{put, put_for};
use crate::records::paused_connection;

pub(super) async fn a_connection_has_one_state(store: Arc<dyn Store>) {
    assert!(store.connections().await.unwrap().is_empty());
    let names = [("globex", "crm"), ("acme", "erp"), ("acme", "crm")];
    let [globex, erp, mut crm] = names.map(|(merchant, name)| paused_connection(merchant, name));
    let write = |record: &ConnectionRecord| Write::PutConnection(record.clone());
    put_for(&*store, "globex", vec![write(&globex)]).await;
    put(&*store, vec![write(&erp), write(&crm)]).await;
    assert_eq!(
        store.connections().await.unwrap(),
        [crm.clone(), erp.clone(), globex.clone()]
    );
    crm.pause = None;
    put(&*store, vec![Write::PutConnection(crm.clone())]).await;
    assert_eq!(store.connections().await.unwrap(), [crm, erp, globex]);
}

pub(super) async fn calls_are_counted_by_day_and_connection(store: Arc<dyn Store>) {
    let (today, tomorrow) = (date(2026, 11, 20), date(2026, 11, 21));
    let call = |connection: &str, day| Write::CountCall {
        connection: connection.to_owned(),
        day,
    };
    put_for(&*store, "globex", vec![call("crm", today)]).await;
    put(&*store, vec![call("erp", today)]).await;
    let calls = vec![call("crm", today), call("crm", tomorrow), call("crm", today)];
    put(&*store, calls).await;
    let count = |merchant: &str, connection: &str, count| (merchant.to_owned(), connection.to_owned(), count);
    let expected = [
        count("acme", "crm", 2),
        count("acme", "erp", 1),
        count("globex", "crm", 1),
    ];
    assert_eq!(store.calls(today).await.unwrap(), expected);
    assert_eq!(store.calls(tomorrow).await.unwrap(), [count("acme", "crm", 1)]);
    assert!(store.calls(date(2026, 11, 19)).await.unwrap().is_empty());
    let back = |connection: &str, day| Write::GiveBackCall {
        connection: connection.to_owned(),
        day,
    };
    let never_counted = back("crm", date(2026, 11, 19));
    put(&*store, vec![back("crm", today), never_counted]).await;
    put_for(&*store, "globex", vec![back("crm", today), back("crm", today)]).await;
    let counts = store.calls(today).await.unwrap();
    let left: Vec<u32> = counts.iter().map(|(_, _, count)| *count).collect();
    assert_eq!(left, [1, 1, 0]);
    assert!(store.calls(date(2026, 11, 19)).await.unwrap().is_empty());
}
