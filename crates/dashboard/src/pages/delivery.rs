//! `GET /ops/deliveries/{id}`: everything of one delivery; replay and discard.

use actix_web::http::StatusCode;
use actix_web::web::Path;
use actix_web::{HttpResponse, get, post};
use askama::Template;

use upsert_api::{DeliveryState, MASK, WholeDelivery};
use upsert_app::Refusal;
use upsert_core::DeliveryId;
use upsert_settings::Scope;

use crate::auth::session::Session;
use crate::error::PageError;
use crate::links;
use crate::render::{Frame, Section, filters, page, page_with};
use crate::words;

/// htmx's word for "ask no more", as an HTTP status.
const ASK_NO_MORE: u16 = 286;

#[derive(Template)]
#[template(path = "delivery.html")]
struct DeliveryPage {
    frame: Frame,
    delivery: WholeDelivery,
}

/// The page.
#[get("/deliveries/{id}")]
pub(crate) async fn show(session: Session, id: Path<String>) -> Result<HttpResponse, PageError> {
    let frame = session.frame(Section::Deliveries, format!("Delivery {id}"));
    page(&DeliveryPage {
        delivery: delivery(&session, &id).await?,
        frame,
    })
}

/// The page again, for itself, until the delivery has ended: then htmx is told to ask no more.
#[get("/live/deliveries/{id}")]
pub(crate) async fn live(session: Session, id: Path<String>) -> Result<HttpResponse, PageError> {
    let delivery = delivery(&session, &id).await?;
    let status = if delivery.listed.delivery.state.has_ended() {
        ASK_NO_MORE
    } else {
        200
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let frame = session.quiet_frame(Section::Deliveries, format!("Delivery {id}"));
    page_with(status, &DeliveryPage { frame, delivery })
}

/// As far as the principal may see it.
async fn delivery(session: &Session, id: &str) -> Result<WholeDelivery, PageError> {
    let in_sight = session.principal.in_sight();
    let queries = &session.gateway().queries;
    Ok(queries
        .get_delivery(in_sight.as_ref(), read(id)?, session.visibility())
        .await?)
}

/// Sends the customer's current state in its place, and goes to the delivery that does.
#[post("/deliveries/{id}/replay")]
pub(crate) async fn replay(session: Session, id: Path<String>) -> Result<HttpResponse, PageError> {
    session.needs(Scope::OpsWrite)?;
    let (caller, in_sight) = (session.principal.caller(), session.principal.in_sight());
    let (read, operations) = (read(&id)?, &session.gateway().operations);
    let replayed = operations
        .replay_delivery(&caller, in_sight.as_ref(), read, None, session.visibility())
        .await;
    let replayed = replayed.map(|answer| {
        let made = answer.read().and_then(|answer| answer.deliveries.into_iter().next());
        let new = links::delivery(made.map_or(read, |made| made.id));
        (new, format!("{id} is replayed: this delivery takes its place"))
    });
    back(&session, &id, replayed).await
}

/// Gives it up.
#[post("/deliveries/{id}/discard")]
pub(crate) async fn discard(session: Session, id: Path<String>) -> Result<HttpResponse, PageError> {
    session.needs(Scope::OpsWrite)?;
    let (caller, in_sight) = (session.principal.caller(), session.principal.in_sight());
    let operations = &session.gateway().operations;
    let discarded = operations
        .discard_delivery(&caller, in_sight.as_ref(), read(&id)?, session.visibility())
        .await;
    let says = "discarded: what it would have brought is not sent there until it changes again";
    let discarded = discarded.map(|_| (links::delivery(&id), says.to_owned()));
    back(&session, &id, discarded).await
}

/// To where it was done, and what is to be said there. What was refused is told on the delivery's page, if there is one for
/// this key.
async fn back(session: &Session, id: &str, done: Result<(String, String), Refusal>) -> Result<HttpResponse, PageError> {
    session.dashboard.snapshots.forget().await;
    match done.map_err(PageError::from) {
        Ok((path, says)) => session.done(&path, Ok(says)).await,
        Err(refused) if refused.status == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => {
            let refused = refused.for_eyes_of(session.sees_people());
            session.done(&links::delivery(id), Err(refused)).await
        }
    }
}

/// What is no id finds nothing.
fn read(id: &str) -> Result<DeliveryId, PageError> {
    id.parse().map_err(|_| PageError::not_found("delivery"))
}
