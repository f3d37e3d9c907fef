//! `[server]`: where the gateway listens and what it lets in.

use std::time::Duration;

use serde::Serialize;

use crate::api_rules::ApiRules;
use crate::base_path::BasePath;
use crate::members::Member;
use crate::origins::CorsOrigins;
use crate::proxies::TrustedProxies;
use crate::secrets::Secret;
use crate::section::{Section, Spot, all_or_none};
use crate::values::duration;

pub(crate) const MEMBERS: &[Member] = &[
    Member::or("bind", "\"127.0.0.1:8080\""),
    Member::or("workers", "0"),
    Member::or("body_limit", "\"64KiB\""),
    Member::or("drain_delay", "\"5s\""),
    Member::or("shutdown_grace", "\"30s\""),
    Member::or("metrics_bind", "\"\""),
    Member::or("idempotency_keep", "\"24h\""),
    Member::optional("signing_key"),
    Member::or("base_path", "\"\""),
    Member::or("trusted_proxies", "[]"),
    Member::or("cors_origins", "[]"),
    Member::or("api_merchants_may_use_loopback", "false"),
    Member::or("api_merchants_may_refer_to", "[]"),
];

const HOUR: Duration = Duration::from_hours(1);

/// How the gateway serves.
#[derive(Clone, Debug, Serialize)]
pub struct Server {
    /// `host:port` to listen on.
    pub bind: String,
    /// Worker threads; 0: one a core.
    pub workers: usize,
    /// The longest request body, in bytes.
    pub body_limit: usize,
    /// How long it takes requests after SIGTERM, while it says that it is not ready.
    #[serde(serialize_with = "duration")]
    pub drain_delay: Duration,
    /// How long requests in flight may go on after that.
    #[serde(serialize_with = "duration")]
    pub shutdown_grace: Duration,
    /// A second `host:port`, for `/metrics` alone; `None`: it is served on `bind`.
    pub metrics_bind: Option<String>,
    /// How long an idempotency key is remembered.
    #[serde(serialize_with = "duration")]
    pub idempotency_keep: Duration,
    /// What signs certificates of erasures: Ed25519, base64 of 32 bytes; none: they are not signed.
    pub signing_key: Option<Secret>,
    /// What stands in front of every path, where a proxy leaves it on.
    pub base_path: BasePath,
    /// Whose `X-Forwarded-*` headers count.
    pub trusted_proxies: TrustedProxies,
    /// Whose pages may call the API from a browser.
    pub cors_origins: CorsOrigins,
    /// Whether merchants that are put there by API may name loopback addresses.
    pub api_merchants_may_use_loopback: bool,
    /// Which variables and files the references of such merchants may name.
    pub api_merchants_may_refer_to: Vec<String>,
}

impl Server {
    /// What merchants may do that are put there by API.
    pub fn api_rules(&self) -> ApiRules {
        ApiRules {
            may_use_loopback: self.api_merchants_may_use_loopback,
            may_refer_to: self.api_merchants_may_refer_to.clone(),
        }
    }

    pub(crate) fn read(section: &Section<'_>) -> Option<Self> {
        let bind = section.read("bind", address);
        let metrics_bind = section.maybe("metrics_bind", |spot| spot.unless_empty(address));
        if let (Some(bind), Some(metrics)) = (&bind, &metrics_bind)
            && bind == metrics
            && !bind.ends_with(":0")
        {
            let spot = section.given("metrics_bind").unwrap_or_else(|| section.spot.clone());
            spot.refuse_but::<()>("the same as `bind`", "leave it empty to serve /metrics there");
        }
        all_or_none!(Self {
            bind,
            workers: section.read("workers", |spot| usize::try_from(spot.whole(0..=1024)?).ok()),
            body_limit: section.read("body_limit", |spot| spot.size(1024..=64 * 1024 * 1024)),
            drain_delay: section.read("drain_delay", Spot::duration_or_zero),
            shutdown_grace: section.read("shutdown_grace", Spot::duration_or_zero),
            metrics_bind: Some(metrics_bind),
            signing_key: Some(section.maybe("signing_key", Secret::read)),
            idempotency_keep: section.read("idempotency_keep", |spot| spot.duration(HOUR * 24 * 366)),
            base_path: section.read("base_path", BasePath::read),
            trusted_proxies: section.read("trusted_proxies", TrustedProxies::read),
            cors_origins: section.read("cors_origins", CorsOrigins::read),
            api_merchants_may_use_loopback: section.read("api_merchants_may_use_loopback", Spot::flag),
            api_merchants_may_refer_to: section.read("api_merchants_may_refer_to", |spot| spot.each(pattern)),
        })
    }
}

fn pattern(spot: &Spot<'_>) -> Option<String> {
    let text = spot.line()?;
    if ApiRules::is_pattern(&text) {
        return Some(text);
    }
    spot.refuse_but(
        "says nothing of variables or files",
        "\"env:SHOP_*\" or \"file:/run/secrets/shops/*\"; `*` stands at the end alone",
    )
}

fn address(spot: &Spot<'_>) -> Option<String> {
    let text = spot.text()?;
    if text
        .rsplit_once(':')
        .is_some_and(|(host, port)| is_host(host) && is_port(port))
    {
        return Some(text.to_owned());
    }
    spot.refuse_but(
        "not an address to listen on",
        "host:port, such as \"127.0.0.1:8080\" or \"[::]:8080\"",
    )
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-')
        }
    }
}
