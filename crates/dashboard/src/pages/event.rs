//! `GET /ops/events/{in|out}/{id}`: one event, whole; replay and discard it.

use actix_web::web::Path;
use actix_web::{HttpResponse, get, post};
use askama::Template;

use upsert_app::{DeadLetterAction, Direction};
use upsert_core::EventId;
use upsert_settings::Scope;

use crate::auth::session::Session;
use crate::error::PageError;
use crate::pages::events::{direction_of, word_of};
use crate::raw::laid_out;
use crate::render::{Frame, Section, filters, page};
use crate::shapes;
use crate::shapes::event::{Incoming, Outgoing};

#[derive(Template)]
#[template(path = "event_in.html")]
struct IncomingPage {
    frame: Frame,
    event: Incoming,
    /// For reading.
    raw: Option<String>,
}

#[derive(Template)]
#[template(path = "event_out.html")]
struct OutgoingPage {
    frame: Frame,
    event: Outgoing,
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
    let (gateway, merchants) = (&session.dashboard.gateway, session.principal.in_sight());
    let visibility = session.visibility();
    match direction {
        Direction::In => {
            let event: Incoming =
                shapes::read(gateway.queries.get_incoming(merchants.as_ref(), id, visibility).await?)?;
            page(&IncomingPage {
                raw: event.raw.as_deref().map(laid_out),
                frame: session.frame(Section::Webhooks, format!("Event {}", event.event_id)),
                event,
            })
        }
        Direction::Out => {
            let event: Outgoing =
                shapes::read(gateway.queries.get_outgoing(merchants.as_ref(), id, visibility).await?)?;
            page(&OutgoingPage {
                body: event.body.as_deref().map(laid_out),
                frame: session.frame(Section::Webhooks, format!("Event {}", event.kind)),
                event,
            })
        }
    }
}

/// The word of an address.
///
/// # Errors
/// 404.
pub(crate) fn action_of(word: &str) -> Result<DeadLetterAction, PageError> {
    match word {
        "replay" => Ok(DeadLetterAction::Replay),
        "discard" => Ok(DeadLetterAction::Discard),
        _ => Err(PageError::not_found("page")),
    }
}

/// Replays or discards it.
#[post("/events/{direction}/{id}/{action}")]
pub(crate) async fn handle(session: Session, named: Path<(String, String, String)>) -> Result<HttpResponse, PageError> {
    let (word, id, action) = named.into_inner();
    let (direction, id, action) = (direction_of(&word)?, id_of(&id)?, action_of(&action)?);
    let handled = async {
        session.needs(Scope::OpsWrite)?;
        let (caller, merchants) = (session.principal.caller(), session.principal.in_sight());
        let gateway = &session.dashboard.gateway;
        gateway
            .operations
            .event_dead_letter(&caller, merchants.as_ref(), direction, action, id, session.visibility())
            .await?;
        Ok(match (action, direction) {
            (DeadLetterAction::Discard, _) => "the event is given up",
            (DeadLetterAction::Replay | DeadLetterAction::ReplayFor(_), Direction::In) => {
                "the event was taken this time"
            }
            (DeadLetterAction::Replay | DeadLetterAction::ReplayFor(_), Direction::Out) => {
                "the event is being sent again"
            }
        }
        .to_owned())
    };
    let result = handled.await;
    session.dashboard.snapshots.forget().await;
    Ok(session.done(&format!("/ops/events/{}/{id}", word_of(direction)), result))
}
