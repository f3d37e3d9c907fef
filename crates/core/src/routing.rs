//! Which customers a route holds for.

use serde::Serialize;

use crate::customer::Customer;
use crate::field::{Field, Value};
use crate::word::Word as _;

/// Conditions on the merged customer; an empty list asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct When {
    /// `person`, `organisation`.
    pub kind: Vec<String>,
    /// The source field.
    pub source: Vec<String>,
    /// Any of these tags.
    pub tag: Vec<String>,
    /// The billing address's country, else the property's.
    pub country: Vec<String>,
    /// `active`, `inactive`.
    pub status: Vec<String>,
}

impl When {
    /// The fields that it asks for.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        let asked = [
            (&self.kind, Field::Kind),
            (&self.source, Field::Source),
            (&self.tag, Field::Tags),
            (&self.country, Field::BillingCountry),
            (&self.country, Field::PropertyCountry),
            (&self.status, Field::Status),
        ];
        let asked = asked.into_iter().filter(|(wanted, _)| !wanted.is_empty());
        asked.map(|(_, field)| field)
    }

    /// Whether all conditions hold.
    pub fn holds(&self, customer: &Customer) -> bool {
        let is_one_of = |wanted: &[String], value: Option<&str>| {
            wanted.is_empty() || value.is_some_and(|value| wanted.iter().any(|wanted| wanted == value))
        };
        let has_tag = self.tag.is_empty()
            || matches!(customer.get(Field::Tags), Some(Value::Tags(tags)) if self.tag.iter().any(|tag| tags.contains(tag)));
        let country = customer.text(Field::BillingCountry);
        let country = country.or_else(|| customer.text(Field::PropertyCountry));
        is_one_of(&self.kind, Some(customer.kind().as_str()))
            && is_one_of(&self.source, customer.text(Field::Source))
            && is_one_of(&self.country, country)
            && is_one_of(&self.status, customer.text(Field::Status))
            && has_tag
    }
}
