//! The status for people: one line, what needs attention, then the connections and webhooks that are not well.

use std::fmt::Write as _;

use jiff::Timestamp;
use upsert_api::{Attention, Connection, LastReading, Webhooks};

use super::Found;
use super::attention::{commands, line_of};
use crate::show::connection::table_of;
use crate::show::{counted, cut, line, or_dash, place, plain, table, wrapped};

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
    let _ = write!(report, "\n\n{}", connections_of(connections, attention, now));
    let _ = write!(report, "\n\n{}", webhooks_of(webhooks));
    report
}

fn headline(found: &Found) -> String {
    let ready = &found.ready.value;
    let configuration = &ready.configuration;
    let reading = match configuration.last_reading {
        LastReading::Refused => "stale (the files were refused)",
        LastReading::TakenOver => "as in the files",
    };
    format!(
        "{} is ready: version {}\nConfiguration: generation {}, {}, {reading}\nEncryption: {}",
        found.url,
        plain(&found.version),
        configuration.generation,
        counted(configuration.merchants, "merchant", "merchants"),
        ready.encryption
    )
}

/// Those that are well are counted, the others shown.
fn connections_of(all: &[Connection], attention: &[Attention], now: Timestamp) -> String {
    let is_troubled = |one: &&Connection| attention.iter().any(|entry| entry.is_of(one));
    let troubled: Vec<&Connection> = all.iter().filter(is_troubled).collect();
    let mut shown = format!("Connections: {}", all.len());
    let not_called = all.iter().filter(|one| one.is_not_called_yet()).count();
    if not_called > 0 {
        let _ = write!(shown, ", {not_called} not called yet");
    }
    if troubled.is_empty() {
        shown.push_str(", no trouble");
    } else {
        let _ = write!(shown, "; with trouble:\n{}", table_of(troubled, now));
    }
    shown
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
