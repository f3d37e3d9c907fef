//! A rule of a mapping that is more than a pointer.

use std::collections::BTreeMap;

use serde_json::Value;

use upsert_webhook::{Rule, Source};

use crate::conditions::conditions;
use crate::json::json;
use crate::members::Member;
use crate::section::{Section, Spot};

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
    let source = source(&section);
    let part = section.maybe("part", Spot::word);
    let transform = section.read("transform", |spot| match &spot.node.shape {
        crate::tree::Shape::List(_) => spot.each(Spot::word),
        _ => spot.word().map(|one| vec![one]),
    });
    let values = section.maybe("values", constants);
    let split = section.maybe("split", |spot| match spot.text()? {
        "" => spot.refuse("must not be empty"),
        separator => Some(separator.to_owned()),
    });
    let default = section.maybe("default", json);
    let required = section.read("required", Spot::flag);
    let clear = section.read("clear", Spot::flag);
    let when = section.read("when", conditions);
    let fits = fits(&section);
    Some(Rule {
        source: source?,
        part,
        transform: transform?,
        values,
        split,
        default,
        required: required?,
        clear: clear?,
        when: when?,
    })
    .filter(|_| fits)
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
        ["from"] => section
            .maybe("from", |spot| spot.one_or_some(Spot::pointer_or_all))
            .map(Source::From),
        ["column"] if names_columns => section
            .maybe("column", |spot| spot.one_or_some(Spot::pointer_or_all))
            .map(Source::From),
        ["column"] => section
            .spot
            .refuse_but("an event has no columns", "`from` points into it"),
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

/// Whether its members can stand together.
fn fits(section: &Section<'_>) -> bool {
    let mut fits = true;
    if let Some(with) = section.given("with").filter(|_| section.given("join").is_none()) {
        with.refuse::<()>("means nothing without `join`");
        fits = false;
    }
    for (one, other) in APART {
        if let (Some(spot), Some(_)) = (section.given(one), section.given(other)) {
            spot.refuse::<()>(format!("`{one}` and `{other}` cannot both be given"));
            fits = false;
        }
    }
    if section.given("value").is_some() {
        for stranger in OF_THE_FOUND.iter().filter_map(|name| section.given(name)) {
            stranger.refuse::<()>("means nothing beside `value`, which is always found");
            fits = false;
        }
    }
    fits
}

/// A constant by the text of a value.
fn constants(spot: &Spot<'_>) -> Option<BTreeMap<String, Value>> {
    let constants: BTreeMap<_, _> = spot.each_entry(|entry, spot| Some((entry.key.clone(), json(spot)?)))?;
    if constants.is_empty() {
        return spot.refuse("must not be empty");
    }
    Some(constants)
}
