//! The client for calls to a running gateway.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::Client;
use reqwest::redirect::Policy;

/// Longer than any `sync_deadline` that makes sense, in which the gateway answers 202.
const UPSERT: Duration = Duration::from_secs(120);
/// A gateway that takes longer to say that it is ready is not.
const HEALTH: Duration = Duration::from_secs(5);

/// For calls that a merchant's deadline bounds.
pub(crate) fn for_upserts() -> anyhow::Result<Client> {
    bounded(UPSERT)
}

/// For streams that take as long as they take: whoever reads them watches over the time. They come without a coding, which
/// would cost the gateway more, line by line, than the wire.
pub(crate) fn for_streams() -> anyhow::Result<Client> {
    built(Client::builder().connect_timeout(HEALTH).tcp_nodelay(true).no_gzip())
}

/// For the health check.
pub(crate) fn for_health() -> anyhow::Result<Client> {
    bounded(HEALTH)
}

/// A redirect would carry the key elsewhere, and a repeat is the caller's to decide: neither happens.
fn bounded(timeout: Duration) -> anyhow::Result<Client> {
    built(Client::builder().timeout(timeout))
}

fn built(builder: reqwest::ClientBuilder) -> anyhow::Result<Client> {
    builder
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .user_agent(concat!("upsert-gateway/", env!("CARGO_PKG_VERSION")))
        .build()
        .context("no HTTP client can be made")
}
