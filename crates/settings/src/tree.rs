//! A TOML document as a tree in which every key and value knows its line.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::problems::{Location, Problem};

/// A value and where it stands.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) at: Location,
    pub(crate) shape: Shape,
    /// The text as it was given, for a value out of the environment: there a number may be meant as a text.
    pub(crate) spelled: Option<String>,
}

#[derive(Debug)]
pub(crate) enum Shape {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Moment(String),
    List(Vec<Rc<Node>>),
    Table(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: Location,
    pub(crate) node: Rc<Node>,
}

impl Node {
    pub(crate) fn new(at: &Location, shape: Shape) -> Rc<Self> {
        Rc::new(Self {
            at: at.clone(),
            shape,
            spelled: None,
        })
    }

    /// What stands in a table; nothing stands in anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.shape {
            Shape::Table(entries) => entries,
            _ => &[],
        }
    }

    /// What stands in a table under this key.
    pub(crate) fn get(&self, key: &str) -> Option<&Rc<Self>> {
        let entry = self.entries().iter().find(|entry| entry.key == key);
        entry.map(|entry| &entry.node)
    }

    /// The items of a list; anything else has none.
    pub(crate) fn items(&self) -> &[Rc<Self>] {
        match &self.shape {
            Shape::List(items) => items,
            _ => &[],
        }
    }

    /// The text that it is.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.shape {
            Shape::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Shape {
    /// What it is, for "expected …, found …". Never the value itself: it may be a secret in the wrong place.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::Moment(_) => "a date or time",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// Reads a document; all its syntax errors at once, if there are any.
pub(crate) fn parse(file: &Arc<str>, text: &str) -> Result<Rc<Node>, Vec<Problem>> {
    let lines = Lines::of(file, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let problem = |error: &toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start);
        Problem::new(&lines.at(start), "", format!("not valid TOML: {}", error.message()))
    };
    let mut problems: Vec<Problem> = errors.iter().map(problem).collect();
    let node = Node::new(&lines.at(0), lines.table(table.get_ref()));
    problems.extend(lines.too_large.take().iter().map(|at| Problem::new(at, "", TOO_LARGE)));
    if problems.is_empty() { Ok(node) } else { Err(problems) }
}

/// Reads a single value, all of which then stands at `at`.
pub(crate) fn parse_value(at: &Location, text: &str) -> Option<Rc<Node>> {
    let value = DeValue::parse(text).ok()?;
    let lines = Lines {
        fixed: Some(at.clone()),
        ..Lines::of(&at.file, text)
    };
    let node = lines.node(&value);
    lines.too_large.take().is_empty().then_some(node)
}

const TOO_LARGE: &str = "not valid TOML: a number that 64 bits do not hold";

/// Turns byte offsets into lines and columns.
struct Lines<'t> {
    file: Arc<str>,
    text: &'t str,
    starts: Vec<usize>,
    fixed: Option<Location>,
    /// Where numbers stand that nobody can hold.
    too_large: RefCell<Vec<Location>>,
}

impl<'t> Lines<'t> {
    fn of(file: &Arc<str>, text: &'t str) -> Self {
        let starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self {
            file: Arc::clone(file),
            text,
            starts,
            fixed: None,
            too_large: RefCell::default(),
        }
    }

    fn at(&self, offset: usize) -> Location {
        if let Some(fixed) = &self.fixed {
            return fixed.clone();
        }
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or_default();
        let before = self.text.get(start..offset).unwrap_or_default();
        Location {
            file: Arc::clone(&self.file),
            line,
            column: before.chars().count() + 1,
        }
    }

    fn table(&self, table: &DeTable<'_>) -> Shape {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let entry = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| Entry {
            key: key.get_ref().to_string(),
            at: self.at(key.span().start),
            node: self.under(key.span(), value),
        };
        Shape::Table(entries.into_iter().map(entry).collect())
    }

    /// A table opened by a header or a dotted key stands where its name does.
    fn under(&self, key: Range<usize>, value: &Spanned<DeValue<'_>>) -> Rc<Node> {
        match value.get_ref() {
            DeValue::Table(table) if !self.is_inline(value) => Node::new(&self.at(key.start), self.table(table)),
            _ => self.node(value),
        }
    }

    /// Notes where it is, whereupon the document is refused; `in_its_place` is seen by nobody.
    fn too_large(&self, value: &Spanned<DeValue<'_>>, in_its_place: Shape) -> Shape {
        self.too_large.borrow_mut().push(self.at(value.span().start));
        in_its_place
    }

    fn is_inline(&self, value: &Spanned<DeValue<'_>>) -> bool {
        self.text.get(value.span()).is_some_and(|text| text.starts_with('{'))
    }

    fn node(&self, value: &Spanned<DeValue<'_>>) -> Rc<Node> {
        let shape = match value.get_ref() {
            DeValue::String(text) => Shape::Text(text.to_string()),
            DeValue::Integer(digits) => match i64::from_str_radix(digits.as_str(), digits.radix()) {
                Ok(number) => Shape::Integer(number),
                Err(_) => self.too_large(value, Shape::Integer(0)),
            },
            DeValue::Float(digits) => match digits.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() || digits.as_str().contains('n') => Shape::Float(number),
                _ => self.too_large(value, Shape::Float(0.0)),
            },
            DeValue::Boolean(flag) => Shape::Boolean(*flag),
            DeValue::Datetime(moment) => Shape::Moment(moment.to_string()),
            DeValue::Array(items) => Shape::List(items.iter().map(|item| self.node(item)).collect()),
            DeValue::Table(table) => self.table(table),
        };
        Node::new(&self.at(value.span().start), shape)
    }
}
