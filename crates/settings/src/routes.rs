//! `[[routes]]`: which customers go to which connections.

use serde::Serialize;
use upsert_core::When;
use upsert_core::field::{Field, Rule};

use crate::members::Member;
use crate::problems::Location;
use crate::section::{Section, Spot};

pub(crate) const MEMBERS: &[Member] = &[Member::or("when", "{}").section(WHEN), Member::required("to")];
const WHEN: &[Member] = &[
    Member::optional("kind"),
    Member::optional("source"),
    Member::optional("tag"),
    Member::optional("country"),
    Member::optional("status"),
];

/// Customers of one kind go to these connections.
#[derive(Clone, Debug, Serialize)]
pub struct Route {
    /// Whom it holds for; all empty: everybody.
    pub when: When,
    /// The names of the connections; never empty.
    pub to: Vec<String>,
    /// Where it stands.
    #[serde(skip)]
    pub location: Location,
}

impl Route {
    /// `connections` are the names that the merchant's file gives, whether or not the rest of them could be read.
    pub(crate) fn read(section: &Section<'_>, connections: &[&str]) -> Option<Self> {
        let when = section.section("when", |when| Some(conditions(when)));
        let to = section.read("to", |spot| spot.some(|item| target(item, connections)));
        let to = to?;
        for (index, name) in to.iter().enumerate() {
            if to[..index].contains(name) {
                let problem = format!("names the connection `{name}` twice");
                section.spot.refuse::<()>(problem);
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
    spot.existing("connection", spot.text()?, connections, "this merchant has none")
}

fn conditions<'r>(section: &Section<'r>) -> When {
    let some = |name: &str, read: fn(&Spot<'r>) -> Option<String>| {
        let read = section.maybe(name, |spot| spot.one_or_some(read));
        read.unwrap_or_default()
    };
    When {
        kind: some("kind", |spot| word_of(spot, Field::Kind)),
        source: some("source", Spot::line),
        tag: some("tag", Spot::line),
        country: some("country", Spot::region),
        status: some("status", |spot| word_of(spot, Field::Status)),
    }
}

/// One of the words that a customer may have in this field.
fn word_of(spot: &Spot<'_>, field: Field) -> Option<String> {
    let Rule::Word(known) = field.rule() else { return None };
    spot.known(known).map(str::to_owned)
}
