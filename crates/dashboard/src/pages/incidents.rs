//! `GET /ops/incidents`: outages of connections, newest first; `GET /ops/incidents/{id}`: one of them, for whoever was not there.

use actix_web::http::StatusCode;
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse, get};
use askama::Template;
use jiff::Timestamp;

use upsert_api::{Incident, IncidentFilter, IncidentState, ListedIncident, Page, VendorWords};

use crate::auth::session::Session;
use crate::error::PageError;
use crate::links::{self, INCIDENTS};
use crate::pages::typed::{Choice, Typed};
use crate::query::read;
use crate::render::{Frame, Section, filters, page, page_with};
use crate::words;

/// Rows on the page.
const PAGE: usize = 50;
/// Merchants that the filter's field proposes.
const MOST_MERCHANTS: usize = 200;

#[derive(Template)]
#[template(path = "incidents.html")]
struct IncidentsPage {
    frame: Frame,
    filter: Typed,
    merchants: Vec<String>,
    /// What is wrong with the filter.
    problems: Vec<String>,
    incidents: Vec<ListedIncident>,
    now: Timestamp,
    /// The page after this one.
    next: Option<String>,
    /// The first page, where this is another.
    first: Option<String>,
}

impl IncidentsPage {
    fn states(&self) -> Vec<Choice> {
        self.filter.choices::<IncidentState>("state", &[])
    }
}

#[derive(Template)]
#[template(path = "incident.html")]
struct IncidentPage {
    frame: Frame,
    incident: Incident,
    now: Timestamp,
}

impl IncidentPage {
    /// The vendor's words, where there are any: of the first call that failed and of the last.
    fn words(&self) -> Vec<(&'static str, &VendorWords)> {
        let first = self.incident.first_words.as_ref();
        let last = self.incident.last_words.as_ref().filter(|last| Some(*last) != first);
        let told = [("To the first call that failed", first), ("To the last one", last)];
        told.into_iter()
            .filter_map(|(of, words)| words.map(|words| (of, words)))
            .collect()
    }
}

/// The list. What the filter gets wrong is said above it, and the form keeps what was typed.
#[get("/incidents")]
pub(crate) async fn list(session: Session, request: HttpRequest) -> Result<HttpResponse, PageError> {
    let typed = Typed::of::<IncidentFilter>(&read(&request)?);
    let (status, found, problems) = match found(&session, &typed).await {
        Ok(found) => (StatusCode::OK, found, Vec::new()),
        Err(refused) if refused.status == StatusCode::BAD_REQUEST => {
            (refused.status, Page::whole(Vec::new()), refused.says)
        }
        Err(refused) => return Err(refused),
    };
    let page = IncidentsPage {
        merchants: session.merchants(MOST_MERCHANTS),
        next: found.next_cursor.map(|cursor| typed.next(INCIDENTS, &cursor)),
        first: typed.goes_on().then(|| typed.address(INCIDENTS)),
        problems,
        incidents: found.data,
        now: session.gateway().clock().now(),
        frame: session.frame(Section::Incidents, "Incidents"),
        filter: typed,
    };
    page_with(status, &page)
}

/// # Errors
/// 404 for a merchant that does not exist for this key; 400 for what cannot be read.
async fn found(session: &Session, typed: &Typed) -> Result<Page<ListedIncident>, PageError> {
    if typed.merchant().is_some_and(|id| !session.principal.covers(id)) {
        return Err(PageError::not_found("merchant"));
    }
    let filter = IncidentFilter {
        merchants: session.principal.in_sight(),
        ..typed.read()?
    };
    let queries = &session.gateway().queries;
    Ok(queries.list_incidents(&filter, &typed.page(PAGE)).await?)
}

/// One of them.
#[get("/incidents/{id}")]
pub(crate) async fn show(session: Session, id: Path<String>) -> Result<HttpResponse, PageError> {
    let id = id.parse().map_err(|_| PageError::not_found("incident"))?;
    let seen = session.principal.in_sight();
    let queries = &session.gateway().queries;
    let incident = queries.get_incident(seen.as_ref(), id, session.visibility()).await?;
    let of = &incident.listed;
    let title = format!("Incident: {} / {}", of.merchant_id, of.connection);
    page(&IncidentPage {
        frame: session.frame(Section::Incidents, title),
        now: session.gateway().clock().now(),
        incident,
    })
}
