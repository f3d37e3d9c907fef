//! `GET /ops/deliveries/{id}`: everything of one delivery; replay and discard.

use actix_web::http::StatusCode;
use actix_web::web::Path;
use actix_web::{HttpResponse, get, post};
use askama::Template;
use serde::Deserialize;

use upsert_app::Answer;
use upsert_core::DeliveryId;
use upsert_settings::Scope;

use crate::refused::Refused;
use crate::render::{Frame, Section, filters, page, page_with};
use crate::shapes;
use crate::shapes::delivery::Delivery;
use crate::visit::Visit;

/// htmx's word for "ask no more", as an HTTP status.
const ASK_NO_MORE: u16 = 286;

#[derive(Template)]
#[template(path = "delivery.html")]
struct DeliveryPage {
    frame: Frame,
    delivery: Delivery,
}

/// The answer to a replay, as far as the way on needs it.
#[derive(Deserialize)]
struct Replayed {
    deliveries: Vec<Made>,
}

#[derive(Deserialize)]
struct Made {
    id: String,
}

/// The page.
#[get("/deliveries/{id}")]
pub(crate) async fn show(visit: Visit, id: Path<String>) -> Result<HttpResponse, Refused> {
    let frame = visit.frame(Section::Deliveries, format!("Delivery {id}"));
    page(&DeliveryPage {
        delivery: delivery(&visit, &id).await?,
        frame,
    })
}

/// The page again, for itself, until the delivery has ended: then htmx is told to ask no more.
#[get("/live/deliveries/{id}")]
pub(crate) async fn live(visit: Visit, id: Path<String>) -> Result<HttpResponse, Refused> {
    let delivery = delivery(&visit, &id).await?;
    let status = if delivery.has_ended() { ASK_NO_MORE } else { 200 };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let frame = visit.quiet_frame(Section::Deliveries, format!("Delivery {id}"));
    page_with(status, &DeliveryPage { frame, delivery })
}

/// As far as the visitor may see it.
async fn delivery(visit: &Visit, id: &str) -> Result<Delivery, Refused> {
    let in_sight = visit.visitor.in_sight();
    let gateway = &visit.desk.gateway;
    let answer = gateway
        .queries
        .get_delivery(in_sight.as_ref(), read(id)?, visit.sight())
        .await?;
    shapes::read(answer)
}

/// Sends the customer's current state in its place, and goes to the delivery that does.
#[post("/deliveries/{id}/replay")]
pub(crate) async fn replay(visit: Visit, id: Path<String>) -> Result<HttpResponse, Refused> {
    visit.needs(Scope::OpsWrite)?;
    let (caller, in_sight) = (visit.visitor.caller(), visit.visitor.in_sight());
    let gateway = &visit.desk.gateway;
    let replayed = gateway
        .operations
        .replay_delivery(&caller, in_sight.as_ref(), read(&id)?, None, visit.sight())
        .await;
    visit.desk.pulse.forget().await;
    let old = format!("/ops/deliveries/{id}");
    match replayed.map_err(Refused::from) {
        Ok(answer) => {
            let notice = format!("{id} is replayed: this delivery takes its place");
            let new = made(&answer)?.map(|new| format!("/ops/deliveries/{new}"));
            Ok(visit.done(&new.unwrap_or(old), Ok(notice)))
        }
        Err(refused) => back(&visit, &old, refused),
    }
}

/// Gives it up.
#[post("/deliveries/{id}/discard")]
pub(crate) async fn discard(visit: Visit, id: Path<String>) -> Result<HttpResponse, Refused> {
    visit.needs(Scope::OpsWrite)?;
    let (caller, in_sight) = (visit.visitor.caller(), visit.visitor.in_sight());
    let gateway = &visit.desk.gateway;
    let discarded = gateway
        .operations
        .discard_delivery(&caller, in_sight.as_ref(), read(&id)?, visit.sight())
        .await;
    visit.desk.pulse.forget().await;
    let path = format!("/ops/deliveries/{id}");
    match discarded.map_err(Refused::from) {
        Ok(_) => {
            let notice = "discarded: what it would have brought is not sent there until it changes again";
            Ok(visit.done(&path, Ok(notice.to_owned())))
        }
        Err(refused) => back(&visit, &path, refused),
    }
}

/// What was refused is told on the delivery's page, if there is one for this key.
fn back(visit: &Visit, path: &str, refused: Refused) -> Result<HttpResponse, Refused> {
    if refused.status == StatusCode::NOT_FOUND {
        return Err(refused);
    }
    Ok(visit.done(path, Err(refused.for_eyes_of(visit))))
}

/// The delivery that a replay made.
fn made(answer: &Answer) -> Result<Option<String>, Refused> {
    let body = serde_json::from_str(&answer.body).unwrap_or_default();
    let replayed: Replayed = shapes::read(body)?;
    Ok(replayed.deliveries.into_iter().next().map(|made| made.id))
}

/// What is no id finds nothing.
fn read(id: &str) -> Result<DeliveryId, Refused> {
    id.parse().map_err(|_| Refused::not_found("delivery"))
}
