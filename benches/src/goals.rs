//! What a run says in one table: the figures that the gateway is held against, each beside its yardstick.

use crate::cases::{self, Case};
use crate::drive::Pace;
use crate::measure::Section;
use crate::programs::Program;
use crate::samples::Medians;
use crate::scenes::growth::{Grown, Growth, Size};
use crate::scenes::imports::Imported;
use crate::scenes::starts::Started;
use crate::sheet::Sheet;

/// At which load CPU is compared.
const IN_FLIGHT: usize = 64;
/// At which rate latency is compared.
const PER_SECOND: u32 = 1_000;

/// Everything that was measured so far.
#[derive(Debug, Default)]
pub struct Figures {
    /// Each load.
    pub sections: Vec<Section>,
    /// Starts and memory.
    pub starts: Vec<Started>,
    /// Imports.
    pub imported: Option<Imported>,
    /// What has grown.
    pub growth: Growth,
}

impl Figures {
    fn closed(&self, case: &Case) -> Option<Medians> {
        let is_it = |section: &&Section| section.pace == Pace::Closed && section.connections == IN_FLIGHT;
        self.sections.iter().find(is_it)?.medians(case)
    }

    fn open(&self, case: &Case) -> Option<Medians> {
        let pace = Pace::Open { per_second: PER_SECOND };
        self.sections.iter().find(|section| section.pace == pace)?.medians(case)
    }

    /// CPU a request in multiples of the bare handler's.
    fn cpu(&self, case: &Case) -> Option<String> {
        let (own, bare) = (self.closed(case)?, self.closed(&cases::BARE)?);
        Some(format!("{:.2} M", own.cpu / bare.cpu))
    }

    fn beside_a_transaction_each(&self) -> Option<String> {
        let (own, apart) = (self.closed(&cases::NEW)?, self.closed(&cases::DURABLE)?);
        Some(format!("{:.2} ×", own.rate / apart.rate))
    }

    /// What the gateway adds to the bare handler's latency.
    fn added(&self) -> Option<String> {
        let (own, bare) = (self.open(&cases::NEW)?, self.open(&cases::BARE)?);
        let milliseconds = |own: f64, bare: f64| (own - bare) / 1_000.0;
        Some(format!(
            "{:.2} / {:.2} ms",
            milliseconds(own.p50, bare.p50),
            milliseconds(own.p99, bare.p99)
        ))
    }

    fn started(&self) -> Option<&[f64; 4]> {
        let gateway = self.starts.iter().find(|started| started.program == Program::Gateway)?;
        gateway.figures.as_ref().ok()
    }

    /// How it grows: name and figure of each row.
    fn grown(&self) -> Vec<(String, Option<String>)> {
        let growth = &self.growth;
        let beside = |of: &[Grown], size: u64, figure: fn(&Grown) -> f64| {
            Growth::ratio(of, size, figure).map(|ratio| format!("{ratio:.2} ×"))
        };
        let cpu: fn(&Grown) -> f64 = |grown| grown.new.cpu;
        let load = |size: u64| {
            let cpu = beside(&growth.customers, size, cpu)?;
            let p50 = beside(&growth.customers, size, |grown| grown.new.p50)?;
            let rate = beside(&growth.customers, size, |grown| grown.new.rate)?;
            Some(format!("{cpu} / {p50} / {rate}"))
        };
        let mut rows: Vec<_> = [1_000_000, 10_000_000]
            .map(|size| {
                let name = format!("{} customers beside 1,000: CPU / p50 / upserts/s", Size(size));
                (name, load(size))
            })
            .into();
        let (merchants, waiting) = (100_000, 1_000_000);
        rows.push((
            format!("CPU: {} merchants beside one", Size(merchants)),
            beside(&growth.merchants, merchants, cpu),
        ));
        rows.push((
            format!("CPU: {} deliveries that wait elsewhere, beside one", Size(waiting)),
            beside(&growth.waiting, waiting, cpu),
        ));
        rows.push((
            "start to first answer with the most customers and merchants".to_owned(),
            growth.all_at_once.map(|started| format!("{started:.0} ms")),
        ));
        rows
    }

