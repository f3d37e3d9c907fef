//! Whatever is done to the rows of the audit trail shows, whichever store they are in; and several gateways make one chain.

use std::path::Path;

use reqwest::Client;
use rusqlite::Connection;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use upsert_server::StartOptions;
use upsert_testkit::postgres::Database;

use crate::served::{ConfigSnapshot, Folder, gateway_toml, read};

const KEY_A: &str = "encryption_keys = [{ id = \"a\", key = { env = \"KEY_A\" } }]\n";
const KEY_B: &str = "encryption_keys = [{ id = \"b\", key = { env = \"KEY_B\" } }]\n";

/// A gateway over this store, with these keys.
async fn over(url: &str, keys: &str) -> ConfigSnapshot {
    let folder = Folder::new("");
    let store = format!("[store]\nurl = \"{url}\"\n{keys}");
    folder.write(
        "gateway.toml",
        &gateway_toml("").replace("[server]", &format!("{store}[server]")),
    );
    let options = StartOptions {
        store: None,
        ..folder.options()
    };
    ConfigSnapshot {
        client: Client::builder().no_proxy().build().unwrap(),
        ..ConfigSnapshot::over(folder, options).await
    }
}

/// A store whose rows are changed by hand.
enum Rows {
    Sqlite(TempDir),
    Postgres(Database),
}

impl Rows {
    fn both() -> [Self; 2] {
        [Self::Sqlite(TempDir::new().unwrap()), Self::Postgres(Database::new())]
    }

    fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite:{}", file(folder.path()).display()),
            Self::Postgres(database) => database.url().to_owned(),
        }
    }

    fn execute(&self, sql: &str) {
        match self {
            Self::Sqlite(folder) => Connection::open(file(folder.path()))
                .unwrap()
                .execute_batch(sql)
                .unwrap(),
            Self::Postgres(database) => database.execute(sql),
        }
    }
}

fn file(folder: &Path) -> std::path::PathBuf {
    folder.join("gateway.db")
}

async fn acts(served: &ConfigSnapshot, count: usize) {
    for number in 0..count {
        let action = if number % 2 == 0 { "pause" } else { "resume" };
        let path = format!("/v1/connections/acme/ledger/{action}");
        assert_eq!(read(served.post(&path, "acme", &json!({}))).await.0, 200);
    }
}

async fn verified(served: &ConfigSnapshot, query: &str) -> Json {
    let (status, body) = read(served.get(&format!("/v1/audit/verify{query}"), "all")).await;
    assert_eq!(status, 200, "{body}");
    body
}

fn misfit(check: &Json) -> (Option<u64>, &str) {
    (
        check["misfit"]["number"].as_u64(),
        check["misfit"]["code"].as_str().unwrap_or_default(),
    )
}

/// Done to the rows of a trail of five entries, undone again, and where it shows.
const TAMPERINGS: [(&str, &str, &str, u64, &str); 7] = [
    (
        "changed",
        "UPDATE audit SET actor = 'bob' WHERE number = 3",
        "UPDATE audit SET actor = 'acme' WHERE number = 3",
        3,
        "changed",
    ),
    (
        "changed, and told to be somebody else's",
        "UPDATE audit SET merchant = NULL WHERE number = 2",
        "UPDATE audit SET merchant = 'acme' WHERE number = 2",
        2,
        "changed",
    ),
    (
        "cut in the middle",
        "CREATE TABLE kept AS SELECT * FROM audit WHERE number = 3; DELETE FROM audit WHERE number = 3",
        "INSERT INTO audit SELECT * FROM kept; DROP TABLE kept",
        3,
        "missing",
    ),
    (
        "cut at the end",
        "CREATE TABLE kept AS SELECT * FROM audit WHERE number > 3; DELETE FROM audit WHERE number > 3",
        "INSERT INTO audit SELECT * FROM kept; DROP TABLE kept",
        4,
        "missing",
    ),
    (
        "one put in at the end",
        "INSERT INTO audit SELECT 6, happened_at, merchant, actor, action, subject, detail, key_id, hash, hash \
         FROM audit WHERE number = 5",
        "DELETE FROM audit WHERE number = 6",
        6,
        "outside",
    ),
    (
        "two exchanged",
        "UPDATE audit SET number = 100 WHERE number = 2; UPDATE audit SET number = 2 WHERE number = 3; \
         UPDATE audit SET number = 3 WHERE number = 100",
        "UPDATE audit SET number = 100 WHERE number = 2; UPDATE audit SET number = 2 WHERE number = 3; \
         UPDATE audit SET number = 3 WHERE number = 100",
        2,
        "changed",
    ),
    (
        "the end cut off, and the head put back to what is left",
        "CREATE TABLE kept AS SELECT * FROM audit WHERE number > 3; DELETE FROM audit WHERE number > 3; \
         CREATE TABLE kept_head AS SELECT * FROM audit_head; \
         UPDATE audit_head SET number = 3, hash = (SELECT hash FROM audit WHERE number = 3), \
         happened_at = (SELECT happened_at FROM audit WHERE number = 3)",
        "INSERT INTO audit SELECT * FROM kept; DROP TABLE kept; DELETE FROM audit_head; \
         INSERT INTO audit_head SELECT * FROM kept_head; DROP TABLE kept_head",
        3,
        "head_changed",
    ),
];

