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

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use crate::order::{Order, OrderKind};

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
    /// Where the time or the version stands, and which of the two it is. An event without one has no order.
    pub order_by: Option<(Pointer, OrderKind)>,
    /// Where the vendor's id of the record stands. An event without one has none.
    pub provider_customer_id: Option<Pointer>,
    /// What must hold, or the event is left out.
    pub only: Conditions,
    /// How the members of the body are filled. A later rule writes over an earlier one.
    pub rules: Vec<(Target, Rule)>,
    /// Whether an optional member whose rule cannot read what it finds is left out, instead of the whole event.
    pub is_lenient: bool,
}

/// One customer's part of an event.
#[derive(Clone, PartialEq, derive_more::Debug)]
#[debug("Part({index:?})")]
pub struct Part {
    /// The event; where it carries a list of customers, with this one alone in the list.
    pub event: Json,
    /// Its place in the list.
    pub index: Option<usize>,
}

/// What a part became.
#[derive(Clone, PartialEq, derive_more::Debug)]
pub enum Read {
    /// `only` leaves it out.
    LeftOut,
    /// An upsert.
    #[debug("{_0:?}")]
    Mapped(Mapped),
    /// It cannot be mapped.
    #[debug("Refused({problems:?})")]
    Refused {
        /// The sender's id of it, if that can be read.
        event_id: Option<String>,
        /// Everything that is wrong.
        problems: Vec<MapProblem>,
        /// What could be read of the upsert's body.
        body: Json,
    },
}

/// An event as an upsert.
#[derive(Clone, PartialEq, derive_more::Debug)]
#[debug("Mapped {{ event_id: {event_id:?}, .. }}")]
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
    /// Members that one of several properties of the sender's fills: which one gave the value that the body has.
    pub given: BTreeMap<String, String>,
    /// Members that one of several properties of the sender's fills, and that are null in the body because these are
    /// blank. That clears only a value that one of them gave.
    pub emptied: BTreeMap<String, BTreeSet<String>>,
    /// Members that could not be read and were left out.
    pub ignored: Vec<MapProblem>,
    /// Where in the event a blank text stands that counts as not there.
    pub blanks: Vec<String>,
}

impl Mapped {
    /// All that was taken of the event, of which alone it depends whether another one says the same.
    pub fn taken(&self) -> Json {
        let ignored = self.ignored.iter().map(|problem| (&problem.target, problem.code));
        json!({
            "body": self.body,
            "order": self.order.as_ref().map(Order::as_str),
            "provider_customer_id": self.provider_customer_id,
            "ignored": ignored.collect::<Vec<_>>(),
        })
    }

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

impl MapProblem {
    /// One that is about no member of the body.
    pub fn new(pointer: String, code: &'static str, detail: impl Into<String>) -> Self {
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
            Err(problem) => return Read::unreadable(problem),
        };
        if !self.only.hold(&view) {
            return Read::LeftOut;
        }
        let mut problems = Vec::new();
        let event_id = self.event_id.read(&view, header, part.index);
        let event_id = event_id.map_err(|found| problems.extend(found)).ok();
        let order = self.order(&view).map_err(|problem| problems.push(problem)).ok();
        let vendor_id = self.vendor_id(&view).map_err(|problem| problems.push(problem)).ok();
        let mut filled = self.filled(&view);
        problems.append(&mut filled.problems);
        let body = Json::Object(filled.body);
        match (event_id, order, vendor_id) {
            (Some(event_id), Some(order), Some(provider_customer_id)) if problems.is_empty() => Read::Mapped(Mapped {
                event_id,
                order,
                provider_customer_id,
                body,
                origins: self.origins(&view),
                given: filled.given,
                emptied: filled.emptied,
                ignored: filled.ignored,
                blanks: self.blanks(&view),
            }),
            (event_id, ..) => Read::Refused {
                event_id,
                problems,
                body,
            },
        }
    }

    fn blanks(&self, view: &pointer::View<'_>) -> Vec<String> {
        let rules = self.rules.iter().filter(|(_, rule)| !rule.clear);
        let blanks: BTreeSet<&Pointer> = rules.flat_map(|(_, rule)| rule.blanks(view)).collect();
        blanks.into_iter().map(|pointer| view.name(pointer)).collect()
    }

