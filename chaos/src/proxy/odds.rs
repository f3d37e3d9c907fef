//! How likely which fault is, and which of them strikes next.

use std::collections::BTreeMap;

use rand::Rng;
use serde::{Deserialize, Serialize};

/// What a proxy does to the requests that go through it. Shares from 0 to 1; all 0 (the default) is a plain proxy.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Odds {
    /// Share of the time (in slices of a tenth of a second) in which new connections are refused.
    pub refuse: f64,
    /// Share of the time in which a new connection's SYN is not answered.
    pub black_hole: f64,
    /// Share of the requests: reset with the request unread.
    pub reset_before_request: f64,
    /// Reset when the vendor has half of the request.
    pub reset_mid_request: f64,
    /// Reset when the vendor has done its work, before the first byte of the answer.
    pub reset_after_request: f64,
    /// Reset when half of the answer is through.
    pub reset_mid_answer: f64,
    /// The request is not read, the connection stays open.
    pub stall_before_request: f64,
    /// Half of the request goes on, the connection stays open.
    pub stall_mid_request: f64,
    /// The vendor does its work, nothing comes back.
    pub stall_after_request: f64,
    /// Half of the answer comes, the connection stays open.
    pub stall_mid_answer: f64,
    /// The answer comes byte by byte.
    pub drip: f64,
    /// Milliseconds between two of those bytes (0 counts as 1,000).
    pub drip_every_millis: u64,
    /// The whole answer with a promise to keep the connection, then it is closed.
    pub early_close: f64,
}

/// What strikes one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Strike {
    /// A new connection was refused, or would have been.
    Refuse,
    /// A new connection's SYN was not answered, or would not have been.
    BlackHole,
    /// See [`Odds::reset_before_request`].
    ResetBeforeRequest,
    /// See [`Odds::reset_mid_request`].
    ResetMidRequest,
    /// See [`Odds::reset_after_request`].
    ResetAfterRequest,
    /// See [`Odds::reset_mid_answer`].
    ResetMidAnswer,
    /// See [`Odds::stall_before_request`].
    StallBeforeRequest,
    /// See [`Odds::stall_mid_request`].
    StallMidRequest,
    /// See [`Odds::stall_after_request`].
    StallAfterRequest,
    /// See [`Odds::stall_mid_answer`].
    StallMidAnswer,
    /// See [`Odds::drip`].
    Drip,
    /// See [`Odds::early_close`].
    EarlyClose,
}

/// How often each fault has struck.
pub type Strikes = BTreeMap<Strike, u64>;

impl Odds {
    /// `share` of the requests are reset: half of them after the vendor's work, half in the middle of the answer.
    pub fn resets(share: f64) -> Self {
        Self {
            reset_after_request: share / 2.0,
            reset_mid_answer: share / 2.0,
            ..Self::default()
        }
    }

    /// A little of everything: of each kind of fault the given share.
    pub fn everything(share: f64) -> Self {
        Self {
            refuse: share,
            black_hole: share,
            reset_before_request: share,
            reset_mid_request: share,
            reset_after_request: share,
            reset_mid_answer: share,
            stall_before_request: share,
            stall_mid_request: share,
            stall_after_request: share,
            stall_mid_answer: share,
            drip: share,
            drip_every_millis: 1000,
            early_close: share,
        }
    }

    /// What strikes the next request, if anything does.
    pub fn draw(&self, dice: &mut impl Rng) -> Option<Strike> {
        let shares = [
            (self.reset_before_request, Strike::ResetBeforeRequest),
            (self.reset_mid_request, Strike::ResetMidRequest),
            (self.reset_after_request, Strike::ResetAfterRequest),
            (self.reset_mid_answer, Strike::ResetMidAnswer),
            (self.stall_before_request, Strike::StallBeforeRequest),
            (self.stall_mid_request, Strike::StallMidRequest),
            (self.stall_after_request, Strike::StallAfterRequest),
            (self.stall_mid_answer, Strike::StallMidAnswer),
            (self.drip, Strike::Drip),
            (self.early_close, Strike::EarlyClose),
        ];
        pick(&shares, dice)
    }

    /// What happens to connections that come in the next slice of time.
    pub(super) fn draw_slice(&self, dice: &mut impl Rng) -> Option<Strike> {
        let shares = [(self.refuse, Strike::Refuse), (self.black_hole, Strike::BlackHole)];
        pick(&shares, dice)
    }
}

/// One throw for all of them, so that a share means what it says.
fn pick(shares: &[(f64, Strike)], dice: &mut impl Rng) -> Option<Strike> {
    let mut thrown: f64 = dice.random();
    for (share, strike) in shares {
        if thrown < *share {
            return Some(*strike);
        }
        thrown -= share;
    }
    None
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn the_same_seed_strikes_the_same_requests() {
        let strikes = |seed| {
            let mut dice = StdRng::seed_from_u64(seed);
            (0..500)
                .map(|_| Odds::everything(0.05).draw(&mut dice))
                .collect::<Vec<_>>()
        };
        assert_eq!(strikes(3), strikes(3));
        assert_ne!(strikes(3), strikes(4));
        let hits = strikes(3).iter().flatten().count();
        assert!((200..300).contains(&hits), "{hits} of 500 at ten times 5 %");
        let mut dice = StdRng::seed_from_u64(1);
        assert!((0..500).all(|_| Odds::default().draw(&mut dice).is_none()));
    }
}
