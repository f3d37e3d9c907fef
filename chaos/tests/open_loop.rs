//! The open loop keeps its rate whatever becomes of its requests, and counts the time that they wait.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use upsert_chaos::load::{Person, Sender, Upsert, open_loop};

/// Answers every request after so long.
async fn slow(listener: TcpListener, wait: Duration) {
    let mut callers = JoinSet::new();
    loop {
        let (mut caller, _) = listener.accept().await.unwrap();
        callers.spawn(async move {
            let mut bytes = [0; 4096];
            while caller.read(&mut bytes).await.is_ok_and(|read| read > 0) {
                tokio::time::sleep(wait).await;
                let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
                caller.write_all(answer.as_bytes()).await.unwrap();
            }
        });
    }
}

#[tokio::test]
async fn requests_leave_at_the_rate_though_none_was_answered_yet() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = JoinSet::new();
    server.spawn(slow(listener, Duration::from_millis(400)));
    let sender = Sender::to(address, reqwest::Client::builder().no_proxy().build().unwrap());
    let began = Instant::now();
    let answered = open_loop(&sender, 100, Duration::from_millis(500), |number| Upsert {
        merchant: "acme",
        person: String::new(),
        body: Person::new(1, number, true).whole("Ann"),
        key: None,
        is_async: false,
        trace: format!("{:032x}", number + 1),
    });
    let answered = answered.await.unwrap();
    assert!(
        (40..=60).contains(&answered.len()),
        "{} in half a second",
        answered.len()
    );
    assert!(began.elapsed() < Duration::from_secs(2), "they waited for each other");
    for one in answered {
        assert_eq!(
            (one.status(), &one.exchange.body["family_name"]),
            (Some(200), &json!("Load"))
        );
        assert!(one.took >= Duration::from_millis(400));
    }
}
