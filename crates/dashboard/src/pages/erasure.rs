//! Erasing a customer, and what is shown of one who was.

use actix_web::web::Path;
use actix_web::{HttpResponse, get, post};
use askama::Template;

use upsert_api::{Erasure, LinkedCustomer};
use upsert_app::Merchant;
use upsert_core::{CustomerId, ErasureId};
use upsert_settings::Scope;

use crate::auth::session::Session;
use crate::error::PageError;
use crate::links;
use crate::pages::customer::{customer, customer_id};
use crate::person;
use crate::render::{Frame, Section, filters, page};

#[derive(Template)]
#[template(path = "erase.html")]
struct ErasePage {
    frame: Frame,
    customer: LinkedCustomer,
    /// Its page.
    path: String,
}

#[derive(Template)]
#[template(path = "erased.html")]
struct ErasedPage {
    frame: Frame,
    merchant: String,
    erasure: Erasure,
}

/// What it means to erase a customer, before it is done.
#[get("/customers/{merchant}/{id}/erase")]
pub(crate) async fn ask(session: Session, named: Path<(String, String)>) -> Result<HttpResponse, PageError> {
    session.needs(Scope::CustomersWrite)?;
    let (merchant, id) = named.into_inner();
    let (merchant, id) = (session.merchant(&merchant).await?, customer_id(&id)?);
    page(&ErasePage {
        frame: session.frame(Section::Customers, "Erase a customer"),
        customer: customer(&session, &merchant, id).await?,
        path: links::customer(&merchant.id, id),
    })
}

/// Its page says from then on that it was erased.
#[post("/customers/{merchant}/{id}/erase")]
pub(crate) async fn erase(session: Session, named: Path<(String, String)>) -> Result<HttpResponse, PageError> {
    let (merchant, id) = named.into_inner();
    let erase = async {
        let known = session.merchant(&merchant).await?;
        let (operations, by) = (&session.gateway().operations, &session.principal.name);
        operations.erase(&known, customer_id(&id)?, by).await?;
        // What is told is kept until it is: it says nothing of a vendor's id.
        Ok("the customer is erased; what is left to do at the vendors stands below".to_owned())
    };
    session
        .act(Scope::CustomersWrite, &links::customer(&merchant, &id), erase)
        .await
}

/// In the place of a customer's page, where it was erased.
///
/// # Errors
/// `missing`, where it was not.
pub(crate) async fn instead(
    session: &Session,
    merchant: &Merchant,
    id: CustomerId,
    missing: PageError,
) -> Result<HttpResponse, PageError> {
    let queries = &session.gateway().queries;
    let Ok(erasure) = queries.get_erasure(merchant, ErasureId::of(id)).await else {
        return Err(missing);
    };
    page(&ErasedPage {
        frame: session.frame(Section::Customers, format!("Customer {id}")),
        merchant: merchant.id.clone(),
        erasure,
    })
}
