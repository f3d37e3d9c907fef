//! How many requests a second a program takes before its 99th percentile grows too long: rates in steps, each offered whether
//! answers come or not.

use std::time::Duration;

use crate::cases::Case;
use crate::drive::{Load, Pace, drive};
use crate::measure::{job, sample};
use crate::samples::{median, number};
use crate::scenes::Stage;
use crate::sheet::Sheet;

/// What the 99th percentile may be, in milliseconds.
pub const LIMITS: [f64; 4] = [5.0, 10.0, 50.0, 100.0];

/// Each rate is so many times the one before.
const STEP: f64 = 1.3;
/// A climb ends after so many steps beyond the last limit.
const STEPS_BEYOND: usize = 3;
/// With fewer requests the 99th percentile is a matter of chance.
const FEWEST: f64 = 300.0;
const FAILED: &str = "failed";
const WARM_UP: Duration = Duration::from_millis(500);

/// How far and how often.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Rounds of each rate; what counts is the median of their 99th percentiles.
    pub rounds: usize,
    /// Length of a round, if that makes enough requests.
    pub time: Duration,
    /// The lowest rate.
    pub from: u32,
    /// The highest rate that is tried.
    pub to: u32,
    /// Keep-alive connections.
    pub connections: usize,
    /// Who climbs.
    pub cases: &'static [Case],
}

/// One case on its way up.
#[derive(Debug, Clone)]
pub struct Climb {
    case: Case,
    /// The highest rate that kept each limit.
    best: [Option<u32>; 4],
    beyond: usize,
    missing: Option<String>,
}

impl Climb {
    fn new(case: Case, missing: Option<String>) -> Self {
        Self {
            case,
            best: [None; 4],
            beyond: 0,
            missing,
        }
    }

    fn is_over(&self) -> bool {
        self.missing.is_some() || self.beyond >= STEPS_BEYOND
    }

    /// Takes in what came of a rate: the median 99th percentile in milliseconds, and whether everything was accepted.
    fn note(&mut self, rate: u32, p99: f64, is_accepted: bool) {
        let kept = |limit: f64| is_accepted && p99 <= limit;
        for (limit, best) in LIMITS.into_iter().zip(&mut self.best) {
            if kept(limit) {
                *best = Some(rate);
            }
        }
        self.beyond = if LIMITS.into_iter().any(kept) {
            0
        } else {
            self.beyond + 1
        };
    }
}

/// Climbs with all cases at once, in alternating rounds.
///
/// # Errors
/// The vendor does not answer.
pub async fn play(stage: &Stage<'_>, extent: Extent) -> anyhow::Result<Vec<Climb>> {
    let climb = |case: &Case| Climb::new(*case, stage.children.get(case.program).err().map(str::to_owned));
    let mut climbs: Vec<Climb> = extent.cases.iter().map(climb).collect();
    for climb in climbs.iter_mut().filter(|climb| !climb.is_over()) {
        let warmed = warm_up(stage, climb.case, extent).await;
        climb.missing = warmed.err().map(|error| format!("{FAILED}: {error:#}"));
    }
    for rate in rates(extent.from, extent.to) {
        let mut found: Vec<(Vec<f64>, bool)> = vec![(Vec::new(), true); climbs.len()];
        for _round in 0..extent.rounds {
            for (climb, (p99s, is_accepted)) in climbs.iter_mut().zip(&mut found) {
                if climb.is_over() {
                    continue;
                }
                stage.children.forget_vendors_records().await?;
                match offered(stage, climb.case, rate, extent).await {
                    Ok((p99, all)) => {
                        p99s.push(p99);
                        *is_accepted &= all;
                    }
                    Err(error) => climb.missing = Some(format!("{FAILED} at {rate}/s: {error:#}")),
                }
            }
        }
        for (climb, (p99s, is_accepted)) in climbs.iter_mut().zip(found) {
            if !p99s.is_empty() {
                climb.note(rate, median(p99s), is_accepted);
            }
        }
    }
    Ok(climbs)
}

/// All connections of the program to its vendor are open, and all its code has run.
async fn warm_up(stage: &Stage<'_>, case: Case, extent: Extent) -> anyhow::Result<()> {
    let load = Load {
        connections: extent.connections,
        pace: Pace::Closed,
        time: WARM_UP,
        most: u64::MAX,
        tolerant: true,
    };
    drive(&job(stage.children.running(case.program)?, case, &stage.numbers), load).await?;
    Ok(())
}

