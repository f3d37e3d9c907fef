//! What a table's columns are, and how a row becomes a request's body: by the rules of a webhook source, over the row as an
//! object of texts by column.

mod field;
mod header;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};
use upsert_webhook::{MapProblem, Mapping, Part, Read};

use crate::import::guard::unguarded;

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
    /// Codes of members that were left out.
    pub(crate) ignored: Vec<String>,
    /// Cells that lost a spreadsheet's guard.
    pub(crate) guards: u64,
}

/// Why a row is refused before it is sent. Repeats nothing of the row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refused {
    pub(crate) code: &'static str,
    pub(crate) errors: Json,
}

impl Refused {
    /// Of the row as a whole.
    pub(crate) fn whole(code: &'static str, detail: &str) -> Self {
        Self {
            code,
            errors: json!([{ "pointer": "", "code": code, "detail": detail }]),
        }
    }

    /// Nothing but a code.
    pub(crate) fn plain(code: &'static str) -> Self {
        Self {
            code,
            errors: json!([]),
        }
    }
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
        let mut guards = 0;
        let mut row = Map::new();
        for (at, name) in &self.used {
            let cell = cells
                .get(*at)
                .filter(|cell| says_something(cell))
                .map_or("", String::as_str);
            let bare = unguarded(cell);
            guards += u64::from(bare.is_some());
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
        Ok(Made { body, ignored, guards })
    }

    fn mapped(&self, part: &Part) -> Result<(Json, Vec<String>), Refused> {
        match self.mapping.read(part, &|_| Some("row".to_owned())) {
            Read::Mapped(mapped) => {
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
        let column = problem
            .pointer
            .trim_start_matches('/')
            .replace("~1", "/")
            .replace("~0", "~");
        json!({ "pointer": problem.target, "code": problem.code, "detail": problem.detail, "column": column })
    };
    Refused {
        code: "validation_failed",
        errors: problems.iter().map(error).collect(),
    }
}

fn at_member(code: &'static str, pointer: &str) -> Refused {
    Refused {
        code,
        errors: json!([{ "pointer": pointer, "code": code, "detail": "the cell begins as JSON and is none" }]),
    }
}
