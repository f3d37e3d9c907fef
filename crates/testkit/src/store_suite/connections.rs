//! What is kept of a connection itself.

use std::sync::Arc;

use jiff::civil::date;

use upsert_store::{Store, Write};

use super::put;
use crate::records::paused_connection;

pub(super) async fn a_connection_has_one_state(store: Arc<dyn Store>) {
    assert!(store.connections().await.unwrap().is_empty());
    let names = [("globex", "crm"), ("acme", "erp"), ("acme", "crm")];
    let [globex, erp, mut crm] = names.map(|(merchant, name)| paused_connection(merchant, name));
    let writes = [&globex, &erp, &crm].map(|record| Write::PutConnection(record.clone()));
    put(&*store, writes.to_vec()).await;
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
    let call = |merchant: &str, connection: &str, day| Write::CountCall {
        merchant: merchant.to_owned(),
        connection: connection.to_owned(),
        day,
    };
    put(&*store, vec![call("globex", "crm", today), call("acme", "erp", today)]).await;
    put(
        &*store,
        vec![
            call("acme", "crm", today),
            call("acme", "crm", tomorrow),
            call("acme", "crm", today),
        ],
    )
    .await;
    let count = |merchant: &str, connection: &str, count| (merchant.to_owned(), connection.to_owned(), count);
    let expected = [
        count("acme", "crm", 2),
        count("acme", "erp", 1),
        count("globex", "crm", 1),
    ];
    assert_eq!(store.calls(today).await.unwrap(), expected);
    assert_eq!(store.calls(tomorrow).await.unwrap(), [count("acme", "crm", 1)]);
    assert!(store.calls(date(2026, 11, 19)).await.unwrap().is_empty());
    let back = |merchant: &str, connection: &str, day| Write::GiveBackCall {
        merchant: merchant.to_owned(),
        connection: connection.to_owned(),
        day,
    };
    let never_counted = back("acme", "crm", date(2026, 11, 19));
    put(
        &*store,
        vec![
            back("acme", "crm", today),
            back("globex", "crm", today),
            back("globex", "crm", today),
            never_counted,
        ],
    )
    .await;
    let counts = store.calls(today).await.unwrap();
    let left: Vec<u32> = counts.iter().map(|(_, _, count)| *count).collect();
    assert_eq!(left, [1, 1, 0]);
    assert!(store.calls(date(2026, 11, 19)).await.unwrap().is_empty());
}
