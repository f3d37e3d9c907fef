//! `GET /ops/events/in`, `GET /ops/events/out`: events, newest first, by what they are filtered by.

use std::collections::BTreeSet;

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse, get};
use askama::Template;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;

use upsert_app::{Direction, EventListQuery};

use crate::auth::session::Session;
use crate::error::PageError;
use crate::query::{address, given, read};
use crate::render::{Frame, Section, filters, page};
use crate::shapes;
use crate::shapes::event::{Incoming, Outgoing};

/// Events on a page.
const PAGE: usize = 50;
/// Merchants that the form suggests.
const SUGGESTED: usize = 200;

const IN_STATES: [&str; 5] = ["failed", "accepted", "echo", "outdated", "discarded"];
const OUT_STATES: [&str; 6] = [
    "failed",
    "pending,retrying",
    "pending",
    "retrying",
    "succeeded",
    "discarded",
];

/// Which events, as an address or a form says it. What is empty is not given.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Filter {
    pub(crate) merchant: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) event_id: Option<String>,
    pub(crate) customer_id: Option<String>,
    pub(crate) endpoint: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) cursor: Option<String>,
    /// When dead letters were counted: what came later was not, and is left alone.
    pub(crate) counted_at: Option<String>,
}

impl Filter {
    /// For the use cases.
    ///
    /// # Errors
    /// 404 for a merchant that does not exist for this key; 400 for a filter of the other direction.
    pub(crate) fn query(&self, session: &Session, direction: Direction) -> Result<EventListQuery, PageError> {
        let query = EventListQuery {
            merchants: self.merchants(session)?,
            state: given(self.state.as_deref()),
            source: given(self.source.as_deref()),
            event_id: given(self.event_id.as_deref()),
            customer_id: given(self.customer_id.as_deref()),
            endpoint: given(self.endpoint.as_deref()),
            kind: given(self.kind.as_deref()),
            since: given(self.since.as_deref()).map(|text| in_utc(&text)),
            until: given(self.until.as_deref())
                .or(given(self.counted_at.as_deref()))
                .map(|text| in_utc(&text)),
            limit: PAGE,
            cursor: given(self.cursor.as_deref()),
        };
        query.fits(direction)?;
        Ok(query)
    }

    /// One that is configured no more may still have events.
    fn merchants(&self, session: &Session) -> Result<Option<BTreeSet<String>>, PageError> {
        match given(self.merchant.as_deref()) {
            None => Ok(session.principal.in_sight()),
            Some(id) if session.principal.covers(&id) => Ok(Some(BTreeSet::from([id]))),
            Some(_) => Err(PageError::not_found("merchant")),
        }
    }

    /// What is given, without the state and the page.
    pub(crate) fn members(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("merchant", &self.merchant),
            ("source", &self.source),
            ("event_id", &self.event_id),
            ("customer_id", &self.customer_id),
            ("endpoint", &self.endpoint),
            ("type", &self.kind),
            ("since", &self.since),
            ("until", &self.until),
        ];
        all.into_iter()
            .filter_map(|(name, value)| Some((name, given(value.as_deref())?)))
            .collect()
    }

    /// An address with these members, and more.
    pub(crate) fn address(&self, path: &str, more: &[(&str, Option<&str>)]) -> String {
        let own = self.members();
        let mut members: Vec<(&str, Option<&str>)> =
            own.iter().map(|(name, value)| (*name, Some(value.as_str()))).collect();
        members.extend_from_slice(more);
        address(path, &members)
    }
}

/// What a field for date and time gives is UTC; a whole moment stays as it is.
fn in_utc(text: &str) -> String {
    let civil = text.parse::<DateTime>().ok();
    let is_whole = text.parse::<jiff::Timestamp>().is_ok();
    match civil
        .filter(|_| !is_whole)
        .and_then(|civil| civil.to_zoned(TimeZone::UTC).ok())
    {
        Some(zoned) => zoned.timestamp().to_string(),
        None => text.to_owned(),
    }
}

/// As a field for date and time shows it.
fn in_field(text: Option<&str>) -> String {
    let moment = text.and_then(|text| in_utc(text).parse::<jiff::Timestamp>().ok());
    moment.map_or_else(String::new, |moment| moment.strftime("%Y-%m-%dT%H:%M:%S").to_string())
}

/// The word of an address.
///
/// # Errors
/// 404.
pub(crate) fn direction_of(word: &str) -> Result<Direction, PageError> {
    match word {
        "in" => Ok(Direction::In),
        "out" => Ok(Direction::Out),
        _ => Err(PageError::not_found("page")),
    }
}

/// That word.
pub(crate) fn word_of(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "in",
        Direction::Out => "out",
    }
}

#[derive(Template)]
#[template(path = "events.html")]
struct EventsPage {
    frame: Frame,
    filter: Filter,
    is_in: bool,
    states: &'static [&'static str],
    merchants: Vec<String>,
    incoming: Vec<Incoming>,
    outgoing: Vec<Outgoing>,
    next: Option<String>,
}

impl EventsPage {
    fn path(&self) -> &'static str {
        if self.is_in {
            "/ops/events/in"
        } else {
            "/ops/events/out"
        }
    }

    fn letters(&self, action: &str) -> String {
        self.filter.address(&format!("{}/letters/{action}", self.path()), &[])
    }

    fn since(&self) -> String {
        in_field(self.filter.since.as_deref())
    }

    fn until(&self) -> String {
        in_field(self.filter.until.as_deref())
    }
}

/// The list.
#[get("/events/{direction}")]
pub(crate) async fn list(
    session: Session,
    word: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let direction = direction_of(&word)?;
    let filter: Filter = read(&request)?;
    let query = filter.query(&session, direction)?;
    let gateway = &session.dashboard.gateway;
    let (mut incoming, mut outgoing) = (Vec::new(), Vec::new());
    let next_cursor = match direction {
        Direction::In => {
            let listing = gateway.queries.list_incoming(&query, session.visibility()).await?;
            incoming = listing.data.into_iter().map(shapes::read).collect::<Result<_, _>>()?;
            listing.next_cursor
        }
        Direction::Out => {
            let listing = gateway.queries.list_outgoing(&query).await?;
            outgoing = listing.data.into_iter().map(shapes::read).collect::<Result<_, _>>()?;
            listing.next_cursor
        }
    };
    let is_in = direction == Direction::In;
    let path = format!("/ops/events/{}", word_of(direction));
    let state = given(filter.state.as_deref());
    let next = next_cursor
        .map(|cursor| filter.address(&path, &[("state", state.as_deref()), ("cursor", Some(cursor.as_str()))]));
    page(&EventsPage {
        states: if is_in { &IN_STATES } else { &OUT_STATES },
        merchants: session.merchants(SUGGESTED),
        is_in,
        incoming,
        outgoing,
        next,
        filter,
        frame: session.frame(
            Section::Webhooks,
            if is_in {
                "Events that came in"
            } else {
                "Events that go out"
            },
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_without_a_zone_is_utc_and_a_moment_stays_itself() {
        assert_eq!(in_utc("2026-11-21T12:04"), "2026-11-21T12:04:00Z");
        assert_eq!(in_utc("2026-11-21T12:04:31+02:00"), "2026-11-21T12:04:31+02:00");
        assert_eq!(in_utc("yesterday"), "yesterday");
        assert_eq!(in_field(Some("2026-11-21T12:04:31+02:00")), "2026-11-21T10:04:31");
        assert_eq!(in_field(Some("yesterday")), "");
    }
}
