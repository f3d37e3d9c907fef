//! Which rows speak of somebody whom an earlier row of the file speaks of: a plan knows nothing of that one.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use serde_json::{Map, Value as Json};

use crate::import::dry_run::ask::Said;

/// Some 40 MB: just before the set would double.
const MOST: usize = 3_600_000;

const IDENTIFIERS: [&str; 4] = ["id", "reference", "email", "phone"];

/// Hashes of identifiers; one in many millions of rows may be taken for another.
#[derive(Debug, Default)]
pub(super) struct Seen {
    hashes: HashSet<u64>,
    hasher: RandomState,
    /// Rows that share an identifier with an earlier one.
    pub(super) again: u64,
    /// The last line whose identifiers were kept, where not all of them could be.
    pub(super) kept_to_line: Option<u64>,
}

impl Seen {
    /// A row's own identifiers, in a plain form and in the gateway's, and the customer it was found to be.
    pub(super) fn note(&mut self, line: u64, row: &Map<String, Json>, said: &Said) {
        self.note_within(line, row, said, MOST);
    }

    fn note_within(&mut self, line: u64, row: &Map<String, Json>, said: &Said, most: usize) {
        let mut hashes = Vec::new();
        let mut add = |name: &str, text: Option<&str>| {
            if let Some(text) = text.filter(|text| !text.trim().is_empty()) {
                hashes.push(self.hasher.hash_one((name, plain(name, text))));
            }
        };
        for name in IDENTIFIERS {
            add(name, row.get(name).and_then(Json::as_str));
        }
        if let Said::Plan(plan) = said {
            let id = plan.customer_id.map(|id| id.to_string());
            let customer = &plan.customer;
            let found = [&id, &customer.reference, &customer.email, &customer.phone];
            for (name, text) in IDENTIFIERS.into_iter().zip(found) {
                add(name, text.as_deref());
            }
        }
        self.again += u64::from(hashes.iter().any(|hash| self.hashes.contains(hash)));
        // What is refused changes nothing for those after it, but they may be what it was meant for.
        if self.hashes.len() + hashes.len() <= most {
            self.hashes.extend(hashes);
        } else {
            self.kept_to_line.get_or_insert(line.saturating_sub(1));
        }
    }
}

fn plain(name: &str, text: &str) -> String {
    match name {
        "email" => text.trim().to_lowercase(),
        "phone" => text.chars().filter(char::is_ascii_digit).collect(),
        _ => text.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::import::refused::Refused;
    use crate::samples;

    fn row(value: &Json) -> Map<String, Json> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_row_shares_an_identifier_as_written_as_canonical_or_by_the_customer_it_is() {
        let refused = || Said::Refused(Refused::plain("no"));
        let mut seen = Seen::default();
        seen.note(
            1,
            &row(&json!({ "email": "A@x.example", "phone": "(202) 555-0101" })),
            &refused(),
        );
        seen.note(2, &row(&json!({ "email": " a@X.example" })), &refused());
        assert_eq!(seen.again, 1);
        seen.note(3, &row(&json!({ "reference": "a@x.example" })), &refused());
        assert_eq!(seen.again, 1, "a reference is no e-mail address");
        let known = |email: &str| {
            let plan = json!({ "customer_id": samples::CUSTOMER, "customer": { "email": email } });
            Said::Plan(Box::new(samples::plan(plan)))
        };
        seen.note(4, &row(&json!({ "reference": "R" })), &known("new@x.example"));
        seen.note(5, &row(&json!({ "email": "old@x.example" })), &known("old@x.example"));
        assert_eq!(seen.again, 2);
    }

    #[test]
    fn beyond_the_bound_rows_are_still_looked_up_and_the_line_is_kept() {
        let mut seen = Seen::default();
        for (line, reference) in ["a", "b", "c", "a", "c"].into_iter().enumerate() {
            let said = Said::Refused(Refused::plain("no"));
            seen.note_within(line as u64 + 1, &row(&json!({ "reference": reference })), &said, 2);
        }
        assert_eq!((seen.again, seen.kept_to_line), (1, Some(2)));
    }
}
