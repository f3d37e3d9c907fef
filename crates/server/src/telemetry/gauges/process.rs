//! The process: its build, its configuration, what it is doing.

use metrics::{Unit, describe_gauge, gauge};

use crate::state::State;

const BUILD: &str = "upsert_gateway_build_info";
const GENERATION: &str = "upsert_gateway_config_generation";
const REFUSED: &str = "upsert_gateway_config_refused";
const ACTIVE: &str = "http_server_active_requests";
const CONNECTIONS: &str = "upsert_gateway_http_connections";
const STARTED: &str = "process_start_time_seconds";
const MEMORY: &str = "process_resident_memory_bytes";

#[expect(clippy::cast_precision_loss, reason = "none of them grows that far")]
pub(super) fn show(state: &State) {
    let served = state.served.load();
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    gauge!(GENERATION).set(served.generation as f64);
    gauge!(REFUSED).set(f64::from(served.is_stale));
    gauge!(ACTIVE).set(state.lifecycle.in_flight() as f64);
    let (connections, strangers) = state.connections.counts();
    gauge!(CONNECTIONS, "key" => "shown").set(connections.saturating_sub(strangers) as f64);
    gauge!(CONNECTIONS, "key" => "none").set(strangers as f64);
    gauge!(STARTED).set(state.started_at.as_millisecond() as f64 / 1_000.0);
    if let Some(bytes) = resident_memory() {
        gauge!(MEMORY).set(bytes as f64);
    }
}

pub(super) fn describe() {
    describe_gauge!(BUILD, "1, with the version that runs.");
    describe_gauge!(GENERATION, "Configurations taken over since the start.");
    describe_gauge!(
        REFUSED,
        "1 while the files' last reading was refused and an older configuration is served."
    );
    describe_gauge!(
        ACTIVE,
        "Requests that are being answered, the one for this page included."
    );
    describe_gauge!(
        CONNECTIONS,
        "Connections that are open, by whether their last request came with a valid key."
    );
    describe_gauge!(STARTED, Unit::Seconds, "When the process started, since the epoch.");
    describe_gauge!(MEMORY, Unit::Bytes, "Memory that the process holds; on Linux alone.");
}

/// As the kernel counts it. Elsewhere than on Linux nobody tells.
fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1_024)
}
