//! Stopping.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::ledger::DAWDLES;
use crate::served::{ConfigSnapshot, read};

/// A connection that is kept alive, and has been used.
async fn kept_alive(served: &ConfigSnapshot) -> TcpStream {
    let mut stream = TcpStream::connect(served.running.addr).await.unwrap();
    assert!(get(&mut stream, "/livez").await.starts_with("HTTP/1.1 200"));
    stream
}

async fn get(stream: &mut TcpStream, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: gateway\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer).await.unwrap();
    answer.truncate(length);
    String::from_utf8(answer).unwrap()
}

/// Waits until a delivery is with the vendor, which takes its time.
async fn until_it_is_being_sent(served: &ConfigSnapshot) {
    loop {
        let (_, told) = read(served.get("/v1/connections", "acme")).await;
        if told["data"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["in_flight"] == json!(1))
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until the server, which was told to stop, says so; its answer.
async fn until_it_stops(addr: SocketAddr) -> String {
    loop {
        let answer = get(&mut TcpStream::connect(addr).await.unwrap(), "/readyz").await;
        if answer.starts_with("HTTP/1.1 503") {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_request_in_flight_is_answered_while_no_new_ones_are_welcome() {
    let served = ConfigSnapshot::start().await;
    let mut stream = kept_alive(&served).await;
    let body = json!({ "email": "ann@example.com", "notes": "dawdle" });
    let upsert = tokio::spawn(read(served.upsert(&body)));
    until_it_is_being_sent(&served).await;
    let addr = served.running.addr;
    let stopping = tokio::spawn(served.running.stop());
    until_it_stops(addr).await;
    let answer = get(&mut stream, "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("\"code\":\"shutting_down\"") && answer.to_lowercase().contains("connection: close"));
    let (status, answer) = upsert.await.unwrap();
    assert!(status == 201 || status == 202, "{status}: {answer}");
    stopping.await.unwrap();
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn deliveries_under_way_end_before_the_process_does() {
    let served = ConfigSnapshot::start().await;
    let mut stream = kept_alive(&served).await;
    let body = json!({ "email": "ann@example.com", "notes": "dawdle" });
    let request = served.upsert(&body).header("Prefer", "respond-async");
    assert_eq!(read(request).await.0, 202);
    until_it_is_being_sent(&served).await;
    let began = tokio::time::Instant::now();
    let addr = served.running.addr;
    let stopping = tokio::spawn(served.running.stop());
    until_it_stops(addr).await;
    let refused = get(&mut stream, "/v1/customers").await;
    assert!(
        refused.starts_with("HTTP/1.1 503") && refused.contains("shutting_down"),
        "{refused}"
    );
    stopping.await.unwrap();
    assert!(began.elapsed() > DAWDLES / 2, "the delivery was cut off");
}

#[tokio::test]
async fn a_connection_made_while_it_stops_is_told_so_at_once() {
    let served = ConfigSnapshot::start().await;
    let body = json!({ "email": "ann@example.com", "notes": "dawdle" });
    let upsert = tokio::spawn(read(served.upsert(&body)));
    until_it_is_being_sent(&served).await;
    let addr = served.running.addr;
    let stopping = tokio::spawn(served.running.stop());
    // Each look is by a connection of its own.
    let refused = tokio::time::timeout(DAWDLES / 2, until_it_stops(addr)).await;
    let refused = refused.expect("an answer, not a wait for the end");
    assert!(refused.contains("shutting_down"), "{refused}");
    assert!(!stopping.is_finished() && !upsert.is_finished());
    assert!(matches!(upsert.await.unwrap().0, 201 | 202));
    stopping.await.unwrap();
}

#[tokio::test]
async fn while_it_drains_it_is_not_ready_and_takes_requests_and_keeps_no_connection_open() {
    let served = ConfigSnapshot::with("drain_delay = \"1h\"").await;
    let mut stream = kept_alive(&served).await;
    let body = json!({ "email": "ann@example.com" });
    let meanwhile = async {
        until_it_stops(served.running.addr).await;
        // On a connection that was open before, and on a new one.
        let answer = get(&mut stream, "/v1/customers").await;
        assert!(answer.starts_with("HTTP/1.1 401"), "judged like any other: {answer}");
        assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
        let (status, answer) = read(served.upsert(&body)).await;
        assert_eq!(status, 201, "{answer}");
        assert!(
            get(&mut TcpStream::connect(served.running.addr).await.unwrap(), "/livez")
                .await
                .contains("200")
        );
    };
    tokio::select! {
        () = served.running.drain() => unreachable!("an hour"),
        () = meanwhile => {}
    }
    served.running.stop().await;
}
