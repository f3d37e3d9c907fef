//! What must hold of an event, or for one rule to count.

use std::collections::BTreeSet;

use super::pointer::{Pointer, View, text_of};

/// Each pointer must have one of its values; what is missing, null, a list or an object has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conditions(pub Vec<(Pointer, BTreeSet<String>)>);

impl Conditions {
    pub(super) fn hold(&self, view: &View<'_>) -> bool {
        self.0.iter().all(|(pointer, allowed)| {
            let found = view.find(pointer).and_then(|value| text_of(value).ok().flatten());
            found.is_some_and(|text| allowed.contains(&text))
        })
    }
}
