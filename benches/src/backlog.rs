//! What a gateway has accepted and not yet brought to its vendors.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::Value as Json;

use crate::client::{Connection, head};

const LOOKED_AT_EVERY: Duration = Duration::from_millis(20);

/// What waits or is under way at all connections together.
///
/// # Errors
/// The gateway does not answer.
pub async fn open(gateway: SocketAddr, key: &str) -> anyhow::Result<u64> {
    let authorization = format!("Bearer {key}");
    let head = head("GET", "/v1/connections", &[("authorization", &authorization)]);
    let mut connection = Connection::open(gateway).await?;
    let answer = connection.call(&head, "").await?;
    let all: Json = serde_json::from_slice(answer.body)?;
    let all = all["data"].as_array().context("no connections are shown")?;
    let open = all
        .iter()
        .map(|c| c["waiting"].as_u64().unwrap_or(0) + c["in_flight"].as_u64().unwrap_or(0));
    Ok(open.sum())
}

/// Waits until nothing is open any more; how long that took, none if it took longer than `patience`.
///
/// # Errors
/// The gateway does not answer.
pub async fn settled(gateway: SocketAddr, key: &str, patience: Duration) -> anyhow::Result<Option<Duration>> {
    let started = Instant::now();
    while open(gateway, key).await? > 0 {
        if started.elapsed() > patience {
            return Ok(None);
        }
        tokio::time::sleep(LOOKED_AT_EVERY).await;
    }
    Ok(Some(started.elapsed()))
}
