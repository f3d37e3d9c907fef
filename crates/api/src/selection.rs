//! What is to be done with dead letters that match, and what became of them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;

use upsert_core::customer::escape;
use upsert_core::{CustomerId, DeliveryId, EventId, EventKind, Problem};

use crate::event_filters::{IncomingFilter, OutgoingFilter};
use crate::filter::{Filter, Reader, Texts};
use crate::filters::DeliveryFilter;
use crate::problem::ProblemCode;
use crate::states::Direction;

/// How many one request replays or discards at most.
const MOST_AT_ONCE: usize = 1_000;

/// Which deliveries are to be replayed or discarded. Unknown members are refused.
#[derive(Debug, Clone, PartialEq, Eq, ToSchema)]
#[schema(example = json!({ "connection": "crm", "error_kind": "rejected", "dry_run": true }))]
pub struct DeliverySelection {
    /// Which.
    #[serde(flatten)]
    pub filter: DeliveryFilter,
    /// Only count them.
    #[schema(required = false)]
    pub dry_run: bool,
    /// `counted_at` of a dry run: what was made or has failed since is left alone. What waited then and has begun to match
    /// since is not: `limit` bounds that.
    pub counted_at: Option<Timestamp>,
    /// How many at the most, the newest first; 1,000 where nothing is said.
    #[schema(required = false, minimum = 1, maximum = 1000)]
    pub limit: usize,
    /// `next_cursor` of the answer before.
    pub cursor: Option<String>,
}

impl From<DeliveryFilter> for DeliverySelection {
    fn from(filter: DeliveryFilter) -> Self {
        Self {
            filter,
            dry_run: false,
            counted_at: None,
            limit: MOST_AT_ONCE,
            cursor: None,
        }
    }
}

impl DeliverySelection {
    /// Of a body.
    ///
    /// # Errors
    /// Everything that is wrong with it, by pointer.
    pub fn read(body: &Json) -> Result<Self, Vec<Problem>> {
        let others = ["dry_run", "counted_at", "limit", "cursor"];
        let body = Body::of(body, DeliveryFilter::NAMES.iter().chain(&others).copied())?;
        let mut reader = Reader::new(&body.texts);
        let selection = Self {
            filter: DeliveryFilter::read(&mut reader),
            dry_run: body.dry_run,
            counted_at: reader.time("counted_at"),
            limit: reader.limit("limit", MOST_AT_ONCE, MOST_AT_ONCE),
            cursor: body.texts.get("cursor").cloned(),
        };
        let mut problems = std::mem::take(&mut reader.problems);
        for (name, is_there, what) in [
            ("cursor", selection.cursor.is_some(), "all that match are counted"),
            (
                "counted_at",
                selection.counted_at.is_some(),
                "what matches now is counted",
            ),
        ] {
            if selection.dry_run && is_there {
                let detail = format!("cannot stand beside `dry_run`: {what}");
                problems.push(Problem::new(name, "contradiction", detail));
            }
        }
        body.finished(problems).map(|()| selection)
    }
}

impl Serialize for DeliverySelection {
    /// What is not given is left out.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let texts = self.filter.texts().into_iter();
        let mut body: Map<String, Json> = texts.map(|(name, text)| (name, Json::from(text))).collect();
        if self.dry_run {
            body.insert("dry_run".to_owned(), Json::from(true));
        }
        body.insert("limit".to_owned(), Json::from(self.limit));
        let others = [
            ("counted_at", self.counted_at.map(|at| at.to_string())),
            ("cursor", self.cursor.clone()),
        ];
        for (name, text) in others {
            body.extend(text.map(|text| (name.to_owned(), Json::from(text))));
        }
        body.serialize(serializer)
    }
}

/// Which dead letters of one direction are to be replayed or discarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSelection<F> {
    /// Which.
    pub filter: F,
    /// Whether a member of it was given.
    pub is_narrowed: bool,
    /// Only count them.
    pub dry_run: bool,
    /// How many at the most, the newest first.
    pub limit: usize,
}

impl<F: EventFilter> EventSelection<F> {
    /// Of a body.
    ///
    /// # Errors
    /// Everything that is wrong with it, by pointer.
    pub fn read(body: &Json) -> Result<Self, Vec<Problem>> {
        let known = ["source", "event_id", "endpoint", "type", "since", "until"];
        let body = Body::of(body, known.into_iter().chain(["dry_run", "limit"]))?;
        let mut reader = Reader::new(&body.texts);
        let selection = Self {
            filter: F::read(&mut reader),
            is_narrowed: body.texts.keys().any(|name| known.contains(&name.as_str())),
            dry_run: body.dry_run,
            limit: reader.limit("limit", MOST_AT_ONCE, MOST_AT_ONCE),
        };
        let mut problems = F::foreign(&body.texts);
        problems.append(&mut reader.problems);
        body.finished(problems).map(|()| selection)
    }
}

/// A filter of events of one direction.
pub trait EventFilter: Filter {
    /// Which way they go.
    const DIRECTION: Direction;

    /// Names of the other direction's filter that are given.
    fn foreign(texts: &Texts) -> Vec<Problem> {
        let others = match Self::DIRECTION {
            Direction::In => OutgoingFilter::NAMES,
            Direction::Out => IncomingFilter::NAMES,
        };
        let foreign = others.iter().filter(|name| !Self::NAMES.contains(name));
        let given = foreign.filter(|name| texts.contains_key(**name));
        given
            .map(|name| {
                let detail = "says nothing about events of this direction";
                Problem::new(*name, "invalid_query", detail)
            })
            .collect()
    }
}

