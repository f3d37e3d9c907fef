//! What the store tells of its commits.

use metrics_exporter_prometheus::PrometheusBuilder;

use upsert_store::{Changeset, Store, Write};
use upsert_store_sql::sqlite::{SqliteOptions, SqliteStore};
use upsert_testkit::records::{customer_id, customer_record};

#[tokio::test]
async fn commits_are_counted_and_timed() {
    let metrics = PrometheusBuilder::new().install_recorder().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("gateway.db"), SqliteOptions::default()).unwrap();
    for number in 1..=3 {
        let write = vec![Write::PutCustomer(customer_record("acme", customer_id(number)))];
        let changes = Changeset {
            write,
            ..Changeset::of("acme")
        };
        store.apply(changes).await.unwrap();
    }
    drop(store);
    let page = metrics.render();
    for line in [
        "upsert_gateway_commit_batch_size_count 3",
        "upsert_gateway_commit_batch_size_sum 3",
        "upsert_gateway_commit_seconds_count 3",
    ] {
        assert!(page.contains(line), "{page}");
    }
}
