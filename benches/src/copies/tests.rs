use std::path::Path;

use serde_json::Value as Json;

use super::*;
use crate::house::House;

async fn written(folder: &Path) {
    let house = House::of(folder, &merchant(0)).await.unwrap();
    house.upsert(&body(None), &[201]).await.unwrap();
}

#[tokio::test]
async fn the_gateway_takes_copies_for_customers_that_it_knows_each_at_its_own_merchant() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path()).await;
    copy(&folder.path().join("gateway.db"), 0..40, 0..4).unwrap();
    let house = House::of(folder.path(), &merchant(2)).await.unwrap();
    for number in 20..30 {
        let changed = changed_body(number, &format!("Ann {number}"));
        let answer = house.upsert(&changed, &[200]).await.unwrap();
        let answer: Json = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(answer["deliveries"][0]["outcome"], "updated", "{number}: {answer}");
    }
    house.upsert(&changed_body(10, "Bob"), &[201]).await.unwrap();
}

#[tokio::test]
async fn copies_are_as_many_rows_as_the_original_and_the_file_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path()).await;
    let file = folder.path().join("gateway.db");
    let rows = |table: &str| -> i64 {
        let db = Connection::open(&file).unwrap();
        let sql = format!("SELECT count(*) FROM {table}");
        db.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    let tables = ["customers", "upserts", "keys"];
    let before = tables.map(rows);
    copy(&file, 0..100, 0..1).unwrap();
    copy(&file, 100..110, 0..10).unwrap();
    assert_eq!(tables.map(rows), before.map(|rows| rows * 111));
    let db = Connection::open(&file).unwrap();
    let checked: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(checked, "ok");
}

#[test]
fn what_is_no_store_of_ours_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(copy(&folder.path().join("other.db"), 0..1, 0..1).is_err());
}
