//! A rule of a mapping that is more than a pointer.

use std::collections::BTreeMap;

use serde_json::Value;

use upsert_webhook::{Rule, Source};

use crate::conditions::conditions;
use crate::json::json;
use crate::members::Member;
use crate::section::{Section, Spot, all_or_none};

const MEMBERS: &[Member] = &[
    Member::optional("from"),
    Member::optional("column"),
    Member::optional("value"),
    Member::optional("join"),
    Member::or("with", "\" \""),
    Member::optional("part"),
    Member::or("transform", "[]"),
    Member::optional("values"),
    Member::optional("split"),
    Member::optional("default"),
    Member::or("required", "false"),
    Member::or("clear", "false"),
    Member::or("when", "{}"),
];
/// What may not stand together, and why.
const APART: &[(&str, &str)] = &[
    ("split", "values"),
    ("required", "default"),
    ("clear", "default"),
    ("clear", "required"),
];
/// What is done to something that was found, which a constant is not.
const OF_THE_FOUND: &[&str] = &["part", "transform", "values", "split", "default", "required", "clear"];

pub(crate) fn read(spot: &Spot<'_>) -> Option<Rule> {
    let section = spot.section(MEMBERS)?;
    check_together(&section);
    all_or_none!(Rule {
        source: source(&section),
        part: Some(section.maybe("part", Spot::word)),
        transform: section.read("transform", |spot| spot.one_or_each(Spot::word)),
        values: Some(section.maybe("values", constants)),
        split: Some(section.maybe("split", |spot| match spot.text()? {
            "" => spot.refuse("must not be empty"),
            separator => Some(separator.to_owned()),
        })),
        default: Some(section.maybe("default", json)),
        required: section.read("required", Spot::flag),
        clear: section.read("clear", Spot::flag),
        when: section.read("when", conditions),
    })
}

/// Exactly one of `from` (in an import's map also `column`), `value` and `join`.
fn source(section: &Section<'_>) -> Option<Source> {
    let given: Vec<&str> = ["from", "column", "value", "join"]
        .into_iter()
        .filter(|name| section.given(name).is_some())
        .collect();
    let with = section.read("with", |spot| spot.text().map(str::to_owned));
    let names_columns = section.spot.reading.columns.is_some();
    let (usual, example) = if names_columns {
        ("column", "\"First Name\"")
    } else {
        ("from", "\"/a\"")
    };
    match given.as_slice() {
        ["column"] if !names_columns => section
            .spot
            .refuse_but("an event has no columns", "`from` points into it"),
        [where_it_is @ ("from" | "column")] => section
            .maybe(where_it_is, |spot| spot.one_or_some(Spot::pointer_or_all))
            .map(Source::From),
        ["value"] => section.maybe("value", json).map(Source::Value),
        ["join"] => {
            let pointers = section.maybe("join", |spot| spot.some(Spot::pointer_or_all));
            Some(Source::Join {
                pointers: pointers?,
                with: with?,
            })
        }
        [] => section.spot.refuse_but(
            format!("a rule has `{usual}`, `value` or `join`"),
            format!(
                "a table that stands for a field is a rule, such as {{ {usual} = {example}, transform = [\"trim\"] }}"
            ),
        ),
        _ => section
            .spot
            .refuse(format!("a rule has only one of `{usual}`, `value` and `join`")),
    }
}

/// Reports members that cannot stand together.
fn check_together(section: &Section<'_>) {
    if section.given("join").is_none() {
        section.refuse_given(&["with"], "means nothing without `join`");
    }
    for (one, other) in APART {
        if section.given(other).is_some() {
            section.refuse_given(&[one], &format!("`{one}` and `{other}` cannot both be given"));
        }
    }
    if section.given("value").is_some() {
        section.refuse_given(OF_THE_FOUND, "means nothing beside `value`, which is always found");
    }
}

/// A constant by the text of a value.
fn constants(spot: &Spot<'_>) -> Option<BTreeMap<String, Value>> {
    let constants: BTreeMap<_, _> = spot.each_entry(|entry, spot| Some((entry.key.clone(), json(spot)?)))?;
    if constants.is_empty() {
        return spot.refuse("must not be empty");
    }
    Some(constants)
}
