//! The table: medians over the rounds, and ratios to the bare handler of the same rounds.

use std::time::Duration;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, Table};

use crate::drive::Pace;
use crate::measure::{Sample, Section};

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

/// One section, headline and table.
pub fn section(section: &Section) -> String {
    let pace = match section.pace {
        Pace::Closed => "as fast as answers come".to_owned(),
        Pace::Open { per_second } => format!("{per_second} requests/s whether answers come or not"),
    };
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(HEADER);
    let yardstick = section.samples.first().map(|(_, samples)| Medians::of(samples));
    for (case, samples) in &section.samples {
        let medians = Medians::of(samples);
        table.add_row(medians.row(case.name, yardstick.as_ref().unwrap_or(&medians)));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!(
        "{} keep-alive connections, {pace}; F = {:.0} fdatasync/s\n{table}\n",
        section.connections,
        median(section.syncs.clone())
    )
}

/// How long each program took from its start to its first good answer, and its memory then.
pub fn start(name: &str, ready_after: Duration, memory: u64) -> String {
    format!(
        "{name}: first answer {} ms after its start, then {} MB",
        ready_after.as_millis(),
        memory / 1_000_000
    )
}

struct Medians {
    rate: f64,
    p50: f64,
    p99: f64,
    cpu: f64,
    busy: f64,
    load_busy: f64,
    memory: f64,
}

impl Medians {
    fn of(samples: &[Sample]) -> Self {
        let of = |value: fn(&Sample) -> f64| median(samples.iter().map(value).collect());
        Self {
            rate: of(|sample| sample.rate),
            p50: of(|sample| sample.p50),
            p99: of(|sample| sample.p99),
            cpu: of(|sample| sample.cpu),
            busy: of(|sample| sample.busy),
            load_busy: of(|sample| sample.load_busy),
            memory: of(|sample| sample.memory),
        }
    }

    fn row(&self, name: &str, yardstick: &Self) -> [String; 10] {
        [
            name.to_owned(),
            format!("{:.0}", self.rate),
            format!("{:.2}", self.rate / yardstick.rate),
            format!("{:.0}", self.p50),
            format!("{:.0}", self.p99),
            format!("{:.1}", self.cpu),
            format!("{:.2}", self.cpu / yardstick.cpu),
            format!("{:.0}", self.busy * 100.0),
            format!("{:.0}", self.load_busy * 100.0),
            format!("{:.0}", self.memory / 1e6),
        ]
    }
}

/// The middle one; of an even number the lower of the two.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values
        .get(values.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::ALL;

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert!((median(vec![9.0, 1.0, 5.0]) - 5.0).abs() < f64::EPSILON);
        assert!((median(vec![4.0, 1.0, 3.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn every_case_stands_in_the_table_with_its_ratio_to_the_first() {
        let sample = |rate, cpu| Sample {
            rate,
            p50: 1.0,
            p99: 2.0,
            cpu,
            busy: 1.0,
            load_busy: 0.5,
            memory: 1e7,
        };
        let text = section(&Section {
            connections: 64,
            pace: Pace::Closed,
            samples: vec![
                (ALL[0], vec![sample(40_000.0, 25.0)]),
                (ALL[1], vec![sample(10_000.0, 75.0)]),
            ],
            syncs: vec![5_000.0],
        });
        assert!(text.contains("F = 5000 fdatasync/s"), "{text}");
        let row = text.lines().find(|line| line.contains(ALL[1].name)).unwrap();
        let cells: Vec<&str> = row
            .trim_start()
            .trim_start_matches(ALL[1].name)
            .split_whitespace()
            .collect();
        assert_eq!(cells, ["10000", "0.25", "1", "2", "75.0", "3.00", "100", "50", "10"]);
        assert!(text.contains(ALL[0].name));
    }
}
