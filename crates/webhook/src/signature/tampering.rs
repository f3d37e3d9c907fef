//! Events that somebody has changed on their way, under every scheme: none is believed.

mod kinds;
mod schemes;

use std::collections::BTreeMap;

use super::*;
use kinds::KINDS;
use schemes::{Scheme, key, schemes};

/// A sequence that is the same each time (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(end).unwrap()).unwrap()
    }
}

/// A request as it arrives. A header that stands in it twice is none.
#[derive(Clone, PartialEq, Debug)]
struct Event {
    headers: Vec<(String, String)>,
    method: &'static str,
    body: Vec<u8>,
}

impl Event {
    fn judged_by(&self, verifier: &Verifier, now: Timestamp) -> Result<(), Forged> {
        let header = |name: &str| {
            let mut values = self.headers.iter().filter(|(known, _)| known == name);
            let value = values.next().map(|(_, value)| value.clone());
            value.filter(|_| values.next().is_none())
        };
        let received = Received {
            header: &header,
            method: self.method,
            body: &self.body,
        };
        verifier.verify(&received, now)
    }

    /// Puts `to` wherever `from` stands in the headers.
    fn replace(&mut self, from: &str, to: &str) {
        for (_, value) in &mut self.headers {
            *value = value.replace(from, to);
        }
    }
}

/// A true event, what is known of it, and what is made of it.
struct Case<'a> {
    scheme: &'a Scheme,
    schemes: &'a [Scheme],
    event: Event,
    /// Who judges it, and when.
    verifier: Verifier,
    now: Timestamp,
    sent: Timestamp,
    /// The texts that stand in its headers.
    id: String,
    time: String,
    signature: String,
    dice: &'a mut Dice,
}

const SECOND: i64 = 1_790_000_000;

fn case<'a>(scheme: &'a Scheme, schemes: &'a [Scheme], dice: &'a mut Dice) -> Case<'a> {
    let now = Timestamp::from_second(SECOND).unwrap();
    let off = i64::try_from(dice.below(200)).unwrap() - 100;
    let sent = Timestamp::from_second(SECOND + off).unwrap();
    let id = format!("msg_{:016x}", dice.roll());
    let name = "n".repeat(dice.below(80));
    let body = format!(
        "{{\"id\":\"{id}\",\"type\":\"customer.updated\",\"data\":{{\"name\":\"{name}\",\"seen\":{}}}}}",
        dice.roll()
    );
    let (event, time, signature) = scheme.send(&key(), &id, sent, body.into_bytes());
    Case {
        scheme,
        schemes,
        event,
        verifier: scheme.verifier.clone(),
        now,
        sent,
        id,
        time,
        signature,
        dice,
    }
}

#[test]
fn of_ten_thousand_tampered_events_none_is_accepted() {
    let schemes = schemes();
    let mut dice = Dice(20_261_120);
    let mut done: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    let mut tampered = 0;
    while tampered < 10_000 {
        let scheme = &schemes[dice.below(schemes.len())];
        let (kind, tamper) = KINDS[dice.below(KINDS.len())];
        let mut case = case(scheme, &schemes, &mut dice);
        let whole = case.event.judged_by(&case.verifier, case.now);
        assert_eq!(whole, Ok(()), "{}: {:?}", scheme.name, case.event);
        let (event, verifier, now) = (case.event.clone(), case.verifier.clone(), case.now);
        if tamper(&mut case).is_none() {
            continue;
        }
        let changed = case.event != event || case.verifier != verifier || case.now != now;
        assert!(changed, "{}: {kind} changes something", scheme.name);
        let judged = case.event.judged_by(&case.verifier, case.now);
        assert!(judged.is_err(), "{}: {kind}: {:?}", scheme.name, case.event);
        tampered += 1;
        *done.entry((scheme.name, kind)).or_default() += 1;
    }
    for (kind, _) in KINDS {
        assert!(done.keys().any(|(_, done)| done == kind), "{kind} was never tried");
    }
    for scheme in &schemes {
        let kinds = done.keys().filter(|(name, _)| *name == scheme.name).count();
        assert!(kinds >= 25, "{} has met {kinds} kinds alone", scheme.name);
    }
}
