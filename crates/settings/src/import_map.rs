//! The map of an import: what the columns of a table are, in the rules of a webhook source. A rule names columns where that
//! of a source points into an event.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;

use serde_json::Value;

use upsert_webhook::{Rule, Target};

use crate::environment::{Environment, Secrets};
use crate::json::json;
use crate::mapping::{FIELDS, Fields};
use crate::members::Member;
use crate::problems::Problem;
use crate::section::{Named, Reading, Section, Spot, all_or_none};
use crate::tree::{Entry, Node, Shape, parse};

const MEMBERS: &[Member] = &[
    Member::optional("map"),
    Member::or("columns", "{}"),
    Member::or("constants", "{}"),
    Member::or("defaults", "{}"),
    Member::or("ignore", "[]"),
    Member::or("optional", "[]"),
    Member::or("empty", "[]"),
];

/// In `ignore`: whatever the map does not name.
const THE_REST: &str = "*";

/// What the columns of a table are.
#[derive(Debug)]
pub struct ImportMap {
    /// How the members of the body are filled.
    pub rules: Vec<(Target, Rule)>,
    /// The columns that the rules name, as often as they do.
    pub columns: Vec<Named>,
    /// Columns, and the fields that they are.
    pub renamed: Vec<(Named, String)>,
    /// Fields, and what every row has there.
    pub constants: Vec<(Named, Value)>,
    /// Fields, and what a row has there that says nothing of it.
    pub defaults: Vec<(Named, Value)>,
    /// Columns that are left out.
    pub ignore: Vec<Named>,
    /// Whether all columns are left out that are not named.
    pub ignores_the_rest: bool,
    /// Columns that a file may lack.
    pub optional: Vec<Named>,
    /// Texts that say nothing, such as `NULL`.
    pub empty: BTreeSet<String>,
}

impl Named {
    /// A problem with it.
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(&self.at, self.path.as_str(), message)
    }
}

impl ImportMap {
    /// Reads a map; `file` is its name in problems.
    ///
    /// # Errors
    /// Every problem there is, by line.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let node = parse(&file.into(), text)?;
        let environment = Environment::default();
        let mut reading = Reading::new(&environment, Secrets::Skip, Path::new(""));
        reading.columns = Some(RefCell::default());
        let map = read(&reading, &node);
        let mut problems = reading.problems.into_inner();
        match map {
            Some(mut map) if problems.is_empty() => {
                map.columns = reading.columns.map(RefCell::into_inner).unwrap_or_default();
                Ok(map)
            }
            _ => {
                problems.sort();
                Err(problems)
            }
        }
    }
}

fn read(reading: &Reading<'_>, node: &Rc<Node>) -> Option<ImportMap> {
    let (fields, rest) = apart(node);
    let section = Spot::root(reading, &rest).section(MEMBERS)?;
    let at_the_top = fields.and_then(|fields| Fields::read(&Spot::root(reading, &fields)));
    let below = section.maybe("map", Fields::read);
    let mut rules = at_the_top.map(|fields| fields.rules).unwrap_or_default();
    rules.extend(below.map(|fields| fields.rules).unwrap_or_default());
    let ignore = names(&section, "ignore");
    let is_the_rest = |named: &Named| named.name == THE_REST;
    all_or_none!(ImportMap {
        rules: Some(rules),
        columns: Some(Vec::new()),
        renamed: section.read("columns", |spot| pairs(spot, |field| Some(field.text()?.to_owned()))),
        constants: section.read("constants", |spot| pairs(spot, json)),
        defaults: section.read("defaults", |spot| pairs(spot, json)),
        ignores_the_rest: ignore.as_ref().map(|named| named.iter().any(is_the_rest)),
        ignore: ignore.map(|named| named.into_iter().filter(|named| !is_the_rest(named)).collect()),
        optional: names(&section, "optional"),
        empty: names(&section, "empty").map(|named| named.into_iter().map(|named| named.name).collect()),
    })
}

/// The fields that stand at the top of the file, without `[map]` above them; and everything else.
fn apart(node: &Rc<Node>) -> (Option<Rc<Node>>, Rc<Node>) {
    let is_field = |entry: &Entry| FIELDS.contains(&entry.key.as_str());
    let (fields, rest): (Vec<Entry>, Vec<Entry>) = node.entries().iter().cloned().partition(is_field);
    let table = |entries: Vec<Entry>| Node::new(&node.at, Shape::Table(entries));
    ((!fields.is_empty()).then(|| table(fields)), table(rest))
}

fn pairs<T>(spot: &Spot<'_>, read: impl Fn(&Spot<'_>) -> Option<T>) -> Option<Vec<(Named, T)>> {
    spot.each_entry(|entry, spot| {
        let named = Named {
            at: entry.at.clone(),
            ..spot.named(&entry.key)
        };
        Some((named, read(spot)?))
    })
}

fn names(section: &Section<'_>, name: &str) -> Option<Vec<Named>> {
    let named = |spot: &Spot<'_>| Some(spot.named(spot.text()?));
    section.read(name, |spot| spot.one_or_each(named))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let problems = ImportMap::read("map.toml", text).unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_rule_names_columns_by_their_own_names_in_every_spelling() {
        let text = "reference = \"Customer ID\"\n[map]\nemail = { column = \"E-Mail/Work\" }\n\
                    phone = { from = [\"Phone\", \"Mobile ~ 2\"] }\n\
                    given_name = { column = \"Name\", when = { \"Is Person\" = true } }\n\
                    notes = { join = [\"Note 1\", \"Note 2\"] }\n[map.links]\nrotor = \"Rotor\"\n";
        let map = ImportMap::read("map.toml", text).unwrap();
        let names: BTreeSet<&str> = map.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "Customer ID",
                "E-Mail/Work",
                "Is Person",
                "Mobile ~ 2",
                "Name",
                "Note 1",
                "Note 2",
                "Phone",
                "Rotor"
            ]
            .into()
        );
        let targets: Vec<String> = map.rules.iter().map(|(target, _)| target.to_string()).collect();
        assert_eq!(
            targets,
            [
                "/reference",
                "/email",
                "/phone",
                "/given_name",
                "/notes",
                "/links/rotor"
            ]
        );
        assert_eq!(map.columns[1].at.line, 3);
    }

    #[test]
    fn what_cannot_be_read_is_named_by_its_line_with_what_was_meant() {
        assert_eq!(
            problems("ignroe = [\"x\"]\n[map]\nemial = \"E\"\nphone = { colum = \"P\" }\n"),
            [
                "map.toml:1:1: ignroe: there is no member `ignroe` here (did you mean `ignore`?)",
                "map.toml:3:9: map.emial: `emial` is not a field of a customer (did you mean `email`?)",
                "map.toml:4:9: map.phone: a rule has `column`, `value` or `join` (a table that stands for a field is a rule, such as { column = \"First Name\", transform = [\"trim\"] })",
                "map.toml:4:11: map.phone.colum: there is no member `colum` here (did you mean `column`?)",
            ]
        );
        assert!(problems("email = [\"a\"\n")[0].starts_with("map.toml:1:"));
        assert_eq!(problems("email = { column = \"a\", from = \"b\" }").len(), 1);
        assert_eq!(
            problems("[columns]\na = 1\nb = 2\n").len(),
            2,
            "each, not the first alone"
        );
    }
}
