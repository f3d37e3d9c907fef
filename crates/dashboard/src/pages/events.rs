//! `GET /ops/events/in`, `GET /ops/events/out`: events, newest first, by what they are filtered by.

use std::collections::BTreeSet;

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse, get};
use askama::Template;

use upsert_api::{Direction, Event, EventFilter, IncomingFilter, IncomingState, OutgoingFilter, OutgoingState, Page};
use upsert_app::Refusal;

use crate::auth::session::Session;
use crate::error::PageError;
use crate::pages::action::Action;
use crate::pages::typed::{Choice, TimeField, Typed};
use crate::query::{Sent, read};
use crate::render::{Frame, Section, filters, page};

/// Events on a page.
const PAGE: usize = 50;
/// Merchants that the form suggests.
const SUGGESTED: usize = 200;

/// The word of an address.
///
/// # Errors
/// 404.
pub(crate) fn direction_of(word: &str) -> Result<Direction, PageError> {
    word.parse().map_err(|_| PageError::not_found("page"))
}

/// Where the events of a direction are listed.
pub(crate) fn path_of(direction: Direction) -> String {
    format!("/ops/events/{direction}")
}

/// Which events an address or a form means.
///
/// # Errors
/// 400 for a filter of the other direction.
pub(crate) fn typed(sent: &Sent, direction: Direction) -> Result<Typed, PageError> {
    match direction {
        Direction::In => typed_of::<IncomingFilter>(sent),
        Direction::Out => typed_of::<OutgoingFilter>(sent),
    }
}

fn typed_of<F: EventFilter>(sent: &Sent) -> Result<Typed, PageError> {
    let foreign = F::foreign(sent.texts());
    if foreign.is_empty() {
        Ok(Typed::of::<F>(sent))
    } else {
        Err(Refusal::invalid_query(foreign).into())
    }
}

/// The merchants that are meant; none: all. One that is configured no more may still have events.
///
/// # Errors
/// 404 for one that does not exist for this key.
pub(crate) fn merchants(session: &Session, typed: &Typed) -> Result<Option<BTreeSet<String>>, PageError> {
    match typed.merchant() {
        None => Ok(session.principal.in_sight()),
        Some(id) if session.principal.covers(id) => Ok(Some([id.to_owned()].into())),
        Some(_) => Err(PageError::not_found("merchant")),
    }
}

#[derive(Template)]
#[template(path = "events.html")]
struct EventsPage {
    frame: Frame,
    filter: Typed,
    direction: Direction,
    merchants: Vec<String>,
    events: Vec<Event>,
    next: Option<String>,
}

impl EventsPage {
    fn is_in(&self) -> bool {
        self.direction == Direction::In
    }

    fn path(&self) -> String {
        path_of(self.direction)
    }

    /// Where all dead letters that match are replayed or discarded.
    fn letters(&self, action: Action) -> String {
        let all = self.filter.clone().with("state", "");
        all.address(&format!("{}/letters/{}", self.path(), action.word()))
    }

    fn states(&self) -> Vec<Choice> {
        use OutgoingState::{Failed, Pending, Retrying};
        let dead_letters = "failed (dead letters)";
        match self.direction {
            Direction::In => self
                .filter
                .choices("state", &[(&[IncomingState::Failed], dead_letters)]),
            Direction::Out => {
                let first: [(&[_], _); 2] = [(&[Failed], dead_letters), (&[Pending, Retrying], "waiting")];
                self.filter.choices("state", &first)
            }
        }
    }

    fn times(&self) -> [TimeField; 2] {
        self.filter.times([("since", "Since (UTC)"), ("until", "Until (UTC)")])
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
    let typed = typed(&read(&request)?, direction)?;
    let found = found(&session, &typed, direction).await?;
    let title = match direction {
        Direction::In => "Events that came in",
        Direction::Out => "Events that go out",
    };
    page(&EventsPage {
        merchants: session.merchants(SUGGESTED),
        direction,
        next: found.next_cursor.map(|cursor| typed.next(&path_of(direction), &cursor)),
        events: found.data,
        filter: typed,
        frame: session.frame(Section::Webhooks, title),
    })
}

async fn found(session: &Session, typed: &Typed, direction: Direction) -> Result<Page<Event>, PageError> {
    let (queries, asked) = (&session.gateway().queries, typed.page(PAGE));
    let merchants = merchants(session, typed)?;
    let found = match direction {
        Direction::In => {
            let filter = IncomingFilter {
                merchants,
                ..typed.read()?
            };
            queries.list_incoming(&filter, &asked, session.visibility()).await?
        }
        Direction::Out => {
            let filter = OutgoingFilter {
                merchants,
                ..typed.read()?
            };
            queries.list_outgoing(&filter, &asked, session.visibility()).await?
        }
    };
    Ok(found)
}
