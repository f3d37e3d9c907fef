//! Connections, endpoints and sources with which nothing is wrong, and some with which something is.

use jiff::{SignedDuration, Timestamp};
use upsert_api::{
    Attention, Breaker, BreakerState, Concurrency, Connection, ConnectionState, ConnectionStatus, Endpoint,
    EndpointState, Health, PausedBy, RateLimit, Source, Webhooks,
};
use upsert_core::EventPayload;

use crate::queries::attention::{ConfigurationRefused, LONG, needs_attention};

pub(super) fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

pub(super) fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

/// With half of its day's calls left.
pub(super) fn rate_limit() -> RateLimit {
    RateLimit {
        per_second: None,
        burst: None,
        per_day: Some(1_000),
        used_today: 500,
        left_today: Some(500),
        left_today_for_bulk: None,
        per_day_for_bulk: None,
        opens_at: now() + SignedDuration::from_hours(12),
        blocked_until: None,
        blocked_by: None,
    }
}

pub(super) fn health() -> Health {
    Health {
        last_success_at: Some(ago(1)),
        last_failure_at: None,
        last_failure_kind: None,
        in_flight: 0,
        latency_p50_ms: None,
        latency_p95_ms: None,
        latency_p99_ms: None,
        latency_usual_ms: None,
    }
}

/// One with which nothing is wrong.
pub(super) fn connection(name: &str) -> Connection {
    Connection {
        merchant_id: "acme".to_owned(),
        name: name.to_owned(),
        provider: "rotor".to_owned(),
        required: true,
        state: ConnectionState::Healthy,
        paused_by: None,
        paused_since: None,
        pause_reason: None,
        waiting: 3,
        in_flight: 1,
        oldest_waiting_seconds: Some(LONG - 1),
        through_at: None,
        work_seconds: None,
        dead_letters: 0,
        status: ConnectionStatus {
            breaker: Breaker {
                state: BreakerState::Closed,
                until: None,
                calls: 10,
                faults: 0,
                failing_since: None,
                failing_with: None,
            },
            rate_limit: rate_limit(),
            concurrency: Concurrency {
                places: 8,
                in_use: 1,
                waiting: 0,
            },
            health: health(),
        },
    }
}

pub(super) fn in_state(name: &str, state: ConnectionState) -> Connection {
    let mut connection = connection(name);
    connection.state = state;
    connection
}

pub(super) fn paused(name: &str, by: PausedBy, reason: &str) -> Connection {
    let mut connection = in_state(name, ConnectionState::Paused);
    connection.paused_by = Some(by);
    connection.paused_since = Some(ago(60));
    connection.pause_reason = Some(reason.to_owned());
    connection
}

/// One with which nothing is wrong.
pub(super) fn endpoint(name: &str) -> Endpoint {
    Endpoint {
        merchant_id: "acme".to_owned(),
        name: name.to_owned(),
        url: "https://acme.example/hooks".to_owned(),
        events: vec!["customer.upserted".to_owned()],
        payload: EventPayload::Full,
        state: EndpointState::Healthy,
        disabled_by: None,
        disabled_since: None,
        waiting: 2,
        oldest_waiting_seconds: Some(LONG - 1),
        dead_letters: 0,
        failures_in_a_row: 0,
        next_try_at: None,
        last_success_at: Some(ago(1)),
        last_failure_at: None,
        last_error: None,
    }
}

pub(super) fn disabled(name: &str) -> Endpoint {
    let mut endpoint = endpoint(name);
    endpoint.state = EndpointState::Disabled;
    endpoint.disabled_by = Some("endpoint".to_owned());
    endpoint.disabled_since = Some(ago(90));
    endpoint
}

pub(super) fn failing(name: &str, times: u32, error: &str) -> Endpoint {
    let mut endpoint = endpoint(name);
    endpoint.state = EndpointState::Degraded;
    endpoint.failures_in_a_row = times;
    endpoint.last_error = Some(error.to_owned());
    endpoint
}

pub(super) fn source(name: &str, dead_letters: u64) -> Source {
    Source {
        merchant_id: "acme".to_owned(),
        name: name.to_owned(),
        connection: None,
        last_event_at: Some(ago(1)),
        dead_letters,
        oldest_dead_letter_at: (dead_letters > 0).then(|| ago(500)),
    }
}

/// What there is to look at.
#[derive(Default)]
pub(super) struct Found {
    pub(super) connections: Vec<Connection>,
    pub(super) webhooks: Webhooks,
    pub(super) refused: Option<ConfigurationRefused>,
}

impl Found {
    pub(super) fn connections(connections: impl IntoIterator<Item = Connection>) -> Self {
        Self {
            connections: connections.into_iter().collect(),
            ..Self::default()
        }
    }

    pub(super) fn endpoints(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        let mut found = Self::default();
        found.webhooks.endpoints.extend(endpoints);
        found
    }

    pub(super) fn sources(sources: impl IntoIterator<Item = Source>) -> Self {
        let mut found = Self::default();
        found.webhooks.sources.extend(sources);
        found
    }

    pub(super) fn judged(&self) -> Vec<Attention> {
        needs_attention(&self.connections, &self.webhooks, self.refused, now())
    }

    /// The only entry.
    pub(super) fn one(&self) -> Attention {
        let mut all = self.judged();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }
}

pub(super) fn refused(problems: usize) -> Found {
    Found {
        refused: Some(ConfigurationRefused { at: ago(30), problems }),
        ..Found::default()
    }
}
