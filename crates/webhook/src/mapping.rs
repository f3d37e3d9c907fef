//! What an event becomes: the JSON body of an upsert, made by pointers and a handful of transforms.

mod condition;
mod event_id;
mod full_name;
mod parts;
mod pointer;
mod rule;
mod target;
#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::{Map, Value as Json};

use crate::order::Order;

pub use condition::Conditions;
pub use event_id::EventId;
pub use full_name::NamePart;
pub use pointer::Pointer;
pub use rule::{Rule, Source, Transform};
pub use target::Target;

/// How events of one source become upsert bodies.
///
/// Pointers look into the item where `each` is set, else into the event; those that begin with `$` always look into the
/// whole event.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// Where the list of customers stands, in the whole event; none: an event tells of one customer.
    pub each: Option<Pointer>,
    /// Where the sender's id of the event stands.
    pub event_id: EventId,
    /// Where the time or the version stands. An event without one has no order.
    pub order_by: Option<Pointer>,
    /// Where the vendor's id of the record stands. An event without one has none.
    pub provider_customer_id: Option<Pointer>,
    /// What must hold, or the event is left out.
    pub only: Conditions,
    /// How the members of the body are filled. A later rule writes over an earlier one.
    pub rules: Vec<(Target, Rule)>,
}

/// One customer's part of an event.
#[derive(Clone, PartialEq)]
pub struct Part {
    /// The event; where it carries a list of customers, with this one alone in the list.
    pub event: Json,
    /// Its place in the list.
    pub index: Option<usize>,
}

/// What a part became.
#[derive(Clone, PartialEq)]
pub enum Read {
    /// `only` leaves it out.
    LeftOut,
    /// An upsert.
    Mapped(Mapped),
    /// It cannot be mapped.
    Refused {
        /// The sender's id of it, if that can be read.
        event_id: Option<String>,
        /// Everything that is wrong.
        problems: Vec<MapProblem>,
    },
}

/// An event as an upsert.
#[derive(Clone, PartialEq)]
pub struct Mapped {
    /// The sender's id of it, at most 255 bytes.
    pub event_id: String,
    /// What it is put in order by, where the source says so.
    pub order: Option<Order>,
    /// The vendor's id of the record that it tells of, where the source says where that stands.
    pub provider_customer_id: Option<String>,
    /// The body of the upsert.
    pub body: Json,
    /// Where in the event each of its members came from: the member's pointer, then the event's. Constants came from nowhere.
    pub origins: Vec<(String, String)>,
}

impl Mapped {
    /// Where in the event stands what stands there in the body.
    pub fn origin(&self, pointer: &str) -> Option<String> {
        let below = |(target, origin): &(String, String)| {
            let rest = pointer.strip_prefix(target.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then(|| (target.len(), format!("{origin}{rest}")))
        };
        let nearest = self.origins.iter().filter_map(below).max_by_key(|(length, _)| *length);
        nearest.map(|(_, origin)| origin)
    }
}

/// What is wrong with an event. The texts repeat no value of the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapProblem {
    /// Pointer into the event.
    pub pointer: String,
    /// Pointer into the upsert's body that was to be filled; empty: `event_id`, `order_by` and the like.
    pub target: String,
    /// Such as `missing`, `invalid_type`, `unknown_value`.
    pub code: &'static str,
    /// A sentence.
    pub detail: String,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Part({:?})", self.index)
    }
}

impl fmt::Debug for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeftOut => f.write_str("LeftOut"),
            Self::Mapped(mapped) => mapped.fmt(f),
            Self::Refused { problems, .. } => f.debug_tuple("Refused").field(problems).finish(),
        }
    }
}

impl fmt::Debug for Mapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapped")
            .field("event_id", &self.event_id)
            .finish_non_exhaustive()
    }
}

impl MapProblem {
    fn new(pointer: String, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            pointer,
            target: String::new(),
            code,
            detail: detail.into(),
        }
    }
}

impl Mapping {
    /// The customers of an event, one part each; one part where the source has no list.
    ///
    /// # Errors
    /// Where the list should be is nothing, or too much.
    pub fn parts(&self, event: Json) -> Result<Vec<Part>, MapProblem> {
        match &self.each {
            Some(each) => parts::parts(each, event),
            None => Ok(vec![Part { event, index: None }]),
        }
    }

    /// What a part becomes. `header` gives a header's value by its name in small letters.
    pub fn read(&self, part: &Part, header: &dyn Fn(&str) -> Option<String>) -> Read {
        let view = match parts::view(self.each.as_ref(), part) {
            Ok(view) => view,
            Err(problem) => return refused(None, vec![problem]),
        };
        if !self.only.hold(&view) {
            return Read::LeftOut;
        }
        let mut problems = Vec::new();
        let event_id = self.event_id.read(&view, header, part.index);
        let event_id = event_id.map_err(|found| problems.extend(found)).ok();
        let order = self.order(&view).map_err(|problem| problems.push(problem)).ok();
        let vendor_id = self.vendor_id(&view).map_err(|problem| problems.push(problem)).ok();
        let body = self.body(&view, &mut problems);
        match (event_id, order, vendor_id) {
            (Some(event_id), Some(order), Some(provider_customer_id)) if problems.is_empty() => Read::Mapped(Mapped {
                event_id,
                order,
                provider_customer_id,
                body: Json::Object(body),
                origins: self.origins(&view),
            }),
            (event_id, ..) => refused(event_id, problems),
        }
    }

    fn origins(&self, view: &pointer::View<'_>) -> Vec<(String, String)> {
        let rules = self.rules.iter().rev();
        let origin = |(target, rule): &(Target, Rule)| Some((target.to_string(), view.name(rule.source.found(view)?)));
        rules.filter_map(origin).collect()
    }

    fn order(&self, view: &pointer::View<'_>) -> Result<Option<Order>, MapProblem> {
        let Some((pointer, value)) = self.order_by.as_ref().and_then(|at| Some((at, view.find(at)?))) else {
            return Ok(None);
        };
        if !pointer::says_something(value) {
            return Ok(None);
        }
        let order = Order::read(value).ok_or_else(|| {
            let detail = "neither a time (RFC 3339, with its offset) nor a number stands there";
            MapProblem::new(view.name(pointer), "invalid_order", detail)
        })?;
        Ok(Some(order))
    }

    fn vendor_id(&self, view: &pointer::View<'_>) -> Result<Option<String>, MapProblem> {
        match &self.provider_customer_id {
            Some(pointer) => event_id::id_at(pointer, view, "the vendor's id of the record"),
            None => Ok(None),
        }
    }

    fn body(&self, view: &pointer::View<'_>, problems: &mut Vec<MapProblem>) -> Map<String, Json> {
        let mut body = Map::new();
        for (target, rule) in &self.rules {
            let value = rule.read(view).and_then(|value| {
                let worded = value.map(|value| target.worded(value)).transpose();
                worded.map_err(|no_text| rule.of_text(&no_text))
            });
            match value {
                Ok(Some(value)) => target.put(&mut body, value),
                Ok(None) => {}
                Err(fault) => problems.push(MapProblem {
                    pointer: fault.pointer.map(|pointer| view.name(pointer)).unwrap_or_default(),
                    target: target.to_string(),
                    code: fault.code,
                    detail: fault.detail,
                }),
            }
        }
        body
    }
}

fn refused(event_id: Option<String>, problems: Vec<MapProblem>) -> Read {
    Read::Refused { event_id, problems }
}
