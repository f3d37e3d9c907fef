//! A header and a map come together: which column feeds which member.

use std::collections::BTreeSet;

use anyhow::bail;
use upsert_settings::{ImportMap, Named, Problem, nearest};
use upsert_webhook::{Conditions, EventId, Mapping, Pointer, Rule, Source, Target};

use super::Columns;
use super::field::{Form, form, path_of};
use crate::import::rows::NOT_IMPORTED;
use crate::pointer::{escaped, unescaped};

/// Whether somebody expects a column of this name: the map, or who named it as a field is named.
pub(crate) fn is_expected(map: Option<&ImportMap>, name: &str) -> bool {
    let by_map = map.is_some_and(|map| {
        let all = map.columns.iter().chain(&map.ignore).chain(&map.optional);
        all.chain(map.renamed.iter().map(|(column, _)| column))
            .any(|column| column.name == name)
    });
    by_map || NOT_IMPORTED.contains(&name) || path_of(name).is_some()
}

/// What is gathered on the way.
#[derive(Default)]
struct Reading<'h> {
    header: &'h [String],
    used: Vec<(usize, String)>,
    rules: Vec<(Target, Rule)>,
    nameless: Vec<usize>,
    problems: Vec<Problem>,
}

impl Columns {
    /// # Errors
    /// Which names of the map are no columns or no fields, by its lines; which columns are no fields.
    pub(crate) fn new(header: &[String], map: Option<&ImportMap>, is_lenient: bool) -> anyhow::Result<Self> {
        let header: Vec<String> = header.iter().map(|name| one_line(name)).collect();
        let mut reading = Reading {
            header: &header,
            ..Reading::default()
        };
        let named = map.map(|map| reading.named_by(map)).unwrap_or_default();
        let left_out = reading.by_their_names(map, &named);
        if let Some(map) = map {
            reading.fixed(map);
            reading.rules.extend(map.rules.iter().cloned());
        }
        if !reading.problems.is_empty() {
            let lines: Vec<String> = reading.problems.iter().map(ToString::to_string).collect();
            bail!("{}", lines.join("\n"));
        }
        let left_out = left_out?;
        reading.no_target_twice()?;
        let form_of = |(target, _): &(Target, Rule)| {
            let pointer = target.to_string();
            let form = form(&path_of(&pointer)?)?;
            (form != Form::Text).then_some((pointer, form))
        };
        Ok(Self {
            count: header.len(),
            used: reading.used,
            nameless: reading.nameless,
            forms: reading.rules.iter().filter_map(form_of).collect(),
            mapping: mapping(reading.rules, is_lenient),
            empty: map.map(|map| map.empty.clone()).unwrap_or_default(),
            left_out,
        })
    }
}

