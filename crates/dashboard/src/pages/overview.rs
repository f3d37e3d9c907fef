//! `GET /ops`: what is wrong first, then how everything is doing; live.

use actix_web::{HttpResponse, get};
use askama::Template;

use upsert_api::{Attention, Connection, DeliveryState};
use upsert_app::needs_attention;

use crate::auth::session::Session;
use crate::error::PageError;
use crate::links;
use crate::live::history::{self, series};
use crate::live::snapshots::Snapshot;
use crate::live::stream::events;
use crate::pages::connections::troubled_first;
use crate::render::{Frame, Section, filters, moment, page};
use crate::words;

/// Rows on the page: the page of connections has more.
const MOST: usize = 50;
const MOST_ATTENTION: usize = 30;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    part: Part,
}

/// What changes by itself.
#[derive(Template)]
#[template(path = "overview_live.html")]
struct Part {
    at: String,
    /// Whether there are buttons.
    may_operate: bool,
    attention: Vec<Attention>,
    /// More of that than the page lists.
    unlisted: usize,
    /// Those that need somebody.
    connections: Vec<Connection>,
    /// The others: folded.
    well: Vec<Connection>,
    left_out: usize,
    waiting: u64,
    in_flight: u64,
    dead_letters: u64,
    /// In the last sample, a second.
    rate: f64,
    /// For the charts, as JSON.
    series: String,
    /// Connections that the charts leave out, because there are too many.
    uncharted: usize,
}

impl Part {
    fn of(session: &Session, snapshot: &Snapshot) -> Self {
        let covers = |merchant: &str| session.principal.covers(merchant);
        let Snapshot {
            at,
            connections,
            webhooks,
        } = snapshot.of(covers);
        let sum = |of: fn(&Connection) -> u64| connections.iter().map(of).sum();
        let (waiting, in_flight) = (sum(|one| one.waiting), sum(|one| one.in_flight));
        let dead_letters = sum(|one| one.dead_letters);
        let refused = session.dashboard.parts.configuration.refused();
        let mut attention = needs_attention(&connections, &webhooks, refused, at);
        let (troubled, well) = apart_from_the_well(connections, &attention);
        let unlisted = attention.len().saturating_sub(MOST_ATTENTION);
        attention.truncate(MOST_ATTENTION);
        let history = session.dashboard.snapshots.history();
        let leaves_out = |one: &&Connection| history.leaves_out(one);
        let uncharted = troubled.iter().chain(&well).filter(leaves_out).count();
        let (connections, troubled_left_out) = troubled_first(troubled, MOST);
        let (well, well_left_out) = troubled_first(well, MOST - connections.len());
        let series = series(history.seen(covers));
        Self {
            at: moment(at),
            may_operate: session.may_operate(),
            attention,
            unlisted,
            waiting,
            in_flight,
            dead_letters,
            left_out: troubled_left_out + well_left_out,
            rate: history.rate(covers),
            uncharted,
            series: series.json(),
            connections,
            well,
        }
    }
}

/// Those that need somebody, and the others.
fn apart_from_the_well(all: Vec<Connection>, attention: &[Attention]) -> (Vec<Connection>, Vec<Connection>) {
    let needs_somebody = |one: &Connection| attention.iter().any(|entry| entry.is_of(one));
    all.into_iter().partition(needs_somebody)
}

/// The overview.
#[get("")]
pub(crate) async fn show(session: Session) -> Result<HttpResponse, PageError> {
    let snapshot = session.snapshot().await?;
    page(&OverviewPage {
        part: Part::of(&session, &snapshot),
        frame: session.frame(Section::Overview, "Overview"),
    })
}

/// Its live part.
#[get("/live/overview")]
pub(crate) async fn live(session: Session) -> Result<HttpResponse, PageError> {
    events(session, |session, snapshot| Ok(Part::of(session, snapshot).render()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_how_many_connections_the_charts_leave_out() {
        let page = |uncharted| {
            let part = Part {
                at: String::new(),
                may_operate: false,
                attention: Vec::new(),
                unlisted: 0,
                connections: Vec::new(),
                well: Vec::new(),
                left_out: 0,
                waiting: 0,
                in_flight: 0,
                dead_letters: 0,
                rate: 0.0,
                series: String::new(),
                uncharted,
            };
            part.render().unwrap()
        };
        assert!(page(88).contains("the charts leave 88 out"));
        assert!(!page(0).contains("the charts leave"));
    }
}
