//! What the charts show: the last half hour of each connection, in memory, one sample every five seconds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};

use upsert_api::{Connection, ConnectionState};
use upsert_app::{Ending, Endings};
use upsert_core::Word as _;

/// Seconds from one sample to the next.
pub(crate) const STEP: i64 = 5;
/// Samples that are kept.
const KEPT: usize = 360;
/// Connections that are followed at the most, so that memory is bounded; those that came first stay.
pub(crate) const MOST: usize = 512;
/// Changes of state that are kept of a connection.
const CHANGES: usize = 50;
const ENDINGS: usize = Ending::ALL.len();

/// One connection at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) at: Timestamp,
    /// Deliveries that have ended since the sample before.
    pub(crate) ended: [u32; ENDINGS],
    pub(crate) waiting: u64,
    pub(crate) latency_ms: [Option<f64>; 3],
    pub(crate) used_today: u32,
}

/// A connection's state from one moment on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) at: Timestamp,
    pub(crate) state: ConnectionState,
    /// Why, where somebody said so.
    pub(crate) reason: Option<String>,
}

/// One connection's half hour.
#[derive(Debug, Default)]
pub(crate) struct Track {
    pub(crate) samples: VecDeque<Sample>,
    /// Oldest first.
    pub(crate) changes: VecDeque<Change>,
    before: Option<Endings>,
}

/// What one merchant's deliveries came to, of all its connections.
#[derive(Debug, Default, Clone, Copy)]
struct Ended {
    since_the_start: u64,
    since_the_sample_before: u64,
}

/// All that are followed, and how fast everything goes.
#[derive(Debug, Default)]
pub(crate) struct History {
    tracks: BTreeMap<(String, String), Track>,
    /// By merchant, followed or not.
    ended: BTreeMap<String, Ended>,
    last: Option<Timestamp>,
    /// From the sample before to the last one, in seconds.
    step: f64,
}

impl History {
    /// One more sample of everything.
    pub(crate) fn take(&mut self, at: Timestamp, connections: &[Connection], endings: &[(String, String, Endings)]) {
        self.count(at, endings);
        let mut counted: BTreeMap<(&str, &str), &Endings> = BTreeMap::new();
        for (merchant, connection, counts) in endings {
            counted.insert((merchant, connection), counts);
        }
        // What is configured no more is forgotten, and makes room for others.
        let there: BTreeSet<(&str, &str)> = connections.iter().map(name_of).collect();
        self.tracks
            .retain(|(merchant, name), _| there.contains(&(merchant.as_str(), name.as_str())));
        for connection in connections {
            let key = (connection.merchant_id.clone(), connection.name.clone());
            if !self.tracks.contains_key(&key) && self.is_full() {
                continue;
            }
            let counts = counted.get(&name_of(connection));
            let counts = counts.map_or_else(Endings::default, |counts| **counts);
            self.tracks.entry(key).or_default().take(at, connection, counts);
        }
    }

    fn count(&mut self, at: Timestamp, endings: &[(String, String, Endings)]) {
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        for (merchant, _, counts) in endings {
            *sums.entry(merchant).or_default() += counts.iter().sum::<u64>();
        }
        // What was counted before the first sample happened at no time that is known.
        let is_first = self.last.is_none();
        for (merchant, sum) in sums {
            let ended = self.ended.entry(merchant.to_owned()).or_default();
            let before = if is_first { sum } else { ended.since_the_start };
            *ended = Ended {
                since_the_start: sum,
                since_the_sample_before: sum.saturating_sub(before),
            };
        }
        let step = self.last.replace(at).map(|last| at.duration_since(last).as_secs_f64());
        self.step = step.unwrap_or_default();
    }

    /// Deliveries a second from the sample before to the last one, however they ended, of all connections of the merchants
    /// that may be seen.
    pub(crate) fn rate(&self, covers: impl Fn(&str) -> bool) -> f64 {
        let seen = self.ended.iter().filter(|(merchant, _)| covers(merchant));
        let ended: u64 = seen.map(|(_, ended)| ended.since_the_sample_before).sum();
        #[expect(clippy::cast_precision_loss, reason = "what ends in some seconds")]
        let ended = ended as f64;
        if self.step > 0.0 { ended / self.step } else { 0.0 }
    }

    pub(crate) fn of(&self, merchant: &str, connection: &str) -> Option<&Track> {
        self.tracks.get(&(merchant.to_owned(), connection.to_owned()))
    }

    fn is_full(&self) -> bool {
        self.tracks.len() >= MOST
    }

    /// Whether this one is not followed because there are too many.
    pub(crate) fn leaves_out(&self, connection: &Connection) -> bool {
        self.is_full() && self.of(&connection.merchant_id, &connection.name).is_none()
    }

