//! `GET /ops/connections`: all of them, those in trouble first; live.

use actix_web::{HttpRequest, HttpResponse, get};
use askama::Template;

use upsert_api::{Connection, ConnectionState, DeliveryState};

use crate::auth::session::Session;
use crate::error::PageError;
use crate::links;
use crate::live::snapshots::Snapshot;
use crate::live::stream::events;
use crate::query::read;
use crate::render::{Frame, Section, filters, page};

/// Rows on the page; a filter finds the others.
const MOST: usize = 200;

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
        let is_wanted = |id: &str| merchant.is_none_or(|wanted| id.contains(wanted));
        let found = snapshot.of(|id| session.principal.covers(id) && is_wanted(id));
        let (connections, left_out) = troubled_first(found.connections, MOST);
        Self { connections, left_out }
    }
}

/// Those in trouble first, then by name; at most `most`, and how many are left out.
pub(crate) fn troubled_first(mut all: Vec<Connection>, most: usize) -> (Vec<Connection>, usize) {
    let is_well = |one: &Connection| one.state == ConnectionState::Healthy && one.dead_letters == 0;
    all.sort_by(|one, other| {
        let key = |connection: &Connection| (is_well(connection), connection.waiting == 0);
        key(one)
            .cmp(&key(other))
            .then_with(|| (&one.merchant_id, &one.name).cmp(&(&other.merchant_id, &other.name)))
    });
    let left_out = all.len().saturating_sub(most);
    all.truncate(most);
    (all, left_out)
}

/// The list.
#[get("/connections")]
pub(crate) async fn list(session: Session, request: HttpRequest) -> Result<HttpResponse, PageError> {
    let merchant = read(&request)?.given("merchant");
    let snapshot = session.snapshot().await?;
    page(&ConnectionsPage {
        part: Part::of(&session, &snapshot, merchant.as_deref()),
        merchant: merchant.unwrap_or_default(),
        frame: session.frame(Section::Connections, "Connections"),
    })
}

/// Its live part.
#[get("/live/connections")]
pub(crate) async fn live(session: Session, request: HttpRequest) -> Result<HttpResponse, PageError> {
    let merchant = read(&request)?.given("merchant");
    events(session, move |session, snapshot| {
        Ok(Part::of(session, snapshot, merchant.as_deref()).render()?)
    })
}