    fn origins(&self, view: &pointer::View<'_>) -> Vec<(String, String)> {
        let rules = self.rules.iter().rev();
        let origin = |(target, rule): &(Target, Rule)| Some((target.to_string(), view.name(rule.source.found(view)?)));
        rules.filter_map(origin).collect()
    }

    fn order(&self, view: &pointer::View<'_>) -> Result<Option<Order>, MapProblem> {
        let Some((pointer, kind)) = &self.order_by else {
            return Ok(None);
        };
        let Some(value) = view.find(pointer).filter(|value| pointer::says_something(value)) else {
            return Ok(None);
        };
        let order = Order::read(value, kind).ok_or_else(|| {
            let detail = match kind {
                OrderKind::Time { .. } => "neither a time (RFC 3339, a date) nor a number since 1970 stands there",
                OrderKind::Number => "neither a whole nor a decimal number stands there",
            };
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

    fn filled(&self, view: &pointer::View<'_>) -> Filled {
        let mut filled = Filled::default();
        let mut faults = Vec::new();
        for (target, rule) in &self.rules {
            let made = rule.read(view).and_then(|made| {
                let worded = made
                    .map(|made| Ok((target.worded(made.value)?, made.is_emptied)))
                    .transpose();
                worded.map_err(|no_text| rule.of_text(&no_text))
            });
            match made {
                Ok(Some((value, is_emptied))) => filled.put(self, view, (target, rule), value, is_emptied),
                Ok(None) => {}
                Err(fault) => faults.push((
                    target,
                    MapProblem {
                        pointer: fault.pointer.map(|pointer| view.name(pointer)).unwrap_or_default(),
                        target: target.to_string(),
                        code: fault.code,
                        detail: fault.detail,
                    },
                )),
            }
        }
        // Who it is stands firm without an e-mail or a phone only where something stronger says it.
        let is_named = ["id", "reference"]
            .iter()
            .any(|name| filled.body.get(*name).is_some_and(pointer::says_something));
        for (target, problem) in faults {
            let may_be = target.may_be_left_out() || (is_named && target.is_weak_identifier());
            if self.is_lenient && may_be && problem.code != "missing" {
                filled.ignored.push(problem);
            } else {
                filled.problems.push(problem);
            }
        }
        filled
    }

    /// Whether one of several properties of the sender's fills this member.
    fn is_fed_by_several(&self, target: &Target) -> bool {
        let mut feeding = self.rules.iter().filter(|(other, _)| other == target);
        let first_has_choice = feeding.next().is_some_and(|(_, rule)| rule.has_choice());
        first_has_choice || feeding.next().is_some()
    }
}

/// What the rules made of an event.
#[derive(Default)]
struct Filled {
    body: Map<String, Json>,
    given: BTreeMap<String, String>,
    emptied: BTreeMap<String, BTreeSet<String>>,
    ignored: Vec<MapProblem>,
    problems: Vec<MapProblem>,
}

impl Filled {
    fn put(
        &mut self,
        mapping: &Mapping,
        view: &pointer::View<'_>,
        (target, rule): (&Target, &Rule),
        value: Json,
        is_emptied: bool,
    ) {
        if !mapping.is_fed_by_several(target) {
            return target.put(&mut self.body, value);
        }
        let name = target.to_string();
        if is_emptied {
            // What another property says in the same event is not emptied by this one.
            let is_said = target.stands_in(&self.body) && !self.emptied.contains_key(&name);
            if !is_said {
                target.put(&mut self.body, value);
                self.emptied
                    .entry(name)
                    .or_default()
                    .extend(rule.blank_properties(view));
            }
            return;
        }
        self.emptied.remove(&name);
        if value.is_null() {
            self.given.remove(&name);
        } else {
            self.given.insert(name, rule.property(view));
        }
        target.put(&mut self.body, value);
    }
}

impl Read {
    /// An event of which nothing can be read.
    pub fn unreadable(problem: MapProblem) -> Self {
        Self::Refused {
            event_id: None,
            problems: vec![problem],
            body: Json::Null,
        }
    }
}
