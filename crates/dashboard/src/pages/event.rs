//! `GET /ops/events/{in|out}/{id}`: one event, whole; replay and discard it.

use actix_web::web::Path;
use actix_web::{HttpResponse, get, post};
use askama::Template;

use upsert_api::{Direction, IncomingState, OutgoingState, WholeIncomingEvent, WholeOutgoingEvent};
use upsert_core::EventId;

use crate::auth::session::Session;
use crate::error::PageError;
use crate::links;
use crate::pages::action::Action;
use crate::pages::events::{direction_of, path_of};
use crate::raw::laid_out;
use crate::render::{Frame, Section, filters, page};
use crate::words;

#[derive(Template)]
#[template(path = "event_in.html")]
struct IncomingPage {
    frame: Frame,
    event: WholeIncomingEvent,
    /// For reading.
    raw: Option<String>,
}

#[derive(Template)]
#[template(path = "event_out.html")]
struct OutgoingPage {
    frame: Frame,
    event: WholeOutgoingEvent,
    /// For reading.
    body: Option<String>,
}

/// What is no id finds nothing.
fn id_of(text: &str) -> Result<EventId, PageError> {
    text.parse().map_err(|_| PageError::not_found("event"))
}

/// The page.
#[get("/events/{direction}/{id}")]
pub(crate) async fn show(session: Session, named: Path<(String, String)>) -> Result<HttpResponse, PageError> {
    let (word, id) = named.into_inner();
    let (direction, id) = (direction_of(&word)?, id_of(&id)?);
    let (queries, merchants) = (&session.gateway().queries, session.principal.in_sight());
    let visibility = session.visibility();
    match direction {
        Direction::In => {
            let event = queries.get_incoming(merchants.as_ref(), id, visibility).await?;
            page(&IncomingPage {
                raw: event.raw.as_deref().map(laid_out),
                frame: session.frame(Section::Webhooks, format!("Event {}", event.event.event_id)),
                event,
            })
        }
        Direction::Out => {
            let event = queries.get_outgoing(merchants.as_ref(), id, visibility).await?;
            page(&OutgoingPage {
                body: event.body.as_deref().map(laid_out),
                frame: session.frame(Section::Webhooks, format!("Event {}", event.event.r#type)),
                event,
            })
        }
    }
}

/// Replays or discards it.
#[post("/events/{direction}/{id}/{action}")]
pub(crate) async fn handle(session: Session, named: Path<(String, String, String)>) -> Result<HttpResponse, PageError> {
    let (word, id, action) = named.into_inner();
    let (direction, id, action) = (direction_of(&word)?, id_of(&id)?, Action::of(&action)?);
    let handle = async {
        let (caller, merchants) = (session.principal.caller(), session.principal.in_sight());
        let (letter, visibility) = ((direction, id), session.visibility());
        let operations = &session.gateway().operations;
        operations
            .event_dead_letter(&caller, merchants.as_ref(), letter, action.into(), visibility)
            .await?;
        let says = match (action, direction) {
            (Action::Discard, _) => "the event is given up",
            (Action::Replay, Direction::In) => "the event was taken this time",
            (Action::Replay, Direction::Out) => "the event is being sent again",
        };
        Ok(says.to_owned())
    };
    let back = format!("{}/{id}", path_of(direction));
    session.operate(&back, handle).await
}
