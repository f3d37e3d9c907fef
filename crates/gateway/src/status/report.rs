//! The status for people: one line, what needs attention, then every connection and what is wrong with webhooks.

use std::fmt::Write as _;

use jiff::Timestamp;
use upsert_api::Webhooks;

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
    let _ = write!(report, "\n\n{}", table_of(connections, now));
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
