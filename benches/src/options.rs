//! What `scripts/bench` is told, and how long and how often that makes everything.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::cases::{BARE, DURABLE, FASTAPI, NEW, NEW_AT_THREE, NODE};
use crate::measure::Extent;
use crate::scenes::{frontier, growth, imports, overload, starts};

/// Numbers of copied customers have eight digits, and the highest are others'.
const MOST_CUSTOMERS: u64 = 90_000_000;

/// Their ids have six digits.
const MOST_MERCHANTS: u64 = 1_000_000;

/// Measures the gateway beside what users would otherwise pick, on 127.0.0.1
#[derive(Debug, Clone, Parser)]
#[command(name = "scripts/bench", version)]
pub struct Options {
    /// A short look, in two minutes: fewer loads and rounds, which are shorter
    #[arg(long)]
    pub short: bool,
    /// Write the page with all tables; nothing of it is written otherwise [default: docs/performance.md, and
    /// docs/performance-postgresql.md with `--store postgres`]
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    #[arg(conflicts_with_all = ["only", "case"])]
    #[expect(clippy::option_option, reason = "not asked for, asked for, and with a name")]
    write: Option<Option<PathBuf>>,
    /// The store: with PostgreSQL, it is measured beside SQLite, with one process and with several, and nothing else is
    #[arg(long, value_enum, default_value_t = StoreKind::Sqlite)]
    pub store: StoreKind,
    /// Measure these chapters alone
    #[arg(long, value_name = "CHAPTER", value_delimiter = ',')]
    pub only: Vec<Chapter>,
    /// Load only the cases whose names contain this, beside the yardstick
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub case: String,
    /// Keep-alive connections of the closed loop; several: one table each [default: 1,16,64,256]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    connections: Option<Vec<usize>>,
    /// Requests a second of the open loop, over 64 connections; several: one table each [default: 400,1000]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    rate: Option<Vec<u32>>,
    /// Rounds of each case [default: 5]
    #[arg(long)]
    rounds: Option<usize>,
    /// Length of a round, in milliseconds [default: 1000]
    #[arg(long, value_name = "MS")]
    time: Option<u64>,
    /// Requests a second that are too many; several: one after the other [default: 3000,10000]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    flood: Option<Vec<u32>>,
    /// Requests a second that a climb to the frontier begins with [default: 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    from: Option<u32>,
    /// Customers that a store grows to, from few to many; 10,000,000 take 27 GB [default: 1000,100000,1000000,10000000]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=MOST_CUSTOMERS))]
    customers: Option<Vec<u64>>,
    /// Merchants that a gateway grows to, from few to many [default: 1,1000,100000]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=MOST_MERCHANTS))]
    merchants: Option<Vec<u64>>,
    /// Deliveries that wait, from few to many [default: 1,10000,1000000]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=MOST_CUSTOMERS))]
    waiting: Option<Vec<u64>>,
    /// Where the stores and the disk's measurement go [default: beside the programs]
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Leave the programs to the kernel's scheduler
    #[arg(long)]
    pub no_pinning: bool,
}

/// Which store the run is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StoreKind {
    /// A file.
    Sqlite,
    /// PostgreSQL beside it.
    Postgres,
}

/// A part of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Chapter {
    /// All programs under the same loads
    Loads,
    /// Start and memory
    Start,
    /// The gateway's import
    Import,
    /// The store alone, and a transaction each
    Store,
    /// Requests a second at a given 99th percentile, and a vendor that refuses and hangs
    Frontier,
    /// Many times the load that can be served
    Overload,
    /// More and more customers, merchants, deliveries that wait
    Growth,
}

/// How long and how often.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Connections of each closed loop.
    pub connections: Vec<usize>,
    /// Rates of each open loop.
    pub rates: Vec<u32>,
    /// Rounds of both.
    pub loads: Extent,
    /// Starts.
    pub starts: starts::Extent,
    /// Imports.
    pub imports: imports::Extent,
    /// Seconds of each line of the store alone.
    pub store_seconds: u64,
    /// The climb.
    pub frontier: frontier::Extent,
    /// Rates at a vendor with faults.
    pub faulty_rates: Vec<u32>,
    /// How long each of them.
    pub faulty_time: Duration,
    /// Overload.
    pub overload: overload::Extent,
    /// Growth.
    pub growth: growth::Extent,
}

impl Options {
    /// The page that is written; none where that was not asked for.
    pub fn page(&self) -> Option<PathBuf> {
        let usual = match self.store {
            StoreKind::Sqlite => "docs/performance.md",
            StoreKind::Postgres => "docs/performance-postgresql.md",
        };
        let told = self.write.clone()?;
        Some(told.unwrap_or_else(|| usual.into()))
    }

    /// Whether a chapter is wanted.
    pub fn wants(&self, chapter: Chapter) -> bool {
        self.only.is_empty() || self.only.contains(&chapter)
    }

