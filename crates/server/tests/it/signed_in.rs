//! Whoever has signed in at the dashboard of one gateway has at all that share its database.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Method, header};
use serde_json::json;

use upsert_server::StartOptions;
use upsert_testkit::postgres::{Database, Server};

use crate::served::{ConfigSnapshot, Folder, gateway_toml, read, secret};

const CONNECTION: &str = "/ops/connections/acme/ledger";

/// A gateway over this database.
async fn replica(database: &str) -> ConfigSnapshot {
    let folder = Folder::new("");
    folder.write("gateway.toml", &gateway_toml(&format!("[store]\nurl = \"{database}\"")));
    let options = StartOptions {
        store: None,
        ..folder.options()
    };
    ConfigSnapshot {
        client: client(),
        ..ConfigSnapshot::over(folder, options).await
    }
}

/// While the store is away nobody can show who they are, and strangers' connections are cut: none is used twice.
fn client() -> Client {
    let client = Client::builder().no_proxy().redirect(Policy::none());
    client.pool_max_idle_per_host(0).build().unwrap()
}

/// Signs in there; the cookie.
async fn sign_in(at: &ConfigSnapshot, key: &str) -> String {
    let form = format!("key={}&next=/ops", secret(key));
    let request = at.request(Method::POST, "/ops/session", "");
    let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = request.body(form).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

/// What a browser with this cookie is shown there; status and page.
async fn open(at: &ConfigSnapshot, cookie: &str, path: &str) -> (u16, String) {
    let request = at.request(Method::GET, path, "").header(header::COOKIE, cookie);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Posts an empty form there.
async fn post(at: &ConfigSnapshot, cookie: &str, path: &str) -> u16 {
    let request = at.request(Method::POST, path, "").header(header::COOKIE, cookie);
    let request = request.header("sec-fetch-site", "same-origin");
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_session_is_valid_at_each_replica_and_ends_at_each() {
    let database = Database::new();
    let (one, other) = (replica(database.url()).await, replica(database.url()).await);
    let cookie = sign_in(&one, "acme").await;
    let (status, page) = open(&other, &cookie, CONNECTION).await;
    assert_eq!(status, 200, "{page}");
    assert!(!page.contains("paused"), "{page}");

    // What is done at one is told and seen at the other, at once and once.
    assert_eq!(post(&other, &cookie, &format!("{CONNECTION}/pause")).await, 303);
    let (status, page) = open(&one, &cookie, CONNECTION).await;
    assert_eq!(status, 200, "{page}");
    assert!(
        page.contains("acme / ledger is paused: what comes meanwhile waits"),
        "{page}"
    );
    assert!(page.contains("paused by acme"), "{page}");
    for replica in [&other, &one] {
        let (_, page) = open(replica, &cookie, CONNECTION).await;
        assert!(!page.contains("what comes meanwhile waits"), "{page}");
    }

    // A page that lies open at one ends when somebody signs out at the other.
    let live = one.request(Method::GET, "/ops/live/overview", "");
    let mut live = live.header(header::COOKIE, &cookie).send().await.unwrap();
    assert!(live.chunk().await.unwrap().is_some());
    assert_eq!(post(&other, &cookie, "/ops/session/end").await, 303);
    for replica in [&one, &other] {
        let (status, page) = open(replica, &cookie, CONNECTION).await;
        assert!(status == 401 && page.contains("type=\"password\""), "{status}: {page}");
    }
    let to_the_end = async { while live.chunk().await.unwrap().is_some() {} };
    tokio::time::timeout(Duration::from_secs(30), to_the_end).await.unwrap();
    one.running.stop().await;
    other.running.stop().await;
}

#[tokio::test]
async fn a_session_outlives_the_gateway_where_it_began_and_not_its_key() {
    let database = Database::new();
    let (one, other) = (replica(database.url()).await, replica(database.url()).await);
    let (kept, taken_out) = (sign_in(&one, "all").await, sign_in(&one, "acme").await);
    one.running.stop().await;
    for cookie in [&kept, &taken_out] {
        assert_eq!(open(&other, cookie, CONNECTION).await.0, 200);
    }
    other.running.stop().await;
    let folder = Folder::new("");
    let store = format!("[store]\nurl = \"{}\"", database.url());
    let without =
        gateway_toml(&store).replace("name = \"acme\"\nkey_sha256 = \"", "name = \"acme\"\nkey_sha256 = \"00");
    let cut = |line: &str| match line.strip_prefix("key_sha256 = \"00") {
        // As long as a hash, and another one.
        Some(hash) => format!("key_sha256 = \"00{}\"", &hash[..62]),
        None => line.to_owned(),
    };
    let without: Vec<String> = without.lines().map(cut).collect();
    folder.write("gateway.toml", &without.join("\n"));
    let options = StartOptions {
        store: None,
        ..folder.options()
    };
    let next = ConfigSnapshot::over(folder, options).await;
    assert_eq!(open(&next, &kept, CONNECTION).await.0, 200);
    assert_eq!(open(&next, &taken_out, CONNECTION).await.0, 401);
    next.running.stop().await;
}

#[tokio::test]
async fn a_page_says_plainly_that_the_store_does_not_answer_and_is_back_with_it() {
    let mut server = Server::new("listen_addresses=", |_| {});
    let served = replica(&server.url()).await;
    let cookie = sign_in(&served, "acme").await;
    assert_eq!(open(&served, &cookie, CONNECTION).await.0, 200);
    server.crash();
    for path in ["/ops", CONNECTION, "/ops/live/overview"] {
        let (status, page) = open(&served, &cookie, path).await;
        assert_eq!(status, 503, "{path}: {page}");
        assert!(page.contains("the store does not answer"), "{path}: {page}");
        assert!(
            !page.contains("type=\"password\""),
            "{path}: nobody was signed out: {page}"
        );
    }
    let (status, ready) = read(served.get("/readyz", "")).await;
    assert_eq!((status, &ready["detail"]), (503, &json!("the store cannot be reached")));
    assert_eq!(post(&served, &cookie, "/ops/session/end").await, 503);
    let form = format!("key={}&next=/ops", secret("acme"));
    let request = served.request(Method::POST, "/ops/session", "");
    let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    assert_eq!(request.body(form).send().await.unwrap().status(), 503);
    // What a page is made of does not need the store.
    assert_eq!(open(&served, &cookie, "/ops/assets/x/ops.css").await.0, 200);
    server.start();
    let back = async {
        while open(&served, &cookie, CONNECTION).await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), back).await.unwrap();
    served.running.stop().await;
}
