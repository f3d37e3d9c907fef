//! Starting, and what keeps the gateway from it.

use std::time::{Duration, Instant};

use serde_json::json;

use upsert_server::{StartError, StartOptions, check};
use upsert_settings::{Secrets, Settings};
use upsert_testkit::postgres::Database;

use crate::ledger::registry;
use crate::served::{ConfigSnapshot, Folder, gateway_toml, read};

fn store(folder: &Folder) -> String {
    gateway_toml(&format!("[store]\nurl = \"sqlite:{}/g.db\"", folder.path().display()))
}

/// Stopped, and started again: nothing of the first is in the way of the second.
async fn restarted(served: ConfigSnapshot) -> ConfigSnapshot {
    let ConfigSnapshot {
        folder,
        running,
        client,
    } = served;
    running.stop().await;
    let running = folder
        .start(StartOptions::default())
        .await
        .expect("the store is free again");
    ConfigSnapshot {
        folder,
        running,
        client,
    }
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart_and_a_start_is_quick() {
    let folder = Folder::new("");
    folder.write("gateway.toml", &store(&folder));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let began = Instant::now();
    let running = folder.start(StartOptions::default()).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    let served = ConfigSnapshot {
        folder,
        running,
        client,
    };
    let id = served.customer("ann@example.com").await;
    let second = served.folder.start(StartOptions::default()).await;
    assert!(
        matches!(second, Err(StartError::Store(_))),
        "two processes with one file"
    );
    let served = restarted(served).await;
    let (status, customer) = read(served.get(&format!("/v1/customers/{id}"), "acme")).await;
    assert_eq!((status, &customer["email"]), (200, &json!("ann@example.com")));
    served.running.stop().await;
}

#[tokio::test]
async fn what_is_not_built_yet_is_refused_and_never_passed_over() {
    let folder = Folder::new("");
    let store = "[store]\nencryption_keys = [{ id = \"k\", key = { env = \"PIN\" } }]";
    folder.write("gateway.toml", &gateway_toml(store));
    let problems = check(&folder.settings(), registry()).problems;
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].path, "store.encryption_keys");
    match folder.start(folder.options()).await {
        Err(StartError::Settings(refused)) => assert_eq!(refused, problems),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_gateway_on_postgresql_finds_what_the_one_before_it_left() {
    let database = Database::new();
    let folder = Folder::new("");
    folder.write(
        "gateway.toml",
        &gateway_toml(&format!("[store]\nurl = \"{}\"", database.url())),
    );
    let running = folder
        .start(StartOptions::default())
        .await
        .expect("a database of its own");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let served = ConfigSnapshot {
        folder,
        running,
        client,
    };
    let id = served.customer("ann@example.com").await;
    let served = restarted(served).await;
    let (status, customer) = read(served.get(&format!("/v1/customers/{id}"), "acme")).await;
    assert_eq!((status, &customer["email"]), (200, &json!("ann@example.com")));
    served.running.stop().await;
}

#[tokio::test]
async fn why_a_database_cannot_be_used_is_said_without_its_password() {
    let folder = Folder::new("");
    let url = "postgres://gateway:canary@127.0.0.1:9/gateway";
    folder.write(
        "gateway.toml",
        &gateway_toml(&format!(
            "[store]\nurl = {{ file = \"{}/url\" }}",
            folder.path().display()
        )),
    );
    folder.write("url", url);
    let refused = folder.start(StartOptions::default()).await.unwrap_err().to_string();
    assert!(refused.contains("PostgreSQL: Connection refused"), "{refused}");
    assert!(!refused.contains("canary"), "{refused}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let served = ConfigSnapshot::start().await;
    let bind = format!("bind = \"{}\"", served.running.addr);
    let text = gateway_toml("").replace("bind = \"127.0.0.1:0\"", &bind);
    let folder = Folder::new("");
    folder.write("gateway.toml", &text);
    let refused = folder.start(folder.options()).await.unwrap_err().to_string();
    assert!(refused.contains(&served.running.addr.to_string()), "{refused}");
    served.running.stop().await;
}

#[test]
fn check_points_at_the_line_of_what_a_provider_refuses() {
    let folder = Folder::new("");
    folder.write(
        "merchants/acme.toml",
        "id = \"acme\"\n\n[[connections]]\nname = \"a\"\nprovider = \"ledger\"\nsettings = { colour = \"red\" }\n\
         credentials = { pin = { env = \"PIN\" } }\n\n[[connections]]\nname = \"b\"\nprovider = \"ledgr\"\n\
         \n[[connections]]\nname = \"c\"\nprovider = \"ledger\"\n",
    );
    let shown = |problems: &[upsert_settings::Problem]| {
        let folder = folder.path().display().to_string();
        let lines = problems
            .iter()
            .map(|problem| problem.to_string().replace(&folder, "config"));
        lines.collect::<Vec<_>>()
    };
    let checked = check(&folder.settings(), registry());
    insta::assert_json_snapshot!("check_problems", shown(&checked.problems));
    insta::assert_json_snapshot!("check_warnings", shown(&checked.warnings));
}

#[test]
fn check_needs_no_secrets() {
    let folder = Folder::new("");
    let settings = Settings::load(folder.path(), &Folder::environment(), Secrets::Skip).unwrap();
    assert_eq!(check(&settings, registry()).problems, []);
}

#[test]
fn a_gateway_that_nobody_may_call_is_warned_of() {
    let folder = Folder::new("");
    folder.write("gateway.toml", "");
    folder.write("merchants/acme.toml", "id = \"acme\"\n");
    folder.write("merchants/globex.toml", "id = \"globex\"\n");
    let warnings = check(&folder.settings(), registry()).warnings;
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].message.contains("nobody may call"));
}

#[test]
fn an_event_id_that_nobody_signs_is_warned_of() {
    let folder = Folder::new("");
    let source = |name: &str, verify: &str, header: &str| {
        format!(
            "[[webhooks.in]]\nsource = \"{name}\"\nverify = {{ {verify}, secret = {{ env = \"PIN\" }} }}\n\
             event_id = {{ header = \"{header}\" }}\nmap = {{ reference = \"/id\" }}\n"
        )
    };
    let hmac = "scheme = \"hmac\", header = \"x-sig\", algorithm = \"sha256\", encoding = \"hex\"";
    let text = [
        "id = \"acme\"\n".to_owned(),
        source("signed", "scheme = \"standard-webhooks\"", "webhook-id"),
        source("other", "scheme = \"standard-webhooks\"", "x-id"),
        source("own", hmac, "webhook-id"),
    ];
    folder.write("merchants/acme.toml", &text.concat());
    let settings = Settings::load(folder.path(), &Folder::environment(), Secrets::Skip).unwrap();
    let warnings = check(&settings, registry()).warnings;
    let of_ids: Vec<_> = warnings
        .iter()
        .filter(|warning| warning.path.ends_with(".event_id"))
        .map(|warning| (warning.path.as_str(), warning.line, warning.message.as_str()))
        .collect();
    assert_eq!(
        of_ids,
        [
            (
                "webhooks.in[1].event_id",
                10,
                "the header `x-id` is not signed: an event can be repeated under another id"
            ),
            (
                "webhooks.in[2].event_id",
                15,
                "the header `webhook-id` is not signed: an event can be repeated under another id"
            ),
        ]
    );
    // The other one: nothing says how old an event of the last one is.
    let others: Vec<_> = warnings
        .iter()
        .filter(|warning| !warning.path.ends_with(".event_id"))
        .collect();
    assert!(
        matches!(others.as_slice(), [one] if one.path == "webhooks.in[2]"),
        "{others:?}"
    );
}
