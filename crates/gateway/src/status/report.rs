//! The status for people: one line, what needs attention, then every connection and what is wrong with webhooks.

use std::fmt::Write as _;

use jiff::Timestamp;
use upsert_api::{Connection, Health, Webhooks};

use super::Found;
use super::attention::{commands, line_of};
use crate::show::{age, ago, counted, cut, keep_whole, line, or_dash, place, plain, table, wrapped};

pub(super) fn text_of(found: &Found, now: Timestamp) -> String {
    let mut report = headline(found);
    let attention = &found.attention.value.data;
    report.push_str(if attention.is_empty() {
        "\n\nNothing needs attention."
    } else {
        "\n\nNeeds attention, the most urgent first:"
    });
    for (index, entry) in attention.iter().enumerate() {
        let told = line_of(entry, &found.dead_letters);
        let _ = write!(report, "\n\n{}", wrapped(&format!("{}. ", index + 1), &told));
        for command in commands(entry) {
            for part in command.lines() {
                line(&mut report, 5, part);
            }
        }
    }
    let (connections, webhooks) = (&found.connections.value.data, &found.webhooks.value);
    let _ = write!(report, "\n\n{}", connections_of(connections, now));
    let _ = write!(report, "\n\n{}", webhooks_of(webhooks));
    report
}

fn headline(found: &Found) -> String {
    let ready = &found.ready.value;
    let configuration = &ready.configuration;
    let reading = match configuration.last_reading.as_str() {
        "refused" => "stale (the files were refused)",
        _ => "as in the files",
    };
    format!(
        "{} is ready: version {}\nConfiguration: generation {}, {}, {reading}\nEncryption: {}",
        found.url,
        plain(&found.version),
        configuration.generation,
        counted(configuration.merchants, "merchant", "merchants"),
        plain(&ready.encryption)
    )
}

fn connections_of(connections: &[Connection], now: Timestamp) -> String {
    if connections.is_empty() {
        return "No connection is configured.".to_owned();
    }
    let mut table = table(&["connection", "state", "waiting", "left today", "p95", "last failure"]);
    for connection in connections {
        let health = &connection.status.health;
        table.add_row([
            format!(
                "{}\n{}",
                place(&connection.merchant_id, &connection.name),
                plain(&connection.provider)
            ),
            state(connection),
            waiting(connection),
            or_dash(connection.status.rate_limit.left_today),
            or_dash(health.latency_p95_ms.map(|p95| format!("{p95:.0} ms"))),
            last_failure(health, now),
        ]);
    }
    keep_whole(&mut table, 0, 28);
    table.trim_fmt()
}

fn state(connection: &Connection) -> String {
    match connection.paused_by {
        Some(by) => format!("{}\nby {by}", connection.state),
        None => connection.state.to_string(),
    }
}

/// How many, and how old the oldest is.
fn waiting(connection: &Connection) -> String {
    match connection.oldest_waiting_seconds {
        Some(oldest) => format!("{}\nfor {}", connection.waiting, age(oldest)),
        None => connection.waiting.to_string(),
    }
}

fn last_failure(health: &Health, now: Timestamp) -> String {
    match health.last_failure_at {
        Some(at) => format!("{}\n{}", ago(at, now), or_dash(health.last_failure_kind)),
        None => "-".to_owned(),
    }
}

/// Those that are well are counted, the others shown.
fn webhooks_of(Webhooks { sources, endpoints }: &Webhooks) -> String {
    let mut shown = format!(
        "Webhooks: {}, {}",
        counted(sources.len(), "source", "sources"),
        counted(endpoints.len(), "endpoint", "endpoints")
    );
    let mut table = table(&["webhook", "state", "waiting", "dead letters", "last error"]);
    for source in sources.iter().filter(|source| source.dead_letters > 0) {
        let name = format!("in: {}", place(&source.merchant_id, &source.name));
        table.add_row([name.as_str(), "-", "-", &source.dead_letters.to_string(), "-"]);
    }
    for endpoint in endpoints.iter().filter(|endpoint| !endpoint.is_well()) {
        table.add_row([
            format!("out: {}", place(&endpoint.merchant_id, &endpoint.name)),
            endpoint.state.to_string(),
            endpoint.waiting.to_string(),
            endpoint.dead_letters.to_string(),
            cut(&or_dash(endpoint.last_error.as_ref()), 80),
        ]);
    }
    if table.is_empty() {
        shown.push_str(", no trouble");
    } else {
        let _ = write!(shown, "; with trouble:\n{}", table.trim_fmt());
    }
    shown
}
