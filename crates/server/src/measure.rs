//! Metrics and the one log line of a request. Labels come from lists that we made: routes, known methods, statuses.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use actix_web::http::Method;
use metrics::{Counter, Histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use upsert_core::UpsertId;

use crate::event_gauges;
use crate::traces::export;

/// Upper bounds of histogram buckets, in seconds: from a lone upsert on one machine to the longest wait.
const SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// What is written of a request that was answered.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub(crate) method: &'static str,
    pub(crate) template: &'a str,
    pub(crate) status: u16,
    pub(crate) took: Duration,
    pub(crate) request_id: &'a str,
    pub(crate) key: Option<&'a str>,
    pub(crate) upsert: Option<UpsertId>,
    pub(crate) trace_id: Option<&'a str>,
}

/// The two meters of one route, method and status.
struct Meters {
    method: &'static str,
    status: u16,
    requests: Counter,
    duration: Histogram,
}

thread_local! {
    /// Each worker's own, so that a request neither locks nor builds labels.
    static METERS: RefCell<HashMap<String, Vec<Meters>>> = RefCell::default();
}

impl Line<'_> {
    /// Counts it and logs it. Never the path or the query: they may hold personal data.
    pub(crate) fn record(&self) {
        METERS.with_borrow_mut(|all| self.count(all));
        let (method, route, status) = (self.method, self.template, self.status);
        let duration_ms = self.took.as_secs_f64() * 1_000.0;
        let (request_id, key, upsert_id) = (self.request_id, self.key, self.upsert.map(tracing::field::display));
        let trace_id = self.trace_id;
        if is_life_sign(route) {
            tracing::debug!(target: "upsert_gateway::http", method, route, status, duration_ms, request_id, "request");
        } else {
            tracing::info!(target: "upsert_gateway::http", method, route, status, duration_ms, request_id, key, upsert_id, trace_id, "request");
        }
    }

    fn count(&self, all: &mut HashMap<String, Vec<Meters>>) {
        if !all.contains_key(self.template) {
            all.insert(self.template.to_owned(), Vec::new());
        }
        let Some(of_route) = all.get_mut(self.template) else {
            return;
        };
        let is_it = |meters: &Meters| meters.status == self.status && meters.method == self.method;
        let index = of_route.iter().position(is_it).unwrap_or_else(|| {
            of_route.push(self.meters());
            of_route.len() - 1
        });
        of_route[index].requests.increment(1);
        of_route[index].duration.record(self.took.as_secs_f64());
    }

    fn meters(&self) -> Meters {
        let (route, status) = (self.template.to_owned(), self.status.to_string());
        let labels = [("method", self.method.to_owned()), ("route", route), ("status", status)];
        Meters {
            method: self.method,
            status: self.status,
            requests: metrics::counter!("upsert_gateway_http_requests_total", &labels),
            duration: metrics::histogram!("http_server_request_duration_seconds", &labels),
        }
    }
}

fn is_life_sign(route: &str) -> bool {
    matches!(route, "/livez" | "/readyz" | "/metrics")
}

/// A method as a label: anybody can make up methods, so others are one.
pub(crate) fn method_name(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = [
        "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE",
    ];
    KNOWN
        .iter()
        .find(|known| **known == method.as_str())
        .copied()
        .unwrap_or("other")
}

/// The recorder of this process, installed with the first server in it; later ones share it.
pub(crate) fn recorder() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| {
        let builder = PrometheusBuilder::new();
        let builder = builder
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("somebody else records the metrics of this process: /metrics will show none");
        }
        describe();
        handle
    })
}

fn describe() {
    metrics::describe_counter!("upsert_gateway_http_requests_total", "Requests answered.");
    metrics::describe_histogram!(
        "http_server_request_duration_seconds",
        metrics::Unit::Seconds,
        "How long requests took to answer."
    );
    metrics::describe_counter!(
        "upsert_gateway_overloaded_total",
        "Upserts refused because too many were under way."
    );
    metrics::describe_counter!(
        "upsert_gateway_config_reloads_total",
        "Readings of the configuration, by result."
    );
    metrics::describe_gauge!(
        "upsert_gateway_config_generation",
        "Configurations taken over since the start."
    );
    metrics::describe_counter!(
        "upsert_gateway_events_in_total",
        "Events that came in, by what came of them."
    );
    metrics::describe_counter!(
        "upsert_gateway_events_out_total",
        "Tries to bring events to endpoints, by what came of them."
    );
    metrics::describe_histogram!(
        "upsert_gateway_event_send_seconds",
        metrics::Unit::Seconds,
        "How long endpoints took to answer."
    );
    event_gauges::describe();
    export::describe();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_method_makes_no_new_label() {
        assert_eq!(method_name(&Method::POST), "POST");
        assert_eq!(method_name(&Method::from_bytes(b"BREW-0001").unwrap()), "other");
    }

    #[test]
    fn the_recorder_can_be_asked_for_more_than_once() {
        let before = recorder().render().len();
        assert!(recorder().render().len() >= before);
    }
}
