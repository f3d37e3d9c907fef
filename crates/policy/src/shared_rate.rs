//! Turns under a connection's own rate that several processes share: taken from whoever counts for all of them, a few at a
//! time, so that a call seldom has to ask.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep_until};

/// How far ahead turns are taken, and for how long one may be used that has come: what is not used by then is lost, so that
/// turns of different times do not come together.
const AHEAD: Duration = Duration::from_millis(100);

/// When it is asked again after whoever counts could not be asked.
const LATER: Duration = Duration::from_secs(1);

/// What came of asking for turns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TurnsTaken {
    /// When each of them comes; at least one.
    Some(Vec<Instant>),
    /// None: when the next one could be had.
    NoneUntil(Instant),
    /// Whoever counts cannot be asked now, and has said so.
    Unknown,
}

/// Counts for all processes.
#[async_trait]
pub trait SharedRate: Debug + Send + Sync + 'static {
    /// Takes up to `most` turns, of those that come within `ahead`.
    async fn take(&self, most: u32, ahead: Duration) -> TurnsTaken;
}

/// Turns that this process has taken and not used.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    taken: VecDeque<Instant>,
    /// When it was last asked, and for how many.
    last: Option<(Instant, u32)>,
}

impl Turns {
    /// Waits for a turn, no longer than until `patience`; how long it would be otherwise. `in_line`: calls that wait.
    pub(crate) async fn next(
        &mut self,
        rate: &dyn SharedRate,
        in_line: u32,
        patience: Instant,
    ) -> Result<(), Duration> {
        loop {
            let now = Instant::now();
            self.taken.retain(|comes| *comes + AHEAD >= now);
            let comes = match self.taken.front() {
                Some(comes) => *comes,
                None => match self.ask(rate, in_line, now).await {
                    TurnsTaken::Some(turns) => {
                        self.taken.extend(turns);
                        continue;
                    }
                    TurnsTaken::NoneUntil(comes) => comes,
                    TurnsTaken::Unknown => return Err(LATER),
                },
            };
            if comes > patience {
                return Err(comes.saturating_duration_since(now));
            }
            sleep_until(comes).await;
            if self.taken.pop_front().is_some() {
                return Ok(());
            }
        }
    }

    async fn ask(&mut self, rate: &dyn SharedRate, in_line: u32, now: Instant) -> TurnsTaken {
        // Where those that were taken last did not last long, some more than wait now will be needed.
        let lately = self.last.filter(|(asked, _)| *asked + AHEAD >= now);
        let most = in_line.max(lately.map_or(1, |(_, most)| most.saturating_mul(2)));
        self.last = Some((now, most));
        rate.take(most, AHEAD).await
    }
}
