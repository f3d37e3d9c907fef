//! What must hold of an event, or for one rule to count.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use super::pointer::{Pointer, View, is_written};

/// Each pointer must have one of its values; what is missing, null, a list or an object has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conditions(pub Vec<(Pointer, BTreeSet<String>)>);

impl Conditions {
    /// Whether they hold of this event, into whose whole all pointers look.
    pub fn hold_of(&self, event: &Json) -> bool {
        self.hold(&View::whole(event))
    }

    pub(super) fn hold(&self, view: &View<'_>) -> bool {
        self.0
            .iter()
            .all(|(pointer, allowed)| held(view, pointer, allowed).is_some())
    }

    /// Which of several values each pointer has, as text: what tells one property from another that the same rule reads.
    pub(super) fn chosen(&self, view: &View<'_>) -> Vec<String> {
        let chosen = |(pointer, allowed): &(Pointer, BTreeSet<String>)| {
            let value = held(view, pointer, allowed).filter(|_| allowed.len() > 1)?;
            Some(format!("{pointer}={value}"))
        };
        self.0.iter().filter_map(chosen).collect()
    }

    /// Whether one of the pointers may have one of several values.
    pub(super) fn has_choice(&self) -> bool {
        self.0.iter().any(|(_, allowed)| allowed.len() > 1)
    }
}

/// As it is written in a file: values by their pointer.
impl Serialize for Conditions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(pointer, allowed)| (pointer.to_string(), allowed)))
    }
}

fn held<'c>(view: &View<'_>, pointer: &Pointer, allowed: &'c BTreeSet<String>) -> Option<&'c String> {
    let value = view.find(pointer)?;
    allowed.iter().find(|written| is_written(written, value))
}
