//! The tables of what has grown, each with a plot.

use std::fmt::Write as _;

use crate::samples::{Medians, number};
use crate::sheet::Sheet;

use super::{Extent, Grown, Growth, IN_FLIGHT, Size};

const LOAD: [&str; 9] = [
    "",
    "CPU µs/request",
    "×",
    "requests/s",
    "×",
    "p50 ms",
    "×",
    "p99 ms",
    "×",
];

/// A gateway that was just started.
const AT_REST: [&str; 4] = [
    "first answer after ms",
    "at work then for s",
    "CPU % at rest",
    "MB at rest",
];

fn at_rest(grown: &Grown) -> [String; 4] {
    [
        format!("{:.0}", grown.started),
        grown.quiet.map_or("ever".to_owned(), |quiet| format!("{quiet:.1}")),
        format!("{:.1}", grown.busy_at_rest * 100.0),
        format!("{:.0}", grown.at_rest / 1e6),
    ]
}

/// How the rounds were.
fn rounds(extent: &Extent) -> String {
    format!(
        "{IN_FLIGHT} in flight, medians of {} rounds of at most {} requests that the sizes take in turn; × is to the smallest.",
        extent.rounds,
        Size(extent.most)
    )
}

pub(super) fn customers(growth: &Growth, extent: &Extent) -> [Sheet; 3] {
    let (grown, rounds) = (&growth.customers, rounds(extent));
    let note = "Of one merchant with one connection. The files are in the kernel's cache as far as they fit into it.";
    let header = [
        "customers",
        AT_REST[0],
        AT_REST[1],
        AT_REST[2],
        AT_REST[3],
        "GB on the disk",
    ];
    let mut kept = Sheet::new("Customers: start, memory, disk", note, &header);
    for one in grown {
        let mut row = vec![Size(one.size).to_string()];
        row.extend(at_rest(one));
        row.push(format!("{:.2}", number(one.file) / 1e9));
        kept.rows.push(row);
    }
    if let (Some(started), Some(most)) = (growth.all_at_once, growth.merchants.last()) {
        let row = format!("the most, and {} merchants", Size(most.size));
        kept.rows.push(vec![row, format!("{started:.0}")]);
    }
    let changed = grown.iter().filter_map(|one| Some((one.size, one.changed?))).collect();
    let changed_note = format!("One field of customers here and there among all. {rounds}");
    let mut changed = loads(
        "Customers: known ones, one field changed",
        changed_note,
        "customers",
        changed,
    );
    let new = grown.iter().map(|one| (one.size, one.new)).collect();
    let new = loads("Customers: new ones", rounds, "customers", new);
    let lines = [
        ratios(grown, |one| one.new.cpu),
        ratios(grown, |one| one.changed.map_or(f64::NAN, |of| of.cpu)),
    ];
    changed.below = plot("CPU a request: new customers, then changed ones", grown, &lines);
    [kept, new, changed]
}

pub(super) fn merchants(grown: &[Grown], extent: &Extent) -> Sheet {
    let (most, rounds) = (grown.last().map_or(0, |one| one.size), rounds(extent));
    let note = format!(
        "Each a file with one connection; every size has {} customers, spread over its merchants. New customers of all \
         merchants in turn. {rounds}",
        Size(most)
    );
    let new = grown.iter().map(|one| (one.size, one.new)).collect();
    let mut sheet = loads("Merchants", note, "merchants", new);
    sheet.header.extend(AT_REST);
    for (row, one) in sheet.rows.iter_mut().zip(grown) {
        row.extend(at_rest(one));
    }
    sheet.below = plot("CPU a request", grown, &[ratios(grown, |one| one.new.cpu)]);
    sheet
}

pub(super) fn waiting(grown: &[Grown], extent: &Extent) -> [Sheet; 2] {
    let rounds = rounds(extent);
    let note = format!(
        "Deliveries wait at a paused connection; new customers go to another connection of the same merchant. {rounds}"
    );
    let new = grown.iter().map(|one| (one.size, one.new)).collect();
    let mut beside = loads("Deliveries that wait: requests beside them", note, "waiting", new);
    beside.below = plot("CPU a request", grown, &[ratios(grown, |one| one.new.cpu)]);
    let header = [
        &["waiting"][..],
        &AT_REST,
        &["deliveries/s", "×", "CPU µs/delivery", "×"],
    ]
    .concat();
    let note = "How fast the first 5,000 go when the connection is resumed; × is to the fewest that are as many.";
    let mut claims = Sheet::new("Deliveries that wait: start, and let go", note, &header);
    let first = grown.iter().find_map(|one| one.released);
    for one in grown {
        let mut row = vec![Size(one.size).to_string()];
        row.extend(at_rest(one));
        if let (Some(own), Some(first)) = (one.released, first) {
            row.extend([
                format!("{:.0}", own.rate),
                format!("{:.2}", own.rate / first.rate),
                format!("{:.1}", own.cpu),
                format!("{:.2}", own.cpu / first.cpu),
            ]);
        }
        claims.rows.push(row);
    }
    [beside, claims]
}

