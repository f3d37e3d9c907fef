//! `GET /ops/deliveries`: deliveries newest first, filtered.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get};
use askama::Template;

use crate::auth::session::Session;
use crate::error::PageError;
use crate::pages::delivery_filter::DeliveryFilter;
use crate::pages::many_deliveries::Action;
use crate::query::read;
use crate::render::{Frame, Section, filters, page_with};
use crate::shapes;
use crate::shapes::delivery::Delivery;

/// Rows on the page.
const PAGE: usize = 50;
/// Merchants that the filter's field proposes.
const MOST_MERCHANTS: usize = 200;

#[derive(Template)]
#[template(path = "deliveries.html")]
struct DeliveriesPage {
    frame: Frame,
    filter: DeliveryFilter,
    merchants: Vec<String>,
    /// The same of the last hour, day and week.
    recent: [(&'static str, String); 3],
    /// What is wrong with the filter.
    problems: Vec<String>,
    deliveries: Vec<Delivery>,
    /// The page after this one.
    next: Option<String>,
    /// The first page, where this is another.
    first: Option<String>,
    /// What can be done with all that match: its button and its page.
    actions: Vec<(Action, String)>,
}

struct Found {
    deliveries: Vec<Delivery>,
    next_cursor: Option<String>,
}

/// The list. What the filter gets wrong is said above it, and the form keeps what was typed.
#[get("/deliveries")]
pub(crate) async fn list(session: Session, request: HttpRequest) -> Result<HttpResponse, PageError> {
    let filter: DeliveryFilter = read(&request)?;
    let (status, found, problems) = match found(&session, &filter).await {
        Ok(found) => (StatusCode::OK, found, Vec::new()),
        Err(refused) if refused.status == StatusCode::BAD_REQUEST => {
            let nothing = Found {
                deliveries: Vec::new(),
                next_cursor: None,
            };
            (refused.status, nothing, refused.says)
        }
        Err(refused) => return Err(refused),
    };
    let path = Section::Deliveries.path();
    let offered = Action::ALL.into_iter().filter(|action| action.suits(&filter));
    let actions = offered.map(|action| (action, filter.address(action.path()))).collect();
    let page = DeliveriesPage {
        merchants: session.merchants(MOST_MERCHANTS),
        recent: filter.recent(session.dashboard.gateway.clock().now()),
        next: found
            .next_cursor
            .map(|cursor| filter.address_with(path, &[("cursor", &cursor)])),
        first: filter.cursor().map(|_| filter.address(path)),
        actions: if problems.is_empty() { actions } else { Vec::new() },
        problems,
        deliveries: found.deliveries,
        frame: session.frame(Section::Deliveries, "Deliveries"),
        filter,
    };
    page_with(status, &page)
}

async fn found(session: &Session, filter: &DeliveryFilter) -> Result<Found, PageError> {
    let listing = session
        .dashboard
        .gateway
        .queries
        .list_deliveries(filter.query(session, PAGE)?, session.visibility())
        .await?;
    let read = listing.data.into_iter().map(shapes::read);
    let deliveries: Vec<Delivery> = read.collect::<Result<_, _>>()?;
    Ok(Found {
        deliveries,
        next_cursor: listing.next_cursor,
    })
}
