//! The table of one load: medians over the rounds, and ratios to the bare handler of the same rounds.

use crate::drive::Pace;
use crate::measure::{Measured, Section};
use crate::samples::{Medians, median};
use crate::sheet::Sheet;

const HEADER: [&str; 10] = [
    "",
    "requests/s",
    "× M",
    "p50 µs",
    "p99 µs",
    "CPU µs/request",
    "× M",
    "busy %",
    "load busy %",
    "MB",
];

/// One section as a table.
pub fn section(section: &Section) -> Sheet {
    let title = match section.pace {
        Pace::Closed => format!("{} in flight, as fast as answers come", section.connections),
        Pace::Open { per_second } => format!("{per_second} requests/s, whether answers come or not"),
    };
    let syncs = median(section.syncs.clone());
    let note = format!(
        "{} keep-alive connections; F = {syncs:.0} fdatasync/s.",
        section.connections
    );
    let mut sheet = Sheet::new(title, note, &HEADER);
    let yardstick = section.cases.first().and_then(|first| Medians::of(&first.samples));
    for measured in &section.cases {
        add(&mut sheet, measured, yardstick);
    }
    sheet
}

fn add(sheet: &mut Sheet, measured: &Measured, yardstick: Option<Medians>) {
    let name = measured.case.name;
    match (&measured.missing, Medians::of(&measured.samples)) {
        (Some(reason), _) => sheet.missing(name, reason),
        (None, None) => sheet.missing(name, "no round"),
        (None, Some(medians)) => sheet.rows.push(row(name, &medians, &yardstick.unwrap_or(medians))),
    }
}

fn row(name: &str, medians: &Medians, yardstick: &Medians) -> Vec<String> {
    vec![
        name.to_owned(),
        format!("{:.0}", medians.rate),
        format!("{:.2}", medians.rate / yardstick.rate),
        format!("{:.0}", medians.p50),
        format!("{:.0}", medians.p99),
        format!("{:.1}", medians.cpu),
        format!("{:.2}", medians.cpu / yardstick.cpu),
        format!("{:.0}", medians.busy * 100.0),
        format!("{:.0}", medians.load_busy * 100.0),
        format!("{:.0}", medians.memory / 1e6),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::{BARE, NEW, NODE};
    use crate::samples::sample;

    #[test]
    fn every_case_stands_in_the_table_with_its_ratio_to_the_first() {
        let measured = |case, samples, missing: Option<&str>| Measured {
            case,
            samples,
            missing: missing.map(str::to_owned),
        };
        let sheet = section(&Section {
            connections: 64,
            pace: Pace::Closed,
            cases: vec![
                measured(BARE, vec![sample(40_000.0, 25.0)], None),
                measured(NODE, Vec::new(), Some("no node")),
                measured(NEW, vec![sample(10_000.0, 75.0)], None),
            ],
            syncs: vec![5_000.0],
        });
        assert!(sheet.note.contains("F = 5000 fdatasync/s"), "{}", sheet.note);
        assert_eq!(sheet.rows[0][0], BARE.name);
        assert_eq!(sheet.rows[1][1], "not measured: no node");
        assert_eq!(
            sheet.rows[2][1..],
            ["10000", "0.25", "1000", "2000", "75.0", "3.00", "100", "50", "10"]
        );
    }
}
