//! The sender's id of an event, by which it is done once.

use super::MapProblem;
use super::pointer::{Pointer, View, is_fraction, says_something};
use super::rule::{NoText, needed_text};

/// The longest id, in bytes.
const LONGEST: usize = 255;

/// Where the id stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventId {
    /// In the event; several are joined with `:`.
    Pointers(Vec<Pointer>),
    /// In this header, in small letters.
    Header(String),
}

impl EventId {
    /// Whether all customers of an event would have the same.
    fn is_shared(&self) -> bool {
        match self {
            Self::Pointers(pointers) => pointers.iter().all(Pointer::is_whole),
            Self::Header(_) => true,
        }
    }

    pub(super) fn read(
        &self,
        view: &View<'_>,
        header: &dyn Fn(&str) -> Option<String>,
        index: Option<usize>,
    ) -> Result<String, Vec<MapProblem>> {
        let mut id = match self {
            Self::Pointers(pointers) => joined(pointers, view)?,
            Self::Header(name) => {
                let value = header(name).map(|value| value.trim().to_owned());
                value.filter(|value| !value.is_empty()).ok_or_else(|| {
                    let detail = format!("the header `{name}` is to hold the event's id, and is missing or empty");
                    vec![MapProblem::new(String::new(), "missing", detail)]
                })?
            }
        };
        if let Some(index) = index.filter(|_| self.is_shared()) {
            id = format!("{id}#{index}");
        }
        if id.len() <= LONGEST {
            return Ok(id);
        }
        let pointer = match self {
            Self::Pointers(pointers) => pointers.first().map(|pointer| view.name(pointer)).unwrap_or_default(),
            Self::Header(_) => String::new(),
        };
        let detail = format!("the event's id is longer than {LONGEST} bytes");
        Err(vec![MapProblem::new(pointer, "too_long", detail)])
    }
}

fn joined(pointers: &[Pointer], view: &View<'_>) -> Result<String, Vec<MapProblem>> {
    let (mut parts, mut problems) = (Vec::new(), Vec::new());
    for pointer in pointers {
        match id_at(pointer, view, "the event's id") {
            Ok(Some(part)) => parts.push(part),
            Ok(None) => {
                let detail = "the event's id stands nowhere: it is missing, null or empty";
                problems.push(MapProblem::new(view.name(pointer), "missing", detail));
            }
            Err(problem) => problems.push(problem),
        }
    }
    if pointers.is_empty() {
        problems.push(MapProblem::new(
            String::new(),
            "missing",
            "nothing says where the event's id stands",
        ));
    }
    if problems.is_empty() {
        Ok(parts.join(":"))
    } else {
        Err(problems)
    }
}

/// A text or a number; none if it is missing, null or blank.
pub(super) fn id_at(pointer: &Pointer, view: &View<'_>, what: &str) -> Result<Option<String>, MapProblem> {
    let Some(value) = view.find(pointer).filter(|value| says_something(value)) else {
        return Ok(None);
    };
    let fault = |no_text: &NoText| {
        let detail = match no_text {
            NoText::Shape => format!("{what} is a text or a number, and something else stands there"),
            NoText::Inexact | NoText::Fraction => no_text.detail().to_owned(),
        };
        MapProblem::new(view.name(pointer), no_text.code(), detail)
    };
    match needed_text(value) {
        Ok(_) if is_fraction(value) => Err(fault(&NoText::Fraction)),
        Ok(_) if value.is_boolean() => Err(fault(&NoText::Shape)),
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(no_text) => Err(fault(&no_text)),
    }
}
