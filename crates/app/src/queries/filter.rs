//! Which deliveries are meant, in the words of a query string or of a body.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use upsert_core::{DeliveryId, ErrorKind, Problem, UpsertId, WaitingFor};
use upsert_store::{DeliveryFilter, DeliveryRecord, DeliveryState};

use crate::problem::Refusal;
use crate::queries::page::from_cursor;
use crate::view::visibility::Visibility;

/// Filters of `GET /v1/deliveries`, and members of the bodies of replay and discard.
pub(crate) const FILTERS: [&str; 9] = [
    "state",
    "connection",
    "error_kind",
    "error_code",
    "waiting_for",
    "customer_id",
    "upsert_id",
    "since",
    "until",
];

/// How many deliveries one request replays or discards at most.
const MOST_AT_ONCE: usize = 1_000;

/// Ids are made within this of what they belong to, whatever the clock does.
const NEAR: SignedDuration = SignedDuration::from_mins(1);

/// A filter as it was written, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written<'a>(pub(crate) Vec<(&'static str, Option<&'a str>)>);

/// Reads words, and collects what is wrong with them by the name of each.
#[derive(Default)]
pub(crate) struct Reading {
    pub(crate) problems: Vec<Problem>,
}

impl Reading {
    /// Names separated by commas.
    pub(crate) fn words<T: Copy + Ord>(
        &mut self,
        name: &str,
        text: &str,
        known: &[T],
        as_str: impl Fn(T) -> &'static str,
    ) -> BTreeSet<T> {
        let mut found = BTreeSet::new();
        for word in text.split(',').map(str::trim) {
            match known.iter().find(|known| as_str(**known) == word) {
                Some(known) => drop(found.insert(*known)),
                None => {
                    let known: Vec<_> = known.iter().map(|known| as_str(*known)).collect();
                    let detail = format!("is not known here; known are: {}", known.join(", "));
                    self.problems.push(Problem::new(name, "invalid_value", detail));
                    break;
                }
            }
        }
        found
    }

    /// One name.
    fn word<T: Copy + Ord>(
        &mut self,
        name: &str,
        text: &str,
        known: &[T],
        as_str: impl Fn(T) -> &'static str,
    ) -> Option<T> {
        let found = self.words(name, text, known, as_str);
        if found.len() > 1 {
            let detail = "may name one alone";
            self.problems.push(Problem::new(name, "invalid_value", detail));
        }
        found.into_iter().next()
    }

    /// A code that would be covered cannot be asked for either.
    fn check_code(&mut self, name: &str, text: &str, visibility: Visibility) {
        if !visibility.may_ask_for_code(text) {
            let detail =
                "is not a word of letters, digits, `_`, `-` and `.`; for another one the key needs `customers:read`";
            self.problems.push(Problem::new(name, "invalid_value", detail));
        }
    }

    pub(crate) fn id<T: std::str::FromStr>(&mut self, name: &str, text: &str, prefix: &str) -> Option<T> {
        let read = text.parse().ok();
        if read.is_none() {
            let detail = format!("is not an id that starts with `{prefix}`");
            self.problems.push(Problem::new(name, "invalid_id", detail));
        }
        read
    }

    pub(crate) fn time(&mut self, name: &str, text: &str) -> Option<Timestamp> {
        let read = text.parse().ok();
        if read.is_none() {
            let detail = "is not an RFC 3339 time";
            self.problems.push(Problem::new(name, "invalid_time", detail));
        }
        read
    }

    /// The filter; merchants are for the caller to add.
    pub(crate) fn filter(&mut self, written: &Written<'_>, visibility: Visibility) -> DeliveryFilter {
        let mut filter = DeliveryFilter::default();
        for (name, text) in &written.0 {
            let Some(text) = *text else { continue };
            match *name {
                "state" => filter.states = self.words(name, text, &DeliveryState::ALL, DeliveryState::as_str),
                "connection" => filter.connection = Some(text.to_owned()),
                "error_kind" => filter.error_kind = self.word(name, text, &ErrorKind::ALL, ErrorKind::as_str),
                "error_code" => {
                    self.check_code(name, text, visibility);
                    filter.error_code = Some(text.to_owned());
                }
                "waiting_for" => filter.waiting_for = self.word(name, text, &WaitingFor::ALL, WaitingFor::as_str),
                "customer_id" => filter.customer = self.id(name, text, "cus_"),
                "upsert_id" => filter.upsert = self.id(name, text, UpsertId::PREFIX),
                "since" => filter.since = self.time(name, text),
                _ => filter.until = self.time(name, text),
            }
        }
        filter.above = filter.since.map(|since| DeliveryId::from_uuid(oldest_of(since)));
        filter
    }
}

/// No id of what was made at this moment or later is smaller.
pub(crate) fn oldest_of(since: Timestamp) -> Uuid {
    id_at(since.checked_sub(NEAR).unwrap_or(Timestamp::MIN))
}

/// No id of what was made before this moment is greater.
pub(crate) fn newest_of(until: Timestamp) -> Uuid {
    id_at(until.checked_add(NEAR).unwrap_or(Timestamp::MAX))
}

/// Ids begin with the milliseconds since 1970, in 48 bits.
fn id_at(moment: Timestamp) -> Uuid {
    let ms = u128::try_from(moment.as_millisecond()).unwrap_or_default();
    Uuid::from_u128(ms << 80)
}

