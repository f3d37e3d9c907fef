//! Life signs, metrics, and the page for people.

use serde_json::json;

use crate::served::{ConfigSnapshot, header, read};

#[tokio::test]
async fn a_started_gateway_is_alive_and_ready_without_a_key() {
    let served = ConfigSnapshot::start().await;
    assert_eq!(
        read(served.get("/livez", "")).await,
        (200, json!({ "status": "alive" }))
    );
    let (status, ready) = read(served.get("/readyz", "")).await;
    assert_eq!((status, &ready["encryption"]), (200, &json!("off")));
    assert_eq!(ready["migrations"], "done");
    served.running.stop().await;
}

#[tokio::test]
async fn requests_are_counted_by_template_and_never_by_path() {
    let served = ConfigSnapshot::start().await;
    let id = served.customer("ann@example.com").await;
    read(served.get(&format!("/v1/customers/{id}?x=canary"), "acme")).await;
    read(served.get("/canary/nowhere", "")).await;
    let response = served.get("/metrics", "").send().await.unwrap();
    assert!(header(&response, "content-type").unwrap().starts_with("text/plain"));
    let metrics = response.text().await.unwrap();
    let has = |name: &str, route: &str, status: &str| {
        metrics.lines().any(|line| {
            let labels = [
                format!("http_route=\"{route}\""),
                format!("http_response_status_code=\"{status}\""),
            ];
            line.starts_with(name) && labels.iter().all(|label| line.contains(label.as_str()))
        })
    };
    assert!(
        has("http_server_request_duration_seconds_count{", "/v1/customers", "201"),
        "{metrics}"
    );
    assert!(
        has(
            "http_server_request_duration_seconds_count{",
            "/v1/customers/{id}",
            "400"
        ),
        "{metrics}"
    );
    assert!(
        has("http_server_request_duration_seconds_count{", "none", "4xx"),
        "{metrics}"
    );
    assert!(
        has("http_server_request_duration_seconds_bucket{", "/v1/customers", "201"),
        "{metrics}"
    );
    assert!(metrics.contains("upsert_gateway_config_generation"));
    assert!(!metrics.contains("canary") && !metrics.contains(&id) && !metrics.contains("ann@"));
    served.running.stop().await;
}

#[tokio::test]
async fn metrics_may_have_an_address_of_their_own() {
    let served = ConfigSnapshot::with("metrics_bind = \"127.0.0.1:0\"").await;
    assert_eq!(read(served.get("/metrics", "")).await.0, 404);
    let own = served.running.metrics_addr.expect("an address");
    let response = served.client.get(format!("http://{own}/metrics")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    served.running.stop().await;
}

#[tokio::test]
async fn the_page_for_people_loads_everything_from_here_under_a_strict_policy() {
    let served = ConfigSnapshot::start().await;
    let page = served.get("/docs", "").send().await.unwrap();
    let policy = header(&page, "content-security-policy").unwrap().to_owned();
    assert!(
        policy.contains("default-src 'none'") && policy.contains("script-src 'self';"),
        "{policy}"
    );
    assert_eq!(header(&page, "x-content-type-options"), Some("nosniff"));
    let html = page.text().await.unwrap();
    assert!(!html.contains("//") && !html.contains("<style"), "{html}");
    let links = html
        .split('"')
        .filter(|part| part.starts_with("docs/") || *part == "openapi.json");
    let mut loaded = 0;
    for link in links {
        let response = served.get(&format!("/{link}"), "").send().await.unwrap();
        assert_eq!(response.status(), 200, "{link}");
        loaded += 1;
    }
    assert_eq!(loaded, 6);
    assert_eq!(read(served.get("/docs/package.json", "")).await.0, 404);
    served.running.stop().await;
}

#[tokio::test]
async fn two_gateways_live_in_one_process_and_share_its_metrics() {
    let (one, other) = (ConfigSnapshot::start().await, ConfigSnapshot::start().await);
    for served in [&one, &other] {
        served.customer("ann@example.com").await;
    }
    for served in [one, other] {
        let metrics = served.get("/metrics", "").send().await.unwrap().text().await.unwrap();
        assert!(metrics.contains("http_server_request_duration_seconds_count"));
        served.running.stop().await;
    }
}

#[tokio::test]
async fn a_stranger_makes_no_new_series_by_trying_routes_and_methods() {
    let served = ConfigSnapshot::start().await;
    let address = format!("http://{}", served.running.addr);
    let client = reqwest::Client::new();
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        for path in ["/v1/deliveries", "/v1/export", "/livez", "/openapi.json", "/no/such"] {
            client
                .request(method.clone(), format!("{address}{path}"))
                .send()
                .await
                .unwrap();
        }
    }
    let response = served.get("/metrics", "").send().await.unwrap();
    let metrics = response.text().await.unwrap();
    let odd = metrics.lines().filter(|line| {
        let is_count = line.starts_with("http_server_request_duration_seconds_count{");
        let is_odd = ["PUT", "PATCH", "TRACE", "OPTIONS"]
            .iter()
            .any(|method| line.contains(&format!("\"{method}\"")));
        is_count
            && is_odd
            && (line.contains("\"/livez\"") || line.contains("\"none\"") || line.contains("\"/openapi.json\""))
    });
    assert_eq!(odd.collect::<Vec<_>>(), Vec::<&str>::new());
    let refused = |line: &str| line.contains("\"_OTHER\"") && line.contains("\"none\"") && line.contains("\"4xx\"");
    assert!(metrics.lines().any(refused), "{metrics}");
    served.running.stop().await;
}
