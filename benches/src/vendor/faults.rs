//! Which calls the vendor refuses and which it lets hang: so many in a hundred, spread evenly and the same in every run.

use serde::{Deserialize, Serialize};

/// Coprime to 100: the calls of a hundred come in another order, each once.
const STEP: u64 = 61;

/// How many calls of a hundred go wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// Answered 429.
    pub limited: u64,
    /// Not answered in time; every other one of them was done nevertheless.
    pub hung: u64,
}

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// 429, nothing was done.
    Limited,
    /// No answer in time, nothing was done.
    HangsUndone,
    /// No answer in time, but the record was written.
    HangsDone,
}

impl Faults {
    pub(super) fn of(self, index: u64) -> Option<Fault> {
        let place = index * STEP % 100;
        if place < self.limited {
            Some(Fault::Limited)
        } else if place < self.limited + self.hung {
            // Hundreds take turns.
            let is_done = (index / 100).is_multiple_of(2);
            Some(if is_done { Fault::HangsDone } else { Fault::HangsUndone })
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_of_a_hundred_go_wrong_and_hung_calls_are_done_every_other_time() {
        let faults = Faults { limited: 5, hung: 1 };
        let of = |fault| (0..1_000).filter(|index| faults.of(*index) == Some(fault)).count();
        assert_eq!(of(Fault::Limited), 50);
        assert_eq!((of(Fault::HangsDone), of(Fault::HangsUndone)), (5, 5));
        assert!((0..1_000).all(|index| Faults::default().of(index).is_none()));
    }
}
