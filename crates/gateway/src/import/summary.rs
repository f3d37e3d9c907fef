//! What an import came to: what was taken and refused, what the file was found to be, what was changed on the way in.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::import::changed::Changes;
use crate::import::rows::Rows;
use crate::import::work::Work;

/// `before`: rows that an earlier run of the same import has brought to an answer.
pub(super) fn as_json(work: &Work, before: u64) -> Json {
    let mut told = json!(work.state.tally);
    told["rows"] = json!(work.rows_read);
    told["answered_before"] = json!(before);
    told["read_as"] = json!(work.rows.found);
    told["stopped"] = json!(work.rows.stopped);
    told
}

pub(super) fn text(work: &Work, before: u64, refused: Option<&Path>) -> String {
    let tally = &work.state.tally;
    let mut lines = vec![format!(
        "{} accepted ({} created, {} updated, {} unchanged; {} with deliveries on their way), {} refused",
        tally.accepted, tally.created, tally.updated, tally.unchanged, tally.pending, tally.refused
    )];
    lines.extend(earlier(before, work));
    if tally.repeated > 0 {
        lines.push(format!("repeated: {} of them had been done before", tally.repeated));
    }
    if !tally.refused_by_code.is_empty() {
        lines.push(format!("refused: {}", by_code(&tally.refused_by_code)));
    }
    lines.extend(work.rows.found.text());
    lines.extend(changes(&tally.changes));
    lines.extend(stop(&work.rows));
    if let Some(path) = refused.filter(|_| tally.refused > 0) {
        lines.push(format!("which and why: {}", path.display()));
    }
    lines.join("\n")
}

/// What was done by an earlier run of the same import.
fn earlier(before: u64, work: &Work) -> Option<String> {
    match before {
        0 => None,
        all if all == work.rows_read && work.rows.stopped.is_none() => Some(
            "this import was done before, so nothing was sent: what it came to then stands above; --restart sends all of it again"
                .to_owned(),
        ),
        _ => Some(format!("{before} of them were answered in an earlier run")),
    }
}

/// What was changed on the way in, a line each.
pub(super) fn changes(changes: &Changes) -> Vec<String> {
    let (guards, ignored) = (changes.guards_taken_off, &changes.ignored);
    let guards = (guards > 0).then(|| format!("spreadsheet guards taken off ('0123, =\"0123\"): {guards} cells"));
    let ignored = (!ignored.is_empty()).then(|| format!("fields left out: {}", by_code(ignored)));
    guards.into_iter().chain(ignored).collect()
}

/// Why the file was not read to its end, if it was not.
pub(super) fn stop(rows: &Rows) -> Option<String> {
    let fault = rows.stopped.as_ref()?;
    Some(format!("{}; nothing from there on was taken", fault.detail))
}

fn by_code(counts: &BTreeMap<String, u64>) -> String {
    let all = counts.iter().map(|(code, count)| format!("{count} {code}"));
    all.collect::<Vec<_>>().join(", ")
}
