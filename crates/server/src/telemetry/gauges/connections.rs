//! How each connection is doing: the figures of `GET /v1/connections`.

use metrics::{Unit, describe_gauge, gauge};
use serde_json::Value as Json;

use upsert_app::ConnectionView;

const STATE: &str = "upsert_gateway_connection_state";
const BREAKER: &str = "upsert_gateway_connection_breaker_state";
const PAUSED: &str = "upsert_gateway_connection_paused";

/// Every word that a state can be: each is a series, one of them at 1.
const STATES: [&str; 6] = ["healthy", "degraded", "throttled", "open", "quota_spent", "paused"];
const BREAKER_STATES: [&str; 3] = ["closed", "open", "half_open"];
const PAUSED_BY: [&str; 2] = ["operator", "vendor"];

/// One figure: its metric, where the view has it, and what it means.
struct Figure {
    metric: &'static str,
    pointer: &'static str,
    /// Whether there is a 0 where the view has nothing; otherwise there is no gauge.
    or_zero: bool,
    unit: Unit,
    meaning: &'static str,
}

const fn figure(metric: &'static str, pointer: &'static str, meaning: &'static str) -> Figure {
    Figure {
        metric,
        pointer,
        or_zero: false,
        unit: Unit::Count,
        meaning,
    }
}

const FIGURES: [Figure; 11] = [
    figure(
        "upsert_gateway_connection_waiting",
        "/waiting",
        "Deliveries that wait, those to be tried again included.",
    ),
    Figure {
        or_zero: true,
        unit: Unit::Seconds,
        ..figure(
            "upsert_gateway_connection_oldest_waiting_seconds",
            "/oldest_waiting_seconds",
            "Age of the delivery that waits longest; 0: none waits.",
        )
    },
    figure(
        "upsert_gateway_connection_in_flight",
        "/in_flight",
        "Deliveries that are being sent.",
    ),
    figure(
        "upsert_gateway_connection_dead_letters",
        "/dead_letters",
        "Deliveries that failed for good, for a replay.",
    ),
    figure(
        "upsert_gateway_connection_calls",
        "/concurrency/in_use",
        "Calls to the vendor that are under way.",
    ),
    figure(
        "upsert_gateway_connection_calls_limit",
        "/concurrency/places",
        "Calls to the vendor that may be under way at once.",
    ),
    figure(
        "upsert_gateway_connection_calls_queued",
        "/concurrency/waiting",
        "Calls that wait for a place among those.",
    ),
    figure(
        "upsert_gateway_connection_rate_limit_per_second",
        "/rate_limit/per_second",
        "Calls a second that the configuration allows.",
    ),
    figure(
        "upsert_gateway_connection_rate_limit_burst",
        "/rate_limit/burst",
        "Calls at once that the configuration allows.",
    ),
    figure(
        "upsert_gateway_connection_quota_per_day",
        "/rate_limit/per_day",
        "Calls a day that the configuration allows.",
    ),
    figure(
        "upsert_gateway_connection_quota_left",
        "/rate_limit/left_today",
        "Calls that are left of this UTC day's.",
    ),
];

pub(super) fn show(view: &ConnectionView) {
    let view = &view.0;
    let text = |name: &str| view[name].as_str().unwrap_or_default();
    let own = ["merchant_id", "name", "provider"].map(|name| text(name).to_owned());
    let one_of = |metric: &'static str, label: &'static str, words: &[&'static str], is: Option<&str>| {
        for word in words {
            let [merchant, connection, provider] = own.clone();
            gauge!(metric, "merchant" => merchant, "connection" => connection, "provider" => provider, label => *word)
                .set(f64::from(is == Some(word)));
        }
    };
    one_of(STATE, "state", &STATES, view["state"].as_str());
    one_of(BREAKER, "state", &BREAKER_STATES, view["breaker"]["state"].as_str());
    one_of(PAUSED, "by", &PAUSED_BY, view["paused_by"].as_str());
    for figure in &FIGURES {
        let value = view.pointer(figure.pointer).and_then(Json::as_f64);
        if let Some(value) = value.or_else(|| figure.or_zero.then_some(0.0)) {
            let [merchant, connection, provider] = own.clone();
            gauge!(figure.metric, "merchant" => merchant, "connection" => connection, "provider" => provider)
                .set(value);
        }
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
        let view = json!({
            "merchant_id": "acme", "name": "crm", "provider": "p", "state": "paused", "paused_by": "operator",
            "waiting": 3, "in_flight": 0, "dead_letters": 2, "oldest_waiting_seconds": null,
            "breaker": { "state": "closed" }, "rate_limit": { "per_day": null, "left_today": null },
        });
        metrics::with_local_recorder(&recorder, || show(&ConnectionView(view)));
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
