//! One rule: where a member of the body comes from, and what is done to it on the way.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::condition::Conditions;
use super::full_name::{self, NamePart};
use super::pointer::{Inexact, Pointer, View, is_written, says_something, text_of, without_blanks};

/// How one member of the body is filled.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Where its value comes from.
    pub source: Source,
    /// The part of a full name that it takes.
    pub part: Option<NamePart>,
    /// What is done to texts, in this order.
    pub transform: Vec<Transform>,
    /// By the value's text, what stands in its place.
    pub values: Option<BTreeMap<String, Json>>,
    /// What separates the items of a list that is written as one text.
    pub split: Option<String>,
    /// What stands there where nothing was found.
    pub default: Option<Json>,
    /// Whether it is a problem that nothing was found.
    pub required: bool,
    /// Whether the member is cleared where its pointers are in the event and nothing was found: a blank text, or a name
    /// without this part. Otherwise it is kept: a blank text counts as not there.
    pub clear: bool,
    /// Where this does not hold, the member is not there.
    pub when: Conditions,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// What stands there, null too.
    Plain(Pointer),
    /// The first that says something; null if none does and one is null.
    From(Vec<Pointer>),
    /// This.
    Value(Json),
    /// Those that say something, in one text.
    Join {
        /// The parts.
        pointers: Vec<Pointer>,
        /// What stands between them.
        with: String,
    },
}

/// What can be done to a text; of a list, to each text in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Transform {
    /// Takes away blanks at both ends.
    Trim,
    /// Makes small letters.
    Lower,
    /// Makes capital letters.
    Upper,
    /// Makes a text of a number or a truth value.
    Text,
}

/// What a rule makes of an event.
pub(super) struct Made {
    pub(super) value: Json,
    /// Whether null stands there for a blank.
    pub(super) is_emptied: bool,
}

/// What is wrong with what a rule found.
pub(super) struct Fault<'r> {
    /// Where; none: at none of several places.
    pub(super) pointer: Option<&'r Pointer>,
    pub(super) code: &'static str,
    pub(super) detail: String,
}

impl Rule {
    /// What this pointer shows, as it is.
    pub fn plain(pointer: Pointer) -> Self {
        Self::of(Source::Plain(pointer))
    }

    /// Nothing but a source.
    pub fn of(source: Source) -> Self {
        Self {
            source,
            part: None,
            transform: Vec::new(),
            values: None,
            split: None,
            default: None,
            required: false,
            clear: false,
            when: Conditions::default(),
        }
    }

    /// What the member is to be; none: it is not there.
    pub(super) fn read(&self, view: &View<'_>) -> Result<Option<Made>, Fault<'_>> {
        if !self.when.hold(view) {
            return Ok(None);
        }
        let made = |value| Made {
            value,
            is_emptied: false,
        };
        let found = match self.source.read(view)? {
            Some(found) if matches!(self.source, Source::Value(_)) => return Ok(Some(made(found))),
            Some(mut found) if says_something(&found) => {
                without_blanks(&mut found, self.clear);
                self.made(found)?
            }
            found => found,
        };
        if found.as_ref().is_some_and(says_something) {
            return Ok(found.map(made));
        }
        match &self.default {
            Some(default) => Ok(Some(made(default.clone()))),
            None if self.required => Err(self.missing()),
            None if found.as_ref().is_some_and(Json::is_null) => Ok(found.map(made)),
            None if self.clear && self.source.is_in(view) => Ok(Some(Made {
                value: Json::Null,
                is_emptied: true,
            })),
            None => Ok(None),
        }
    }

    /// Where it finds a blank text.
    pub(super) fn blanks<'r>(&'r self, view: &View<'_>) -> Vec<&'r Pointer> {
        if !self.when.hold(view) {
            return Vec::new();
        }
        let is_blank = |pointer: &&Pointer| {
            view.find(pointer)
                .is_some_and(|found| found.is_string() && !says_something(found))
        };
        self.source.pointers().iter().filter(is_blank).collect()
    }

    /// Whether it reads several properties of the sender's, one or the other.
    pub(super) fn has_choice(&self) -> bool {
        self.when.has_choice() || matches!(&self.source, Source::From(pointers) if pointers.len() > 1)
    }

    /// The property that what it read comes from.
    pub(super) fn property(&self, view: &View<'_>) -> String {
        let found = self.source.found(view).map(Pointer::to_string).unwrap_or_default();
        self.named(view, found)
    }

    /// The properties that are blank.
    pub(super) fn blank_properties(&self, view: &View<'_>) -> BTreeSet<String> {
        let present = |pointer: &&Pointer| view.find(pointer).is_some();
        match &self.source {
            Source::From(pointers) => pointers
                .iter()
                .filter(present)
                .map(|pointer| self.named(view, pointer.to_string()))
                .collect(),
            _ => BTreeSet::from([self.property(view)]),
        }
    }

    fn named(&self, view: &View<'_>, pointer: String) -> String {
        let parts: Vec<String> = std::iter::once(pointer).chain(self.when.chosen(view)).collect();
        parts.join(" ")
    }

    /// What becomes of a value that says something.
    fn made(&self, mut value: Json) -> Result<Option<Json>, Fault<'_>> {
        if let Some(part) = self.part {
            let Json::String(full) = &value else {
                return Err(self.fault("invalid_type", "a full name is a text"));
            };
            match full_name::part(full, part) {
                Some(name) => value = Json::String(name),
                None => return Ok(None),
            }
        }
        for transform in &self.transform {
            transform.apply(&mut value).map_err(|fault| self.of_text(&fault))?;
        }
        if let Some(values) = &self.values {
            let text = self.text(&value)?;
            let as_number = || values.iter().find(|(written, _)| is_written(written, &value));
            let constant = values.get(&text).or_else(|| as_number().map(|(_, constant)| constant));
            return match (constant, &self.default) {
                (Some(constant), _) => Ok(Some(constant.clone())),
                (None, Some(_)) => Ok(None),
                (None, None) => {
                    Err(self.fault("unknown_value", "`values` has no such value, and there is no `default`"))
                }
            };
        }
        match &self.split {
            Some(_) if value.is_array() => Ok(Some(value)),
            Some(separator) => Ok(Some(split(&self.text(&value)?, separator))),
            None => Ok(Some(value)),
        }
    }