    /// The run in full or in short, with what was told otherwise.
    pub fn plan(&self) -> Plan {
        let mut plan = if self.short { short() } else { full() };
        if let Some(rates) = &self.rate {
            plan.rates.clone_from(rates);
        }
        if let Some(floods) = &self.flood {
            plan.overload.floods.clone_from(floods);
        }
        if let Some(from) = self.from {
            plan.frontier.from = from;
        }
        if let Some(connections) = &self.connections {
            plan.connections.clone_from(connections);
        }
        if let Some(customers) = &self.customers {
            plan.growth.customers.clone_from(customers);
        }
        if let Some(merchants) = &self.merchants {
            plan.growth.merchants.clone_from(merchants);
        }
        if let Some(waiting) = &self.waiting {
            plan.growth.waiting.clone_from(waiting);
        }
        let growth = &mut plan.growth;
        // The last is the greatest, and ratios are to the first.
        for sizes in [&mut growth.customers, &mut growth.merchants, &mut growth.waiting] {
            sizes.sort_unstable();
        }
        if let Some(rounds) = self.rounds {
            plan.loads.rounds = rounds.max(1);
            plan.growth.rounds = rounds.max(1);
        }
        if let Some(time) = self.time {
            plan.loads.time = Duration::from_millis(time);
        }
        plan
    }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn full() -> Plan {
    Plan {
        connections: vec![1, 16, 64, 256],
        rates: vec![400, 1_000],
        loads: Extent {
            rounds: 5,
            time: seconds(1),
            most: 200_000,
        },
        starts: starts::Extent {
            rounds: 5,
            time: seconds(1),
        },
        imports: imports::Extent {
            rounds: 3,
            rows: 20_000,
        },
        store_seconds: 3,
        frontier: frontier::Extent {
            rounds: 3,
            time: Duration::from_millis(1_500),
            from: 50,
            to: 20_000,
            connections: 256,
            cases: &[BARE, NODE, FASTAPI, DURABLE, NEW, NEW_AT_THREE],
        },
        faulty_rates: vec![100, 400, 1_000],
        faulty_time: seconds(10),
        overload: overload::Extent {
            normal: 400,
            floods: vec![3_000, 10_000],
            time: seconds(20),
        },
        growth: growth::Extent {
            customers: vec![1_000, 100_000, 1_000_000, 10_000_000],
            merchants: vec![1, 1_000, 100_000],
            waiting: vec![1, 10_000, 1_000_000],
            starts: 3,
            rounds: 7,
            time: seconds(5),
            most: 3_000,
        },
    }
}

fn short() -> Plan {
    let full = full();
    Plan {
        connections: vec![1, 64],
        rates: vec![1_000],
        loads: Extent {
            rounds: 2,
            time: Duration::from_millis(400),
            ..full.loads
        },
        starts: starts::Extent {
            rounds: 1,
            time: Duration::from_millis(500),
        },
        imports: imports::Extent {
            rounds: 1,
            rows: 10_000,
        },
        store_seconds: 1,
        frontier: frontier::Extent {
            rounds: 1,
            time: Duration::from_millis(400),
            from: 400,
            to: 10_000,
            cases: &[BARE, NODE, DURABLE, NEW],
            ..full.frontier
        },
        faulty_rates: vec![100],
        faulty_time: seconds(3),
        overload: overload::Extent {
            floods: vec![3_000],
            time: seconds(3),
            ..full.overload
        },
        growth: growth::Extent {
            customers: vec![1_000, 20_000],
            merchants: vec![1, 1_000],
            waiting: vec![1, 10_000],
            starts: 1,
            rounds: 2,
            most: 2_000,
            ..full.growth
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Options, clap::Error> {
        Options::try_parse_from(["scripts/bench"].iter().chain(words))
    }

    #[test]
    fn nothing_is_written_unless_it_is_asked_for_and_never_a_part() {
        let page = |words: &[&str]| read(words).unwrap().page();
        assert_eq!(page(&[]), None);
        assert_eq!(page(&["--write"]), Some("docs/performance.md".into()));
        assert_eq!(page(&["--short", "--write", "x.md"]), Some("x.md".into()));
        let other = Some("docs/performance-postgresql.md".into());
        assert_eq!(page(&["--store", "postgres", "--write"]), other);
        assert!(read(&["--write", "--only", "loads"]).is_err());
        assert!(read(&["--write", "--case", "new"]).is_err());
    }

    #[test]
    fn chapters_are_picked_by_name() {
        let options = read(&["--only", "frontier,overload"]).unwrap();
        assert!(options.wants(Chapter::Overload) && !options.wants(Chapter::Loads));
        assert!(read(&[]).unwrap().wants(Chapter::Import));
        assert!(read(&["--only", "nothing"]).is_err());
    }

    #[test]
    fn what_is_told_comes_before_what_short_and_full_say() {
        let plan = read(&["--short", "--rounds", "0", "--connections", "8,9"])
            .unwrap()
            .plan();
        assert_eq!((plan.loads.rounds, plan.connections), (1, vec![8, 9]));
        assert!(plan.loads.time < read(&[]).unwrap().plan().loads.time);
        assert_eq!(read(&["--from", "90"]).unwrap().plan().frontier.from, 90);
        assert!(read(&["--from", "0"]).is_err());
        let grown = read(&["--customers", "1000,50000"]).unwrap().plan().growth;
        assert_eq!(grown.customers, [1_000, 50_000]);
        assert!(read(&["--customers", "0"]).is_err() && read(&["--customers", "99000000"]).is_err());
    }
}
