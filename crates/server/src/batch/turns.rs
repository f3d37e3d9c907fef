//! Lines that share an identifier go to the commit in their order; all others do not wait for each other.

use std::collections::HashMap;

use futures_util::FutureExt as _;
use futures_util::future::{Shared, join_all};
use tokio::sync::oneshot;

/// So many identifiers are remembered before those that nobody waits for are forgotten.
const TIDY_AT: usize = 4_096;

type Decided = Shared<oneshot::Receiver<()>>;

/// Who comes after whom.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// The last line that has this identifier.
    last: HashMap<String, Decided>,
}

/// One line's place in the order.
#[derive(Debug)]
pub(crate) struct Turn {
    before: Vec<Decided>,
    /// Dropped or used: whoever comes after may go on.
    decided: oneshot::Sender<()>,
}

impl Turns {
    /// The place of the line that comes next, with these identifiers.
    pub(crate) fn next(&mut self, identifiers: Vec<String>) -> Turn {
        let (decided, receiver) = oneshot::channel();
        let receiver = receiver.shared();
        let before = identifiers
            .into_iter()
            .filter_map(|identifier| self.last.insert(identifier, receiver.clone()))
            .filter(|before| before.peek().is_none())
            .collect();
        if self.last.len() > TIDY_AT {
            self.last.retain(|_, decided| {
                // Asked once, so that one that was never waited for knows that it is over.
                decided.clone().now_or_never().is_none()
            });
        }
        Turn { before, decided }
    }
}

impl Turn {
    /// Waits until every line before it with one of its identifiers is decided. What comes back is to be dropped when
    /// this one is.
    pub(crate) async fn comes(self) -> oneshot::Sender<()> {
        join_all(self.before).await;
        self.decided
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(turns: &mut Turns, identifiers: &[&str]) -> Turn {
        turns.next(identifiers.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_line_waits_for_those_before_it_that_share_an_identifier_and_for_no_others() {
        let mut turns = Turns::default();
        let one = turn(&mut turns, &["a", "b"]);
        let other = turn(&mut turns, &["c"]);
        let mut after_one = Box::pin(turn(&mut turns, &["b", "d"]).comes());
        let mut after_both = Box::pin(turn(&mut turns, &["c", "d"]).comes());
        let one = one.comes().now_or_never().unwrap();
        assert!(
            other.comes().now_or_never().is_some(),
            "it waits for nobody, and was dropped"
        );
        assert!((&mut after_one).now_or_never().is_none());
        drop(one);
        let after_one = (&mut after_one).now_or_never().unwrap();
        assert!(
            (&mut after_both).now_or_never().is_none(),
            "it shares one with the third"
        );
        drop(after_one);
        assert!((&mut after_both).now_or_never().is_some());
    }

    #[test]
    fn a_line_that_is_gone_holds_nobody_up_and_what_is_over_is_forgotten() {
        let mut turns = Turns::default();
        drop(turn(&mut turns, &["a"]));
        assert!(turn(&mut turns, &["a"]).comes().now_or_never().is_some());
        let held = turn(&mut turns, &["held"]);
        for number in 0..2 * TIDY_AT {
            drop(turn(&mut turns, &[&number.to_string()]));
        }
        assert!(turns.last.len() <= TIDY_AT && turns.last.contains_key("held"));
        drop(held);
    }
}
