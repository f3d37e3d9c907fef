//! Whose customers are sent: new ones, each once in a run, and known ones again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{copies, sample};

/// How many customers the gateway knows before the case of no change begins, and as many again for that of a change.
pub const KNOWN: u64 = 1_000;

/// Whose customers are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Customers {
    /// Never seen before, each time.
    New,
    /// The same in the vendor's own words: nginx translates nothing.
    NewInVendorsWords,
    /// All that are known before anything is measured.
    Beginners,
    /// One of the first [`KNOWN`], unchanged.
    Known,
    /// One of the next [`KNOWN`], with another given name each time.
    Changed,
    /// One of so many copies ([`copies`]), here and there among them, with another given name each time.
    Grown(u64),
}

/// From one turn to the next so far: a prime, so that all have their turn before one comes again.
const STRIDE: u64 = 2_654_435_761;

/// One of so many, here and there, each once before one comes again.
pub fn here_and_there(turn: u64, count: u64) -> u64 {
    turn.wrapping_mul(STRIDE) % count.max(1)
}

/// Numbers of customers, no new one twice in a run.
#[derive(Debug, Clone)]
pub struct Numbers {
    new: Arc<AtomicU64>,
    known: Arc<AtomicU64>,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            new: Arc::new(AtomicU64::new(2 * KNOWN)),
            known: Arc::default(),
        }
    }
}

impl Numbers {
    /// The body of the next request.
    pub fn body(&self, customers: Customers) -> String {
        let turn = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        match customers {
            Customers::New => sample::body(turn(&self.new)),
            Customers::NewInVendorsWords => sample::vendors_body(turn(&self.new)),
            Customers::Beginners => sample::body(turn(&self.known) % (2 * KNOWN)),
            Customers::Known => sample::body(turn(&self.known) % KNOWN),
            Customers::Changed => {
                let turn = turn(&self.known);
                sample::named_body(KNOWN + turn % KNOWN, &format!("John {turn}"))
            }
            Customers::Grown(count) => {
                let turn = turn(&self.known);
                copies::changed_body(here_and_there(turn, count), &format!("Ann {turn}"))
            }
        }
    }

    /// The first of `count` numbers of new customers that nobody else gets.
    pub fn take(&self, count: u64) -> u64 {
        self.new.fetch_add(count, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;

    #[test]
    fn new_customers_never_come_twice_and_known_ones_come_round() {
        let numbers = Numbers::default();
        let reference = |customers| {
            let body: Json = serde_json::from_str(&numbers.body(customers)).unwrap();
            body["reference"].as_str().unwrap().to_owned()
        };
        assert_eq!(reference(Customers::New), format!("CUST-{}", 2 * KNOWN));
        assert_eq!(numbers.take(10), 2 * KNOWN + 1);
        assert_eq!(reference(Customers::New), format!("CUST-{}", 2 * KNOWN + 11));
        let known: Vec<String> = (0..=KNOWN).map(|_| reference(Customers::Known)).collect();
        assert_eq!((known[0].as_str(), known[1_000].as_str()), ("CUST-0", "CUST-0"));
        assert_eq!(reference(Customers::Changed), "CUST-1001");
    }

    #[test]
    fn who_is_changed_here_and_there_is_everybody_once() {
        for count in [1, 1_000, 10_000] {
            let mut all: Vec<u64> = (0..count).map(|turn| here_and_there(turn, count)).collect();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..count), "{count}");
        }
    }
}
