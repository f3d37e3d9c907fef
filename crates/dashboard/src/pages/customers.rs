//! `GET /ops/customers`: the search, and `POST` there: what it finds.
//!
//! The search is posted, whatever is looked for: an address with an e-mail address, a phone number or a reference in it
//! would stay in the browser's history and in the logs of whatever stands before the gateway. What is found is answered
//! at once, or by the way to the one page that it is.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::Form;
use actix_web::{HttpResponse, get, post};
use askama::Template;
use serde::Deserialize;

use upsert_api::{CustomerFilter, CustomerRecord, PageQuery, ProblemCode};
use upsert_app::Merchant;
use upsert_core::canonicalise::canonical_text;
use upsert_core::{CustomerId, IdentifierKind, Word as _};
use upsert_settings::Scope;

use crate::auth::session::{Session, see_other};
use crate::error::PageError;
use crate::links;
use crate::pages::merchant_field::MerchantField;
use crate::person;
use crate::render::{Frame, Section, filters, page_with};

/// Customers on the page.
const MOST: usize = 50;
/// Merchants that are gone through where none is named.
const MOST_MERCHANTS: usize = 200;
/// Forms of what was looked for that are told: a phone number has one for each region.
const MOST_TOLD: usize = 5;

/// What is looked for. (No `Debug`: it is about a person.)
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Search {
    q: String,
    kind: String,
    merchant: String,
}

#[derive(Template)]
#[template(path = "customers.html")]
struct CustomersPage {
    frame: Frame,
    merchants: MerchantField,
    typed: String,
    kind: String,
    problem: Option<String>,
    found: Option<Found>,
}

/// What was found, and as what it was looked for.
#[derive(Default)]
struct Found {
    customers: Vec<CustomerRecord>,
    has_more: bool,
    looked_for: BTreeSet<String>,
    /// Why it was looked for as nothing at all.
    refused: Option<String>,
}

/// The form.
#[get("/customers")]
pub(crate) async fn show(session: Session) -> Result<HttpResponse, PageError> {
    answer(&session, &Search::default(), Ok(None))
}

/// Looks for a customer: one that is found alone is gone to.
#[post("/customers")]
pub(crate) async fn find(session: Session, search: Form<Search>) -> Result<HttpResponse, PageError> {
    match look(&session, &search).await {
        Ok(Found {
            customers, has_more, ..
        }) if customers.len() == 1 && !has_more => {
            let found = &customers[0];
            Ok(see_other(&links::customer(&found.merchant_id, found.id)))
        }
        Ok(found) => answer(&session, &search, Ok(Some(found))),
        Err(refused) => answer(&session, &search, Err(refused)),
    }
}

fn answer(
    session: &Session,
    search: &Search,
    found: Result<Option<Found>, PageError>,
) -> Result<HttpResponse, PageError> {
    let status = found.as_ref().err().map_or(StatusCode::OK, |refused| refused.status);
    let (found, problem) = match found {
        Ok(found) => (found, None),
        Err(refused) => (None, Some(refused.sentence())),
    };
    let customers = CustomersPage {
        frame: session.frame(Section::Customers, "Customers"),
        merchants: MerchantField::new(session, search.merchant.trim(), Some("any")),
        typed: search.q.clone(),
        kind: search.kind.clone(),
        problem,
        found,
    };
    page_with(status, &customers)
}

async fn look(session: &Session, search: &Search) -> Result<Found, PageError> {
    let text = search.q.trim();
    if text.is_empty() {
        return Err(PageError::unreadable("say what to look for"));
    }
    let merchants = merchants(session, search.merchant.trim()).await?;
    let mut found = Found::default();
    if let Ok(id) = text.parse::<CustomerId>() {
        found.looked_for.insert(format!("id {id}"));
        for merchant in &merchants {
            found.add_by_id(session, merchant, id).await?;
        }
        return Ok(found);
    }
    session.needs(Scope::CustomersRead)?;
    let kinds = kinds(&search.kind)?;
    for merchant in &merchants {
        for kind in &kinds {
            found.add_by_identifier(session, merchant, *kind, text).await?;
        }
        if found.customers.len() > MOST {
            break;
        }
    }
    found.has_more |= found.customers.len() > MOST;
    found.customers.truncate(MOST);
    Ok(found)
}

/// The merchant that is named, or all that the key sees.
async fn merchants(session: &Session, named: &str) -> Result<Vec<Arc<Merchant>>, PageError> {
    if !named.is_empty() {
        return Ok(vec![session.merchant(named).await?]);
    }
    let ids = session.merchants(MOST_MERCHANTS + 1);
    if ids.len() > MOST_MERCHANTS {
        let says = format!("your key sees more than {MOST_MERCHANTS} merchants: say which one's customer it is");
        return Err(PageError::unreadable(says));
    }
    let mut merchants = Vec::with_capacity(ids.len());
    for id in &ids {
        merchants.push(session.merchant(id).await?);
    }
    Ok(merchants)
}

fn kinds(kind: &str) -> Result<Vec<IdentifierKind>, PageError> {
    if kind.is_empty() {
        return Ok(IdentifierKind::ALL.to_vec());
    }
    let says = "customers are found by reference, e-mail or phone";
    let kind = kind.parse().map_err(|_| PageError::unreadable(says))?;
    Ok(vec![kind])
}

impl Found {
    async fn add_by_id(&mut self, session: &Session, merchant: &Merchant, id: CustomerId) -> Result<(), PageError> {
        let queries = &session.gateway().queries;
        match queries.get_customer(merchant, id, session.visibility()).await {
            Ok(customer) => self.add(customer.record),
            Err(refusal) if refusal.code == ProblemCode::NotFound => {}
            Err(refusal) => return Err(refusal.into()),
        }
        Ok(())
    }

    async fn add_by_identifier(
        &mut self,
        session: &Session,
        merchant: &Merchant,
        kind: IdentifierKind,
        text: &str,
    ) -> Result<(), PageError> {
        match canonical_text(kind.field(), text, merchant.default_region.as_deref()) {
            Ok(canonical) => self.looked_for.insert(format!("{} {canonical}", kind.as_str())),
            // What is no phone number may still be a reference.
            Err(refused) => {
                self.refused = Some(format!("as {}, it {}", called(kind), refused.detail));
                return Ok(());
            }
        };
        let mut filter = CustomerFilter::default();
        let asked = match kind {
            IdentifierKind::Reference => &mut filter.reference,
            IdentifierKind::Email => &mut filter.email,
            IdentifierKind::Phone => &mut filter.phone,
        };
        *asked = Some(text.to_owned());
        let first = PageQuery {
            limit: MOST,
            cursor: None,
        };
        let queries = &session.gateway().queries;
        let found = queries
            .list_customers(merchant, &filter, &first, session.visibility())
            .await?;
        self.has_more |= found.next_cursor.is_some();
        found.data.into_iter().for_each(|customer| self.add(customer));
        Ok(())
    }

    /// One may be found in more than one way.
    fn add(&mut self, customer: CustomerRecord) {
        if self.customers.iter().all(|known| known.id != customer.id) {
            self.customers.push(customer);
        }
    }

    /// Forms that are told.
    fn told(&self) -> impl Iterator<Item = &String> {
        self.looked_for.iter().take(MOST_TOLD)
    }

    fn untold(&self) -> usize {
        self.looked_for.len().saturating_sub(MOST_TOLD)
    }
}

fn called(kind: IdentifierKind) -> &'static str {
    match kind {
        IdentifierKind::Reference => "a reference",
        IdentifierKind::Email => "an e-mail address",
        IdentifierKind::Phone => "a phone number",
    }
}
