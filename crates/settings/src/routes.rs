//! `[[routes]]`: which customers go to which connections.

use serde::Serialize;

use crate::members::Member;
use crate::nearest::suggestion;
use crate::problems::Location;
use crate::section::{Section, Spot};
use crate::words::word;

pub(crate) const MEMBERS: &[Member] = &[Member::or("when", "{}").section(WHEN), Member::required("to")];
const WHEN: &[Member] = &[
    Member::optional("kind"),
    Member::optional("source"),
    Member::optional("tag"),
    Member::optional("country"),
    Member::optional("status"),
];

words! {
    /// What a customer is.
    pub enum Kind {
        /// A person.
        Person = "person",
        /// An organisation.
        Organisation = "organisation",
    }
}

words! {
    /// Whether a customer is active.
    pub enum Status {
        /// Active.
        Active = "active",
        /// Inactive.
        Inactive = "inactive",
    }
}

/// What a customer must be for a route: one of the values of each list that is not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Conditions {
    /// One of these kinds.
    pub kind: Vec<Kind>,
    /// One of these sources.
    pub source: Vec<String>,
    /// At least one of these tags.
    pub tag: Vec<String>,
    /// One of these countries (of the billing address, else of the property), two capital letters.
    pub country: Vec<String>,
    /// One of these statuses.
    pub status: Vec<Status>,
}

/// Customers of one kind go to these connections.
#[derive(Clone, Debug, Serialize)]
pub struct Route {
    /// Whom it holds for; all empty: everybody.
    pub when: Conditions,
    /// The names of the connections; never empty.
    pub to: Vec<String>,
    /// Where it stands.
    #[serde(skip)]
    pub location: Location,
}

impl Route {
    /// `connections` are the names that the merchant's file gives, whether or not the rest of them could be read.
    pub(crate) fn read(section: &Section<'_>, connections: &[&str]) -> Option<Self> {
        let when = section.section("when", |when| Some(Conditions::read(when)));
        let to = section.read("to", |spot| spot.some(|item| target(item, connections)));
        let to = to?;
        for (index, name) in to.iter().enumerate() {
            if to[..index].contains(name) {
                section
                    .spot
                    .refuse::<()>(format!("names the connection `{name}` twice"));
            }
        }
        Some(Self {
            when: when?,
            to,
            location: section.at().clone(),
        })
    }
}

/// The name of a connection that there is.
pub(crate) fn target(spot: &Spot<'_>, connections: &[&str]) -> Option<String> {
    let name = spot.text()?;
    if connections.contains(&name) {
        return Some(name.to_owned());
    }
    let hint = if connections.is_empty() {
        "this merchant has none".to_owned()
    } else {
        suggestion(name, connections)
    };
    spot.refuse_but(format!("there is no connection `{name}`"), hint)
}

impl Conditions {
    fn read(section: &Section<'_>) -> Self {
        Self {
            kind: section.maybe("kind", |spot| spot.one_or_some(word)).unwrap_or_default(),
            source: section
                .maybe("source", |spot| spot.one_or_some(Spot::line))
                .unwrap_or_default(),
            tag: section
                .maybe("tag", |spot| spot.one_or_some(Spot::line))
                .unwrap_or_default(),
            country: section
                .maybe("country", |spot| spot.one_or_some(Spot::region))
                .unwrap_or_default(),
            status: section
                .maybe("status", |spot| spot.one_or_some(word))
                .unwrap_or_default(),
        }
    }
}
