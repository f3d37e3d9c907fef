//! Keys that did not open the dashboard. Anybody can send them, without a key and as many as they like: so they are counted, and
//! written down once a minute.

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use upsert_api::AuditAction;

use crate::audit::act::{Act, BY_UNKNOWN};

/// From one entry to the next.
const APART: SignedDuration = SignedDuration::from_mins(1);

/// Of this process, since the last entry.
#[derive(Debug, Default)]
pub(crate) struct FailedSignIns(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    /// Since the last entry.
    count: u64,
    told_at: Option<Timestamp>,
}

impl FailedSignIns {
    /// One more. The entry that is to be written down for all since the last one, if it is time for it.
    pub(crate) fn one_more(&self, now: Timestamp) -> Option<Act> {
        let mut counted = self.0.lock();
        counted.count += 1;
        counted.due(now)
    }

    /// The entry for those that were counted and not written down, if it is time for it.
    pub(crate) fn left(&self, now: Timestamp) -> Option<Act> {
        self.0.lock().due(now)
    }

    /// The same, whatever time it is: the process ends.
    pub(crate) fn all_left(&self) -> Option<Act> {
        self.0.lock().taken()
    }

    /// It could not be written down: they are counted once more.
    pub(crate) fn give_back(&self, act: &Act) {
        let count = act.detail.get("count").and_then(serde_json::Value::as_u64);
        self.0.lock().count += count.unwrap_or_default();
    }
}

impl Counted {
    fn due(&mut self, now: Timestamp) -> Option<Act> {
        let is_time = self.told_at.is_none_or(|told_at| now.duration_since(told_at) >= APART);
        if !is_time || self.count == 0 {
            return None;
        }
        self.told_at = Some(now);
        self.taken()
    }

    fn taken(&mut self) -> Option<Act> {
        let count = std::mem::take(&mut self.count);
        (count > 0).then(|| Act::new(BY_UNKNOWN, AuditAction::SessionRefused, "dashboard").with("count", count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_795_176_000 + seconds).unwrap()
    }

    fn count(act: Option<Act>) -> Option<u64> {
        act.map(|act| act.detail["count"].as_u64().unwrap())
    }

    #[test]
    fn the_first_is_told_at_once_and_those_of_a_minute_together() {
        let failed = FailedSignIns::default();
        assert_eq!(count(failed.left(at(0))), None);
        assert_eq!(count(failed.one_more(at(0))), Some(1));
        for seconds in 1..60 {
            assert_eq!(count(failed.one_more(at(seconds))), None);
        }
        assert_eq!(count(failed.left(at(59))), None);
        assert_eq!(count(failed.left(at(60))), Some(59));
        assert_eq!(count(failed.one_more(at(61))), None);
        assert_eq!(count(failed.all_left()), Some(1));
        assert_eq!(count(failed.all_left()), None);
    }

    #[test]
    fn what_could_not_be_written_down_is_told_the_next_time() {
        let failed = FailedSignIns::default();
        let act = failed.one_more(at(0)).unwrap();
        failed.give_back(&act);
        assert_eq!(count(failed.one_more(at(60))), Some(2));
    }
}
