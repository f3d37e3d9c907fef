//! `GET /ops/connections`: all of them, those in trouble first; live.

use actix_web::{HttpRequest, HttpResponse, get};
use askama::Template;
use serde::Deserialize;

use crate::auth::session::Session;
use crate::error::PageError;
use crate::live::snapshots::Snapshot;
use crate::live::stream::events;
use crate::query::{given, read};
use crate::render::{Frame, Section, filters, page};
use crate::shapes::connection::{Connection, troubled_first};

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
    fn of(session: &Session, snapshot: &Snapshot, merchant: Option<&str>) -> Self {
        let is_wanted = |connection: &&Connection| {
            session.principal.covers(&connection.merchant_id)
                && merchant.is_none_or(|merchant| connection.merchant_id.contains(merchant))
        };
        let found = snapshot.connections.iter().filter(is_wanted).cloned().collect();
        let (connections, left_out) = troubled_first(found, MOST);
        Self { connections, left_out }
    }
}

/// The list.
#[get("/connections")]
pub(crate) async fn list(session: Session, request: HttpRequest) -> Result<HttpResponse, PageError> {
    let filter: Filter = read(&request)?;
    let merchant = given(filter.merchant.as_deref());
    let snapshot = session.dashboard.snapshots.fresh(&session.dashboard.gateway).await?;
    page(&ConnectionsPage {
        part: Part::of(&session, &snapshot, merchant.as_deref()),
        merchant: merchant.unwrap_or_default(),
        frame: session.frame(Section::Connections, "Connections"),
    })
}

/// Its live part.
#[get("/live/connections")]
pub(crate) async fn live(session: Session, request: HttpRequest) -> Result<HttpResponse, PageError> {
    let filter: Filter = read(&request)?;
    let merchant = given(filter.merchant.as_deref());
    events(session, move |session, snapshot| {
        Ok(Part::of(session, snapshot, merchant.as_deref()).render()?)
    })
}
