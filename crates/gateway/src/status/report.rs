//! The status for people: one line, what needs attention, then every connection and what is wrong with webhooks.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::Found;
use super::attention::Attention;
use crate::show::{age, ago, counted, cut, given, keep_whole, line, list, number, table, text, wrapped};

pub(super) fn text_of(found: &Found, attention: &[Attention], now: Timestamp) -> String {
    let mut report = headline(found);
    if attention.is_empty() {
        report.push_str("\n\nNothing needs attention.");
    } else {
        report.push_str("\n\nNeeds attention, the most urgent first:");
    }
    for (index, item) in attention.iter().enumerate() {
        let _ = write!(report, "\n\n{}", wrapped(&format!("{}. ", index + 1), &item.says));
        for command in &item.commands {
            for part in command.lines() {
                line(&mut report, 5, part);
            }
        }
    }
    let _ = write!(report, "\n\n{}", connections(list(&found.connections, "data"), now));
    let _ = write!(report, "\n\n{}", webhooks(&found.webhooks));
    report
}

fn headline(found: &Found) -> String {
    let configuration = &found.ready["configuration"];
    let reading = match text(configuration, "last_reading").as_str() {
        "refused" => "stale (the files were refused)",
        _ => "as in the files",
    };
    format!(
        "{} is ready: version {}\nConfiguration: generation {}, {}, {reading}\nEncryption: {}",
        found.url,
        found.version,
        number(configuration, "generation"),
        counted(number(configuration, "merchants"), "merchant", "merchants"),
        text(&found.ready, "encryption")
    )
}

fn connections(connections: &[Json], now: Timestamp) -> String {
    if connections.is_empty() {
        return "No connection is configured.".to_owned();
    }
    let mut table = table(&["connection", "state", "waiting", "left today", "p95", "last failure"]);
    for connection in connections {
        let p95 = connection["health"]["latency_p95_ms"].as_f64();
        table.add_row([
            format!(
                "{}/{}\n{}",
                text(connection, "merchant_id"),
                text(connection, "name"),
                text(connection, "provider")
            ),
            state(connection),
            waiting(connection),
            text(&connection["rate_limit"], "left_today"),
            p95.map_or("-".to_owned(), |p95| format!("{p95:.0} ms")),
            last_failure(&connection["health"], now),
        ]);
    }
    keep_whole(&mut table, 0, 28);
    table.trim_fmt()
}

fn state(connection: &Json) -> String {
    let state = text(connection, "state");
    match given(connection, "paused_by") {
        Some(by) => format!("{state}\nby {by}"),
        None => state,
    }
}

/// How many, and how old the oldest is.
fn waiting(connection: &Json) -> String {
    let count = number(connection, "waiting");
    match connection["oldest_waiting_seconds"].as_i64() {
        Some(oldest) => format!("{count}\nfor {}", age(oldest)),
        None => count.to_string(),
    }
}

fn last_failure(health: &Json, now: Timestamp) -> String {
    match ago(health, "last_failure_at", now) {
        Some(ago) => format!("{ago} ago\n{}", text(health, "last_failure_kind")),
        None => "-".to_owned(),
    }
}

/// Those that are well are counted, the others shown.
fn webhooks(webhooks: &Json) -> String {
    let (sources, endpoints) = (list(webhooks, "sources"), list(webhooks, "endpoints"));
    let count = |all: &[Json]| u64::try_from(all.len()).unwrap_or(u64::MAX);
    let mut shown = format!(
        "Webhooks: {}, {}",
        counted(count(sources), "source", "sources"),
        counted(count(endpoints), "endpoint", "endpoints")
    );
    let mut table = table(&["webhook", "state", "waiting", "dead letters", "last error"]);
    for source in sources.iter().filter(|source| number(source, "dead_letters") > 0) {
        let row = [
            "-".to_owned(),
            "-".to_owned(),
            text(source, "dead_letters"),
            "-".to_owned(),
        ];
        add(&mut table, "in", source, row);
    }
    for endpoint in endpoints.iter().filter(|endpoint| is_in_trouble(endpoint)) {
        let error = given(endpoint, "last_error").map_or("-".to_owned(), |error| cut(&error, 80));
        let row = [
            text(endpoint, "state"),
            text(endpoint, "waiting"),
            text(endpoint, "dead_letters"),
            error,
        ];
        add(&mut table, "out", endpoint, row);
    }
    if table.is_empty() {
        shown.push_str(", no trouble");
    } else {
        let _ = write!(shown, "; with trouble:\n{}", table.trim_fmt());
    }
    shown
}

fn add(table: &mut comfy_table::Table, direction: &str, of: &Json, rest: [String; 4]) {
    let name = format!("{direction}: {}/{}", text(of, "merchant_id"), text(of, "name"));
    table.add_row([name].into_iter().chain(rest));
}

fn is_in_trouble(endpoint: &Json) -> bool {
    text(endpoint, "state") != "healthy" || number(endpoint, "dead_letters") > 0
}
