//! `GET /ops/deliveries`: deliveries newest first, filtered.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get};
use askama::Template;
use jiff::{SignedDuration, Timestamp};

use upsert_api::{DeliveryFilter, DeliveryState, ListedDelivery, Page};
use upsert_core::{ErrorKind, WaitingFor};

use crate::auth::session::Session;
use crate::error::PageError;
use crate::links::{self, DELIVERIES};
use crate::pages::action::Action;
use crate::pages::many_deliveries;
use crate::pages::typed::{Choice, TimeField, Typed};
use crate::query::read;
use crate::render::{Frame, Section, filters, page_with};
use crate::words;

/// Rows on the page.
const PAGE: usize = 50;
/// Merchants that the filter's field proposes.
const MOST_MERCHANTS: usize = 200;

#[derive(Template)]
#[template(path = "deliveries.html")]
struct DeliveriesPage {
    frame: Frame,
    filter: Typed,
    merchants: Vec<String>,
    /// The same of the last hour, day and week.
    recent: [(&'static str, String); 3],
    /// What is wrong with the filter.
    problems: Vec<String>,
    deliveries: Vec<ListedDelivery>,
    /// The page after this one.
    next: Option<String>,
    /// The first page, where this is another.
    first: Option<String>,
    /// What can be done with all that match: its button and its page.
    actions: Vec<(Action, String)>,
}

impl DeliveriesPage {
    /// Dead letters are those that have failed.
    fn states(&self) -> Vec<Choice> {
        use DeliveryState::{Failed, Pending, Retrying, Waiting};
        let first: [(&[_], _); 2] = [
            (&[Failed], "failed: dead letters"),
            (&[Pending, Retrying, Waiting], "all that wait"),
        ];
        self.filter.choices("state", &first)
    }

    fn kinds(&self) -> Vec<Choice> {
        self.filter.choices::<ErrorKind>("error_kind", &[])
    }

    fn reasons(&self) -> Vec<Choice> {
        self.filter.choices::<WaitingFor>("waiting_for", &[])
    }

    fn times(&self) -> [TimeField; 2] {
        self.filter
            .times([("since", "Made since (UTC)"), ("until", "Made before (UTC)")])
    }
}

/// The list. What the filter gets wrong is said above it, and the form keeps what was typed.
#[get("/deliveries")]
pub(crate) async fn list(session: Session, request: HttpRequest) -> Result<HttpResponse, PageError> {
    let typed = Typed::of::<DeliveryFilter>(&read(&request)?);
    let (status, found, actions, problems) = match found(&session, &typed).await {
        Ok((found, actions)) => (StatusCode::OK, found, actions, Vec::new()),
        Err(refused) if refused.status == StatusCode::BAD_REQUEST => {
            (refused.status, Page::whole(Vec::new()), Vec::new(), refused.says)
        }
        Err(refused) => return Err(refused),
    };
    let page = DeliveriesPage {
        merchants: session.merchants(MOST_MERCHANTS),
        recent: recent(&typed, session.gateway().clock().now()),
        next: found.next_cursor.map(|cursor| typed.next(DELIVERIES, &cursor)),
        first: typed.goes_on().then(|| typed.address(DELIVERIES)),
        actions,
        problems,
        deliveries: found.data,
        frame: session.frame(Section::Deliveries, "Deliveries"),
        filter: typed,
    };
    page_with(status, &page)
}

type Offered = Vec<(Action, String)>;

async fn found(session: &Session, typed: &Typed) -> Result<(Page<ListedDelivery>, Offered), PageError> {
    let filter = asked(session, typed).await?;
    let queries = &session.gateway().queries;
    let found = queries
        .list_deliveries(&filter, &typed.page(PAGE), session.visibility())
        .await?;
    let suiting = Action::ALL
        .into_iter()
        .filter(|action| many_deliveries::suits(*action, &filter));
    let offered = suiting.map(|action| (action, typed.address(&many_deliveries::path(action))));
    Ok((found, offered.collect()))
}

/// The filter, of merchants that the key may see.
///
/// # Errors
/// 404 for a merchant that is not there for this key; 400 for what cannot be read.
pub(crate) async fn asked(session: &Session, typed: &Typed) -> Result<DeliveryFilter, PageError> {
    let merchants = match typed.merchant() {
        Some(id) => Some([session.merchant(id).await?.id.clone()].into()),
        None => session.principal.in_sight(),
    };
    Ok(DeliveryFilter {
        merchants,
        ..typed.read()?
    })
}

/// The same of the last hour, day and week.
fn recent(typed: &Typed, now: Timestamp) -> [(&'static str, String); 3] {
    [("last hour", 1), ("last day", 24), ("last week", 7 * 24)].map(|(name, hours)| {
        let since = now.checked_sub(SignedDuration::from_hours(hours)).unwrap_or(now);
        let since = since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        (
            name,
            typed
                .clone()
                .with("since", &since)
                .with("until", "")
                .address(DELIVERIES),
        )
    })
}