/// Where a page of ids begins: below the cursor and below what `until` leaves out.
pub(crate) fn below(cursor: Option<&str>, until: Option<Timestamp>) -> Result<Option<Uuid>, Refusal> {
    let cursor = cursor.map(from_cursor).transpose()?;
    let ends = [cursor, until.map(newest_of)];
    Ok(ends.into_iter().flatten().min())
}

/// The deliveries that a replay or a discard by filter is about.
#[derive(Debug, Clone)]
pub struct Selection {
    pub(crate) filter: DeliveryFilter,
    pub(crate) below: Option<DeliveryId>,
    pub(crate) limit: usize,
    pub(crate) dry_run: bool,
    /// Only what was as it is at this moment: made by then, and ended by then if it has ended.
    pub(crate) counted_at: Option<Timestamp>,
    pub(crate) is_narrowed: bool,
}

impl Selection {
    /// Of a body: filters by name, `dry_run`, `counted_at`, `limit` and `cursor`. `merchants`: those that the caller may speak for;
    /// none: all.
    ///
    /// # Errors
    /// 422 with everything that is wrong, by pointer.
    pub fn read(body: &Json, merchants: Option<BTreeSet<String>>, visibility: Visibility) -> Result<Self, Refusal> {
        let Some(members) = body.as_object() else {
            let problem = Problem::new("", "invalid_type", "has to be an object");
            return Err(Refusal::invalid(vec![problem]));
        };
        let mut reading = Reading::default();
        let states = joined_states(members);
        let text = |name: &str| match name {
            "state" => states.as_deref(),
            name => members.get(name).and_then(Json::as_str),
        };
        let written = Written(FILTERS.iter().map(|name| (*name, text(name))).collect());
        let mut filter = reading.filter(&written, visibility);
        filter.merchants = merchants;
        for (name, value) in members {
            reading.check_type(name, value, states.is_some());
        }
        let limit = reading.limit(members);
        let dry_run = members.get("dry_run").and_then(Json::as_bool).unwrap_or_default();
        let cursor = members.get("cursor").and_then(Json::as_str);
        let counted_at = members.get("counted_at").and_then(Json::as_str);
        let counted_at = counted_at.and_then(|text| reading.time("counted_at", text));
        if dry_run && cursor.is_some() {
            let detail = "cannot stand beside `dry_run`: all that match are counted";
            reading.problems.push(Problem::new("cursor", "contradiction", detail));
        }
        if dry_run && counted_at.is_some() {
            let detail = "cannot stand beside `dry_run`: what matches now is counted";
            reading
                .problems
                .push(Problem::new("counted_at", "contradiction", detail));
        }
        let below = match below(cursor, [filter.until, counted_at].into_iter().flatten().min()) {
            Ok(below) => below.map(DeliveryId::from_uuid),
            Err(refusal) => {
                reading.problems.extend(refusal.errors);
                None
            }
        };
        if !reading.problems.is_empty() {
            let by_pointer = |problem: Problem| Problem {
                pointer: format!("/{}", problem.pointer),
                ..problem
            };
            return Err(Refusal::invalid(reading.problems.into_iter().map(by_pointer).collect()));
        }
        Ok(Self {
            is_narrowed: FILTERS
                .iter()
                .any(|name| members.get(*name).is_some_and(|value| !value.is_null())),
            filter,
            below,
            limit,
            dry_run,
            counted_at,
        })
    }

    /// Whether it was there, and had ended if it has ended, when they were counted.
    pub(crate) fn was_counted(&self, delivery: &DeliveryRecord) -> bool {
        let Some(at) = self.counted_at else { return true };
        delivery.created_at <= at && delivery.ended_at.is_none_or(|ended| ended <= at)
    }
}

/// One text, or a list of them; none: it is neither.
fn joined_states(members: &Map<String, Json>) -> Option<String> {
    match members.get("state")? {
        Json::String(one) => Some(one.clone()),
        Json::Array(several) if !several.is_empty() => {
            let words: Option<Vec<_>> = several.iter().map(Json::as_str).collect();
            words.map(|words| words.join(","))
        }
        _ => None,
    }
}

impl Reading {
    fn check_type(&mut self, name: &str, value: &Json, has_states: bool) {
        let wanted = match name {
            "dry_run" => value.is_boolean().then_some(()).ok_or("has to be true or false"),
            // Its value is looked at on its own.
            "limit" => Ok(()),
            "state" => has_states.then_some(()).ok_or("has to be a text or a list of texts"),
            name if matches!(name, "cursor" | "counted_at") || FILTERS.contains(&name) => {
                value.is_string().then_some(()).ok_or("has to be a text")
            }
            _ => {
                let known = FILTERS.join(", ");
                let detail = format!("is not known here; known are: {known}, dry_run, counted_at, limit, cursor");
                self.problems.push(Problem::new(name, "unknown_field", detail));
                return;
            }
        };
        if let (Err(detail), false) = (wanted, value.is_null()) {
            self.problems.push(Problem::new(name, "invalid_type", detail));
        }
    }

    fn limit(&mut self, members: &Map<String, Json>) -> usize {
        let given = members.get("limit").filter(|limit| !limit.is_null());
        let Some(given) = given else { return MOST_AT_ONCE };
        let read = given.as_u64().and_then(|limit| usize::try_from(limit).ok());
        match read.filter(|limit| (1..=MOST_AT_ONCE).contains(limit)) {
            Some(limit) => limit,
            None => {
                let detail = format!("has to be a whole number from 1 to {MOST_AT_ONCE}");
                self.problems.push(Problem::new("limit", "invalid_value", detail));
                MOST_AT_ONCE
            }
        }
    }
}
