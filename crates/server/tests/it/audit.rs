//! Who did what when: every act of an operator is told, to whom it concerns, and nothing of any customer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, header};
use serde_json::{Value as Json, json};

use upsert_api::AuditAction;

use crate::answers::documented;
use crate::served::{ConfigSnapshot, Folder, gateway_toml, read, secret};
use crate::settled::whole;

/// What becomes of a route that writes.
enum Audited {
    /// It is told as this.
    As(AuditAction),
    /// It is not told, and why not.
    Not(&'static str),
}

use Audited::{As, Not};

const UPSERT: &str = "an upsert tells who it is of in the customer's history";

/// Every route that writes.
const WRITES: [(&str, Audited); 25] = [
    ("POST /v1/customers", Not(UPSERT)),
    ("POST /v1/customers/batch", Not(UPSERT)),
    ("POST /v1/customers/plan", Not("nothing is changed or sent")),
    (
        "POST /v1/webhooks/{merchant}/{source}",
        Not("an event tells of itself, and becomes upserts"),
    ),
    (
        "POST /v1/customers/{id}/links/{connection}/unlink",
        As(AuditAction::CustomerUnlink),
    ),
    ("POST /v1/deliveries/{id}/replay", As(AuditAction::DeliveryReplay)),
    ("POST /v1/deliveries/{id}/discard", As(AuditAction::DeliveryDiscard)),
    ("POST /v1/deliveries/replay", As(AuditAction::DeliveryReplay)),
    ("POST /v1/deliveries/discard", As(AuditAction::DeliveryDiscard)),
    (
        "POST /v1/connections/{merchant}/{name}/pause",
        As(AuditAction::ConnectionPause),
    ),
    (
        "POST /v1/connections/{merchant}/{name}/resume",
        As(AuditAction::ConnectionResume),
    ),
    (
        "POST /v1/connections/{merchant}/{name}/try",
        As(AuditAction::ConnectionTry),
    ),
    (
        "POST /v1/endpoints/{merchant}/{name}/test",
        As(AuditAction::EndpointTest),
    ),
    (
        "POST /v1/endpoints/{merchant}/{name}/enable",
        As(AuditAction::EndpointEnable),
    ),
    ("POST /v1/events/{direction}/replay", As(AuditAction::EventReplay)),
    ("POST /v1/events/{direction}/discard", As(AuditAction::EventDiscard)),
    ("POST /v1/events/{direction}/{id}/replay", As(AuditAction::EventReplay)),
    (
        "POST /v1/events/{direction}/{id}/discard",
        As(AuditAction::EventDiscard),
    ),
    ("PUT /v1/merchants/{id}", As(AuditAction::MerchantPut)),
    ("DELETE /v1/merchants/{id}", As(AuditAction::MerchantDelete)),
    ("DELETE /v1/customers/{id}", As(AuditAction::CustomerErase)),
    ("POST /v1/encryption/rotate", As(AuditAction::KeysRotate)),
    ("POST /v1/encryption/renew", As(AuditAction::KeysRenew)),
    // Tests of its own: here the process logs by its own rules.
    ("PUT /v1/logs", As(AuditAction::LogsChange)),
    // A reading that says what it is for.
    ("GET /v1/customers", As(AuditAction::CustomersExport)),
];

const WEBHOOKS: &str = r#"
[[webhooks.in]]
source = "list"
verify = { scheme = "hmac", header = "x-signature", algorithm = "sha256", encoding = "hex", secret = { env = "PIN" } }
event_id = "$/id"
each = "/customers"
map = { email = "/email" }

[[webhooks.out]]
name = "nobody"
url = "http://127.0.0.1:9/hooks?token=canary"
events = ["customer.delivery_failed"]
secret = { env = "PIN" }
"#;

const KEY: &str = "[store]\nencryption_keys = [{ id = \"a\", key = { env = \"KEY_A\" } }]\n";

async fn served() -> ConfigSnapshot {
    let folder = Folder::new("");
    folder.write("gateway.toml", &(gateway_toml("") + KEY));
    let acme = std::fs::read_to_string(folder.path().join("merchants/acme.toml")).unwrap();
    folder.write("merchants/acme.toml", &format!("{acme}\n{WEBHOOKS}"));
    let options = folder.options();
    ConfigSnapshot {
        client: Client::builder().no_proxy().redirect(Policy::none()).build().unwrap(),
        ..ConfigSnapshot::over(folder, options).await
    }
}

/// Does it, and it goes well.
async fn done(request: RequestBuilder) -> Json {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).unwrap_or_default()
}