impl EventFilter for IncomingFilter {
    const DIRECTION: Direction = Direction::In;
}

impl EventFilter for OutgoingFilter {
    const DIRECTION: Direction = Direction::Out;
}

/// A body as texts, and what is wrong with its members' types.
struct Body {
    texts: Texts,
    dry_run: bool,
    problems: Vec<Problem>,
}

impl Body {
    fn of<'n>(body: &Json, known: impl Iterator<Item = &'n str>) -> Result<Self, Vec<Problem>> {
        let Some(members) = body.as_object() else {
            return Err(vec![Problem::new("", "invalid_type", "has to be an object")]);
        };
        let known: Vec<&str> = known.collect();
        let mut read = Self {
            texts: Texts::new(),
            dry_run: false,
            problems: Vec::new(),
        };
        for (name, value) in members {
            let wrong = match (name.as_str(), value) {
                (name, _) if !known.contains(&name) => {
                    let detail = format!("is not known here; known are: {}", known.join(", "));
                    read.problems
                        .push(Problem::new(escape(name).into_owned(), "unknown_field", detail));
                    None
                }
                (_, Json::Null) => None,
                ("dry_run", Json::Bool(dry_run)) => {
                    read.dry_run = *dry_run;
                    None
                }
                ("dry_run", _) => Some("has to be true or false"),
                // Its value is looked at on its own.
                ("limit", value) => {
                    read.texts.insert(name.clone(), value.to_string());
                    None
                }
                ("state", Json::Array(several)) => match several.iter().map(Json::as_str).collect::<Option<Vec<_>>>() {
                    Some(words) if !words.is_empty() => {
                        read.texts.insert(name.clone(), words.join(","));
                        None
                    }
                    _ => Some("has to be a text or a list of texts"),
                },
                (_, Json::String(text)) => {
                    read.texts.insert(name.clone(), text.clone());
                    None
                }
                ("state", _) => Some("has to be a text or a list of texts"),
                _ => Some("has to be a text"),
            };
            read.problems
                .extend(wrong.map(|detail| Problem::new(name, "invalid_type", detail)));
        }
        Ok(read)
    }

    fn finished(self, problems: Vec<Problem>) -> Result<(), Vec<Problem>> {
        let all = self.problems.into_iter().chain(problems);
        let all: Vec<Problem> = all
            .map(|problem| Problem {
                pointer: format!("/{}", problem.pointer),
                ..problem
            })
            .collect();
        if all.is_empty() { Ok(()) } else { Err(all) }
    }
}

/// Which dead letters of a direction are meant, for the documents: each direction has a filter of its own.
#[derive(ToSchema)]
#[schema(as = EventSelection, example = json!({ "source": "shop", "dry_run": true }))]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it is how a body may write them")]
pub struct EventSelectionBody {
    /// The source's name (`in` alone).
    source: Option<String>,
    /// The sender's id (`in` alone).
    event_id: Option<String>,
    /// The endpoint's name (`out` alone).
    endpoint: Option<String>,
    /// What it tells of (`out` alone).
    #[schema(value_type = Option<EventKind>)]
    r#type: Option<String>,
    /// At or after this moment.
    since: Option<Timestamp>,
    /// Before this moment.
    until: Option<Timestamp>,
    /// Only count them.
    dry_run: Option<bool>,
    /// How many at the most, the newest first; 1,000 where nothing is said.
    #[schema(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// What became of deliveries that matched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveriesDone {
    /// Whether they were only counted.
    pub dry_run: bool,
    /// How many matched: of this request, at most `limit`; counted, at most 10,000.
    pub matched: usize,
    /// How many were replayed or discarded.
    pub done: usize,
    /// How many were refused.
    pub refused: usize,
    /// Why, for the first hundred of them.
    pub refusals: Vec<RefusedDelivery>,
    /// Whether more match.
    pub more: bool,
    /// Where the next request goes on.
    pub next_cursor: Option<String>,
    /// Of a dry run: when they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted_at: Option<Timestamp>,
}

impl DeliveriesDone {
    /// With those of the next part, which says where it goes on if there is more.
    pub fn add(&mut self, part: Self) {
        self.matched += part.matched;
        self.done += part.done;
        self.refused += part.refused;
        self.refusals.extend(part.refusals);
        (self.more, self.next_cursor) = (part.next_cursor.is_some(), part.next_cursor);
    }
}

/// A delivery that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedDelivery {
    /// `dlv_…`
    pub delivery_id: DeliveryId,
    /// A problem's code.
    pub code: ProblemCode,
    /// For people.
    pub detail: String,
}

/// What became of dead letters that matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventsDone {
    /// Whether they were only counted.
    pub dry_run: bool,
    /// How many matched, at most `limit`.
    pub matched: usize,
    /// How many were replayed or discarded.
    pub done: usize,
    /// How many were refused.
    pub refused: usize,
    /// Why, for the first hundred of them.
    pub refusals: Vec<Refused>,
    /// Whether more match.
    pub more: bool,
}

/// A dead letter that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Refused {
    /// `evt_…`
    pub id: EventId,
    /// A problem's code.
    pub code: ProblemCode,
    /// For people.
    pub detail: String,
}

/// Whom a replay is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayOf {
    /// `cus_…`
    pub customer_id: Option<CustomerId>,
}

#[cfg(test)]
mod tests;
