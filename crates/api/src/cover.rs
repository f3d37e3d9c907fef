//! What a caller may see of customers. Keys that may operate or write, and not read customers, are common: what they are
//! answered says nothing of a person but what they have sent themselves.

use serde_json::Value as Json;

use upsert_core::{CustomerPatch, Field, Patch, Value};

use crate::masks::{cover_text, is_code, masked_wholly};

/// What stands in the place of a value.
pub const MASK: &str = "•••";

/// How much a caller may see of customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// All of it.
    Whole,
    /// Only of what shape it is.
    Masked,
}

/// Something that says something of a person.
pub trait Cover {
    /// Covers that, but for what the caller has sent itself. What is covered of a yes or no is null.
    fn cover(&mut self, own: Own<'_>);
}

/// What a caller has sent itself of a customer; by default nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Own<'a>(Option<&'a CustomerPatch>);

impl Visibility {
    /// Of a caller that may read customers, or may not.
    pub const fn of(may_read_customers: bool) -> Self {
        if may_read_customers { Self::Whole } else { Self::Masked }
    }

    /// As such a caller is shown it who has sent nothing of it itself.
    pub fn show<T: Cover>(self, shown: T) -> T {
        self.show_beside(shown, Own::default())
    }

    /// As such a caller is shown it.
    pub fn show_beside<T: Cover>(self, mut shown: T, own: Own<'_>) -> T {
        if self == Self::Masked {
            shown.cover(own);
        }
        shown
    }

    /// Whether something may be looked for by this code: whoever finds what is covered has read it.
    pub fn may_ask_for_code(self, code: &str) -> bool {
        self == Self::Whole || is_code(code)
    }
}

impl<'a> Own<'a> {
    /// The caller has sent this.
    pub const fn of(patch: &'a CustomerPatch) -> Self {
        Self(Some(patch))
    }

    fn sent(self, field: Field) -> Option<&'a Value> {
        match self.0?.fields.get(&field)? {
            Patch::Set(value) => Some(value),
            Patch::Clear => None,
        }
    }

    /// Whether the caller has sent the field at this pointer.
    pub(crate) fn has_sent(self, pointer: &str) -> bool {
        Field::from_pointer(pointer).is_some_and(|field| self.sent(field).is_some())
    }

    /// Whether the caller has sent this text.
    pub(crate) fn has_text(self, field: Field, text: &str) -> bool {
        self.sent(field).and_then(Value::as_text) == Some(text)
    }

    /// Whether the caller has sent this label.
    pub(crate) fn has_tag(self, tag: &str) -> bool {
        matches!(self.sent(Field::Tags), Some(Value::Tags(tags)) if tags.contains(tag))
    }

    /// Whether the caller has sent this value of its own.
    pub(crate) fn has_metadata(self, name: &str, value: &str) -> bool {
        let sent = self.0.and_then(|patch| patch.metadata.as_ref());
        let Some(Patch::Set(members)) = sent else { return false };
        matches!(members.get(name), Some(Patch::Set(sent)) if sent == value)
    }

    /// Whether the caller has sent this to be passed through.
    pub(crate) fn has_passed_through(self, provider: &str, name: &str, value: &Json) -> bool {
        let sent = self.0.and_then(|patch| patch.provider_fields.get(provider));
        matches!(sent, Some(Patch::Set(members)) if members.get(name) == Some(value))
    }

    pub(crate) fn cover_text(self, field: Field, text: &mut Option<String>) {
        text.iter_mut()
            .filter(|text| !self.has_text(field, text))
            .for_each(cover_text);
    }

    pub(crate) fn cover_flag(self, field: Field, flag: &mut Option<bool>) {
        *flag = flag.filter(|flag| matches!(self.sent(field), Some(Value::Flag(sent)) if sent == flag));
    }
}

impl<T: Cover> Cover for Vec<T> {
    fn cover(&mut self, own: Own<'_>) {
        for one in self {
            one.cover(own);
        }
    }
}

impl<T: Cover> Cover for Option<T> {
    fn cover(&mut self, own: Own<'_>) {
        if let Some(one) = self {
            one.cover(own);
        }
    }
}

impl<T: Cover> Cover for Box<T> {
    fn cover(&mut self, own: Own<'_>) {
        (**self).cover(own);
    }
}

/// A document that somebody sent, or is sent: members without their values; of what is no JSON nothing.
pub(crate) fn cover_document(text: &mut String) {
    let document = serde_json::from_str::<Json>(text).map(|json| masked_wholly(&json).to_string());
    *text = document.unwrap_or_else(|_| MASK.to_owned());
}

#[cfg(test)]
mod tests;
