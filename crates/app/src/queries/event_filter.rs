//! Which events are meant, in the words of a query string or of a body.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use upsert_core::{EventId, Problem};
use upsert_store::{IncomingFilter, IncomingState, OutgoingFilter, OutgoingState};

use crate::problem::Refusal;
use crate::queries::filter::{Reading, oldest_of};
use crate::queries::page::invalid_query;

/// Which way an event goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// It came in.
    In,
    /// It goes out.
    Out,
}

/// Which events to list, as the query string or a body has it. What does not belong to the direction is refused before.
#[derive(Debug, Clone, Default)]
pub struct EventListQuery {
    /// Whose may be seen; none: all.
    pub merchants: Option<BTreeSet<String>>,
    /// One or more, with commas between.
    pub state: Option<String>,
    /// The source's name (in).
    pub source: Option<String>,
    /// The sender's id (in).
    pub event_id: Option<String>,
    /// `cus_…` (in)
    pub customer_id: Option<String>,
    /// The endpoint's name (out).
    pub endpoint: Option<String>,
    /// Such as `customer.upserted` (out).
    pub kind: Option<String>,
    /// RFC 3339.
    pub since: Option<String>,
    /// RFC 3339.
    pub until: Option<String>,
    /// How many.
    pub limit: usize,
    /// Where to go on.
    pub cursor: Option<String>,
}

impl EventListQuery {
    pub(crate) fn incoming(&self) -> Result<IncomingFilter, Refusal> {
        let mut reading = Reading::default();
        let state = self.state.as_deref();
        let filter = IncomingFilter {
            merchants: self.merchants.clone(),
            source: self.source.clone(),
            states: state.map_or_else(BTreeSet::new, |text| {
                reading.words("state", text, &IncomingState::ALL, IncomingState::as_str)
            }),
            event_id: self.event_id.clone(),
            customer: self
                .customer_id
                .as_deref()
                .and_then(|text| reading.id("customer_id", text, "cus_")),
            since: self.since.as_deref().and_then(|text| reading.time("since", text)),
            until: self.until.as_deref().and_then(|text| reading.time("until", text)),
            above: self.above(),
        };
        finished(reading).map(|()| filter)
    }

    /// No id of what was made since then is smaller.
    fn above(&self) -> Option<EventId> {
        let since = self.since.as_deref().and_then(|text| text.parse().ok());
        since.map(|since| EventId::from_uuid(oldest_of(since)))
    }

    pub(crate) fn outgoing(&self) -> Result<OutgoingFilter, Refusal> {
        let mut reading = Reading::default();
        let state = self.state.as_deref();
        let filter = OutgoingFilter {
            merchants: self.merchants.clone(),
            endpoint: self.endpoint.clone(),
            kind: self.kind.clone(),
            states: state.map_or_else(BTreeSet::new, |text| {
                reading.words("state", text, &OutgoingState::ALL, OutgoingState::as_str)
            }),
            since: self.since.as_deref().and_then(|text| reading.time("since", text)),
            until: self.until.as_deref().and_then(|text| reading.time("until", text)),
            above: self.above(),
        };
        finished(reading).map(|()| filter)
    }
}

/// Filters of dead letters, as a body names them.
const FILTERS: [&str; 6] = ["source", "event_id", "endpoint", "type", "since", "until"];

impl EventListQuery {
    /// Whether every filter belongs to the direction.
    ///
    /// # Errors
    /// 400 with those that do not.
    pub fn fits(&self, direction: Direction) -> Result<(), Refusal> {
        let mut reading = Reading::default();
        let named = [
            ("source", &self.source, Direction::In),
            ("event_id", &self.event_id, Direction::In),
            ("customer_id", &self.customer_id, Direction::In),
            ("endpoint", &self.endpoint, Direction::Out),
            ("type", &self.kind, Direction::Out),
        ];
        for (name, given, of) in named {
            if given.is_some() && of != direction {
                let detail = "says nothing about events of this direction";
                reading.problems.push(Problem::new(name, "invalid_query", detail));
            }
        }
        finished(reading)
    }

    /// Which dead letters a body means, and whether they are only to be counted.
    ///
    /// # Errors
    /// 422 with everything that is wrong, by pointer.
    pub fn read(
        body: &Json,
        merchants: Option<BTreeSet<String>>,
        direction: Direction,
    ) -> Result<(Self, bool), Refusal> {
        let Some(members) = body.as_object() else {
            return Err(Refusal::invalid(vec![Problem::new(
                "",
                "invalid_type",
                "has to be an object",
            )]));
        };
        let mut problems = Vec::new();
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            let wrong = match name.as_str() {
                "dry_run" => (!value.is_boolean()).then_some("has to be true or false"),
                "limit" => {
                    let is_good = value.as_u64().is_some_and(|limit| (1..=1_000).contains(&limit));
                    (!is_good).then_some("has to be a whole number from 1 to 1000")
                }
                name if FILTERS.contains(&name) => (!value.is_string()).then_some("has to be a text"),
                _ => {
                    let detail = format!("is not known here; known are: {}, dry_run, limit", FILTERS.join(", "));
                    problems.push(Problem::new(name, "unknown_field", detail));
                    None
                }
            };
            problems.extend(wrong.map(|detail| Problem::new(name.clone(), "invalid_type", detail)));
        }
        let text = |name: &str| members.get(name).and_then(Json::as_str).map(str::to_owned);
        let limit = members.get("limit").and_then(Json::as_u64);
        let query = Self {
            merchants,
            source: text("source"),
            event_id: text("event_id"),
            endpoint: text("endpoint"),
            kind: text("type"),
            since: text("since"),
            until: text("until"),
            limit: limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(1_000),
            ..Self::default()
        };
        let is_read = query.fits(direction).and(match direction {
            Direction::In => query.incoming().map(drop),
            Direction::Out => query.outgoing().map(drop),
        });
        problems.extend(is_read.err().into_iter().flat_map(|refusal| refusal.errors));
        if !problems.is_empty() {
            let by_pointer = |problem: Problem| Problem {
                pointer: format!("/{}", problem.pointer),
                ..problem
            };
            return Err(Refusal::invalid(problems.into_iter().map(by_pointer).collect()));
        }
        let dry_run = members.get("dry_run").and_then(Json::as_bool).unwrap_or_default();
        Ok((query, dry_run))
    }

    pub(crate) fn is_narrowed(&self) -> bool {
        let given = [
            &self.source,
            &self.event_id,
            &self.endpoint,
            &self.kind,
            &self.since,
            &self.until,
        ];
        given.into_iter().any(Option::is_some)
    }
}

fn finished(reading: Reading) -> Result<(), Refusal> {
    if reading.problems.is_empty() {
        Ok(())
    } else {
        Err(invalid_query(reading.problems))
    }
}
