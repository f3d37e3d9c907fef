//! What a dry run found, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::import::dry_run::counts::{Counts, OfConnection, Reasons};
use crate::import::dry_run::estimate::Estimate;
use crate::import::dry_run::seen::Seen;
use crate::import::rows::Rows;
use crate::import::summary;
use crate::show::{or_dash, wide_table};

/// Reasons of each kind that people are shown.
const SHOWN: usize = 5;

const NO_ESTIMATE: &str = "the key lacks the scope ops:read: how long it will take is not known";

pub(super) struct Report<'a> {
    pub(super) rows: &'a Rows,
    pub(super) counts: &'a Counts,
    pub(super) seen: &'a Seen,
    pub(super) estimates: &'a Option<BTreeMap<String, Estimate>>,
}

impl Report<'_> {
    pub(super) fn text(&self) -> String {
        let counts = self.counts;
        let mut text = format!(
            "dry run, nothing was stored or sent: {} rows, {} would be taken, {} refused ({} of them as a whole)",
            counts.rows,
            counts.rows - counts.refused,
            counts.refused,
            counts.refused_as_a_whole
        );
        if !counts.connections.is_empty() {
            let _ = write!(text, "\n{}", self.table());
        }
        add_reasons(&mut text, "refused as a whole", &counts.reasons);
        for (name, of) in &counts.connections {
            add_reasons(&mut text, &format!("{name} refuses"), &of.reasons);
        }
        let mut lines: Vec<String> = self.rows.found.text().into_iter().collect();
        lines.extend(summary::changes(&counts.changes));
        lines.extend(summary::stop(self.rows));
        lines.extend(self.notes());
        for line in lines {
            let _ = write!(text, "\n{line}");
        }
        text
    }

    fn table(&self) -> String {
        let mut table = wide_table(&[
            "connection",
            "create",
            "update",
            "upsert",
            "unchanged",
            "refused",
            "left out",
            "waiting already",
            "takes about",
        ]);
        for (name, of) in &self.counts.connections {
            let estimate = self.estimate(name);
            let numbers = [of.create, of.update, of.upsert, of.unchanged, of.refused, of.left_out];
            let mut row = vec![name.clone()];
            row.extend(numbers.iter().map(u64::to_string));
            row.push(or_dash(estimate.map(|estimate| estimate.waiting)));
            row.push(or_dash(estimate.map(|estimate| takes(of, estimate))));
            table.add_row(row);
        }
        table.trim_fmt()
    }

    fn estimate(&self, connection: &str) -> Option<&Estimate> {
        self.estimates.as_ref()?.get(connection)
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.counts.connections.values().any(|of| of.left_out > 0) {
            notes.push("left out: the connection would take the row, which a required one refuses".to_owned());
        }
        match self.seen.again {
            0 => {}
            1 => notes.push(format!(
                "1 row shares an identifier with an earlier one; it {PLANNED_ALONE}"
            )),
            rows => notes.push(format!(
                "{rows} rows share an identifier with an earlier one; each {PLANNED_ALONE}"
            )),
        }
        if let Some(line) = self.seen.kept_to_line {
            notes.push(format!(
                "rows were compared with those up to line {line} only: the file has too many for more"
            ));
        }
        for (name, of) in &self.counts.connections {
            notes.extend(self.estimate(name).and_then(|estimate| quota(name, of, estimate)));
        }
        if self.estimates.is_none() {
            notes.push(NO_ESTIMATE.to_owned());
        }
        notes
    }

    pub(super) fn json(&self) -> Json {
        let counts = self.counts;
        let connections: serde_json::Map<String, Json> = counts
            .connections
            .iter()
            .map(|(name, of)| (name.clone(), connection_json(of, self.estimate(name))))
            .collect();
        let note = self.estimates.is_none().then_some(NO_ESTIMATE);
        json!({
            "rows": counts.rows,
            "taken": counts.rows - counts.refused,
            "refused": counts.refused,
            "refused_as_a_whole": { "rows": counts.refused_as_a_whole, "reasons": counts.reasons.json() },
            "sharing_an_identifier": { "rows": self.seen.again, "compared_with_lines_to": self.seen.kept_to_line },
            "refused_lines": counts.refused_lines,
            "read_as": self.rows.found,
            "guards_taken_off": counts.changes.guards_taken_off,
            "ignored": counts.changes.ignored,
            "stopped": self.rows.stopped,
            "connections": connections,
            "note": note,
        })
    }
}

const PLANNED_ALONE: &str = "was planned as if that one were not there, and may come out otherwise";

fn connection_json(of: &OfConnection, estimate: Option<&Estimate>) -> Json {
    let estimate = estimate.map(|estimate| {
        json!({
            "waiting": estimate.waiting,
            "paused": estimate.is_paused,
            "takes_seconds": estimate.takes.map(rounded).map(|takes| takes.as_secs()),
            "through_at": estimate.through_at,
            "rate_limit": estimate.rate_limit,
        })
    });
    let mut told = json!(of);
    told["reasons"] = of.reasons.json();
    told["calls"] = json!(of.calls());
    told["estimate"] = json!(estimate);
    told
}

fn takes(of: &OfConnection, estimate: &Estimate) -> String {
    match estimate.takes {
        _ if estimate.is_paused => "paused".to_owned(),
        _ if of.calls() + estimate.waiting == 0 => "-".to_owned(),
        None => "not known".to_owned(),
        Some(takes) => humantime::format_duration(rounded(takes)).to_string(),
    }
}

/// Up, to a second; of what takes hours, to a minute.
fn rounded(takes: Duration) -> Duration {
    let seconds = takes.as_secs() + u64::from(takes.subsec_nanos() > 0);
    let to = if seconds > 2 * 3_600 { 60 } else { 1 };
    Duration::from_secs(seconds.div_ceil(to).saturating_mul(to))
}

/// What the day's quota means for it.
fn quota(name: &str, of: &OfConnection, estimate: &Estimate) -> Option<String> {
    let (per_day, left) = (
        estimate.rate_limit.per_day_for_bulk?,
        estimate.rate_limit.left_today_for_bulk?,
    );
    let calls = of.calls() + estimate.waiting;
    if calls == 0 {
        return None;
    }
    let end = match (estimate.through_at, calls > u64::from(left)) {
        (Some(at), true) => format!(", through about {at:.0}"),
        _ => String::new(),
    };
    Some(format!(
        "{name}: {calls} calls to make, an import may make {per_day} a day, {left} of them are left today{end}"
    ))
}

fn add_reasons(text: &mut String, title: &str, reasons: &Reasons) {
    let all = reasons.by_count();
    if all.is_empty() {
        return;
    }
    let _ = write!(text, "\n{title}:");
    for (reason, rows) in all.iter().take(SHOWN) {
        let _ = write!(text, "\n  {rows} {} {}", reason.code, reason.pointer);
        text.truncate(text.trim_end().len());
    }
    if all.len() > SHOWN {
        let _ = write!(text, "\n  and {} reasons more (--json has them)", all.len() - SHOWN);
    }
}
