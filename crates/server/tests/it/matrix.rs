//! Every route, with every kind of key that may not use it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value as Json, json};

use upsert_core::{Clock as _, IncidentId, SystemClock};
use upsert_testkit::MemoryStore;
use upsert_webhook::{SigningKey, sign};

use crate::incidents::kept;
use crate::served::{ConfigSnapshot, gateway_toml, header, read};

/// Every documented route that asks for a key: method and path, with ids that may or may not exist.
pub(crate) async fn guarded(served: &ConfigSnapshot) -> Vec<(Method, String)> {
    let (_, document) = read(served.get("/openapi.json", "")).await;
    let mut routes = Vec::new();
    for (template, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation["security"].as_array().is_some_and(|asked| !asked.is_empty()) {
                let path = template
                    .replace("{merchant}", "acme")
                    .replace("{name}", "ledger")
                    .replace("{connection}", "ledger")
                    .replace("{direction}", "in")
                    .replace("{id}", "cus_1")
                    .replace("{provider_customer_id}", "1");
                routes.push((method.to_uppercase().parse().unwrap(), path));
            }
        }
    }
    assert_eq!(
        routes.len(),
        48,
        "a new route is held against the matrix too: {routes:?}"
    );
    routes
}

/// Routes that ask for the scope `admin`; all others ask for another one, or for none.
fn is_for_admins(path: &str) -> bool {
    path == "/v1/logs" || is_of_all(path)
}

/// Routes that are for keys of every merchant, such as those that manage merchants: no merchant has a say.
fn is_of_all(path: &str) -> bool {
    path.starts_with("/v1/merchants") || path.starts_with("/v1/encryption")
}

pub(crate) fn sent(served: &ConfigSnapshot, method: &Method, path: &str, key: &str) -> RequestBuilder {
    let request = served.request(method.clone(), path, key);
    if method == Method::POST || method == Method::PUT {
        request.json(&json!({}))
    } else {
        request
    }
}

#[tokio::test]
async fn without_a_known_key_every_route_is_closed() {
    let served = ConfigSnapshot::start().await;
    for (method, path) in guarded(&served).await {
        let none = sent(&served, &method, &path, "");
        let unknown = none.try_clone().unwrap().bearer_auth("not-a-key");
        let mistyped = none.try_clone().unwrap().header("X-Api-Key", "ugk_half");
        for (request, challenge) in [
            (none, "Bearer realm"),
            (unknown, "invalid_token"),
            (mistyped, "invalid_token"),
        ] {
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 401, "{method} {path}");
            assert!(header(&response, "www-authenticate").unwrap().contains(challenge));
            let body: Json = response.json().await.unwrap();
            assert_eq!(body["code"], "unauthenticated");
        }
    }
    served.running.stop().await;
}

#[tokio::test]
async fn a_key_without_the_scope_is_refused_wherever_a_scope_is_asked() {
    let served = ConfigSnapshot::start().await;
    for (method, path) in guarded(&served).await {
        let key = if is_for_admins(&path) { "acme" } else { "admin" };
        let (status, body) = read(sent(&served, &method, &path, key)).await;
        if path == "/v1/providers" {
            assert_eq!(status, 200);
        } else {
            assert_eq!(
                (status, &body["code"]),
                (403, &json!("scope_missing")),
                "{method} {path}"
            );
        }
    }
    served.running.stop().await;
}

#[tokio::test]
async fn another_merchant_is_out_of_reach_on_every_route() {
    let served = ConfigSnapshot::start().await;
    for (method, path) in guarded(&served).await {
        for stranger in ["globex", "no-such-merchant"] {
            let request = sent(&served, &method, &path, "acme").header("Merchant-Id", stranger);
            let (status, body) = read(request).await;
            if path == "/v1/providers" {
                assert_eq!(status, 200);
            } else if path == "/v1/logs" || is_of_all(&path) {
                // It is the process's: no merchant has a say.
                assert_eq!((status, &body["code"]), (403, &json!("scope_missing")));
            } else {
                assert_eq!(
                    (status, &body["code"]),
                    (403, &json!("merchant_forbidden")),
                    "{method} {path}"
                );
            }
        }
    }
    for merchant in ["globex", "no-such-merchant"] {
        let path = format!("/v1/connections/{merchant}/ledger/customers");
        let (status, body) = read(served.get(&path, "acme")).await;
        assert_eq!((status, &body["code"]), (404, &json!("not_found")));
    }
    served.running.stop().await;
}

