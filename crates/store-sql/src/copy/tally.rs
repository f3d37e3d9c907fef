//! What is in a store: how many rows of each thing, and a digest that does not depend on their order.

use std::collections::BTreeMap;
use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

use super::form::{CUSTOMERS, Part, Row, UPSERTS, Value};

/// Rows of one thing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) rows: u64,
    /// The sum of the rows' digests.
    pub(crate) digest: u128,
}

/// By what people call a row: a part holds several things.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tallies {
    key: [u8; 16],
    pub(crate) of: BTreeMap<&'static str, Tally>,
}

impl Tallies {
    /// Of nothing yet. The key is made of what both stores have as the key of their digests.
    pub(crate) fn new(secret: &[u8]) -> Self {
        Self {
            key: SipHasher24::new().hash(secret).as_bytes(),
            of: BTreeMap::new(),
        }
    }

    /// One row more.
    pub(crate) fn add(&mut self, part: &Part, row: &Row) {
        let digest = self.digest(part, row);
        for thing in things(part, row).into_iter().flatten() {
            let tally = self.of.entry(thing).or_default();
            tally.rows += 1;
            tally.digest = tally.digest.wrapping_add(digest);
        }
    }

    fn digest(&self, part: &Part, row: &Row) -> u128 {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        let mut add = |kind: u8, bytes: &[u8]| {
            hasher.write_u8(kind);
            // Both of a fixed width, whatever the machine.
            hasher.write(&(bytes.len() as u64).to_le_bytes());
            hasher.write(bytes);
        };
        add(0, part.name.as_bytes());
        for value in row {
            match value {
                Value::Null => add(1, &[]),
                Value::Text(text) => add(2, text.as_bytes()),
                Value::Id(id) => add(3, id.as_bytes()),
                Value::Number(number) => add(4, &number.to_le_bytes()),
                Value::Flag(flag) => add(5, &[u8::from(*flag)]),
                Value::Bytes(bytes) => add(6, bytes),
            }
        }
        hasher.finish128().as_u128()
    }
}

/// States of a delivery that has not ended.
const OPEN: [&str; 4] = ["pending", "in_flight", "retrying", "waiting"];

/// What a row is, and what it is beside.
fn things(part: &Part, row: &Row) -> [Option<&'static str>; 2] {
    let value = |column: &str| part.position(column).and_then(|index| row.get(index));
    let is_null = |column: &str| value(column) == Some(&Value::Null);
    let text = |column: &str| match value(column) {
        Some(Value::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    if part.name == CUSTOMERS.name {
        let is_customer = text("connection") == Some("");
        [Some(if is_customer { "customers" } else { "lanes" }), None]
    } else if part.name != UPSERTS.name {
        [Some(part.name), None]
    } else if is_null("connection") {
        [Some("upserts"), (!is_null("made")).then_some("history")]
    } else {
        let is_open = text("standing").is_some_and(|standing| OPEN.contains(&standing));
        [Some("deliveries"), is_open.then_some("open deliveries")]
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::form::CALLS;
    use super::*;

    fn calls(merchant: &str, day: &str, count: i64) -> Row {
        let text = |text: &str| Value::Text(text.to_owned());
        vec![text(merchant), text(day), text("crm"), Value::Number(count)]
    }

    fn tally(rows: &[Row]) -> Tally {
        let mut tallies = Tallies::new(&[7; 16]);
        for row in rows {
            tallies.add(&CALLS, row);
        }
        tallies.of.get("calls").copied().unwrap_or_default()
    }

    #[test]
    fn the_order_of_rows_does_not_matter_and_each_of_their_values_does() {
        let rows = [calls("acme", "2026-11-20", 1), calls("acme", "2026-11-21", 2)];
        let swapped = [rows[1].clone(), rows[0].clone()];
        assert_eq!(tally(&rows), tally(&swapped));
        for other in [
            calls("acme", "2026-11-21", 3),
            calls("acme2", "026-11-21", 2),
            calls("globex", "2026-11-21", 2),
        ] {
            let others = tally(&[rows[0].clone(), other]);
            assert!(others.rows == 2 && others.digest != tally(&rows).digest);
        }
    }

    #[test]
    fn a_customer_is_told_from_its_lanes_and_an_upsert_from_its_deliveries() {
        let row = |part: &Part, set: &[(&str, Value)]| {
            let mut row: Row = vec![Value::Null; part.columns.len()];
            for (column, value) in set {
                row[part.position(column).unwrap()] = value.clone();
            }
            things(part, &row)
        };
        let text = |text: &str| Value::Text(text.to_owned());
        let id = Value::Id(Uuid::nil());
        assert_eq!(row(&CUSTOMERS, &[("connection", text(""))]), [Some("customers"), None]);
        assert_eq!(row(&CUSTOMERS, &[("connection", text("crm"))]), [Some("lanes"), None]);
        let upsert = ("customer", id);
        assert_eq!(row(&UPSERTS, std::slice::from_ref(&upsert)), [Some("upserts"), None]);
        let made = ("made", Value::Number(1));
        assert_eq!(row(&UPSERTS, &[upsert, made]), [Some("upserts"), Some("history")]);
        let delivery = ("connection", text("crm"));
        assert_eq!(
            row(&UPSERTS, std::slice::from_ref(&delivery)),
            [Some("deliveries"), None]
        );
        let waiting = ("standing", text("waiting"));
        assert_eq!(
            row(&UPSERTS, &[delivery.clone(), waiting]),
            [Some("deliveries"), Some("open deliveries")]
        );
        let failed = ("standing", text("failed"));
        assert_eq!(row(&UPSERTS, &[delivery, failed]), [Some("deliveries"), None]);
    }
}