/// The 99th percentile in milliseconds, and whether all was accepted.
async fn offered(stage: &Stage<'_>, case: Case, rate: u32, extent: Extent) -> anyhow::Result<(f64, bool)> {
    let program = stage.children.running(case.program)?;
    let load = Load {
        // Each is used once a second at least: servers close those that are idle for longer.
        connections: extent.connections.min(usize::try_from(rate)?),
        pace: Pace::Open { per_second: rate },
        time: extent.time.max(Duration::from_secs_f64(FEWEST / f64::from(rate))),
        most: u64::MAX,
        tolerant: true,
    };
    let job = job(program, case, &stage.numbers);
    let (_, driven) = sample(program, stage.children.vendor.process, &job, load).await?;
    let p99 = number(driven.latencies.value_at_quantile(0.99)) / 1e6;
    Ok((p99, driven.unexpected.keys().all(|status| *status < 300)))
}

/// What went wrong on the way; a program that is not there is no fault of the run.
pub fn wrong(climbs: &[Climb]) -> Vec<String> {
    let all = climbs
        .iter()
        .filter_map(|climb| Some((climb.case.name, climb.missing.as_ref()?)));
    let failed = all.filter(|(_, reason)| reason.starts_with(FAILED));
    failed.map(|(name, reason)| format!("{name}: {reason}")).collect()
}

/// The rates from the first to the last, rounded to two digits.
fn rates(from: u32, to: u32) -> Vec<u32> {
    let mut rates = Vec::new();
    let mut rate = f64::from(from);
    while rate <= f64::from(to) {
        let unit = 10_f64.powf(rate.log10().floor() - 1.0).max(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small and positive"
        )]
        rates.push(((rate / unit).round() * unit) as u32);
        rate *= STEP;
    }
    rates
}

/// The table.
pub fn sheet(climbs: &[Climb], extent: Extent) -> Sheet {
    let note = format!(
        "The highest rate of an open loop over at most {} connections at which everything was accepted and 99 of 100 answers came in \
         time, counted from the moment when each request was due. Rates go up in steps of {STEP} to {}/s; the median of {} rounds \
         of {} ms counts.",
        extent.connections,
        extent.to,
        extent.rounds,
        extent.time.as_millis()
    );
    let header = ["requests/s", "p99 ≤ 5 ms", "p99 ≤ 10 ms", "p99 ≤ 50 ms", "p99 ≤ 100 ms"];
    let mut sheet = Sheet::new("Frontier", note, &header);
    for climb in climbs {
        match &climb.missing {
            Some(reason) => sheet.missing(climb.case.name, reason),
            None => {
                let best = climb
                    .best
                    .map(|best| best.map_or("none".to_owned(), |rate| rate.to_string()));
                let mut row = vec![climb.case.name.to_owned()];
                row.extend(best);
                sheet.rows.push(row);
            }
        }
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::NEW;

    #[test]
    fn rates_go_up_in_even_steps_to_the_highest() {
        let all = rates(50, 20_000);
        assert_eq!(all[..4], [50, 65, 85, 110]);
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(all.last().is_some_and(|last| (15_000..=20_000).contains(last)));
    }

    #[test]
    fn what_failed_is_wrong_and_what_is_not_there_is_not() {
        let climbs = [Some("no node"), Some("failed at 50/s: closed"), None];
        let climbs = climbs.map(|missing| Climb::new(NEW, missing.map(str::to_owned)));
        assert_eq!(wrong(&climbs), [format!("{}: failed at 50/s: closed", NEW.name)]);
    }

    #[test]
    fn the_highest_rate_that_kept_a_limit_counts_and_three_beyond_all_end_the_climb() {
        let mut climb = Climb::new(NEW, None);
        for (rate, p99, accepted) in [
            (100, 3.0, true),
            (200, 7.0, true),
            (300, 4.0, true),
            (400, 60.0, true),
            (500, 1.0, false),
        ] {
            climb.note(rate, p99, accepted);
        }
        assert_eq!(climb.best, [Some(300), Some(300), Some(300), Some(400)]);
        assert!(!climb.is_over());
        climb.note(600, 200.0, true);
        assert!(!climb.is_over());
        climb.note(700, 200.0, true);
        assert!(climb.is_over());
    }
}
