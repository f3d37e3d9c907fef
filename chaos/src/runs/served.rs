//! What clients were answered, request by request: what may not be, and figures for people.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::checker::{Finding, Promise};
use crate::load::{Seen, Told};

/// The longest `sync_deadline` of a merchant here and 20 s: what docs/operations.md has a proxy wait.
pub(super) const LONGEST: Duration = Duration::from_secs(3 + 20);

/// Whether the load may be answered so: it asks for what may be gone or not there yet, and changes what others change. Nothing that it
/// sends is to be refused for its form, its key or its rate.
pub(super) const fn is_well(status: u16) -> bool {
    matches!(status, 200..=299 | 404 | 409 | 422)
}

/// So many findings of one kind say enough.
const MOST_OF_A_KIND: usize = 3;

/// Requests without an answer, those that took longer than any may, and those whose status is not one that they `may` have.
/// A few of each kind, and how many there are.
pub(super) fn badly(seen: &[Seen], may: impl Fn(&Seen, u16) -> Result<(), String>) -> Vec<Finding> {
    let mut wrong: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let began = seen.iter().map(|one| one.due).min();
    for one in seen {
        let at = began.map_or(Duration::ZERO, |began| one.due - began);
        let mut found = |what: String, more: &str| {
            let line = format!(
                "sent {:.1} s after the first, {:.1} s: {more}",
                at.as_secs_f64(),
                one.took.as_secs_f64()
            );
            wrong.entry(what).or_default().push(line);
        };
        match one.status() {
            None => {
                let what = if one.heard.told == Told::NotSent {
                    "found no connection"
                } else {
                    "got no answer"
                };
                found(
                    format!("{:?} {what}", one.kind),
                    one.heard.failure.as_deref().unwrap_or_default(),
                );
            }
            Some(status) => {
                if let Err(why) = may(one, status) {
                    found(
                        format!(
                            "{:?} was answered {status} {}: {why}",
                            one.kind,
                            one.code().unwrap_or("-")
                        ),
                        "",
                    );
                }
            }
        }
        if one.took > LONGEST {
            found(format!("{:?} took too long", one.kind), "");
        }
    }
    let told = wrong.into_iter().map(|(what, lines)| {
        let some = lines[..lines.len().min(MOST_OF_A_KIND)].join("; ");
        Finding::new(Promise::Served, format!("{} times: {what} ({some})", lines.len()))
    });
    told.collect()
}

/// How many there were, by their answers, and how long those took that were answered well.
pub(super) fn figures(seen: &[Seen]) -> String {
    let mut by_answer: BTreeMap<String, usize> = BTreeMap::new();
    let mut took = Vec::new();
    for one in seen {
        let answer = one.status().map_or("none".to_owned(), |status| status.to_string());
        *by_answer.entry(answer).or_default() += 1;
        if one.status().is_some_and(|status| status < 300) {
            took.push(one.took);
        }
    }
    took.sort_unstable();
    let part = |share: usize| {
        took.get((took.len() * share / 100).min(took.len().saturating_sub(1)))
            .map_or(0, Duration::as_millis)
    };
    let answers = by_answer.iter().map(|(answer, count)| format!("{count} {answer}"));
    format!(
        "{} requests: {}; answered well after {} ms (half), {} ms (99 of 100), {} ms (all)",
        seen.len(),
        answers.collect::<Vec<_>>().join(", "),
        part(50),
        part(99),
        part(100)
    )
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Instant;

    use serde_json::json;

    use super::*;
    use crate::load::{Heard, Kind};

    fn seen(told: Told, took: Duration) -> Seen {
        Seen {
            kind: Kind::Read,
            to: SocketAddr::from(([127, 0, 0, 1], 1)),
            due: Instant::now(),
            took,
            heard: Heard {
                told,
                says_when: false,
                failure: None,
            },
            exchange: None,
        }
    }

    fn answer(status: u16) -> Told {
        let body = json!({});
        Told::Answer { status, body }
    }

    #[test]
    fn what_is_answered_badly_late_or_not_at_all_is_found_and_nothing_else() {
        let quick = Duration::from_millis(5);
        let good = [seen(answer(200), quick), seen(answer(404), LONGEST)];
        let below = |_: &Seen, status: u16| if is_well(status) { Ok(()) } else { Err("no".to_owned()) };
        assert_eq!(badly(&good, below), []);
        for bad in [
            seen(answer(503), quick),
            seen(answer(401), quick),
            seen(answer(200), LONGEST + quick),
            seen(Told::Nothing, quick),
            seen(Told::NotSent, quick),
        ] {
            assert_eq!(badly(&[bad.clone(), bad], below).len(), 1);
        }
    }

    #[test]
    fn figures_are_of_those_that_were_answered_well() {
        let all = [
            seen(answer(200), Duration::from_millis(7)),
            seen(answer(503), LONGEST),
            seen(Told::Nothing, LONGEST),
        ];
        let text = figures(&all);
        assert_eq!(
            text,
            "3 requests: 1 200, 1 503, 1 none; answered well after 7 ms (half), 7 ms (99 of 100), 7 ms (all)"
        );
    }
}
