//! What is measured: the yardstick, and three ways through the gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value as Json;

use crate::folder::{ONE, THREE};

/// How many customers the gateway knows before the case of no change begins.
pub const KNOWN: u64 = 1_000;

/// Which program is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The bare handler: M.
    Bare,
    /// The gateway.
    Gateway,
}

/// Whose customers are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Customers {
    /// Never seen before, each time.
    New,
    /// One of the first [`KNOWN`], unchanged.
    Known,
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// As the table shows it.
    pub name: &'static str,
    /// Which program.
    pub program: Program,
    /// On behalf of which merchant; the bare handler knows none.
    pub merchant: &'static str,
    /// Which customers.
    pub customers: Customers,
    /// The status of every answer.
    pub status: u16,
    /// How many deliveries the answer shows, and their outcome where only one can be right.
    pub deliveries: Option<(usize, Option<&'static str>)>,
}

/// The yardstick first: ratios are to it.
pub const ALL: [Case; 4] = [
    Case {
        name: "bare handler (M)",
        program: Program::Bare,
        merchant: "",
        customers: Customers::New,
        status: 200,
        deliveries: None,
    },
    Case {
        name: "gateway: new, 1 connection",
        program: Program::Gateway,
        merchant: ONE,
        customers: Customers::New,
        status: 201,
        deliveries: Some((1, None)),
    },
    Case {
        name: "gateway: new, 3 connections",
        program: Program::Gateway,
        merchant: THREE,
        customers: Customers::New,
        status: 201,
        deliveries: Some((3, None)),
    },
    Case {
        name: "gateway: unchanged",
        program: Program::Gateway,
        merchant: ONE,
        customers: Customers::Known,
        status: 200,
        deliveries: Some((1, Some("unchanged"))),
    },
];

/// What makes the known customers known, before anything is measured.
pub const PREPARATION: Case = Case {
    name: "preparation",
    program: Program::Gateway,
    merchant: ONE,
    customers: Customers::Known,
    status: 201,
    deliveries: Some((1, None)),
};

/// The yardstick, and the cases whose names contain `part`.
pub fn named(part: &str) -> Vec<Case> {
    let wanted = |case: &Case| case.program == Program::Bare || case.name.contains(part);
    ALL.into_iter().filter(wanted).collect()
}

impl Case {
    /// Holds a whole answer against what the case is about, so that no error is ever measured as a success.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, body: &[u8]) -> Result<(), String> {
        let Some((count, outcome)) = self.deliveries else {
            return Ok(());
        };
        let answer: Json = serde_json::from_slice(body).map_err(|error| format!("the answer is no JSON: {error}"))?;
        let deliveries = answer["deliveries"].as_array().map_or(&[][..], Vec::as_slice);
        let succeeded = deliveries.iter().filter(|delivery| {
            delivery["state"] == "succeeded" && outcome.is_none_or(|outcome| delivery["outcome"] == outcome)
        });
        if deliveries.len() == count && succeeded.count() == count {
            Ok(())
        } else {
            let wanted = outcome.unwrap_or("whatever outcome");
            Err(format!("not {count} succeeded deliveries with {wanted}: {answer}"))
        }
    }
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
            new: Arc::new(AtomicU64::new(KNOWN)),
            known: Arc::default(),
        }
    }
}

impl Numbers {
    /// The next one.
    pub fn next(&self, customers: Customers) -> u64 {
        match customers {
            Customers::New => self.new.fetch_add(1, Ordering::Relaxed),
            Customers::Known => self.known.fetch_add(1, Ordering::Relaxed) % KNOWN,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(case: usize, body: &Json) -> bool {
        ALL[case].check(body.to_string().as_bytes()).is_ok()
    }

    #[test]
    fn an_answer_counts_only_with_all_its_deliveries_succeeded() {
        let delivery = |state: &str, outcome: &str| json!({ "state": state, "outcome": outcome });
        let created = delivery("succeeded", "created");
        assert!(check(1, &json!({ "deliveries": [created] })));
        assert!(check(2, &json!({ "deliveries": [created, created, created] })));
        assert!(!check(2, &json!({ "deliveries": [created, created] })));
        assert!(!check(1, &json!({ "deliveries": [delivery("retrying", "created")] })));
        assert!(!check(1, &json!({})));
        assert!(!check(3, &json!({ "deliveries": [created] })), "a call was made");
        assert!(check(3, &json!({ "deliveries": [delivery("succeeded", "unchanged")] })));
    }

    #[test]
    fn the_yardstick_stays_whatever_is_picked() {
        let names: Vec<&str> = named("unchanged").iter().map(|case| case.name).collect();
        assert_eq!(names, [ALL[0].name, ALL[3].name]);
        assert_eq!(named("").len(), ALL.len());
    }

    #[test]
    fn new_customers_never_come_twice_and_known_ones_come_round() {
        let numbers = Numbers::default();
        assert_eq!(numbers.next(Customers::New), KNOWN);
        assert_eq!(numbers.next(Customers::New), KNOWN + 1);
        let known: Vec<u64> = (0..=KNOWN).map(|_| numbers.next(Customers::Known)).collect();
        assert_eq!((known[0], known[1], known[1_000]), (0, 1, 0));
    }
}
