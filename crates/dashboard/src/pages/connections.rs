//! `GET /ops/connections`: all of them, those in trouble first; live.

use actix_web::{HttpRequest, HttpResponse, get};
use askama::Template;
use serde::Deserialize;

use crate::pages::live::events;
use crate::pulse::Snapshot;
use crate::query::{given, read};
use crate::refused::Refused;
use crate::render::{Frame, Section, filters, page};
use crate::shapes::connection::{Connection, troubled_first};
use crate::visit::Visit;

/// Rows on the page; a filter finds the others.
const MOST: usize = 200;

#[derive(Deserialize)]
struct Filter {
    merchant: Option<String>,
}

#[derive(Template)]
#[template(path = "connections.html")]
struct ConnectionsPage {
    frame: Frame,
    merchant: String,
    part: Part,
}

#[derive(Template)]
#[template(path = "connections_live.html")]
struct Part {
    connections: Vec<Connection>,
    left_out: usize,
}

impl Part {
    fn of(visit: &Visit, snapshot: &Snapshot, merchant: Option<&str>) -> Self {
        let is_wanted = |connection: &&Connection| {
            visit.visitor.covers(&connection.merchant_id)
                && merchant.is_none_or(|merchant| connection.merchant_id.contains(merchant))
        };
        let found = snapshot.connections.iter().filter(is_wanted).cloned().collect();
        let (connections, left_out) = troubled_first(found, MOST);
        Self { connections, left_out }
    }
}

/// The list.
#[get("/connections")]
pub(crate) async fn list(visit: Visit, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let filter: Filter = read(&request)?;
    let merchant = given(filter.merchant.as_deref());
    let snapshot = visit.desk.pulse.fresh(&visit.desk.gateway).await?;
    page(&ConnectionsPage {
        part: Part::of(&visit, &snapshot, merchant.as_deref()),
        merchant: merchant.unwrap_or_default(),
        frame: visit.frame(Section::Connections, "Connections"),
    })
}

/// Its live part.
#[get("/live/connections")]
pub(crate) async fn live(visit: Visit, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let filter: Filter = read(&request)?;
    let merchant = given(filter.merchant.as_deref());
    events(visit, move |visit, snapshot| {
        Ok(Part::of(visit, snapshot, merchant.as_deref()).render()?)
    })
}