impl Reading<'_> {
    /// Finds the columns that the map names; gives where they stand.
    fn named_by(&mut self, map: &ImportMap) -> BTreeSet<usize> {
        let mut named = BTreeSet::new();
        let is_optional = |column: &Named| map.optional.iter().any(|other| other.name == column.name);
        for column in map.columns.iter().chain(map.renamed.iter().map(|(column, _)| column)) {
            match self.places(&column.name).as_slice() {
                [] if is_optional(column) => {}
                [] => self.unknown_column(column),
                [one] => {
                    if named.insert(*one) || !self.used.iter().any(|(_, name)| *name == column.name) {
                        self.used.push((*one, column.name.clone()));
                    }
                }
                several => {
                    let message = format!("{} columns of the file are named `{}`", several.len(), column.name);
                    self.problems.push(column.problem(message));
                }
            }
        }
        if let (Some(first), true) = (map.columns.first(), named.is_empty() && self.problems.is_empty()) {
            self.problems
                .push(first.problem("the file has none of the columns that the map names: it is another map's"));
        }
        let is_used = |column: &&Named| map.columns.iter().any(|used| used.name == column.name);
        for column in map.optional.iter().filter(|column| !is_used(column)) {
            let hint = nearest(&column.name, map.columns.iter().map(|used| used.name.as_str()));
            let problem = column.problem(format!("no rule uses the column `{}`", column.name));
            self.problems.push(hinted(problem, hint));
        }
        for (column, field) in &map.renamed {
            match target(field) {
                Some(target) => self.rules.push((target, of_column(&column.name))),
                None => self.unknown_field(column, field),
            }
        }
        named
    }

    /// By its name; one that is written as a pointer may stand for the name in it.
    fn places(&self, name: &str) -> Vec<usize> {
        let of = |name: &str| -> Vec<usize> {
            let all = self.header.iter().enumerate();
            all.filter(|(_, column)| *column == name).map(|(at, _)| at).collect()
        };
        let plain = of(&one_line(name));
        match name.strip_prefix('/') {
            Some(pointer) if plain.is_empty() => of(&unescaped(pointer)),
            _ => plain,
        }
    }

    /// Columns that are named as fields are; gives the names of those that are left out.
    fn by_their_names(&mut self, map: Option<&ImportMap>, named: &BTreeSet<usize>) -> anyhow::Result<Vec<String>> {
        let (mut unknown, mut left_out) = (Vec::new(), Vec::new());
        for (at, name) in self.header.iter().enumerate().filter(|(at, _)| !named.contains(at)) {
            let is_named = map.is_some_and(|map| map.ignore.iter().any(|one| one.name == *name));
            let is_ignored = is_named || map.is_some_and(|map| map.ignores_the_rest);
            match target(name) {
                _ if NOT_IMPORTED.contains(&name.as_str()) => {}
                // A delimiter at the end of every line. What stands there was shifted, and so was its row: no `*` means that.
                None if name.is_empty() && !is_named => self.nameless.push(at),
                _ if is_ignored => left_out.push(name.clone()),
                Some(target) => {
                    self.used.push((at, name.clone()));
                    self.rules.push((target, of_column(name)));
                }
                None => unknown.push(format!("`{name}`")),
            }
        }
        if unknown.is_empty() {
            return Ok(left_out);
        }
        bail!(
            "no field is named so: {}. Name columns as fields are named (`given_name`, `addresses.billing.line1`), or say in \
             a map (--map) what they are, or which to ignore",
            unknown.join(", ")
        );
    }

    /// What every row has, and what a row has that says nothing.
    fn fixed(&mut self, map: &ImportMap) {
        for (field, value) in &map.constants {
            match target(&field.name) {
                Some(target) => self.rules.push((target, Rule::of(Source::Value(value.clone())))),
                None => self.unknown_field(field, &field.name),
            }
        }
        for (field, value) in &map.defaults {
            let Some(target) = target(&field.name) else {
                self.unknown_field(field, &field.name);
                continue;
            };
            match self.rules.iter_mut().find(|(other, _)| *other == target) {
                Some((_, rule)) => rule.default = Some(value.clone()),
                None => self.rules.insert(0, (target, Rule::of(Source::Value(value.clone())))),
            }
        }
    }

    /// A constant writes over a column, on purpose; two columns for one member are a mistake.
    fn no_target_twice(&self) -> anyhow::Result<()> {
        let mut seen = BTreeSet::new();
        let from_columns = |rule: &Rule| !matches!(rule.source, Source::Value(_)) && rule.when.0.is_empty();
        for (target, _) in self.rules.iter().filter(|(_, rule)| from_columns(rule)) {
            if !seen.insert(target) {
                bail!(
                    "two columns are `{}`: ignore one of them, or name both in one rule",
                    target.to_string().trim_start_matches('/')
                );
            }
        }
        Ok(())
    }

    fn unknown_column(&mut self, column: &Named) {
        let problem = column.problem(format!("the file has no column `{}`", column.name));
        let hint = nearest(&column.name, self.header.iter().map(String::as_str));
        self.problems.push(match hint {
            Some(_) => hinted(problem, hint),
            None => problem.hint("a column that some files lack stands in `optional`"),
        });
    }

    fn unknown_field(&mut self, at: &Named, field: &str) {
        let known = upsert_core::Field::ALL
            .iter()
            .map(|field| field.pointer().trim_start_matches('/').replace('/', "."));
        let known: Vec<String> = known.collect();
        let hint = nearest(field, known.iter().map(String::as_str));
        self.problems
            .push(hinted(at.problem(format!("`{field}` is no field")), hint));
    }
}

fn hinted(problem: Problem, near: Option<&str>) -> Problem {
    match near {
        Some(name) => problem.hint(format!("did you mean `{name}`?")),
        None => problem,
    }
}

/// A name without the line breaks that a spreadsheet put into it.
fn one_line(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn target(name: &str) -> Option<Target> {
    path_of(name).and_then(Target::new)
}

fn of_column(name: &str) -> Rule {
    let pointer = Pointer::parse(&format!("/{}", escaped(name)));
    Rule::of(Source::From(pointer.into_iter().collect()))
}

fn mapping(rules: Vec<(Target, Rule)>, is_lenient: bool) -> Mapping {
    Mapping {
        each: None,
        event_id: EventId::Header(String::new()),
        order_by: None,
        provider_customer_id: None,
        only: Conditions::default(),
        rules,
        is_lenient,
    }
}
