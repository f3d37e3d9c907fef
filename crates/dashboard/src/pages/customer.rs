//! `GET /ops/customers/{merchant}/{id}`: one customer, its links and its history; and the way to forget a link.

use std::sync::Arc;

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse, get, post};
use askama::Template;
use serde::Deserialize;

use upsert_app::Merchant;
use upsert_core::CustomerId;
use upsert_settings::Scope;

use crate::pages::timeline::Timeline;
use crate::query::{address, given, read};
use crate::refused::Refused;
use crate::render::{Frame, Section, filters, page};
use crate::shapes;
use crate::shapes::customer::Customer;
use crate::visit::Visit;

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
    visit: Visit,
    named: Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let (merchant, id) = named.into_inner();
    let place: Place = read(&request)?;
    let cursor = given(place.cursor.as_deref());
    let (merchant, id) = (visit.merchant(&merchant)?, customer_id(&id)?);
    let customer = customer(&visit, &merchant, id).await?;
    let timeline = Timeline::of(&visit, &merchant, id, cursor.clone()).await?;
    let older = timeline.next.as_deref();
    page(&CustomerPage {
        // Browsers keep titles in their history: it says no name.
        frame: visit.frame(Section::Customers, format!("Customer {}", customer.id)),
        is_first: cursor.is_none(),
        older: older.map(|cursor| address(&customer.path(), &[("cursor", Some(cursor))])),
        customer,
        timeline,
    })
}

/// What it means to forget a link, before it is done.
#[get("/customers/{merchant}/{id}/unlink/{connection}")]
pub(crate) async fn ask_unlink(visit: Visit, named: Path<(String, String, String)>) -> Result<HttpResponse, Refused> {
    visit.needs(Scope::OpsWrite)?;
    let (merchant, id, connection) = named.into_inner();
    let merchant = visit.merchant(&merchant)?;
    let customer = customer(&visit, &merchant, customer_id(&id)?).await?;
    let link = customer.links.iter().find(|link| link.connection == connection);
    let link = link
        .filter(|link| link.is_live())
        .ok_or_else(|| Refused::not_found("link"))?;
    page(&UnlinkPage {
        frame: visit.frame(Section::Customers, format!("Forget the link at {connection}")),
        provider_customer_id: link.provider_customer_id.clone().unwrap_or_default(),
        connection,
        customer,
    })
}

/// The next upsert is matched by the vendor's own keys again.
#[post("/customers/{merchant}/{id}/unlink/{connection}")]
pub(crate) async fn unlink(visit: Visit, named: Path<(String, String, String)>) -> HttpResponse {
    let (merchant, id, connection) = named.into_inner();
    let unlinked = async {
        visit.needs(Scope::OpsWrite)?;
        let known = visit.merchant(&merchant)?;
        let gateway = &visit.desk.gateway;
        gateway
            .operations
            .unlink(&known, customer_id(&id)?, &connection, visit.sight())
            .await?;
        Ok(format!(
            "the link at {connection} is forgotten: the next upsert is matched by the vendor's own keys"
        ))
    };
    let result = unlinked.await;
    visit.done(&format!("/ops/customers/{merchant}/{id}"), result)
}

fn customer_id(text: &str) -> Result<CustomerId, Refused> {
    text.parse().map_err(|_| Refused::not_found("customer"))
}

async fn customer(visit: &Visit, merchant: &Arc<Merchant>, id: CustomerId) -> Result<Customer, Refused> {
    let record = visit.desk.gateway.queries.customer_json(merchant, id).await?;
    shapes::read(visit.sight().customer(record))
}
