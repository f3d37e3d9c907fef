//! Which of many are meant: one type for query strings, bodies, forms, the command line and the store.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use utoipa::{IntoParams, ToSchema};

use upsert_core::{Problem, Word};

/// How many items a page has at the most.
pub const LARGEST_PAGE: usize = 200;
/// How many it has unless the caller says otherwise.
const USUAL_PAGE: usize = 50;
/// Ids are made within this of what they belong to, whatever the clock does.
const NEAR: SignedDuration = SignedDuration::from_mins(1);

/// Texts by name: a filter as it is written.
pub type Texts = BTreeMap<String, String>;

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub data: Vec<T>,
    /// Where the next page starts; null: this was the last.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// All there is, in one page.
    pub fn whole(data: Vec<T>) -> Self {
        Self {
            data,
            next_cursor: None,
        }
    }
}

/// Which of many are meant; every member that is given has to hold.
pub trait Filter: Sized {
    /// The names of its members.
    const NAMES: &'static [&'static str];

    /// Reads it; what is wrong is kept in the reader, by name.
    fn read(reader: &mut Reader<'_>) -> Self;

    /// Reads it; names that are no members are passed over.
    ///
    /// # Errors
    /// Everything that is wrong, by name.
    fn of(texts: &Texts) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::new(texts);
        let filter = Self::read(&mut reader);
        if reader.problems.is_empty() {
            Ok(filter)
        } else {
            Err(reader.problems)
        }
    }
}

/// Reads texts, and collects what is wrong with them by the name of each.
#[derive(Debug)]
pub struct Reader<'a> {
    texts: &'a Texts,
    pub(crate) problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(texts: &'a Texts) -> Self {
        Self {
            texts,
            problems: Vec::new(),
        }
    }

    fn given(&self, name: &str) -> Option<&'a str> {
        self.texts.get(name).map(String::as_str)
    }

    fn refuse(&mut self, name: &str, code: &str, detail: impl Into<String>) {
        self.problems.push(Problem::new(name, code, detail));
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.given(name).map(str::to_owned)
    }

    /// Words separated by commas.
    pub(crate) fn words<T: Word + Ord>(&mut self, name: &str) -> BTreeSet<T> {
        let mut found = BTreeSet::new();
        for word in self.given(name).into_iter().flat_map(|text| text.split(',')) {
            match word.trim().parse() {
                Ok(known) => drop(found.insert(known)),
                Err(_) => {
                    let known: Vec<_> = T::ALL.iter().map(|known| known.as_str()).collect();
                    let detail = format!("is not known here; known are: {}", known.join(", "));
                    self.refuse(name, "invalid_value", detail);
                    break;
                }
            }
        }
        found
    }

    /// One word.
    pub(crate) fn word<T: Word + Ord>(&mut self, name: &str) -> Option<T> {
        let found = self.words(name);
        if found.len() > 1 {
            self.refuse(name, "invalid_value", "may name one alone");
        }
        found.into_iter().next()
    }

    pub(crate) fn id<T: FromStr>(&mut self, name: &str, prefix: &str) -> Option<T> {
        let text = self.given(name)?;
        let read = text.parse().ok();
        if read.is_none() {
            self.refuse(name, "invalid_id", format!("is not an id that starts with `{prefix}`"));
        }
        read
    }

    pub(crate) fn time(&mut self, name: &str) -> Option<Timestamp> {
        let text = self.given(name)?;
        let read = text.parse().ok();
        if read.is_none() {
            self.refuse(name, "invalid_time", "is not an RFC 3339 time");
        }
        read
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self, name: &str) -> Option<bool> {
        let text = self.given(name)?;
        let read = text.parse().ok();
        if read.is_none() {
            self.refuse(name, "invalid_value", "has to be true or false");
        }
        read
    }

    /// A whole number from 1 on.
    pub(crate) fn limit(&mut self, name: &str, usual: usize, largest: usize) -> usize {
        let Some(text) = self.given(name) else { return usual };
        let read = text.parse().ok().filter(|limit| (1..=largest).contains(limit));
        read.unwrap_or_else(|| {
            let detail = format!("has to be a whole number from 1 to {largest}");
            self.refuse(name, "invalid_value", detail);
            usual
        })
    }
}

pub(crate) fn joined<T: Word>(words: &BTreeSet<T>) -> Option<String> {
    let words: Vec<_> = words.iter().map(|word| word.as_str()).collect();
    (!words.is_empty()).then(|| words.join(","))
}

pub(crate) fn texts<const N: usize>(members: [(&'static str, Option<String>); N]) -> Texts {
    let given = members
        .into_iter()
        .filter_map(|(name, text)| Some((name.to_owned(), text?)));
    given.collect()
}

pub(crate) fn text_of(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// No id of what was made at this moment or later is smaller.
pub(crate) fn before(since: Timestamp) -> Timestamp {
    since.checked_sub(NEAR).unwrap_or(Timestamp::MIN)
}

/// No id of what was made before this moment is greater.
pub(crate) fn after(until: Timestamp) -> Timestamp {
    until.checked_add(NEAR).unwrap_or(Timestamp::MAX)
}

/// Which part of a list.
#[derive(Debug, Clone, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many at the most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    pub limit: usize,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl Default for PageQuery {
    fn default() -> Self {
        Self {
            limit: USUAL_PAGE,
            cursor: None,
        }
    }
}

impl Filter for PageQuery {
    const NAMES: &'static [&'static str] = &["limit", "cursor"];

    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            limit: reader.limit("limit", USUAL_PAGE, LARGEST_PAGE),
            cursor: reader.text("cursor"),
        }
    }
}

#[cfg(test)]
mod tests;
