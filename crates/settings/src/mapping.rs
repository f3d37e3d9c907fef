//! `map` of a source: which members of an upsert's body it fills, and where nested tables end and rules begin.

use std::collections::BTreeMap;

use serde_json::Value;

use upsert_webhook::{Rule, Target};

use crate::json::json;
use crate::nearest::suggestion;
use crate::problems::Location;
use crate::rule;
use crate::section::Spot;
use crate::tree::Shape;

/// The members of an upsert's body that a webhook or a row can fill.
pub(crate) const FIELDS: &[&str] = &[
    "id",
    "reference",
    "kind",
    "given_name",
    "middle_name",
    "family_name",
    "organisation_name",
    "tax_id",
    "email",
    "phone",
    "status",
    "verified",
    "addresses",
    "billing_same_as_property",
    "service",
    "notifications",
    "notes",
    "source",
    "tags",
    "tags_removed",
    "metadata",
    "provider_fields",
    "links",
];
const ADDRESSES: &[&str] = &["billing", "property"];
const ADDRESS: &[&str] = &["line1", "line2", "city", "state", "postal_code", "country"];
const SERVICE: &[&str] = &["type", "frequency"];
const NOTIFICATIONS: &[&str] = &["email", "phone"];

/// Everything that a source fills.
#[derive(Default)]
pub(crate) struct Fields {
    pub(crate) rules: Vec<(Target, Rule)>,
    /// By target, what the file says.
    pub(crate) written: BTreeMap<String, Value>,
    /// By target, where it says so.
    pub(crate) places: BTreeMap<String, Location>,
}

impl Fields {
    /// All problems are reported.
    pub(crate) fn read(spot: &Spot<'_>) -> Option<Self> {
        let mut fields = Self::default();
        fields.gather(spot, &[])?;
        if fields.rules.is_empty() {
            return spot.refuse("must not be empty");
        }
        Some(fields)
    }

    fn gather(&mut self, spot: &Spot<'_>, parent: &[String]) -> Option<()> {
        let mut whole = Some(());
        for (entry, spot) in spot.entries()? {
            let mut names = parent.to_vec();
            if let Some((known, of)) = members_of(parent)
                && !known.contains(&entry.key.as_str())
            {
                let hint = suggestion(&entry.key, known);
                whole = spot.refuse_but(format!("`{}` is not a field of {of}", entry.key), hint);
                continue;
            }
            names.push(entry.key.clone());
            let is_table = matches!(spot.node.shape, Shape::Table(_));
            if is_table && names.len() < leaf_depth(&names) {
                whole = self.gather(&spot, &names).and(whole);
                continue;
            }
            let rule = match &spot.node.shape {
                Shape::List(_) => rules(&spot),
                _ => one_rule(&spot).map(|rule| vec![rule]),
            };
            whole = rule.and_then(|rules| self.add(&spot, names, rules)).and(whole);
        }
        whole
    }

    fn add(&mut self, spot: &Spot<'_>, names: Vec<String>, rules: Vec<Rule>) -> Option<()> {
        let target = Target::new(names)?;
        self.written.insert(target.to_string(), json(spot)?);
        self.places.insert(target.to_string(), spot.node.at.clone());
        self.rules.extend(rules.into_iter().map(|rule| (target.clone(), rule)));
        Some(())
    }
}

/// A pointer, or a rule.
fn one_rule(spot: &Spot<'_>) -> Option<Rule> {
    match &spot.node.shape {
        Shape::Table(_) => rule::read(spot),
        _ => spot.pointer().map(Rule::plain),
    }
}

/// Several rules for one member, of which each has its own conditions. A list of pointers is more likely another thing.
fn rules(spot: &Spot<'_>) -> Option<Vec<Rule>> {
    let is_rule = |item: &Spot<'_>| matches!(item.node.shape, Shape::Table(_));
    if !spot.items()?.iter().any(is_rule) {
        return spot.refuse_but(
            "expected a text, found a list",
            "{ from = [ … ] } takes the first that says something",
        );
    }
    spot.each(one_rule)
}

/// The members that there are, and of what; none where any name may stand.
fn members_of(parent: &[String]) -> Option<(&'static [&'static str], &'static str)> {
    let names: Vec<&str> = parent.iter().map(String::as_str).collect();
    match names.as_slice() {
        [] => Some((FIELDS, "a customer")),
        ["addresses"] => Some((ADDRESSES, "`addresses`")),
        ["addresses", _] => Some((ADDRESS, "an address")),
        ["service"] => Some((SERVICE, "`service`")),
        ["notifications"] => Some((NOTIFICATIONS, "`notifications`")),
        _ => None,
    }
}

/// How deep the fields stand; a table there is a rule, above it one that nests.
fn leaf_depth(names: &[String]) -> usize {
    match names.first().map(String::as_str) {
        Some("addresses" | "provider_fields") => 3,
        Some("service" | "notifications" | "metadata" | "links") => 2,
        _ => 1,
    }
}
