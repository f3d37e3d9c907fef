//! Reading: a spot in the tree, and a section whose members are known. Nothing here stops at the first problem: what
//! cannot be read is reported, left out (`None`), and reading goes on.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use crate::api_rules::ApiRules;
use crate::environment::{Environment, Secrets};
use crate::members::{Below, Member, Presence};
use crate::nearest::suggestion;
use crate::problems::{Location, Problem};
use crate::tree::{Entry, Node, Shape, parse_value};

/// A name in the map, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The place.
    pub at: Location,
    /// The member of the map, such as `map.email`.
    pub path: String,
}

/// What one reading of the whole configuration needs and gathers.
pub(crate) struct Reading<'e> {
    pub(crate) environment: &'e Environment,
    pub(crate) secrets: Secrets,
    /// The folder that relative paths start from.
    pub(crate) folder: &'e Path,
    pub(crate) problems: RefCell<Vec<Problem>>,
    pub(crate) secret_files: RefCell<Vec<PathBuf>>,
    /// In the map of an import, whose rules name columns instead of pointing: those that were named so far.
    pub(crate) columns: Option<RefCell<Vec<Named>>>,
    /// What may be said over the API; none: a file is read.
    pub(crate) api: Option<&'e ApiRules>,
    /// Where secrets stood by themselves.
    pub(crate) given: RefCell<Vec<Arc<str>>>,
    /// What is left out, and does no harm.
    pub(crate) warnings: RefCell<Vec<Problem>>,
}

impl<'e> Reading<'e> {
    pub(crate) fn new(environment: &'e Environment, secrets: Secrets, folder: &'e Path) -> Self {
        Self {
            environment,
            secrets,
            folder,
            problems: RefCell::default(),
            secret_files: RefCell::default(),
            columns: None,
            api: None,
            given: RefCell::default(),
            warnings: RefCell::default(),
        }
    }

    pub(crate) fn report(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    pub(crate) fn warn(&self, problem: Problem) {
        self.warnings.borrow_mut().push(problem);
    }
}

/// A value in the tree and the path to it.
#[derive(Clone)]
pub(crate) struct Spot<'r> {
    pub(crate) reading: &'r Reading<'r>,
    pub(crate) node: Rc<Node>,
    pub(crate) path: String,
}

impl<'r> Spot<'r> {
    pub(crate) fn root(reading: &'r Reading<'r>, node: &Rc<Node>) -> Self {
        Self {
            reading,
            node: Rc::clone(node),
            path: String::new(),
        }
    }

    /// Reports a problem here. It returns `None`, the value that cannot be had.
    pub(crate) fn refuse<T>(&self, message: impl Into<String>) -> Option<T> {
        self.reading.report(self.problem(message));
        None
    }

    /// The same, with what to do about it.
    pub(crate) fn refuse_but<T>(&self, message: impl Into<String>, hint: impl Into<String>) -> Option<T> {
        self.reading.report(self.problem(message).hint(hint));
        None
    }

    fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(&self.node.at, &self.path, message)
    }

    /// A name that stands here.
    pub(crate) fn named(&self, name: &str) -> Named {
        Named {
            name: name.to_owned(),
            at: self.node.at.clone(),
            path: self.path.clone(),
        }
    }

    pub(crate) fn expected<T>(&self, what: &str) -> Option<T> {
        self.refuse(format!("expected {what}, found {}", self.node.shape.kind()))
    }

    /// Opens a table of known members; unknown ones are reported here.
    pub(crate) fn section(&self, members: &'static [Member]) -> Option<Section<'r>> {
        self.entries()?;
        let section = Section {
            spot: self.clone(),
            members,
        };
        section.report_unknown();
        Some(section)
    }

    /// The entries of a table whose keys are free.
    pub(crate) fn entries(&self) -> Option<Vec<(&Entry, Spot<'r>)>> {
        let Shape::Table(entries) = &self.node.shape else {
            return self.expected("a table");
        };
        let entries = entries.iter().map(|entry| (entry, self.below(&entry.key, &entry.node)));
        Some(entries.collect())
    }

    /// The same, each read by `read`; all bad ones are reported.
    pub(crate) fn each_entry<T, C: FromIterator<T>>(&self, read: impl Fn(&Entry, &Spot<'r>) -> Option<T>) -> Option<C> {
        let read: Vec<Option<T>> = self.entries()?.iter().map(|(entry, spot)| read(entry, spot)).collect();
        read.into_iter().collect()
    }

    pub(crate) fn below(&self, key: &str, node: &Rc<Node>) -> Self {
        self.at(node, path_to(&self.path, key))
    }

    fn at(&self, node: &Rc<Node>, path: String) -> Self {
        Self {
            reading: self.reading,
            node: Rc::clone(node),
            path,
        }
    }

    pub(crate) fn items(&self) -> Option<Vec<Spot<'r>>> {
        let Shape::List(items) = &self.node.shape else {
            return self.expected("a list");
        };
        let spot = |(index, item)| self.at(item, format!("{}[{index}]", self.path));
        Some(items.iter().enumerate().map(spot).collect())
    }

    /// A list, each item read by `read`; all bad items are reported.
    pub(crate) fn each<T>(&self, read: impl Fn(&Spot<'r>) -> Option<T>) -> Option<Vec<T>> {
        let read: Vec<Option<T>> = self.items()?.iter().map(read).collect();
        read.into_iter().collect()
    }

    /// Like [`Spot::each`], for a list that must not be empty.
    pub(crate) fn some<T>(&self, read: impl Fn(&Spot<'r>) -> Option<T>) -> Option<Vec<T>> {
        self.not_empty(self.each(read)?)
    }

    fn not_empty<T>(&self, items: Vec<T>) -> Option<Vec<T>> {
        if items.is_empty() {
            self.refuse("must not be empty")
        } else {
            Some(items)
        }
    }

    /// A single value, or a list, which may be empty.
    pub(crate) fn one_or_each<T>(&self, read: impl Fn(&Spot<'r>) -> Option<T>) -> Option<Vec<T>> {
        match &self.node.shape {
            Shape::List(_) => self.each(read),
            _ => read(self).map(|value| vec![value]),
        }
    }

    /// A single value, or a list that must not be empty.
    pub(crate) fn one_or_some<T>(&self, read: impl Fn(&Spot<'r>) -> Option<T>) -> Option<Vec<T>> {
        self.not_empty(self.one_or_each(read)?)
    }
}

/// A struct of what its members were read as, or none. All of them are read, whatever is wrong with some; a member without
/// a reading was read before, under its name.
macro_rules! all_or_none {
    ($whole:ident { $($member:ident $(: $read:expr)?),* $(,)? }) => {{
        $($(let $member = $read;)?)*
        Some($whole { $($member: $member?),* })
    }};
}
pub(crate) use all_or_none;

/// A table of known members.
pub(crate) struct Section<'r> {
    pub(crate) spot: Spot<'r>,
    members: &'static [Member],
}

impl<'r> Section<'r> {
    fn report_unknown(&self) {
        let known: Vec<&str> = self.members.iter().map(|member| member.name).collect();
        let entries = self.spot.node.entries().iter();
        for Entry { key, at, .. } in entries.filter(|entry| !known.contains(&entry.key.as_str())) {
            let message = format!("there is no member `{key}` here");
            let problem = Problem::new(at, path_to(&self.spot.path, key), message);
            self.spot.reading.report(problem.hint(suggestion(key, &known)));
        }
    }

    /// The members of the section below, or of each of the sections there.
    fn below(&self, name: &str) -> Option<&'static [Member]> {
        match self.member(name)?.below {
            Below::Section(members) | Below::Sections(members) => Some(members),
            Below::Value => None,
        }
    }

    fn member(&self, name: &str) -> Option<&'static Member> {
        let member = self.members.iter().find(|member| member.name == name);
        debug_assert!(
            member.is_some(),
            "`{name}` is read but not listed in {:?}",
            self.spot.path
        );
        member
    }

    /// Where a member stands, if it was given.
    pub(crate) fn given(&self, name: &str) -> Option<Spot<'r>> {
        self.spot.node.get(name).map(|node| self.spot.below(name, node))
    }

    /// Reports each of these members that was given.
    pub(crate) fn refuse_given(&self, names: &[&str], message: &str) {
        for spot in names.iter().filter_map(|name| self.given(name)) {
            spot.refuse::<()>(message);
        }
    }

    fn given_or_default(&self, name: &str) -> Option<Spot<'r>> {
        let member = self.member(name)?;
        self.given(name).or_else(|| {
            let Presence::Default(default) = member.presence else {
                return None;
            };
            let node = parse_value(&self.spot.node.at, default)?;
            Some(self.spot.below(name, &node))
        })
    }

    /// A member that is required or has a default.
    pub(crate) fn read<T>(&self, name: &str, read: impl FnOnce(&Spot<'r>) -> Option<T>) -> Option<T> {
        match self.given_or_default(name) {
            Some(spot) => read(&spot),
            None => self.spot.refuse(format!("`{name}` is required")),
        }
    }

    /// A member that may be absent. `None` is absent or wrong; wrong is reported, so the whole is refused anyway.
    pub(crate) fn maybe<T>(&self, name: &str, read: impl FnOnce(&Spot<'r>) -> Option<T>) -> Option<T> {
        read(&self.given_or_default(name)?)
    }

    /// A section below, absent meaning empty: its own members have defaults.
    pub(crate) fn section<T>(&self, name: &str, read: impl FnOnce(&Section<'r>) -> Option<T>) -> Option<T> {
        let members = self.below(name)?;
        self.read(name, |spot| read(&spot.section(members)?))
    }

    /// A section below that may be absent.
    pub(crate) fn maybe_section<T>(&self, name: &str, read: impl FnOnce(&Section<'r>) -> Option<T>) -> Option<T> {
        let members = self.below(name)?;
        self.maybe(name, |spot| read(&spot.section(members)?))
    }

    /// A list of sections, absent meaning empty. All are read, whatever is wrong with some.
    pub(crate) fn sections<T>(&self, name: &str, read: impl Fn(&Section<'r>) -> Option<T>) -> Option<Vec<T>> {
        let members = self.below(name)?;
        self.read(name, |spot| spot.each(|item| read(&item.section(members)?)))
    }

    pub(crate) fn at(&self) -> &Location {
        &self.spot.node.at
    }
}

/// The path of a member: bare where TOML would have the key bare, else quoted.
pub(crate) fn path_to(parent: &str, key: &str) -> String {
    let bare = !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    let key = if bare { key.to_owned() } else { format!("{key:?}") };
    if parent.is_empty() {
        key
    } else {
        format!("{parent}.{key}")
    }
}
