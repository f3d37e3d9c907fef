//! Outages of connections over the API: who sees them, and how much.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use serde_json::{Value as Json, json};

use upsert_core::{IdSource, IncidentId, SystemClock};
use upsert_settings::key_hash;
use upsert_store::{Changeset, Expect, IncidentRecord, Store, Write};
use upsert_testkit::MemoryStore;
use upsert_testkit::records::{ended_incident, incident_record, seconds};

use crate::served::{ConfigSnapshot, Folder, gateway_toml, read, secret};

/// A key that may look, and not read customers.
const LOOKER: &str = "looker";

/// Keeps it under an id of its merchant's.
async fn put(store: &dyn Store, ids: &IdSource, mut incident: IncidentRecord) -> IncidentId {
    incident.id = ids.incident(&incident.merchant);
    let (merchant, id) = (incident.merchant.clone(), incident.id);
    let changes = Changeset {
        expect: vec![Expect::Incident { id, revision: None }],
        write: vec![Write::PutIncident(incident)],
        ..Changeset::of(&merchant)
    };
    store.apply(changes).await.unwrap();
    id
}

/// One of this merchant's, in this store.
pub(crate) async fn kept(store: &dyn Store, merchant: &str) -> IncidentId {
    let ids = IdSource::new(Arc::new(SystemClock));
    put(store, &ids, incident_record(merchant, "ledger", 1)).await
}

/// Two of acme's, of which the older one has ended, and one of globex's, in the order in which they were made.
async fn served() -> (ConfigSnapshot, [IncidentId; 3]) {
    let store = Arc::new(MemoryStore::new());
    let ids = IdSource::new(Arc::new(SystemClock));
    let mut made = Vec::new();
    for incident in [
        ended_incident("acme", "ledger", 1, seconds(90)),
        incident_record("globex", "ledger", 2),
        incident_record("acme", "mute", 3),
    ] {
        made.push(put(&*store, &ids, incident).await);
    }
    let made: [IncidentId; 3] = made.try_into().unwrap();
    let folder = Folder::new("");
    let hash = HEXLOWER.encode(&key_hash(&secret(LOOKER)));
    let looker = format!(
        "[[api_keys]]\nname = \"{LOOKER}\"\nkey_sha256 = \"{hash}\"\nmerchants = [\"acme\"]\nscopes = [\"ops:read\"]\n"
    );
    folder.write("gateway.toml", &format!("{}{looker}", gateway_toml("")));
    (ConfigSnapshot::over_store(folder, store).await, made)
}

fn ids(listed: &Json) -> Vec<String> {
    let data = listed["data"].as_array().unwrap().iter();
    data.map(|one| one["incident_id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_key_sees_the_incidents_of_its_merchants_newest_first_page_by_page() {
    let (served, made) = served().await;
    let [ended, of_globex, open] = made.map(|id| id.to_string());
    for (path, key, expected) in [
        ("/v1/incidents", "all", vec![&open, &of_globex, &ended]),
        ("/v1/incidents", "acme", vec![&open, &ended]),
        ("/v1/incidents", "globex", vec![&of_globex]),
        ("/v1/incidents?merchant=globex", "all", vec![&of_globex]),
        ("/v1/incidents?state=open", "acme", vec![&open]),
        ("/v1/incidents?state=ended", "all", vec![&ended]),
        ("/v1/incidents?state=open,ended", "acme", vec![&open, &ended]),
        ("/v1/incidents?connection=ledger", "acme", vec![&ended]),
        ("/v1/incidents?connection=nowhere", "acme", vec![]),
    ] {
        let (status, listed) = read(served.get(path, key)).await;
        assert_eq!(status, 200, "{path}: {listed}");
        assert_eq!(ids(&listed).iter().collect::<Vec<_>>(), expected, "{path} with {key}");
        assert_eq!(listed["next_cursor"], Json::Null);
    }
    let (_, first) = read(served.get("/v1/incidents?limit=2", "all")).await;
    assert_eq!(ids(&first), [open, of_globex]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let (_, second) = read(served.get(&format!("/v1/incidents?limit=2&cursor={cursor}"), "all")).await;
    assert_eq!((ids(&second), &second["next_cursor"]), (vec![ended], &Json::Null));
    for (path, key, status) in [
        ("/v1/incidents?merchant=globex", "acme", 403),
        ("/v1/incidents?state=over", "acme", 400),
        ("/v1/incidents?since=yesterday", "acme", 400),
        ("/v1/incidents?cursor=next", "acme", 400),
        ("/v1/incidents", "reader", 403),
    ] {
        assert_eq!(read(served.get(path, key)).await.0, status, "{path} with {key}");
    }
    served.running.stop().await;
}

#[tokio::test]
async fn an_incident_of_another_merchant_is_not_there_and_the_vendors_words_are_for_who_may_read_customers() {
    let (served, [ended, of_globex, _]) = served().await;
    let (status, shown) = read(served.get(&format!("/v1/incidents/{ended}"), "acme")).await;
    assert_eq!(status, 200, "{shown}");
    let entries = shown["timeline"].as_array().unwrap().iter();
    let kinds: Vec<_> = entries.map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["down", "answering", "ended"]);
    assert_eq!(
        (&shown["state"], &shown["failures"], &shown["vendor_status"]),
        (&json!("ended"), &json!(1), &json!(503))
    );
    assert_eq!(
        (&shown["touched"]["customers"], &shown["touched"]["coalesced"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(shown["last_words"]["error"]["detail"], "no");
    let (_, covered) = read(served.get(&format!("/v1/incidents/{ended}"), LOOKER)).await;
    assert_eq!(covered["last_words"]["error"]["detail"], "•••", "{covered}");
    assert_eq!(
        (&covered["last_words"]["error"]["vendor_status"], &covered["message"]),
        (&json!(503), &shown["message"])
    );
    for (id, key) in [
        (of_globex.to_string(), "acme"),
        (ended.to_string(), "globex"),
        ("inc_1".to_owned(), "all"),
    ] {
        let (status, problem) = read(served.get(&format!("/v1/incidents/{id}"), key)).await;
        assert_eq!(
            (status, &problem["code"]),
            (404, &json!("not_found")),
            "{id} with {key}"
        );
    }
    served.running.stop().await;
}
