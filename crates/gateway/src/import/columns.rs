//! What a table's columns are, and how a row becomes a request's body: by the rules of a webhook source, over the row as an
//! object of texts by column.

mod field;
mod header;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};
use upsert_webhook::{MapProblem, Mapping, Part, Read};

use crate::import::changed::Changed;
use crate::import::guard::{is_exponential, unguarded};
use crate::import::refused::{Refused, Why};
use crate::pointer::{escaped, unescaped};

use field::Form;
pub(crate) use header::is_expected;

/// The columns of one file.
#[derive(Debug)]
pub(crate) struct Columns {
    /// How many the header names.
    count: usize,
    /// Those that are used: where they stand, and the name that the rules have for them.
    used: Vec<(usize, String)>,
    /// Those without a name: nothing may stand there.
    nameless: Vec<usize>,
    mapping: Mapping,
    /// Members of the body that are no texts.
    forms: Vec<(String, Form)>,
    /// Texts that say nothing.
    empty: BTreeSet<String>,
    /// Names of columns that nothing is read from.
    pub(crate) left_out: Vec<String>,
}

/// What a row became.
#[derive(Debug, PartialEq)]
pub(crate) struct Made {
    pub(crate) body: Json,
    pub(crate) changed: Changed,
}

impl Columns {
    /// An empty cell is a member that is not there, which keeps what is known; unless its rule says that it clears.
    pub(crate) fn made(&self, cells: &[String]) -> Result<Made, Refused> {
        if cells.len() > self.count {
            let detail = format!("{} cells, and the header names {} columns", cells.len(), self.count);
            return Err(Refused::whole("too_many_cells", &detail));
        }
        let says_something = |cell: &String| !cell.trim().is_empty() && !self.empty.contains(cell.trim());
        if !cells.iter().any(says_something) {
            return Err(Refused::whole("empty_row", "every cell is empty"));
        }
        let stray = self
            .nameless
            .iter()
            .find(|at| cells.get(**at).is_some_and(says_something));
        if let Some(at) = stray {
            let detail = format!("something stands in column {}, which has no name", at + 1);
            return Err(Refused::whole("column_without_a_name", &detail));
        }
        let (mut guards, mut are_texts) = (0, BTreeSet::new());
        let mut row = Map::new();
        for (at, name) in &self.used {
            let cell = cells
                .get(*at)
                .filter(|cell| says_something(cell))
                .map_or("", String::as_str);
            let bare = unguarded(cell);
            guards += u64::from(bare.is_some());
            are_texts.extend(bare.as_deref().map(|bare| bare.trim().to_owned()));
            row.insert(name.clone(), json!(bare.as_deref().unwrap_or(cell)));
        }
        let part = Part {
            event: Json::Object(row),
            index: None,
        };
        let (mut body, ignored) = self.mapped(&part)?;
        for (pointer, form) in &self.forms {
            if let Some(member) = body.pointer_mut(pointer) {
                form.apply(member).map_err(|code| at_member(code, pointer))?;
            }
        }
        match lost_id(&body, &are_texts) {
            Some(lost) => Err(lost),
            None => Ok(Made {
                body,
                changed: Changed { guards, ignored },
            }),
        }
    }

    fn mapped(&self, part: &Part) -> Result<(Json, Vec<String>), Refused> {
        match self.mapping.read(part, &|_| Some("row".to_owned())) {
            Read::Mapped(mapped) => {
                // The gateway cannot know that something stood there, and would take a weaker sign of who it is.
                let who = |problem: &&MapProblem| ["/email", "/phone"].contains(&problem.target.as_str());
                let unread: Vec<MapProblem> = mapped.ignored.iter().filter(who).cloned().collect();
                if !unread.is_empty() {
                    return Err(refused(&unread));
                }
                let codes = mapped.ignored.iter().map(|problem| problem.code.to_owned());
                Ok((mapped.body, codes.collect()))
            }
            Read::Refused { problems, .. } => Err(refused(&problems)),
            Read::LeftOut => Ok((json!({}), Vec::new())),
        }
    }
}

fn refused(problems: &[MapProblem]) -> Refused {
    let error = |problem: &MapProblem| {
        let column = problem.pointer.trim_start_matches('/');
        Why {
            column: Some(unescaped(column)),
            ..Why::at(&problem.target, problem.code, &problem.detail)
        }
    };
    invalid(problems.iter().map(error).collect())
}

fn invalid(errors: Vec<Why>) -> Refused {
    Refused {
        errors,
        ..Refused::plain("validation_failed")
    }
}

/// An id that a spreadsheet took for a number and wrote in exponents: many customers' ids are one then, and they would be one
/// customer. What stood behind a guard (`are_texts`) is what it says.
fn lost_id(body: &Json, are_texts: &BTreeSet<String>) -> Option<Refused> {
    let links = body["links"].as_object().into_iter().flatten();
    let links = links.map(|(connection, id)| (format!("/links/{}", escaped(connection)), id));
    let mut ids = std::iter::once(("/reference".to_owned(), &body["reference"])).chain(links);
    let is_lost = |id: &str| is_exponential(id) && !are_texts.contains(id.trim());
    let (pointer, _) = ids.find(|(_, id)| id.as_str().is_some_and(is_lost))?;
    let detail =
        "a spreadsheet wrote this id in exponents, and digits of it may be lost: export it as text, or put ' before it";
    Some(invalid(vec![Why::at(&pointer, "inexact_number", detail)]))
}

fn at_member(code: &str, pointer: &str) -> Refused {
    Refused {
        errors: vec![Why::at(pointer, code, "the cell begins as JSON and is none")],
        ..Refused::plain(code)
    }
}
