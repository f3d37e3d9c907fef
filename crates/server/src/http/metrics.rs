//! Metrics and the one log line of a request. Labels come from lists that we made: routes, known methods, statuses.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use actix_web::http::Method;
use metrics::Histogram;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use upsert_core::UpsertId;

use crate::telemetry::traces::export;

/// Readings of the configuration after the start.
pub(crate) const RELOADS: &str = "upsert_gateway_config_reloads_total";
const REQUEST_DURATION: &str = "http_server_request_duration_seconds";

/// Upper bounds of histogram buckets, in seconds: from a lone upsert on one machine to the longest wait for an answer.
const SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Those that OpenTelemetry names for HTTP, and two finer ones.
const HTTP_SECONDS: [f64; 16] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// For what waits: up to the three days for which a delivery is tried.
const QUEUE_SECONDS: [f64; 14] = [
    0.001, 0.01, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 3_600.0, 21_600.0, 86_400.0, 259_200.0,
];

/// Up to the most changesets that the store takes together.
const BATCH: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// What is written of a request that was answered.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub(crate) method: &'static str,
    pub(crate) template: &'a str,
    pub(crate) status: u16,
    /// Whether nothing says whose it is: no key, no signature, no session.
    pub(crate) is_strangers: bool,
    pub(crate) took: Duration,
    pub(crate) request_id: &'a str,
    pub(crate) key: Option<&'a str>,
    pub(crate) upsert: Option<UpsertId>,
    pub(crate) trace_id: Option<&'a str>,
}

/// What a series of requests has in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Series<'a> {
    method: &'static str,
    route: &'a str,
    status: Status,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Of(u16),
    /// Strangers' requests that were refused are one series, whatever for.
    Refused,
}

impl Status {
    fn label(self) -> String {
        match self {
            Self::Of(status) => status.to_string(),
            Self::Refused => "4xx".to_owned(),
        }
    }
}

/// The meter of one route, method and status.
struct Meter {
    method: &'static str,
    status: Status,
    duration: Histogram,
}

thread_local! {
    /// Each worker's own, so that a request neither locks nor builds labels.
    static METERS: RefCell<HashMap<String, Vec<Meter>>> = RefCell::default();
}

impl Line<'_> {
    /// Counts it and logs it. Never the path or the query: they may hold personal data.
    pub(crate) fn record(&self) {
        METERS.with_borrow_mut(|all| self.count(all));
        let (method, route, status) = (self.method, self.template, self.status);
        // To the microsecond.
        let duration_ms = (self.took.as_secs_f64() * 1_000_000.0).round() / 1_000.0;
        let (request_id, key, upsert_id) = (self.request_id, self.key, self.upsert.map(tracing::field::display));
        let trace_id = self.trace_id;
        if is_life_sign(route) {
            tracing::debug!(target: "upsert_gateway::http", method, route, status, duration_ms, request_id, "request");
        } else {
            tracing::info!(target: "upsert_gateway::http", method, route, status, duration_ms, request_id, key, upsert_id, trace_id, "request");
        }
    }

    fn count(&self, all: &mut HashMap<String, Vec<Meter>>) {
        let series = self.series();
        if !all.contains_key(series.route) {
            all.insert(series.route.to_owned(), Vec::new());
        }
        let Some(of_route) = all.get_mut(series.route) else {
            return;
        };
        let is_it = |meter: &Meter| meter.status == series.status && meter.method == series.method;
        let index = of_route.iter().position(is_it).unwrap_or_else(|| {
            of_route.push(meter(series));
            of_route.len() - 1
        });
        of_route[index].duration.record(self.took.as_secs_f64());
    }

    /// Whoever has no key can ask for every route by every method: of what is refused then only that it was is counted, and
    /// of what cannot be served, the status. 500 is a bug, of which the route is to be seen.
    fn series(&self) -> Series<'_> {
        let status = match self.status {
            400..500 if self.is_strangers => Status::Refused,
            status => Status::Of(status),
        };
        let is_refused = self.is_strangers && self.status >= 400 && self.status != 500;
        if is_refused || (self.is_strangers && self.method == "OPTIONS") {
            return Series {
                method: OTHER_METHOD,
                route: NO_ROUTE,
                status,
            };
        }
        Series {
            method: self.method,
            route: self.template,
            status,
        }
    }
}