async fn post(served: &ConfigSnapshot, path: &str) -> Json {
    done(served.post(path, "acme", &json!({}))).await
}

/// Waits until so many things of a list are there; the list.
async fn until(served: &ConfigSnapshot, path: &str, count: usize) -> Vec<Json> {
    for _ in 0..400 {
        let (_, listed) = read(served.get(path, "acme")).await;
        let data = listed["data"].as_array().unwrap();
        if data.len() == count {
            return data.clone();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("there never were {count} at {path}");
}

/// A dead letter of the source; its id.
async fn dead_letter(served: &ConfigSnapshot, id: &str) -> String {
    use upsert_webhook::{Hmac, HmacHash, SignatureEncoding, Signed, SigningKey};
    let hmac = Hmac {
        keys: Vec::new(),
        header: "x-signature".to_owned(),
        hash: HmacHash::Sha256,
        encoding: SignatureEncoding::Hex,
        prefix: String::new(),
        timestamp: None,
        signed: vec![Signed::Body],
    };
    let body = json!({ "id": id, "customers": [{ "email": "canary nonsense" }] }).to_string();
    let signature = hmac.signature(&SigningKey::raw("1234"), "", "POST", body.as_bytes());
    let request = served.client.post(served.url("/v1/webhooks/acme/list"));
    let (status, refused) = read(request.header("x-signature", signature).body(body)).await;
    assert_eq!(status, 422);
    refused["events"][0]["id"].as_str().unwrap().to_owned()
}

/// At the dashboard: the status, and the cookie if there is one.
async fn form(served: &ConfigSnapshot, path: &str, form: String, cookie: Option<&str>) -> (u16, Option<String>) {
    let request = served.request(Method::POST, path, "");
    let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let request = request.header("sec-fetch-site", "same-origin");
    let request = match cookie {
        Some(cookie) => request.header(header::COOKIE, cookie),
        None => request,
    };
    let answer = request.body(form).send().await.unwrap();
    let cookie = answer
        .headers()
        .get(header::SET_COOKIE)
        .map(|value| value.to_str().unwrap());
    let cookie = cookie.and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
    (answer.status().as_u16(), cookie)
}

#[tokio::test]
async fn every_route_that_writes_is_audited_or_it_is_said_why_not() {
    let served = ConfigSnapshot::start().await;
    let (_, document) = read(served.get("/openapi.json", "")).await;
    let mut routes = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys().filter(|method| *method != "get");
        routes.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    let listed = WRITES.iter().map(|(route, _)| (*route).to_owned());
    let listed: BTreeSet<String> = listed.filter(|route| !route.starts_with("GET")).collect();
    assert_eq!(
        listed, routes,
        "a new route that writes is audited, or a reason is given here"
    );
    for (route, audited) in &WRITES {
        if let Not(why) = audited {
            assert!(!why.is_empty(), "{route}");
        }
    }
    served.running.stop().await;
}

async fn operate(served: &ConfigSnapshot) {
    let ann = served.customer("ann@example.com").await;
    post(served, "/v1/connections/acme/ledger/pause").await;
    post(served, "/v1/connections/acme/ledger/resume").await;
    post(served, "/v1/connections/acme/ledger/try").await;
    post(served, &format!("/v1/customers/{ann}/links/ledger/unlink")).await;
    post(served, "/v1/endpoints/acme/nobody/test").await;
    post(served, "/v1/endpoints/acme/nobody/enable").await;
    let failing = json!({ "email": "canary-bob@example.com", "notes": "babble" });
    let _failed = read(served.upsert(&failing)).await;
    let failed = "/v1/deliveries?state=failed";
    let letters = until(served, failed, 2).await;
    let id = letters[0]["id"].as_str().unwrap();
    post(served, &format!("/v1/deliveries/{id}/replay")).await;
    let letters = until(served, failed, 2).await;
    let id = letters[0]["id"].as_str().unwrap();
    post(served, &format!("/v1/deliveries/{id}/discard")).await;
    let all = json!({ "state": "failed", "error_kind": "broken_contract" });
    done(served.post("/v1/deliveries/replay", "acme", &all)).await;
    until(served, failed, 1).await;
    done(served.post("/v1/deliveries/discard", "acme", &all)).await;
    // Nothing is left that matches, so nothing is done and nothing told.
    done(served.post("/v1/deliveries/discard", "acme", &all)).await;
    done(served.post(
        "/v1/deliveries/discard",
        "acme",
        &json!({ "state": "failed", "dry_run": true }),
    ))
    .await;
}

async fn handle_events(served: &ConfigSnapshot) {
    let letter = dead_letter(served, "e1").await;
    let path = format!("/v1/events/in/{letter}");
    assert_eq!(
        read(served.post(&format!("{path}/replay"), "acme", &json!({}))).await.0,
        422
    );
    post(served, &format!("{path}/discard")).await;
    dead_letter(served, "e2").await;
    let filter = json!({ "source": "list", "event_id": "e2#0" });
    done(served.post("/v1/events/in/replay", "acme", &filter)).await;
    done(served.post("/v1/events/in/discard", "acme", &json!({ "source": "list" }))).await;
    let nothing = json!({ "customer_id": "cus_00000000000000000000000000" });
    let missing = served.post("/v1/events/in/evt_00000000000000000000000000/replay", "acme", &nothing);
    assert_eq!(read(missing).await.0, 404);
}

async fn administer(served: &ConfigSnapshot) {
    let eve = served.customer("canary-eve@example.com").await;
    for _ in 0..2 {
        // Once more is no other act.
        done(served.request(Method::DELETE, &format!("/v1/customers/{eve}"), "acme")).await;
    }
    for what in ["rotate", "renew"] {
        done(served.request(Method::POST, &format!("/v1/encryption/{what}"), "all")).await;
    }
    let put = served.request(Method::PUT, "/v1/merchants/initech", "all");
    done(put.json(&json!({ "name": "canary Initech" }))).await;
    done(served.request(Method::DELETE, "/v1/merchants/initech", "all")).await;
    done(
        served
            .get("/v1/customers?email=canary-bob@example.com", "acme")
            .header("Audit-As", "export"),
    )
    .await;
    let (status, _) = read(served.get("/v1/customers", "acme").header("Audit-As", "exports")).await;
    assert_eq!(status, 400, "what is misspelt would leave no trace");
    done(served.get("/v1/customers", "acme")).await;
    for key in ["canary-nobody", "canary-nobody", &secret("reader")] {
        let (status, _) = form(served, "/ops/session", format!("key={key}"), None).await;
        assert!(status == 401 || status == 403, "{status}");
    }
    let (_, cookie) = form(served, "/ops/session", format!("key={}", secret("acme")), None).await;
    let cookie = cookie.as_deref();
    let (status, _) = form(served, "/ops/connections/acme/mute/pause", String::new(), cookie).await;
    assert_eq!(status, 303);
    let (status, _) = form(served, "/ops/session/end", String::new(), cookie).await;
    assert_eq!(status, 303);
    // It is over: nobody signs out.
    form(served, "/ops/session/end", String::new(), cookie).await;
    let acme = std::fs::read_to_string(served.folder.path().join("merchants/acme.toml")).unwrap();
    served
        .folder
        .write("merchants/acme.toml", &acme.replace("400ms", "300ms"));
    served
        .folder
        .write("merchants/hooli.toml", "id = \"hooli\"\nname = \"canary\"\n");
    for _ in 0..400 {
        let (_, ready) = read(served.get("/readyz", "")).await;
        if ready["configuration"]["generation"] == 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the files were not read");
}

#[tokio::test]
async fn every_act_is_told_with_who_did_it_and_nothing_of_any_customer() {
    let served = served().await;
    operate(&served).await;
    handle_events(&served).await;
    administer(&served).await;
    let mut listed = whole(served.get("/v1/audit?limit=200", "all")).await;
    assert!(!listed.to_string().contains("canary"), "{listed:#}");
    let entries = listed["body"]["data"].as_array_mut().unwrap();
    let numbers: Vec<_> = entries.iter().map(|entry| entry["number"].as_u64().unwrap()).collect();
    let newest_first: Vec<_> = (1..=numbers.len() as u64).rev().collect();
    assert_eq!(numbers, newest_first, "without gaps");
    let told: BTreeSet<String> = entries
        .iter()
        .map(|entry| entry["action"].as_str().unwrap().to_owned())
        .collect();
    for (route, audited) in &WRITES {
        if let As(action) = audited
            && *action != AuditAction::LogsChange
        {
            assert!(told.contains(&action.to_string()), "{route} is not told as {action}");
        }
    }
    insta::assert_json_snapshot!("every_act", listed);
    let verified = done(served.get("/v1/audit/verify", "all")).await;
    assert_eq!(
        (&verified["fits"], &verified["checked"], &verified["keyed"]),
        (&json!(true), &json!(numbers.len()), &json!(numbers.len()))
    );
    served.running.stop().await;
}

#[tokio::test]
async fn answers_are_as_documented_and_those_to_nobody_too() {
    let served = served().await;
    let (_, document) = read(served.get("/openapi.json", "")).await;
    let empty = documented(&document, "GET /v1/audit", served.get("/v1/audit", "all")).await;
    assert_eq!(empty, json!({ "data": [], "next_cursor": null }));
    let nothing = documented(&document, "GET /v1/audit/verify", served.get("/v1/audit/verify", "all")).await;
    assert_eq!((&nothing["fits"], &nothing["head"]), (&json!(true), &Json::Null));
    post(&served, "/v1/connections/acme/ledger/pause").await;
    documented(&document, "GET /v1/audit", served.get("/v1/audit", "all")).await;
    documented(&document, "GET /v1/audit/verify", served.get("/v1/audit/verify", "all")).await;
    let mut answers = BTreeMap::new();
    for (what, path, key) in [
        ("without a key", "/v1/audit", ""),
        ("without the scope", "/v1/audit", "both"),
        ("of another merchant", "/v1/audit?merchant=globex", "acme"),
        ("by what is no filter", "/v1/audit?actor=acme", "acme"),
        (
            "by wrong filters",
            "/v1/audit?action=connection.stop&since=yesterday",
            "acme",
        ),
        ("on from what is no cursor", "/v1/audit?cursor=next", "acme"),
        ("verified for one merchant", "/v1/audit/verify", "acme"),
        (
            "verified on from what is no cursor",
            "/v1/audit/verify?cursor=next",
            "all",
        ),
        ("verified against what is no note", "/v1/audit/verify?noted=7", "all"),
    ] {
        answers.insert(what, whole(served.get(path, key)).await);
    }
    insta::assert_json_snapshot!("refused", answers);
    served.running.stop().await;
}

#[tokio::test]
async fn a_key_sees_what_is_about_its_merchants_and_the_gateways_own_takes_one_for_all() {
    let served = served().await;
    post(&served, "/v1/connections/acme/ledger/pause").await;
    done(served.post("/v1/connections/globex/ledger/pause", "all", &json!({}))).await;
    form(&served, "/ops/session", format!("key={}", secret("acme")), None).await;
    let subjects = async |path: &str, key: &str, merchant: Option<&str>| {
        let request = served.get(path, key);
        let request = match merchant {
            Some(merchant) => request.header("Merchant-Id", merchant),
            None => request,
        };
        let listed = done(request).await;
        let data = listed["data"].as_array().unwrap().iter();
        data.map(|entry| entry["subject"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let (of_acme, of_globex) = ("connections/acme/ledger", "connections/globex/ledger");
    assert_eq!(
        subjects("/v1/audit", "all", None).await,
        ["dashboard", of_globex, of_acme]
    );
    assert_eq!(subjects("/v1/audit", "acme", None).await, [of_acme]);
    assert_eq!(subjects("/v1/audit", "globex", None).await, [of_globex]);
    assert_eq!(subjects("/v1/audit", "all", Some("globex")).await, [of_globex]);
    assert_eq!(subjects("/v1/audit?merchant=acme", "all", None).await, [of_acme]);
    assert_eq!(
        subjects("/v1/audit?merchant=acme", "all", Some("globex")).await,
        [""; 0]
    );
    assert_eq!(subjects("/v1/audit?by=acme", "all", None).await, ["dashboard", of_acme]);
    let by_action = subjects("/v1/audit?action=session.sign_in,connection.resume", "all", None);
    assert_eq!(by_action.await, ["dashboard"]);
    // A merchant that is nowhere any more may have entries still.
    assert_eq!(subjects("/v1/audit?merchant=hooli", "all", None).await, [""; 0]);
    served.running.stop().await;
}

#[tokio::test]
async fn the_list_is_read_on_page_by_page() {
    let served = served().await;
    for _ in 0..3 {
        post(&served, "/v1/connections/acme/ledger/pause").await;
        post(&served, "/v1/connections/acme/ledger/resume").await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let listed = done(served.get(&format!("/v1/audit?limit=4&by=acme{cursor}"), "acme")).await;
        let page = listed["data"].as_array().unwrap();
        assert!(page.len() <= 4);
        seen.extend(page.iter().map(|entry| entry["number"].as_u64().unwrap()));
        match listed["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, [6, 5, 4, 3, 2, 1]);
    served.running.stop().await;
}

#[tokio::test]
async fn the_dashboard_shows_the_trail_with_filters_to_whom_it_concerns() {
    let served = served().await;
    post(&served, "/v1/connections/acme/ledger/pause").await;
    done(served.post("/v1/connections/globex/ledger/pause", "all", &json!({}))).await;
    let page = async |key: &str, path: &str| {
        let (_, cookie) = form(&served, "/ops/session", format!("key={}", secret(key)), None).await;
        let request = served
            .request(Method::GET, path, "")
            .header(header::COOKIE, cookie.unwrap());
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, all) = page("all", "/ops/audit").await;
    assert_eq!(status, 200);
    for shown in [
        "connections/acme/ledger",
        "connections/globex/ledger",
        "session.sign_in",
        "aria-current=\"page\">Audit",
    ] {
        assert!(all.contains(shown), "{shown}: {all}");
    }
    let (_, own) = page("acme", "/ops/audit").await;
    assert!(
        own.contains("connections/acme/ledger") && !own.contains("connections/globex"),
        "{own}"
    );
    assert!(!own.contains("<td>session.sign_in</td>"), "{own}");
    let (_, filtered) = page("all", "/ops/audit?merchant=globex&action=connection.pause&by=all").await;
    assert!(
        filtered.contains("connections/globex/ledger") && !filtered.contains("connections/acme"),
        "{filtered}"
    );
    let (status, wrong) = page("all", "/ops/audit?since=yesterday").await;
    assert_eq!(status, 400);
    assert!(
        wrong.contains("The filter cannot be read") && wrong.contains("yesterday"),
        "{wrong}"
    );
    assert_eq!(page("acme", "/ops/audit?merchant=globex").await.0, 404);
    served.running.stop().await;
}