    /// The tracks that may be seen.
    pub(crate) fn seen(&self, covers: impl Fn(&str) -> bool) -> impl Iterator<Item = &Track> {
        self.tracks
            .iter()
            .filter(move |((merchant, _), _)| covers(merchant))
            .map(|(_, track)| track)
    }
}

fn name_of(connection: &Connection) -> (&str, &str) {
    (&connection.merchant_id, &connection.name)
}

impl Track {
    /// Calls of the day that were made in the time that is remembered, and how long that is; none: none were.
    pub(crate) fn calls(&self) -> Option<(u32, SignedDuration)> {
        // At midnight the count begins anew.
        let steps = self.samples.iter().zip(self.samples.iter().skip(1));
        let midnight = steps.rev().position(|(before, after)| day(before.at) != day(after.at));
        let newest = self.samples.len().checked_sub(1)?;
        let first = midnight.map_or(0, |steps_ago| newest - steps_ago);
        let (first, last) = (self.samples.get(first)?, self.samples.back()?);
        let calls = last.used_today.checked_sub(first.used_today)?;
        (calls > 0).then(|| (calls, last.at.duration_since(first.at)))
    }

    fn take(&mut self, at: Timestamp, connection: &Connection, counts: Endings) {
        // What was counted before the first sample happened at no time that is known.
        let before = self.before.replace(counts).unwrap_or(counts);
        let ended = std::array::from_fn(|ending| {
            u32::try_from(counts[ending].saturating_sub(before[ending])).unwrap_or(u32::MAX)
        });
        let status = &connection.status;
        let health = &status.health;
        push(
            &mut self.samples,
            KEPT,
            Sample {
                at,
                ended,
                waiting: connection.waiting,
                used_today: status.rate_limit.used_today,
                latency_ms: [health.latency_p50_ms, health.latency_p95_ms, health.latency_p99_ms],
            },
        );
        if self.changes.back().is_none_or(|last| last.state != connection.state) {
            push(
                &mut self.changes,
                CHANGES,
                Change {
                    at,
                    state: connection.state,
                    reason: connection.pause_reason.clone(),
                },
            );
        }
    }
}

/// Days since 1970, in UTC.
fn day(at: Timestamp) -> i64 {
    at.as_second().div_euclid(24 * 60 * 60)
}

fn push<T>(ring: &mut VecDeque<T>, most: usize, item: T) {
    if ring.len() == most {
        ring.pop_front();
    }
    ring.push_back(item);
}

/// What a chart of several connections draws: a column a series, as uPlot wants it.
#[derive(Debug, Default, serde::Serialize)]
pub(crate) struct Series {
    /// Seconds since 1970.
    at: Vec<i64>,
    /// Deliveries a second, by ending, in the order of [`Ending::ALL`].
    ended: [Vec<f64>; ENDINGS],
    waiting: Vec<u64>,
    /// p50, p95, p99 in milliseconds; of several connections the slowest.
    latency: [Vec<Option<f64>>; 3],
}

/// The endings, in the order in which a chart has them.
pub(crate) fn endings() -> String {
    let words: Vec<_> = Ending::all().map(Ending::as_str).collect();
    words.join(",")
}

/// The sum of these tracks.
pub(crate) fn series<'a>(tracks: impl Iterator<Item = &'a Track>) -> Series {
    let mut by_time: BTreeMap<i64, Sample> = BTreeMap::new();
    for sample in tracks.flat_map(|track| &track.samples) {
        by_time
            .entry(sample.at.as_second() / STEP * STEP)
            .and_modify(|sum| sum.add(sample))
            .or_insert_with(|| sample.clone());
    }
    let mut series = Series::default();
    for (at, sample) in by_time {
        series.at.push(at);
        for (rates, count) in series.ended.iter_mut().zip(sample.ended) {
            #[expect(clippy::cast_precision_loss, reason = "five seconds")]
            rates.push(f64::from(count) / STEP as f64);
        }
        series.waiting.push(sample.waiting);
        for (quantile, value) in series.latency.iter_mut().zip(sample.latency_ms) {
            quantile.push(value);
        }
    }
    series
}

impl Series {
    /// For the page's script.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Sample {
    fn add(&mut self, other: &Self) {
        for (sum, count) in self.ended.iter_mut().zip(other.ended) {
            *sum += count;
        }
        self.waiting += other.waiting;
        for (slowest, value) in self.latency_ms.iter_mut().zip(other.latency_ms) {
            *slowest = match (*slowest, value) {
                (Some(one), Some(other)) => Some(one.max(other)),
                (one, other) => one.or(other),
            };
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
