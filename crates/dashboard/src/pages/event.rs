//! `GET /ops/events/{in|out}/{id}`: one event, whole; replay and discard it.

use actix_web::web::Path;
use actix_web::{HttpResponse, get, post};
use askama::Template;

use upsert_app::{Direction, LetterAction};
use upsert_core::EventId;
use upsert_settings::Scope;

use crate::pages::events::{direction_of, word_of};
use crate::raw::laid_out;
use crate::refused::Refused;
use crate::render::{Frame, Section, filters, page};
use crate::shapes;
use crate::shapes::event::{Incoming, Outgoing};
use crate::visit::Visit;

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
fn id_of(text: &str) -> Result<EventId, Refused> {
    text.parse().map_err(|_| Refused::not_found("event"))
}

/// The page.
#[get("/events/{direction}/{id}")]
pub(crate) async fn show(visit: Visit, named: Path<(String, String)>) -> Result<HttpResponse, Refused> {
    let (word, id) = named.into_inner();
    let (direction, id) = (direction_of(&word)?, id_of(&id)?);
    let (gateway, merchants) = (&visit.desk.gateway, visit.visitor.in_sight());
    let sight = visit.sight();
    match direction {
        Direction::In => {
            let event: Incoming = shapes::read(gateway.queries.get_incoming(merchants.as_ref(), id, sight).await?)?;
            page(&IncomingPage {
                raw: event.raw.as_deref().map(laid_out),
                frame: visit.frame(Section::Webhooks, format!("Event {}", event.event_id)),
                event,
            })
        }
        Direction::Out => {
            let event: Outgoing = shapes::read(gateway.queries.get_outgoing(merchants.as_ref(), id, sight).await?)?;
            page(&OutgoingPage {
                body: event.body.as_deref().map(laid_out),
                frame: visit.frame(Section::Webhooks, format!("Event {}", event.kind)),
                event,
            })
        }
    }
}

/// The word of an address.
///
/// # Errors
/// 404.
pub(crate) fn action_of(word: &str) -> Result<LetterAction, Refused> {
    match word {
        "replay" => Ok(LetterAction::Replay),
        "discard" => Ok(LetterAction::Discard),
        _ => Err(Refused::not_found("page")),
    }
}

/// Replays or discards it.
#[post("/events/{direction}/{id}/{action}")]
pub(crate) async fn handle(visit: Visit, named: Path<(String, String, String)>) -> Result<HttpResponse, Refused> {
    let (word, id, action) = named.into_inner();
    let (direction, id, action) = (direction_of(&word)?, id_of(&id)?, action_of(&action)?);
    let handled = async {
        visit.needs(Scope::OpsWrite)?;
        let (caller, merchants) = (visit.visitor.caller(), visit.visitor.in_sight());
        let gateway = &visit.desk.gateway;
        gateway
            .operations
            .event_letter(&caller, merchants.as_ref(), direction, action, id, visit.sight())
            .await?;
        Ok(match (action, direction) {
            (LetterAction::Discard, _) => "the event is given up",
            (LetterAction::Replay | LetterAction::ReplayFor(_), Direction::In) => "the event was taken this time",
            (LetterAction::Replay | LetterAction::ReplayFor(_), Direction::Out) => "the event is being sent again",
        }
        .to_owned())
    };
    let result = handled.await;
    visit.desk.pulse.forget().await;
    Ok(visit.done(&format!("/ops/events/{}/{id}", word_of(direction)), result))
}