#[tokio::test]
async fn whatever_is_done_to_the_rows_shows_at_the_first_that_does_not_fit() {
    for rows in Rows::both() {
        let served = over(&rows.url(), KEY_A).await;
        acts(&served, 5).await;
        for (what, tamper, undo, number, code) in TAMPERINGS {
            let before = verified(&served, "").await;
            assert_eq!(
                (&before["fits"], &before["checked"]),
                (&json!(true), &json!(5)),
                "before: {what}"
            );
            rows.execute(tamper);
            let check = verified(&served, "").await;
            assert_eq!(
                (&check["fits"], misfit(&check)),
                (&json!(false), (Some(number), code)),
                "{what}"
            );
            rows.execute(undo);
        }
        served.running.stop().await;
    }
}

#[tokio::test]
async fn what_is_taken_away_with_the_head_shows_by_what_was_noted() {
    for rows in Rows::both() {
        let served = over(&rows.url(), KEY_A).await;
        acts(&served, 3).await;
        rows.execute("CREATE TABLE old AS SELECT * FROM audit_head");
        acts(&served, 2).await;
        let head = verified(&served, "").await["head"].clone();
        let noted = format!("?noted={}:{}", head["number"], head["hash"].as_str().unwrap());
        assert_eq!(verified(&served, &noted).await["fits"], true);
        // Whoever has an old copy of the store can put it back: nothing in it tells.
        rows.execute(
            "DELETE FROM audit WHERE number > 3; DELETE FROM audit_head; INSERT INTO audit_head SELECT * FROM old",
        );
        assert_eq!(verified(&served, "").await["fits"], true);
        let check = verified(&served, &noted).await;
        assert_eq!(misfit(&check), (Some(5), "missing"));
        served.running.stop().await;
    }
}

#[tokio::test]
async fn a_chain_goes_on_over_restarts_and_new_keys_as_long_as_the_old_ones_are_configured() {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite:{}", file(folder.path()).display());
    for keys in ["", KEY_A] {
        let served = over(&url, keys).await;
        acts(&served, 2).await;
        served.running.stop().await;
    }
    let both =
        "encryption_keys = [{ id = \"b\", key = { env = \"KEY_B\" } }, { id = \"a\", key = { env = \"KEY_A\" } }]\n";
    let served = over(&url, both).await;
    acts(&served, 2).await;
    let check = verified(&served, "").await;
    assert_eq!(
        (&check["fits"], &check["checked"], &check["keyed"]),
        (&json!(true), &json!(6), &json!(4))
    );
    served.running.stop().await;
    let served = over(&url, KEY_B).await;
    assert_eq!(misfit(&verified(&served, "").await), (Some(3), "unknown_key"));
    served.running.stop().await;
}

#[tokio::test]
async fn gateways_that_write_at_once_make_one_chain() {
    const EACH: usize = 12;
    let database = Database::new();
    let gateways = [over(database.url(), KEY_A).await, over(database.url(), KEY_A).await];
    let mut running = Vec::new();
    for served in &gateways {
        for connection in ["ledger", "mute"] {
            running.push(async move {
                for number in 0..EACH {
                    let action = if number % 2 == 0 { "pause" } else { "resume" };
                    let path = format!("/v1/connections/acme/{connection}/{action}");
                    let (status, body) = read(served.post(&path, "acme", &json!({}))).await;
                    assert_eq!(status, 200, "{body}");
                }
            });
        }
    }
    futures_util::future::join_all(running).await;
    for served in &gateways {
        let check = verified(served, "").await;
        assert_eq!(
            (&check["fits"], &check["checked"]),
            (&json!(true), &json!(4 * EACH)),
            "{check}"
        );
    }
    let (_, listed) = read(gateways[0].get("/v1/audit?limit=200", "all")).await;
    let times: Vec<&str> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["at"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted_by(|newer, older| {
        newer.parse::<jiff::Timestamp>().unwrap() >= older.parse::<jiff::Timestamp>().unwrap()
    }));
    for served in gateways {
        served.running.stop().await;
    }
}