    /// The table.
    pub fn sheet(&self) -> Sheet {
        let note = format!(
            "M is the CPU a request of the bare handler with {IN_FLIGHT} in flight: {}.",
            self.closed(&cases::BARE)
                .map_or("not measured".to_owned(), |bare| format!("{:.1} µs", bare.cpu))
        );
        let mut sheet = Sheet::new("The gateway in one table", note, &["", "measured"]);
        let memory = |[_, memory @ ..]: &[f64; 4]| {
            let megabytes = memory.map(|bytes| format!("{:.0}", bytes / 1e6));
            format!("{} MB", megabytes.join(" / "))
        };
        let rows =
            |imported: &Imported| format!("{:.0}/s, {:.0}/s at the vendor", imported.accepted, imported.delivered);
        for (name, figure) in [
            ("CPU: new customer, 1 connection, durable", self.cpu(&cases::NEW)),
            ("CPU: new customer, 3 connections", self.cpu(&cases::NEW_AT_THREE)),
            (
                "CPU: known customer, one field changed, 1 connection",
                self.cpu(&cases::CHANGED),
            ),
            ("CPU: unchanged, no call", self.cpu(&cases::UNCHANGED)),
            ("CPU: plan, no call, nothing written", self.cpu(&cases::PLAN)),
            (
                "upserts/s beside a transaction each, 64 in flight",
                self.beside_a_transaction_each(),
            ),
            (
                "added to the bare handler's latency at 1,000/s, p50 / p99",
                self.added(),
            ),
            ("memory at rest / 64 / 256 connections", self.started().map(memory)),
            (
                "start to first answer",
                self.started().map(|[ready, ..]| format!("{ready:.0} ms")),
            ),
            ("import, rows", self.imported.as_ref().map(rows)),
        ] {
            sheet.rows.push(row(name, figure));
        }
        let grown = self.grown().into_iter();
        sheet.rows.extend(grown.map(|(name, figure)| row(&name, figure)));
        sheet
    }
}

fn row(name: &str, figure: Option<String>) -> Vec<String> {
    vec![name.to_owned(), figure.unwrap_or_else(|| "not measured".to_owned())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Measured;
    use crate::samples::{Sample, sample};
    use crate::scenes::growth::tests::grown;

    fn section(pace: Pace, own: Sample, bare: Sample) -> Section {
        let measured = |case, sample| Measured {
            case,
            samples: vec![sample],
            missing: None,
        };
        Section {
            connections: 64,
            pace,
            cases: vec![measured(cases::BARE, bare), measured(cases::NEW, own)],
            syncs: Vec::new(),
        }
    }

    #[test]
    fn what_has_grown_stands_beside_the_smallest() {
        let customers = vec![grown(1_000, 100.0), grown(1_000_000, 120.0)];
        let growth = Growth {
            customers,
            all_at_once: Some(250.4),
            ..Growth::default()
        };
        let figures = Figures {
            growth,
            ..Figures::default()
        };
        let sheet = figures.sheet();
        let of = |name: &str| sheet.rows.iter().find(|row| row[0].starts_with(name)).unwrap()[1].clone();
        assert_eq!(of("1,000,000 customers"), "1.20 × / 1.00 × / 1.00 ×");
        assert_eq!(of("10,000,000 customers"), "not measured");
        assert_eq!(of("start to first answer with the most"), "250 ms");
    }

    #[test]
    fn each_figure_stands_beside_its_yardstick_and_what_is_missing_says_so() {
        let slow = Sample {
            p50: 1_500.0,
            p99: 5_000.0,
            ..sample(1_000.0, 90.0)
        };
        let figures = Figures {
            sections: vec![
                section(Pace::Closed, sample(9_000.0, 90.0), sample(40_000.0, 30.0)),
                section(Pace::Open { per_second: 1_000 }, slow, sample(1_000.0, 30.0)),
            ],
            ..Figures::default()
        };
        let sheet = figures.sheet();
        let of = |name: &str| sheet.rows.iter().find(|row| row[0].starts_with(name)).unwrap()[1].clone();
        assert!(sheet.note.contains("30.0 µs"));
        assert_eq!(of("CPU: new customer, 1"), "3.00 M");
        assert_eq!(of("CPU: unchanged"), "not measured");
        assert_eq!(of("added"), "0.50 / 3.00 ms");
    }
}