fn meter(series: Series<'_>) -> Meter {
    let labels = [
        ("http_request_method", series.method.to_owned()),
        ("http_route", series.route.to_owned()),
        ("http_response_status_code", series.status.label()),
    ];
    Meter {
        method: series.method,
        status: series.status,
        duration: metrics::histogram!(REQUEST_DURATION, &labels),
    }
}

fn is_life_sign(route: &str) -> bool {
    matches!(route, "/livez" | "/readyz" | "/metrics")
}

/// What stands for a route where no route has the path.
pub(crate) const NO_ROUTE: &str = "none";

/// What OpenTelemetry calls a method that is not known.
pub(crate) const OTHER_METHOD: &str = "_OTHER";

/// A method as a label: anybody can make up methods, so others are one.
pub(crate) fn method_name(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = [
        "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE",
    ];
    KNOWN
        .iter()
        .find(|known| **known == method.as_str())
        .copied()
        .unwrap_or(OTHER_METHOD)
}

/// The recorder of this process, installed with the first server in it; later ones share it.
pub(crate) fn recorder() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| {
        let recorder = builder().unwrap_or_default().build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("somebody else records the metrics of this process: /metrics will show none");
        }
        describe();
        handle
    })
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    let whole = |name: &str| Matcher::Full(name.to_owned());
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(whole(REQUEST_DURATION), &HTTP_SECONDS)?
        .set_buckets_for_metric(whole("http_client_request_duration_seconds"), &HTTP_SECONDS)?
        .set_buckets_for_metric(whole("upsert_gateway_queue_wait_seconds"), &QUEUE_SECONDS)?
        .set_buckets_for_metric(whole("upsert_gateway_commit_batch_size"), &BATCH)
}

fn describe() {
    metrics::describe_histogram!(
        REQUEST_DURATION,
        metrics::Unit::Seconds,
        "How long requests took to answer."
    );
    upsert_app::describe_metrics();
    upsert_policy::describe_metrics();
    upsert_provider_kit::describe_metrics();
    describe_reloads();
    export::describe();
}

/// Tells the metrics recorder what is counted here. Both are there from the start, so that the first one is an increase.
fn describe_reloads() {
    metrics::describe_counter!(RELOADS, "Readings of the configuration after the start, by result.");
    for result in ["ok", "refused"] {
        metrics::counter!(RELOADS, "result" => result).increment(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_method_makes_no_new_label() {
        assert_eq!(method_name(&Method::POST), "POST");
        assert_eq!(method_name(&Method::from_bytes(b"BREW-0001").unwrap()), "_OTHER");
    }

    #[test]
    fn what_strangers_are_refused_is_one_series_and_what_others_are_is_told_apart() {
        let line = |method, template, status, is_strangers| Line {
            method,
            template,
            status,
            is_strangers,
            took: Duration::ZERO,
            request_id: "",
            key: None,
            upsert: None,
            trace_id: None,
        };
        let all = ["GET", "POST", "DELETE", "OPTIONS"].into_iter().flat_map(|method| {
            let lines = ["/v1/customers", "/ops", "none"].into_iter().flat_map(move |route| {
                [400, 401, 403, 404, 405, 413, 415, 429].map(|status| line(method, route, status, true))
            });
            lines.collect::<Vec<_>>()
        });
        let refused = Series {
            method: OTHER_METHOD,
            route: NO_ROUTE,
            status: Status::Refused,
        };
        for line in all {
            assert_eq!(line.series(), refused, "{line:?}");
        }
        assert_eq!(refused.status.label(), "4xx");
        for kept in [
            line("POST", "/v1/customers", 404, false),
            line("GET", "/ops", 200, true),
            line("POST", "/v1/customers", 500, true),
        ] {
            let own = Series {
                method: kept.method,
                route: kept.template,
                status: Status::Of(kept.status),
            };
            assert_eq!(kept.series(), own);
        }
        let unserved = line("PUT", "/v1/customers", 503, true);
        assert_eq!(unserved.series().route, NO_ROUTE);
        assert_eq!(unserved.series().status.label(), "503");
    }

    #[test]
    fn every_list_of_buckets_is_one() {
        assert!(builder().is_ok());
    }

    #[test]
    fn the_recorder_can_be_asked_for_more_than_once() {
        let before = recorder().render().len();
        assert!(recorder().render().len() >= before);
    }
}
