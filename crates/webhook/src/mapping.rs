//! What an event becomes: the JSON body of an upsert, made by pointers and a handful of transforms.

use std::fmt;

use serde_json::Value as Json;

use crate::order::Order;

/// How events of one source become upsert bodies.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    // For whoever builds it to fill.
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

impl Mapping {
    /// The customers of an event, one part each; one part where the source has no list.
    ///
    /// # Errors
    /// Where the list should be is none.
    pub fn parts(&self, event: Json) -> Result<Vec<Part>, MapProblem> {
        Ok(vec![Part { event, index: None }])
    }

    /// What a part becomes. `header` gives a header's value by its name in small letters.
    pub fn read(&self, _part: &Part, _header: &dyn Fn(&str) -> Option<String>) -> Read {
        Read::LeftOut
    }
}
