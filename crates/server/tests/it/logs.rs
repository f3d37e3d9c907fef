//! One line a request, and nothing in it that the caller sent but the request id.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tracing_subscriber::fmt::MakeWriter;

use crate::served::{ConfigSnapshot, read};

/// Everything that was logged.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl io::Write for Paper {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Paper {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_request_is_one_line_by_template_with_neither_path_nor_query_nor_body() {
    let paper = Paper::default();
    let lines = tracing_subscriber::fmt().json().flatten_event(true);
    lines
        .with_max_level(tracing::Level::TRACE)
        .with_writer(paper.clone())
        .init();
    let served = ConfigSnapshot::start().await;
    let body = json!({ "email": "canary-mail@example.com", "notes": "canary-notes" });
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let context = format!("00-{trace}-00f067aa0ba902b7-01");
    let (_, upserted) = read(served.upsert(&body).header("traceparent", context)).await;
    let path = "/v1/customers/canary-path?email=canary-query";
    let request = served.client.get(served.url(path)).header("X-Request-Id", "log-test");
    let answer = request
        .bearer_auth(crate::served::secret("reader"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 400);
    served.running.stop().await;

    let text = String::from_utf8(paper.0.lock().clone()).unwrap();
    let ours = text.lines().filter(|line| line.contains("\"request_id\":\"log-test\""));
    let ours: Vec<Json> = ours.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(ours.len(), 1, "{ours:#?}");
    let members = ["method", "route", "status", "key"].map(|name| ours[0][name].clone());
    assert_eq!(json!(members), json!(["GET", "/v1/customers/{id}", 400, "reader"]));
    assert!(ours[0]["duration_ms"].is_number());
    // From the request's line, by the upsert's id, to those of its deliveries.
    let upsert_id = format!("\"upsert_id\":{}", upserted["upsert_id"]);
    let of_the_upsert: Vec<&str> = text.lines().filter(|line| line.contains(&upsert_id)).collect();
    let deliveries = upserted["deliveries"].as_array().unwrap().len();
    for (message, count) in [("request", 1), ("delivery", deliveries)] {
        let message = format!("\"message\":\"{message}\"");
        let found = of_the_upsert.iter().filter(|line| line.contains(&message));
        assert_eq!(found.clone().count(), count, "{message}: {of_the_upsert:#?}");
        for line in found {
            let line: Json = serde_json::from_str(line).unwrap();
            assert_eq!(line["trace_id"], trace, "{line}");
            let is_whole = message.contains("request") || line["delivery_id"].is_string() && line["attempts"] == 1;
            assert!(is_whole, "{line}");
        }
    }
    // The client's own lines are of this process too, but not ours.
    let of_the_gateway = text.lines().filter(|line| line.contains("\"target\":\"upsert_"));
    for line in of_the_gateway {
        assert!(!line.contains("canary") && !line.contains("secret-of"), "{line}");
    }
}