#[tokio::test]
async fn another_merchants_customer_is_answered_like_one_that_does_not_exist() {
    let served = ConfigSnapshot::start().await;
    let of_acme = served.customer("ann@example.com").await;
    let missing = "cus_00000000000000000000000000";
    for rest in ["", "/history"] {
        let mut bodies = Vec::new();
        for id in [of_acme.as_str(), missing, "nonsense"] {
            let (status, mut body) = read(served.get(&format!("/v1/customers/{id}{rest}"), "globex")).await;
            assert_eq!(status, 404);
            body["instance"] = json!("");
            bodies.push(body);
        }
        assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:#?}");
    }
    let (_, listed) = read(served.get("/v1/customers", "globex")).await;
    assert_eq!(listed["data"], json!([]));
    served.running.stop().await;
}

#[tokio::test]
async fn another_merchants_delivery_is_answered_like_one_that_does_not_exist() {
    let served = ConfigSnapshot::start().await;
    let made = served.upsert(&json!({ "email": "ann@example.com" }));
    let (_, made) = read(made).await;
    let of_acme = made["deliveries"][0]["id"].as_str().unwrap();
    let missing = "dlv_00000000000000000000000000";
    for (method, rest) in [(Method::GET, ""), (Method::POST, "/replay"), (Method::POST, "/discard")] {
        let mut bodies = Vec::new();
        for id in [of_acme, missing, "nonsense"] {
            let path = format!("/v1/deliveries/{id}{rest}");
            let (status, mut body) = read(
                served
                    .request(method.clone(), &path, "all")
                    .header("Merchant-Id", "globex"),
            )
            .await;
            assert_eq!(status, 404, "{path}");
            body["instance"] = json!("");
            bodies.push(body);
        }
        assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:#?}");
    }
    for (key, merchant, seen) in [("acme", None, 2), ("all", None, 2), ("all", Some("globex"), 0)] {
        let mut request = served.get("/v1/deliveries", key);
        if let Some(merchant) = merchant {
            request = request.header("Merchant-Id", merchant);
        }
        let (_, listed) = read(request).await;
        assert_eq!(listed["data"].as_array().unwrap().len(), seen, "{key} {merchant:?}");
    }
    let all = json!({ "state": "succeeded", "dry_run": true });
    let (_, counted) = read(
        served
            .post("/v1/deliveries/discard", "all", &all)
            .header("Merchant-Id", "globex"),
    )
    .await;
    assert_eq!(counted["matched"], 0, "a filter reaches no further than the key");
    served.running.stop().await;
}

#[tokio::test]
async fn another_merchants_events_and_webhooks_are_out_of_reach() {
    let served = ConfigSnapshot::start().await;
    let missing = "evt_00000000000000000000000000";
    for direction in ["in", "out"] {
        let (_, listed) = read(served.get(&format!("/v1/events/{direction}"), "globex")).await;
        assert_eq!(listed["data"], json!([]));
        for (method, rest) in [(Method::GET, ""), (Method::POST, "/replay"), (Method::POST, "/discard")] {
            for id in [missing, "nonsense"] {
                let path = format!("/v1/events/{direction}/{id}{rest}");
                let (status, _) = read(served.request(method.clone(), &path, "all")).await;
                assert_eq!(status, 404, "{path}");
            }
        }
    }
    let (status, _) = read(served.get("/v1/events/sideways", "all")).await;
    assert_eq!(status, 404);
    for action in ["test", "enable"] {
        let path = format!("/v1/endpoints/acme/none/{action}");
        let (status, body) = read(served.post(&path, "all", &json!({}))).await;
        assert_eq!((status, &body["detail"]), (404, &json!("there is no such endpoint")));
    }
    served.running.stop().await;
}

#[tokio::test]
async fn filters_of_the_other_direction_and_discards_without_a_filter_are_refused() {
    let served = ConfigSnapshot::start().await;
    let (status, body) = read(served.get("/v1/events/in?endpoint=hooks&type=x", "all")).await;
    assert_eq!((status, body["errors"].as_array().unwrap().len()), (400, 2));
    let (status, body) = read(served.post("/v1/events/out/discard", "all", &json!({}))).await;
    assert_eq!((status, &body["code"]), (422, &json!("validation_failed")));
    let wrong = json!({ "source": "shop", "limit": 0, "state": "failed", "since": "yesterday" });
    let (status, body) = read(served.post("/v1/events/out/replay", "all", &wrong)).await;
    let pointers: Vec<&str> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert_eq!((status, pointers), (422, vec!["/state", "/source", "/since", "/limit"]));
    let (status, body) = read(served.post("/v1/events/out/replay", "all", &json!({ "dry_run": true }))).await;
    assert_eq!((status, &body["matched"]), (202, &json!(0)));
    served.running.stop().await;
}

