//! A merchant's file: who it is, its connections, routes and webhooks.

use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use upsert_core::IdentifierKind;

use crate::connection::{self, Connection};
use crate::endpoint::Names;
use crate::incoming::WebhookIn;
use crate::members::Member;
use crate::places::Places;
use crate::problems::{Location, Problem};
use crate::routes::{self, Route};
use crate::section::{Section, Spot, all_or_none, path_to};
use crate::tree::Node;
use crate::values::duration;
use crate::webhooks::{self, WebhookOut};

pub(crate) const MEMBERS: &[Member] = &[
    Member::required("id"),
    Member::optional("name"),
    Member::optional("default_region"),
    Member::or("match_on", "[\"email\", \"phone\"]"),
    Member::or("never_match", "{}").section(NEVER_MATCH),
    Member::or("sync_deadline", "\"10s\""),
    Member::or("connections", "[]").sections(connection::MEMBERS),
    Member::or("routes", "[]").sections(routes::MEMBERS),
    Member::or("webhooks", "{}").section(webhooks::MEMBERS),
];

const NEVER_MATCH: &[Member] = &[Member::or("phone", "[\"repeated-digit\"]"), Member::or("email", "[]")];

/// A client should never have to wait longer than this for an answer.
const LONGEST_DEADLINE: Duration = Duration::from_mins(5);

/// What may recognise a customer who is named by neither id nor reference.
const MATCH_ON: [IdentifierKind; 2] = [IdentifierKind::Email, IdentifierKind::Phone];

/// Values that people type who do not want to give theirs: they are kept, and recognise nobody.
#[derive(Clone, Debug, Serialize)]
pub struct NeverMatch {
    /// Phone numbers, or `repeated-digit`.
    pub phone: Vec<String>,
    /// E-mail addresses, or `*@` and a domain.
    pub email: Vec<String>,
}

impl NeverMatch {
    fn read(section: &Section<'_>) -> Option<Self> {
        all_or_none!(Self {
            phone: section.read("phone", |spot| spot.each(Spot::line)),
            email: section.read("email", |spot| spot.each(Spot::line)),
        })
    }
}

/// A merchant: the tenant on whose behalf customers are upserted.
#[derive(Clone, Debug, Serialize)]
pub struct Merchant {
    /// Its id.
    pub id: String,
    /// Its name, for people.
    pub name: Option<String>,
    /// The region of phone numbers without a country code, two capital letters.
    pub default_region: Option<String>,
    /// What recognises a customer, in this order; may be empty.
    pub match_on: Vec<IdentifierKind>,
    /// Values that recognise nobody.
    pub never_match: NeverMatch,
    /// How long an upsert waits for its deliveries before it is answered with 202.
    #[serde(serialize_with = "duration")]
    pub sync_deadline: Duration,
    /// Its accounts at vendors.
    pub connections: Vec<Connection>,
    /// The first that holds picks the connections; empty: all connections.
    pub routes: Vec<Route>,
    /// Events that come in.
    pub webhooks_in: Vec<WebhookIn>,
    /// Events that go out.
    pub webhooks_out: Vec<WebhookOut>,
    /// Where its id stands.
    #[serde(skip)]
    pub location: Location,
    #[serde(skip)]
    places: Places,
}

/// An upsert has at most so many deliveries ([`upsert_core::DeliveryId::MOST`] is more).
const MOST_CONNECTIONS: usize = 1_000;

impl Merchant {
    /// The connection of this name.
    pub fn connection(&self, name: &str) -> Option<&Connection> {
        self.connections.iter().find(|connection| connection.name == name)
    }

    /// Where a member of its file stands, such as `connections[2].settings.merchant_id`; for an absent one, where the
    /// nearest one around it does.
    pub fn locate(&self, member: &str) -> Location {
        self.places.find(member)
    }

    pub(crate) fn read(section: &Section<'_>, document: &Rc<Node>) -> Option<Self> {
        let places = Places::of(document);
        let names = texts_of(document, "connections", "name");
        let names: Vec<&str> = names.into_iter().map(|(name, ..)| name).collect();
        let webhooks = section.section("webhooks", |webhooks| {
            let incoming = webhooks.sections("in", |source| WebhookIn::read(source, &names));
            let endpoints = Names::default();
            let outgoing = webhooks.sections("out", |out| WebhookOut::read(out, &endpoints));
            report_repeats(&webhooks.spot, "in", "source");
            Some((incoming?, outgoing?))
        });
        report_repeats(&section.spot, "connections", "name");
        report_too_many(&section.spot, "connections", MOST_CONNECTIONS);
        let (webhooks_in, webhooks_out) = webhooks.unzip();
        all_or_none!(Self {
            id: section.read("id", Spot::name),
            name: Some(section.maybe("name", Spot::line)),
            default_region: Some(section.maybe("default_region", Spot::region)),
            match_on: section.read("match_on", |spot| {
                spot.each(|item| item.one_of(&MATCH_ON))
                    .and_then(|all| without_repeats(spot, all))
            }),
            never_match: section.section("never_match", NeverMatch::read),
            sync_deadline: section.read("sync_deadline", |spot| spot.duration(LONGEST_DEADLINE)),
            connections: section.sections("connections", |connection| Connection::read(connection, &places)),
            routes: section.sections("routes", |route| Route::read(route, &names)),
            webhooks_in,
            webhooks_out,
            location: Some(places.find("id")),
            places: Some(places),
        })
    }
}

fn without_repeats(spot: &Spot<'_>, all: Vec<IdentifierKind>) -> Option<Vec<IdentifierKind>> {
    let repeated = all.iter().enumerate().any(|(index, one)| all[..index].contains(one));
    if repeated {
        spot.refuse("names the same identifier twice")
    } else {
        Some(all)
    }
}

/// The text of one member in each section of a list, whether or not the rest of the section is right; where it stands,
/// and in which section.
fn texts_of<'n>(table: &'n Node, list: &str, member: &str) -> Vec<(&'n str, &'n Location, usize)> {
    let sections = table.get(list).map_or(&[][..], |list| list.items());
    let text = |(index, section): (usize, &'n Rc<Node>)| {
        let node = section.get(member)?;
        Some((node.text()?, &node.at, index))
    };
    sections.iter().enumerate().filter_map(text).collect()
}

/// Reports a list that has more sections than there may be.
fn report_too_many(spot: &Spot<'_>, list: &str, most: usize) {
    let Some(sections) = spot.node.get(list).filter(|list| list.items().len() > most) else {
        return;
    };
    let said = format!("are {}, and there may be {most} at most", sections.items().len());
    spot.reading
        .report(Problem::new(&sections.at, path_to(&spot.path, list), said));
}

/// Reports each section of a list whose `member` says the same as an earlier one's.
pub(crate) fn report_repeats(spot: &Spot<'_>, list: &str, member: &str) {
    let texts = texts_of(&spot.node, list, member);
    for (position, (text, at, index)) in texts.iter().enumerate() {
        let same = |(earlier, ..): &&(&str, &Location, usize)| earlier.eq_ignore_ascii_case(text);
        if let Some((_, first, _)) = texts[..position].iter().find(same) {
            let path = path_to(&spot.path, list);
            // A hash is a secret's, and too long to say anything to anybody.
            let said = if text.len() <= 63 {
                format!("the {member} `{text}` was given before")
            } else {
                "was given before".to_owned()
            };
            let problem = Problem::new(at, format!("{path}[{index}].{member}"), said);
            spot.reading.report(problem.hint(format!("first at {first}")));
        }
    }
}
