//! How each connection is doing: the figures of `GET /v1/connections`.

use metrics::{Label, Unit, describe_gauge, gauge};

use upsert_api::Connection;
use upsert_core::Word;

const STATE: &str = "upsert_gateway_connection_state";
const BREAKER: &str = "upsert_gateway_connection_breaker_state";
const PAUSED: &str = "upsert_gateway_connection_paused";

/// One figure: its metric, what the connection says, and what it means. Where the connection says nothing there is no gauge.
struct Figure {
    metric: &'static str,
    of: fn(&Connection) -> Option<f64>,
    unit: Unit,
    meaning: &'static str,
}

const fn figure(metric: &'static str, of: fn(&Connection) -> Option<f64>, meaning: &'static str) -> Figure {
    Figure {
        metric,
        of,
        unit: Unit::Count,
        meaning,
    }
}

const FIGURES: [Figure; 11] = [
    figure(
        "upsert_gateway_connection_waiting",
        |connection| counted(connection.waiting),
        "Deliveries that wait, those to be tried again included.",
    ),
    Figure {
        unit: Unit::Seconds,
        ..figure(
            "upsert_gateway_connection_oldest_waiting_seconds",
            |connection| counted(connection.oldest_waiting_seconds.unwrap_or_default().unsigned_abs()),
            "Age of the delivery that waits longest; 0: none waits.",
        )
    },
    figure(
        "upsert_gateway_connection_in_flight",
        |connection| counted(connection.in_flight),
        "Deliveries that are being sent.",
    ),
    figure(
        "upsert_gateway_connection_dead_letters",
        |connection| counted(connection.dead_letters),
        "Deliveries that failed for good, for a replay.",
    ),
    figure(
        "upsert_gateway_connection_calls",
        |connection| counted(connection.status.concurrency.in_use as u64),
        "Calls to the vendor that are under way.",
    ),
    figure(
        "upsert_gateway_connection_calls_limit",
        |connection| counted(connection.status.concurrency.places as u64),
        "Calls to the vendor that may be under way at once.",
    ),
    figure(
        "upsert_gateway_connection_calls_queued",
        |connection| counted(connection.status.concurrency.waiting as u64),
        "Calls that wait for a place among those.",
    ),
    figure(
        "upsert_gateway_connection_rate_limit_per_second",
        |connection| connection.status.rate_limit.per_second.map(f64::from),
        "Calls a second that the configuration allows.",
    ),
    figure(
        "upsert_gateway_connection_rate_limit_burst",
        |connection| connection.status.rate_limit.burst.map(f64::from),
        "Calls at once that the configuration allows.",
    ),
    figure(
        "upsert_gateway_connection_quota_per_day",
        |connection| connection.status.rate_limit.per_day.map(f64::from),
        "Calls a day that the configuration allows.",
    ),
    figure(
        "upsert_gateway_connection_quota_left",
        |connection| connection.status.rate_limit.left_today.map(f64::from),
        "Calls that are left of this UTC day's.",
    ),
];

#[expect(
    clippy::unnecessary_wraps,
    clippy::cast_precision_loss,
    reason = "figures may be missing, and none grows that far"
)]
fn counted(number: u64) -> Option<f64> {
    Some(number as f64)
}

pub(super) fn show(connection: &Connection) {
    let own = [&connection.merchant_id, &connection.name, &connection.provider];
    one_of(own, STATE, "state", Some(connection.state));
    one_of(own, BREAKER, "state", Some(connection.status.breaker.state));
    one_of(own, PAUSED, "by", connection.paused_by);
    for figure in &FIGURES {
        if let Some(value) = (figure.of)(connection) {
            let [merchant, connection, provider] = own.map(String::clone);
            gauge!(figure.metric, "merchant" => merchant, "connection" => connection, "provider" => provider)
                .set(value);
        }
    }
}

/// Every word that it can be is a series, one of them at 1.
fn one_of<T: Word + PartialEq>(own: [&String; 3], metric: &'static str, label: &'static str, is: Option<T>) {
    for word in T::all() {
        let [merchant, connection, provider] = own.map(String::clone);
        let labels = ["merchant", "connection", "provider"]
            .into_iter()
            .zip([merchant, connection, provider]);
        let labels: Vec<_> = labels.map(|(name, value)| Label::new(name, value)).collect();
        let labels = [labels, vec![Label::new(label, word.as_str())]].concat();
        gauge!(metric, labels).set(f64::from(is == Some(word)));
    }
}

pub(super) fn describe() {
    describe_gauge!(STATE, "1 for the state that the connection is in, 0 for all others.");
    describe_gauge!(BREAKER, "1 for the state that its breaker is in, 0 for all others.");
    describe_gauge!(PAUSED, "1 while it is paused, by whom.");
    for figure in &FIGURES {
        describe_gauge!(figure.metric, figure.unit, figure.meaning);
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_paused_connection_without_limits_shows_its_pause_and_no_quota() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let view: Connection = serde_json::from_value(json!({
            "merchant_id": "acme", "name": "crm", "provider": "p", "required": true, "state": "paused",
            "paused_by": "operator", "paused_since": null, "pause_reason": null,
            "waiting": 3, "in_flight": 0, "dead_letters": 2, "oldest_waiting_seconds": null, "through_at": null,
            "breaker": { "state": "closed", "until": null, "calls": 0, "faults": 0 },
            "rate_limit": {
                "per_second": null, "burst": null, "per_day": null, "used_today": 0, "left_today": null,
                "left_today_for_bulk": null, "per_day_for_bulk": null, "opens_at": "2026-01-01T00:00:00Z",
                "blocked_until": null, "blocked_by": null,
            },
            "concurrency": { "places": 4, "in_use": 0, "waiting": 0 },
            "health": {
                "last_success_at": null, "last_failure_at": null, "last_failure_kind": null, "in_flight": 0,
                "latency_p50_ms": null, "latency_p95_ms": null, "latency_p99_ms": null,
            },
        }))
        .unwrap();
        metrics::with_local_recorder(&recorder, || show(&view));
        let page = recorder.handle().render();
        let own = r#"merchant="acme",connection="crm",provider="p""#;
        for line in [
            format!(r#"{STATE}{{{own},state="paused"}} 1"#),
            format!(r#"{STATE}{{{own},state="healthy"}} 0"#),
            format!(r#"{PAUSED}{{{own},by="operator"}} 1"#),
            format!(r#"{PAUSED}{{{own},by="vendor"}} 0"#),
            format!("upsert_gateway_connection_waiting{{{own}}} 3"),
            format!("upsert_gateway_connection_dead_letters{{{own}}} 2"),
            format!("upsert_gateway_connection_oldest_waiting_seconds{{{own}}} 0"),
        ] {
            assert!(page.contains(&line), "{line} in {page}");
        }
        assert!(
            !page.contains("quota_per_day") && !page.contains("quota_left"),
            "{page}"
        );
    }
}