fn loads(title: &str, note: String, of: &'static str, rows: Vec<(u64, Medians)>) -> Sheet {
    let header = [&[of], &LOAD[1..]].concat();
    let mut sheet = Sheet::new(title, note, &header);
    let Some((_, first)) = rows.first().copied() else {
        return sheet;
    };
    for (size, own) in rows {
        let beside = |own: f64, first: f64| format!("{:.2}", own / first);
        sheet.rows.push(vec![
            Size(size).to_string(),
            format!("{:.1}", own.cpu),
            beside(own.cpu, first.cpu),
            format!("{:.0}", own.rate),
            beside(own.rate, first.rate),
            format!("{:.1}", own.p50 / 1e3),
            beside(own.p50, first.p50),
            format!("{:.1}", own.p99 / 1e3),
            beside(own.p99, first.p99),
        ]);
    }
    sheet
}

fn ratios(grown: &[Grown], figure: impl Fn(&Grown) -> f64) -> Vec<f64> {
    let first = grown.first().map_or(f64::NAN, &figure);
    grown.iter().map(|one| figure(one) / first).collect()
}

/// A plot as Mermaid draws it: a line each over the sizes, in multiples of the smallest.
fn plot(title: &str, grown: &[Grown], lines: &[Vec<f64>]) -> String {
    let sizes: Vec<String> = grown.iter().map(|one| format!("\"{}\"", Size(one.size))).collect();
    let most = lines.iter().flatten().copied().fold(1.0, f64::max);
    let mut text = format!(
        "```mermaid\nxychart-beta\n    title \"{title}\"\n    x-axis [{}]\n    y-axis \"× the smallest\" 0 --> {:.1}\n",
        sizes.join(", "),
        most * 1.2
    );
    for line in lines {
        let values: Vec<String> = line.iter().map(|value| format!("{value:.2}")).collect();
        // Writing into a text does not fail.
        let _ = writeln!(text, "    line [{}]", values.join(", "));
    }
    text.push_str("```\n");
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::super::Released;
    use super::*;
    use crate::samples::sample;

    /// A size whose requests take so much CPU.
    pub(crate) fn grown(size: u64, cpu: f64) -> Grown {
        let medians = |cpu| Medians::of(&[sample(1_000.0, cpu)]).unwrap();
        Grown {
            size,
            started: 40.0,
            quiet: None,
            busy_at_rest: 0.01,
            at_rest: 4e7,
            file: 2_500_000_000,
            new: medians(cpu),
            changed: Some(medians(cpu * 2.0)),
            released: Some(Released { rate: 2_000.0, cpu }),
        }
    }

    #[test]
    fn every_cell_has_its_column_and_ratios_are_to_the_smallest() {
        let sizes = || vec![grown(1, 100.0), grown(1_000, 110.0), grown(1_000_000, 150.0)];
        let growth = Growth {
            customers: sizes(),
            merchants: sizes(),
            waiting: sizes(),
            all_at_once: None,
        };
        let extent = Extent {
            customers: Vec::new(),
            merchants: Vec::new(),
            waiting: Vec::new(),
            starts: 1,
            rounds: 3,
            time: Duration::from_secs(1),
            most: 3_000,
        };
        let mut sheets = customers(&growth, &extent).to_vec();
        sheets.push(merchants(&growth.merchants, &extent));
        sheets.extend(waiting(&growth.waiting, &extent));
        for sheet in &sheets {
            assert_eq!(sheet.rows.len(), 3, "{}", sheet.title);
            assert_eq!(sheet.rows[2].len(), sheet.header.len(), "{}", sheet.title);
            let columns = sheet.header.iter().zip(&sheet.rows[2]);
            assert!(columns.clone().any(|(_, cell)| cell == "1.50") || !sheet.header.contains(&"×"));
            let memory: Vec<_> = columns.filter(|(name, _)| **name == "MB at rest").collect();
            assert!(memory.iter().all(|(_, cell)| **cell == "40"), "{}", sheet.title);
        }
        assert!(
            sheets[2]
                .below
                .contains("line [1.00, 1.10, 1.50]\n    line [1.00, 1.10, 1.50]")
        );
        assert!(sheets[2].below.contains("x-axis [\"1\", \"1,000\", \"1,000,000\"]"));
    }
}
