//! Connections, sources and endpoints, and what needs somebody.

use std::collections::BTreeMap;

use upsert_core::{DeliveryId, ErrorKind, EventPayload, WaitingFor};

use super::{noon, open, secret, some_secret};
use crate::{
    Action, Attention, AttentionCode, AttentionPage, Breaker, BreakerState, Cause, Concurrency, Connection,
    ConnectionState, ConnectionStatus, DeliveryState, Endpoint, EndpointState, Health, PausedBy, RateLimit, Severity,
    Source, Subject, Webhooks,
};

fn rate_limit() -> RateLimit {
    RateLimit {
        per_second: Some(10),
        burst: Some(20),
        per_day: Some(1_000),
        used_today: 400,
        left_today: Some(600),
        left_today_for_bulk: Some(500),
        per_day_for_bulk: Some(900),
        opens_at: noon(),
        blocked_until: Some(noon()),
        blocked_by: Some(WaitingFor::RateLimit),
    }
}

fn health() -> Health {
    Health {
        last_success_at: Some(noon()),
        last_failure_at: Some(noon()),
        last_failure_kind: Some(ErrorKind::Transient),
        in_flight: 3,
        latency_p50_ms: Some(40.5),
        latency_p95_ms: Some(0.1),
        latency_p99_ms: Some(1_234.567_8),
        latency_usual_ms: Some(12.5),
    }
}

pub(crate) fn connection() -> Connection {
    Connection {
        merchant_id: open("acme"),
        name: open("crm"),
        provider: open("rotor"),
        required: true,
        state: ConnectionState::Paused,
        paused_by: Some(PausedBy::Vendor),
        paused_since: Some(noon()),
        pause_reason: Some(open("the vendor refuses the credentials")),
        waiting: 7,
        in_flight: 3,
        oldest_waiting_seconds: Some(60),
        through_at: Some(noon()),
        work_seconds: Some(8),
        dead_letters: 2,
        status: ConnectionStatus {
            breaker: Breaker {
                state: BreakerState::HalfOpen,
                until: Some(noon()),
                calls: 10,
                faults: 5,
                failing_since: Some(noon()),
                failing_with: Some(503),
            },
            rate_limit: rate_limit(),
            concurrency: Concurrency {
                places: 8,
                in_use: 3,
                waiting: 1,
            },
            health: health(),
        },
    }
}

pub(crate) fn cause() -> Cause {
    Cause {
        kind: ErrorKind::Rejected,
        code: some_secret("is known"),
        count: 3,
        sample_detail: secret("is known already"),
        sample_answer: some_secret("is known"),
        newest_delivery_id: DeliveryId::oldest_at(noon()),
        newest_at: noon(),
        states: BTreeMap::from([(DeliveryState::Failed, 2), (DeliveryState::Waiting, 1)]),
    }
}

pub(crate) fn webhooks() -> Webhooks {
    Webhooks {
        sources: vec![Source {
            merchant_id: open("acme"),
            name: open("shop"),
            connection: Some(open("crm")),
            last_event_at: Some(noon()),
            dead_letters: 1,
            oldest_dead_letter_at: Some(noon()),
        }],
        endpoints: vec![Endpoint {
            merchant_id: open("acme"),
            name: open("hooks"),
            url: open("https://acme.example/hooks"),
            events: vec![open("customer.upserted")],
            payload: EventPayload::Ids,
            state: EndpointState::Disabled,
            disabled_by: Some(open("endpoint")),
            disabled_since: Some(noon()),
            waiting: 1,
            oldest_waiting_seconds: Some(5),
            dead_letters: 2,
            failures_in_a_row: 3,
            next_try_at: Some(noon()),
            last_success_at: Some(noon()),
            last_failure_at: Some(noon()),
            last_error: Some(open("it answered 410")),
        }],
    }
}

pub(crate) fn attention_page() -> AttentionPage {
    AttentionPage {
        data: vec![Attention {
            severity: Severity::Critical,
            merchant_id: Some(open("acme")),
            subject: Subject::Connection,
            name: open("crm"),
            code: AttentionCode::BreakerOpen,
            detail: open("the vendor fails"),
            since: Some(noon()),
            waiting: 7,
            dead_letters: 2,
            actions: vec![Action::List],
        }],
    }
}