#[tokio::test]
async fn a_merchant_has_to_be_named_unless_the_key_lists_exactly_one() {
    let served = ConfigSnapshot::start().await;
    let body = json!({ "email": "ann@example.com" });
    for (key, merchant, wanted) in [
        ("acme", None, 201),
        ("both", None, 400),
        ("all", None, 400),
        ("both", Some("globex"), 201),
        ("all", Some("globex"), 200),
    ] {
        let mut request = served.post("/v1/customers", key, &body);
        if let Some(merchant) = merchant {
            request = request.header("Merchant-Id", merchant);
        }
        let (status, answer) = read(request).await;
        assert_eq!(status, wanted, "{key} {merchant:?}: {answer}");
        if status == 400 {
            assert_eq!(answer["code"], "merchant_required");
        }
    }
    served.running.stop().await;
}

#[tokio::test]
async fn connections_are_those_of_the_keys_merchants_and_the_header_filters() {
    let served = ConfigSnapshot::start().await;
    let merchants = |body: &Json| {
        let data = body["data"].as_array().unwrap().iter();
        data.map(|one| one["merchant_id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let (_, own) = read(served.get("/v1/connections", "acme")).await;
    assert_eq!(merchants(&own), ["acme", "acme"]);
    let (_, all) = read(served.get("/v1/connections", "all")).await;
    assert_eq!(merchants(&all), ["acme", "acme", "globex"]);
    let (_, some) = read(served.get("/v1/connections", "all").header("Merchant-Id", "globex")).await;
    assert_eq!(merchants(&some), ["globex"]);
    let path = "/v1/connections/acme/ledger/customers";
    let (status, _) = read(served.get(path, "all").header("Merchant-Id", "globex")).await;
    assert_eq!(status, 404);
    served.running.stop().await;
}

/// The usual `gateway.toml`, in which the key of this name is valid until then; none: it is not there.
fn with_key(name: &str, until: Option<&str>) -> String {
    let usual = gateway_toml("");
    let mut tables = usual.split("[[api_keys]]");
    let mut text = tables.next().unwrap().to_owned();
    for table in tables {
        let is_it = table.contains(&format!("name = \"{name}\""));
        if is_it && until.is_none() {
            continue;
        }
        text.extend(["[[api_keys]]", table]);
        if let (true, Some(until)) = (is_it, until) {
            text.extend(["expires_at = \"", until, "\"\n"]);
        }
    }
    text
}

#[tokio::test]
async fn a_key_that_was_removed_or_has_expired_opens_no_route() {
    let served = ConfigSnapshot::start().await;
    let routes = guarded(&served).await;
    let all_are_closed = async |detail: &str| {
        for (method, path) in &routes {
            let (status, body) = read(sent(&served, method, path, "all")).await;
            assert_eq!(
                (status, &body["code"]),
                (401, &json!("unauthenticated")),
                "{method} {path}"
            );
            assert_eq!(body["detail"], detail, "{method} {path}");
        }
    };
    assert_eq!(read(served.get("/v1/providers", "all")).await.0, 200);
    for (generation, until, detail) in [
        (2, None, "the API key is not known"),
        (3, Some("2020-01-01T00:00:00Z"), "the API key has expired"),
    ] {
        served.folder.write("gateway.toml", &with_key("all", until));
        while read(served.get("/readyz", "")).await.1["configuration"]["generation"].as_u64() < Some(generation) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        all_are_closed(detail).await;
    }
    served.running.stop().await;
}

const HOOKS: &str = r#"
[[webhooks.in]]
source = "shop"
verify = { scheme = "standard-webhooks", secret = { env = "PIN" } }
event_id = "/id"
map = { email = "/email" }

[[webhooks.out]]
name = "hooks"
url = "http://127.0.0.1:9/hooks"
events = ["customer.upserted"]
secret = { env = "PIN" }
"#;

/// An event as acme's shop sends it; its id here.
async fn event(served: &ConfigSnapshot) -> String {
    let (now, body): (Timestamp, _) = (SystemClock.now(), r#"{"id":"e-1","email":"eve@example.com"}"#);
    let signature = sign(&[SigningKey::standard("1234").unwrap()], "m", now, body.as_bytes());
    let request = served.client.post(served.url("/v1/webhooks/acme/shop")).body(body);
    let request = request
        .header("webhook-id", "m")
        .header("webhook-timestamp", now.as_second());
    let (status, taken) = read(request.header("webhook-signature", signature)).await;
    assert_eq!(status, 202, "{taken}");
    taken["data"][0]["id"].as_str().unwrap().to_owned()
}

/// What there is of acme's, by what stands in a route before the parameter that names it.
async fn of_acme(served: &ConfigSnapshot, incident: IncidentId) -> BTreeMap<&'static str, String> {
    let gone = format!("/v1/customers/{}", served.customer("gone@example.com").await);
    let (_, certificate) = read(served.request(Method::DELETE, &gone, "acme")).await;
    let (_, made) = read(served.upsert(&json!({ "email": "ann@example.com" }))).await;
    let text = |pointer: &str| made.pointer(pointer).and_then(Json::as_str).unwrap().to_owned();
    let (_, out) = read(served.get("/v1/events/out", "acme")).await;
    BTreeMap::from([
        ("/v1/customers/", text("/customer/id")),
        ("/v1/erasures/", certificate["erasure_id"].as_str().unwrap().to_owned()),
        ("/v1/upserts/", text("/upsert_id")),
        ("/v1/deliveries/", text("/deliveries/0/id")),
        ("/v1/incidents/", incident.to_string()),
        ("/v1/events/in/", event(served).await),
        ("/v1/events/out/", out["data"][0]["id"].as_str().unwrap().to_owned()),
    ])
}

/// The routes that name something of one merchant's, each with the same path thrice: with what is acme's, with what nobody has,
/// and with what nobody could have.
async fn naming(served: &ConfigSnapshot, incident: IncidentId) -> Vec<(Method, [String; 3])> {
    let (_, document) = read(served.get("/openapi.json", "")).await;
    let (ids, mut routes) = (of_acme(served, incident).await, Vec::new());
    for (template, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let asks_for_a_key = operation["security"].as_array().is_some_and(|asked| !asked.is_empty());
            let is_named = template.contains('{') && asks_for_a_key;
            if !is_named || is_of_all(template) {
                continue;
            }
            for direction in ["in", "out"] {
                if direction == "out" && !template.contains("{direction}") {
                    continue;
                }
                let path = template
                    .replace("{direction}", direction)
                    .replace("{connection}", "ledger");
                let method: Method = method.to_uppercase().parse().unwrap();
                if path.contains('{') {
                    routes.push((method, named(&path, &ids)));
                }
            }
        }
    }
    routes
}

fn named(path: &str, ids: &BTreeMap<&'static str, String>) -> [String; 3] {
    if path.contains("{merchant}") {
        let of = |merchant: &str, name: &str| {
            let path = path
                .replace("{merchant}", merchant)
                .replace("{provider_customer_id}", "1");
            path.replace("{name}", name)
        };
        let name = if path.starts_with("/v1/endpoints/") {
            "hooks"
        } else {
            "ledger"
        };
        return [of("acme", name), of("no-such-merchant", name), of("acme", "nonsense")];
    }
    let (before, id) = ids
        .iter()
        .find(|(before, _)| path.starts_with(&format!("{before}{{id}}")))
        .unwrap_or_else(|| panic!("{path}: say what of acme's stands there"));
    let prefix = id.split('_').next().unwrap();
    let with = |id: &str| format!("{before}{id}{}", path.strip_prefix(&format!("{before}{{id}}")).unwrap());
    [
        with(id),
        with(&format!("{prefix}_00000000000000000000000000")),
        with("nonsense"),
    ]
}

#[tokio::test]
async fn what_is_another_merchants_is_answered_on_every_route_like_what_nobody_has() {
    let store = Arc::new(MemoryStore::new());
    let incident = kept(&*store, "acme").await;
    let served = ConfigSnapshot::with_acme_over(HOOKS, store).await;
    let routes = naming(&served, incident).await;
    assert!(routes.len() > 15, "{routes:?}");
    for (method, paths) in &routes {
        let mut bodies = Vec::new();
        for path in paths {
            let request = sent(&served, method, path, "all").header("Merchant-Id", "globex");
            let (status, mut body) = read(request).await;
            assert_eq!(status, 404, "{method} {path}: {body}");
            body["instance"] = json!("");
            bodies.push(body);
        }
        assert!(
            bodies.windows(2).all(|pair| pair[0] == pair[1]),
            "{method} {paths:?}: {bodies:#?}"
        );
    }
    // It is there for its own merchant.
    for (method, paths) in routes.iter().filter(|(method, _)| method == Method::GET) {
        let request = sent(&served, method, &paths[0], "all").header("Merchant-Id", "acme");
        let (status, body) = read(request).await;
        let is_of_vendor = paths[0].contains("/customers/1");
        assert!(
            status == 200 || (status == 404 && is_of_vendor),
            "{method} {}: {body}",
            paths[0]
        );
    }
    served.running.stop().await;
}
