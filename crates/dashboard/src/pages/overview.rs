//! `GET /ops`: what is wrong first, then how everything is doing; live.

use actix_web::{HttpResponse, get};
use askama::Template;

use upsert_app::Ending;

use crate::history::series;
use crate::pages::attention::{Attention, attention};
use crate::pages::live::events;
use crate::pulse::Snapshot;
use crate::refused::Refused;
use crate::render::{Frame, Section, filters, moment, page};
use crate::shapes::connection::Connection;
use crate::visit::Visit;

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
    attention: Vec<Attention>,
    connections: Vec<Connection>,
    waiting: u64,
    in_flight: u64,
    dead_letters: u64,
    /// In the last sample, a second.
    rate: f64,
    /// For the charts, as JSON.
    series: String,
}

impl Part {
    fn of(visit: &Visit, snapshot: &Snapshot) -> Result<Self, Refused> {
        let covers = |merchant: &str| visit.visitor.covers(merchant);
        let connections: Vec<Connection> = snapshot
            .connections
            .iter()
            .filter(|connection| covers(&connection.merchant_id))
            .cloned()
            .collect();
        let history = visit.desk.pulse.history();
        let series = series(history.seen(covers));
        Ok(Self {
            at: moment(snapshot.at),
            attention: attention(snapshot, visit.desk.configuration.refused_with(), covers),
            waiting: connections.iter().map(|connection| connection.waiting).sum(),
            in_flight: connections.iter().map(|connection| connection.in_flight).sum(),
            dead_letters: connections.iter().map(|connection| connection.dead_letters).sum(),
            rate: series.last_rate(),
            series: series.json(),
            connections,
        })
    }

    fn endings(&self) -> String {
        Ending::ALL.map(Ending::as_str).join(",")
    }
}

/// The overview.
#[get("")]
pub(crate) async fn show(visit: Visit) -> Result<HttpResponse, Refused> {
    let snapshot = visit.desk.pulse.fresh(&visit.desk.gateway).await?;
    page(&OverviewPage {
        part: Part::of(&visit, &snapshot)?,
        frame: visit.frame(Section::Overview, "Overview"),
    })
}

/// Its live part.
#[get("/live/overview")]
pub(crate) async fn live(visit: Visit) -> HttpResponse {
    events(visit, |visit, snapshot| Ok(Part::of(visit, snapshot)?.render()?))
}
