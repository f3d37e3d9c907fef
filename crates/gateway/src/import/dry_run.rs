//! `import --dry-run`: what would become of each row, and how long it would take. Stores and sends nothing.

mod ask;
mod counts;
mod estimate;
mod report;
mod seen;

use std::process::ExitCode;

use futures_util::{StreamExt as _, stream};
use serde_json::{Map, Value as Json};

use crate::http_client;
use crate::import::changed::Changed;
use crate::import::progress::Progress;
use crate::import::rows::{Row, Rows};
use crate::import::target::Target;
use crate::import::{LENIENT, NO_ROWS};
use crate::output;
use crate::signals::Signals;
use ask::{Ask, Said};
use counts::Counts;
use report::Report;
use seen::Seen;

/// Rows that are asked about at once.
const AT_ONCE: usize = 16;

/// One row, and what the gateway said of it.
struct Planned {
    /// As the file has it; nothing where it is no object.
    row: Map<String, Json>,
    line: u64,
    end: u64,
    said: Said,
    changed: Changed,
}

pub(crate) async fn run(
    target: &Target,
    mut rows: Rows,
    mut progress: Progress,
    mut signals: Signals,
    is_lenient: bool,
    is_json: bool,
) -> anyhow::Result<ExitCode> {
    let ask = Ask::new(target, http_client::for_upserts()?, is_lenient.then_some(LENIENT));
    let (mut counts, mut seen) = (Counts::default(), Seen::default());
    let answered = tokio::select! {
        answered = plan_all(&ask, &mut rows, &mut counts, &mut seen, &mut progress) => Some(answered),
        _ = signals.next() => None,
    };
    progress.end();
    let Some(answered) = answered else {
        output::complain(&format!("interrupted after {} rows", counts.rows));
        return Ok(ExitCode::FAILURE);
    };
    answered?;
    let estimates = tokio::select! {
        estimates = estimate::all(&ask, &counts) => estimates?,
        _ = signals.next() => return Ok(ExitCode::FAILURE),
    };
    let report = Report {
        rows: &rows,
        counts: &counts,
        seen: &seen,
        estimates: &estimates,
    };
    output::say(is_json, &report.json(), || report.text())?;
    let is_empty = counts.rows == 0 && rows.stopped.is_none();
    if is_empty {
        output::complain(NO_ROWS);
    }
    Ok(output::exit_code(!is_empty && counts.refused == 0))
}

/// Answers are taken in the order of the rows: which row is the earlier one depends on it.
async fn plan_all(
    ask: &Ask<'_>,
    rows: &mut Rows,
    counts: &mut Counts,
    seen: &mut Seen,
    progress: &mut Progress,
) -> anyhow::Result<()> {
    let rows = stream::iter(std::iter::from_fn(|| rows.next().transpose()));
    let mut answers = rows.map(|row| plan(ask, row)).buffered(AT_ONCE);
    while let Some(planned) = answers.next().await {
        let planned = planned?;
        seen.note(planned.line, &planned.row, &planned.said);
        counts.note(&planned.said);
        counts.note_row(planned.line, &planned.changed);
        progress.show_counts(counts.rows, counts.refused, planned.end);
    }
    Ok(())
}

async fn plan(ask: &Ask<'_>, row: anyhow::Result<Row>) -> anyhow::Result<Planned> {
    let row = row?;
    let (members, said) = match row.body {
        Err(refused) => (Map::new(), Said::Refused(refused)),
        Ok(text) => {
            let mut members: Map<String, Json> = serde_json::from_str(&text).unwrap_or_default();
            // A line of a batch may have one, and a plan needs none.
            let body = if members.remove("idempotency_key").is_some() {
                Json::Object(members.clone()).to_string()
            } else {
                text
            };
            (members, ask.plan(body).await?)
        }
    };
    Ok(Planned {
        row: members,
        line: row.line,
        end: row.end,
        said,
        changed: row.changed,
    })
}