    fn text(&self, value: &Json) -> Result<String, Fault<'_>> {
        needed_text(value).map_err(|fault| self.of_text(&fault))
    }

    pub(super) fn of_text(&self, fault: &NoText) -> Fault<'_> {
        self.fault(fault.code(), fault.detail())
    }

    fn fault(&self, code: &'static str, detail: &str) -> Fault<'_> {
        Fault {
            pointer: self.source.first(),
            code,
            detail: detail.to_owned(),
        }
    }

    fn missing(&self) -> Fault<'_> {
        let others = match &self.source {
            Source::From(pointers) | Source::Join { pointers, .. } if pointers.len() > 1 => {
                let names: Vec<String> = pointers.iter().map(|pointer| format!("`{pointer}`")).collect();
                format!("nothing stands at any of {}", names.join(", "))
            }
            _ => "nothing stands there".to_owned(),
        };
        self.fault("missing", &others)
    }
}

impl Source {
    fn pointers(&self) -> &[Pointer] {
        match self {
            Self::Plain(pointer) => std::slice::from_ref(pointer),
            Self::From(pointers) | Self::Join { pointers, .. } => pointers,
            Self::Value(_) => &[],
        }
    }

    fn first(&self) -> Option<&Pointer> {
        self.pointers().first()
    }

    /// The pointer that what is read comes from: the first that says something, else the first.
    pub(super) fn found(&self, view: &View<'_>) -> Option<&Pointer> {
        let says = |pointer: &&Pointer| view.find(pointer).is_some_and(says_something);
        match self {
            Self::From(pointers) | Self::Join { pointers, .. } => pointers.iter().find(says).or_else(|| self.first()),
            Self::Plain(_) | Self::Value(_) => self.first(),
        }
    }

    /// Whether any of its pointers is in the event, whatever stands there.
    fn is_in(&self, view: &View<'_>) -> bool {
        self.pointers().iter().any(|pointer| view.find(pointer).is_some())
    }

    fn read<'r>(&'r self, view: &View<'_>) -> Result<Option<Json>, Fault<'r>> {
        match self {
            Self::Plain(pointer) => {
                let found = view
                    .find(pointer)
                    .filter(|found| found.is_null() || says_something(found));
                Ok(found.cloned())
            }
            Self::Value(value) => Ok(Some(value.clone())),
            Self::From(pointers) => {
                let found = || pointers.iter().filter_map(|pointer| view.find(pointer));
                let chosen = found().find(|value| says_something(value));
                Ok(chosen.or_else(|| found().find(|value| value.is_null())).cloned())
            }
            Self::Join { pointers, with } => {
                let mut parts = Vec::new();
                for pointer in pointers {
                    let Some(value) = view.find(pointer).filter(|value| says_something(value)) else {
                        continue;
                    };
                    let text = needed_text(value).map_err(|no_text| Fault {
                        pointer: Some(pointer),
                        code: no_text.code(),
                        detail: no_text.detail().to_owned(),
                    })?;
                    parts.push(text.trim().to_owned());
                }
                Ok((!parts.is_empty()).then(|| Json::String(parts.join(with))))
            }
        }
    }
}

/// Why a value has no text.
pub(super) enum NoText {
    Shape,
    Inexact,
    Fraction,
}

/// The text of a value that has to have one.
pub(super) fn needed_text(value: &Json) -> Result<String, NoText> {
    match text_of(value) {
        Ok(text) => text.ok_or(NoText::Shape),
        Err(Inexact) => Err(NoText::Inexact),
    }
}

impl NoText {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Shape => "invalid_type",
            Self::Inexact => "inexact_number",
            Self::Fraction => "not_whole",
        }
    }

    pub(super) fn detail(&self) -> &'static str {
        match self {
            Self::Shape => "a list or an object stands where a text, a number or a truth value is asked for",
            Self::Fraction => "an id is a whole number, and this one has a fraction",
            Self::Inexact => "a number with more digits than can be read stands there: send it as text",
        }
    }
}

impl Transform {
    fn apply(self, value: &mut Json) -> Result<(), NoText> {
        match value {
            Json::Array(items) => items.iter_mut().try_for_each(|item| match item {
                Json::Array(_) | Json::Object(_) => Err(NoText::Shape),
                item => self.apply(item),
            }),
            Json::Object(_) => Err(NoText::Shape),
            Json::String(text) => {
                match self {
                    Self::Trim => *text = text.trim().to_owned(),
                    Self::Lower => *text = text.to_lowercase(),
                    Self::Upper => *text = text.to_uppercase(),
                    Self::Text => {}
                }
                Ok(())
            }
            Json::Number(_) | Json::Bool(_) if self == Self::Text => {
                *value = Json::String(needed_text(value)?);
                Ok(())
            }
            Json::Number(_) | Json::Bool(_) | Json::Null => Ok(()),
        }
    }
}

fn split(text: &str, separator: &str) -> Json {
    let items = text.split(separator).map(str::trim).filter(|item| !item.is_empty());
    items.map(Json::from).collect()
}
