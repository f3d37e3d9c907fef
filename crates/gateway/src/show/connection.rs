//! Connections, as the commands show them.

use jiff::Timestamp;
use upsert_api::{Connection, Health};

use crate::show::{age, ago, keep_whole, or_dash, place, plain, table};

/// A row a connection.
pub(crate) fn table_of<'a>(connections: impl IntoIterator<Item = &'a Connection>, now: Timestamp) -> String {
    let mut connections = connections.into_iter().peekable();
    if connections.peek().is_none() {
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
        Some(by) => format!("{}\nby {by}", connection.in_words()),
        None => connection.in_words(),
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

/// In one line: how it is now, and what waits.
pub(crate) fn state_of(connection: &Connection) -> String {
    let by = connection.paused_by.map(|by| format!(" by {by}"));
    let waiting = match connection.oldest_waiting_seconds {
        Some(oldest) => format!("{} waiting for {} at the most", connection.waiting, age(oldest)),
        None => format!("{} waiting", connection.waiting),
    };
    format!("{}{}, {waiting}", connection.state, by.unwrap_or_default())
}
