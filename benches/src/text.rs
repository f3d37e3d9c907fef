//! Figures as tables show them.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::flood::Flooded;
use crate::samples::number;

/// A quantile of latencies that are kept in microseconds.
pub fn milliseconds(latencies: &Histogram<u64>, quantile: f64) -> String {
    if latencies.is_empty() {
        return "-".to_owned();
    }
    format!("{:.1}", number(latencies.value_at_quantile(quantile)) / 1_000.0)
}

/// How many answers had which status, but for the known ones.
pub fn others(flooded: &Flooded, known: &[u16]) -> String {
    let others = flooded.statuses.iter().filter(|(status, _)| !known.contains(status));
    let others: Vec<String> = others.map(|(status, count)| format!("{count}×{status}")).collect();
    if others.is_empty() {
        "-".to_owned()
    } else {
        others.join(" ")
    }
}

/// How long something took, if it ended.
pub fn seconds(took: Option<Duration>) -> String {
    took.map_or("not yet".to_owned(), |took| format!("{:.1}", took.as_secs_f64()))
}
