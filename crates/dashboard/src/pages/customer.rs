//! `GET /ops/customers/{merchant}/{id}`: one customer, its links and its history; and the way to forget a link.

use std::sync::Arc;

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse, get, post};
use askama::Template;
use serde::Deserialize;

use upsert_app::Merchant;
use upsert_core::CustomerId;
use upsert_settings::Scope;

use crate::auth::session::Session;
use crate::error::PageError;
use crate::pages::timeline::Timeline;
use crate::query::{address, given, read};
use crate::render::{Frame, Section, filters, page};
use crate::shapes;
use crate::shapes::customer::Customer;

#[derive(Deserialize)]
struct Place {
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "customer.html")]
struct CustomerPage {
    frame: Frame,
    customer: Customer,
    timeline: Timeline,
    is_first: bool,
    /// Where the history goes on.
    older: Option<String>,
}

#[derive(Template)]
#[template(path = "unlink.html")]
struct UnlinkPage {
    frame: Frame,
    customer: Customer,
    connection: String,
    provider_customer_id: String,
}

/// The page.
#[get("/customers/{merchant}/{id}")]
pub(crate) async fn show(
    session: Session,
    named: Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let (merchant, id) = named.into_inner();
    let place: Place = read(&request)?;
    let cursor = given(place.cursor.as_deref());
    let (merchant, id) = (session.merchant(&merchant)?, customer_id(&id)?);
    let customer = customer(&session, &merchant, id).await?;
    let timeline = Timeline::of(&session, &merchant, id, cursor.clone()).await?;
    let older = timeline.next.as_deref();
    page(&CustomerPage {
        // Browsers keep titles in their history: it says no name.
        frame: session.frame(Section::Customers, format!("Customer {}", customer.id)),
        is_first: cursor.is_none(),
        older: older.map(|cursor| address(&customer.path(), &[("cursor", Some(cursor))])),
        customer,
        timeline,
    })
}

/// What it means to forget a link, before it is done.
#[get("/customers/{merchant}/{id}/unlink/{connection}")]
pub(crate) async fn ask_unlink(
    session: Session,
    named: Path<(String, String, String)>,
) -> Result<HttpResponse, PageError> {
    session.needs(Scope::OpsWrite)?;
    let (merchant, id, connection) = named.into_inner();
    let merchant = session.merchant(&merchant)?;
    let customer = customer(&session, &merchant, customer_id(&id)?).await?;
    let link = customer.links.iter().find(|link| link.connection == connection);
    let link = link
        .filter(|link| link.is_live())
        .ok_or_else(|| PageError::not_found("link"))?;
    page(&UnlinkPage {
        frame: session.frame(Section::Customers, format!("Forget the link at {connection}")),
        provider_customer_id: link.provider_customer_id.clone().unwrap_or_default(),
        connection,
        customer,
    })
}

/// The next upsert is matched by the vendor's own keys again.
#[post("/customers/{merchant}/{id}/unlink/{connection}")]
pub(crate) async fn unlink(session: Session, named: Path<(String, String, String)>) -> HttpResponse {
    let (merchant, id, connection) = named.into_inner();
    let unlinked = async {
        session.needs(Scope::OpsWrite)?;
        let known = session.merchant(&merchant)?;
        let gateway = &session.dashboard.gateway;
        gateway
            .operations
            .unlink(&known, customer_id(&id)?, &connection, session.visibility())
            .await?;
        Ok(format!(
            "the link at {connection} is forgotten: the next upsert is matched by the vendor's own keys"
        ))
    };
    let result = unlinked.await;
    session.done(&format!("/ops/customers/{merchant}/{id}"), result)
}

fn customer_id(text: &str) -> Result<CustomerId, PageError> {
    text.parse().map_err(|_| PageError::not_found("customer"))
}

async fn customer(session: &Session, merchant: &Arc<Merchant>, id: CustomerId) -> Result<Customer, PageError> {
    let record = session.dashboard.gateway.queries.customer_json(merchant, id).await?;
    shapes::read(session.visibility().customer(record))
}
