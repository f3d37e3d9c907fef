//! `GET /ops/customers/{merchant}/{id}`: one customer, its links and its history; and the way to forget a link.

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse, get, post};
use askama::Template;

use upsert_api::LinkedCustomer;
use upsert_app::Merchant;
use upsert_core::CustomerId;
use upsert_settings::Scope;

use crate::auth::session::Session;
use crate::error::PageError;
use crate::links;
use crate::pages::erasure;
use crate::pages::timeline::{Timeline, UNFOLDED};
use crate::person;
use crate::query::{address, read};
use crate::render::{Frame, Section, filters, page};
use crate::words;

#[derive(Template)]
#[template(path = "customer.html")]
struct CustomerPage {
    frame: Frame,
    customer: LinkedCustomer,
    /// Its page.
    path: String,
    timeline: Timeline,
    is_first: bool,
    /// Whether there is a way to erase it.
    may_erase: bool,
    /// Where the history goes on.
    older: Option<String>,
}

#[derive(Template)]
#[template(path = "unlink.html")]
struct UnlinkPage {
    frame: Frame,
    customer: LinkedCustomer,
    /// Its page.
    path: String,
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
    let cursor = read(&request)?.given("cursor");
    let (merchant, id) = (session.merchant(&merchant).await?, customer_id(&id)?);
    let customer = match customer(&session, &merchant, id).await {
        Ok(customer) => customer,
        Err(missing) => return erasure::instead(&session, &merchant, id, missing).await,
    };
    let timeline = Timeline::of(&session, &merchant, id, cursor.clone()).await?;
    let path = links::customer(&merchant.id, id);
    let older = timeline.next.as_deref();
    page(&CustomerPage {
        may_erase: session.principal.may(Scope::CustomersWrite),
        // Browsers keep titles in their history: it says no name.
        frame: session.frame(Section::Customers, format!("Customer {id}")),
        is_first: cursor.is_none(),
        older: older.map(|cursor| address(&path, [("cursor", cursor)])),
        path,
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
    let merchant = session.merchant(&merchant).await?;
    let id = customer_id(&id)?;
    let customer = customer(&session, &merchant, id).await?;
    let link = customer.links.iter().find(|link| link.connection == connection);
    let link = link
        .filter(|link| link.is_live())
        .ok_or_else(|| PageError::not_found("link"))?;
    page(&UnlinkPage {
        frame: session.frame(Section::Customers, format!("Forget the link at {connection}")),
        provider_customer_id: link.provider_customer_id.clone().unwrap_or_default(),
        path: links::customer(&merchant.id, id),
        connection,
        customer,
    })
}

/// The next upsert is matched by the vendor's own keys again.
#[post("/customers/{merchant}/{id}/unlink/{connection}")]
pub(crate) async fn unlink(session: Session, named: Path<(String, String, String)>) -> Result<HttpResponse, PageError> {
    let (merchant, id, connection) = named.into_inner();
    let unlink = async {
        let (known, operations) = (session.merchant(&merchant).await?, &session.gateway().operations);
        let (id, visibility) = (customer_id(&id)?, session.visibility());
        let by = &session.principal.name;
        operations.unlink(&known, id, &connection, by, visibility).await?;
        Ok(format!(
            "the link at {connection} is forgotten: the next upsert is matched by the vendor's own keys"
        ))
    };
    session.operate(&links::customer(&merchant, &id), unlink).await
}

pub(crate) fn customer_id(text: &str) -> Result<CustomerId, PageError> {
    text.parse().map_err(|_| PageError::not_found("customer"))
}

/// The customer, as the session may see it.
///
/// # Errors
/// 404.
pub(crate) async fn customer(
    session: &Session,
    merchant: &Merchant,
    id: CustomerId,
) -> Result<LinkedCustomer, PageError> {
    let queries = &session.gateway().queries;
    Ok(queries.get_customer(merchant, id, session.visibility()).await?)
}
