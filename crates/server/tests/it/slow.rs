//! Clients that take their time.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::served::{ConfigSnapshot, secret};

#[tokio::test]
async fn a_body_that_trickles_is_answered_with_408_and_the_connection_closed() {
    let served = ConfigSnapshot::start().await;
    let mut stream = TcpStream::connect(served.running.addr).await.unwrap();
    let head = format!(
        "POST /v1/customers HTTP/1.1\r\nHost: gateway\r\nX-Api-Key: {}\r\nContent-Type: application/json\r\n\
         Content-Length: 40\r\n\r\n{{\"em",
        secret("acme")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(Duration::from_secs(5), stream.read_to_string(&mut answer))
        .await
        .expect("the server closes the connection")
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("application/problem+json") && answer.contains("\"code\":\"request_timeout\""));
    assert!(answer.to_ascii_lowercase().contains("connection: close"));
    served.running.stop().await;
}

#[tokio::test]
async fn without_a_key_nobody_waits_for_a_body() {
    let served = ConfigSnapshot::start().await;
    let mut stream = TcpStream::connect(served.running.addr).await.unwrap();
    let head =
        "POST /v1/customers HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    timeout(Duration::from_millis(250), stream.read_exact(&mut answer))
        .await
        .expect("an answer before the body's time is over")
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
    served.running.stop().await;
}
