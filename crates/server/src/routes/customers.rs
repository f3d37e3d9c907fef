//! Customers, their history and their links: `/v1/customers`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};

use upsert_api::{AuditAction, CustomerFilter, CustomerRecord, HistoryEntry, LinkedCustomer, Page, PageQuery};
use upsert_app::{Act, Refusal};
use upsert_core::CustomerId;

use crate::http::access::{ReadCustomers, WriteOperations};
use crate::http::audit_as::AuditAs;
use crate::http::body::NoBody;
use crate::http::merchant_id::ForMerchant;
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, read_list, read_page};
use crate::routes::reply;
use crate::state::State;

/// Customers of the merchant, oldest first.
///
/// Scope: `customers:read`.
#[utoipa::path(
    tag = "customers",
    params(
        ForMerchant<ReadCustomers>,
        AuditAs,
        CustomerFilter, PageQuery,
    ),
    responses((status = 200, description = "A page", body = Page<CustomerRecord>)),
)]
#[get("/v1/customers")]
pub(crate) async fn list_customers(
    caller: ForMerchant<ReadCustomers>,
    audit_as: AuditAs,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let (filter, page) = read_list::<CustomerFilter>(&request)?;
    if audit_as.is_export && page.cursor.is_none() {
        let subject = format!("customers/{}", caller.merchant.id);
        let act = Act::new(&caller.key.name, AuditAction::CustomersExport, subject).of(&caller.merchant.id);
        let act = act.with("filtered", filter != CustomerFilter::default());
        state.gateway.audit.record(&[act]).await.map_err(Refusal::from)?;
    }
    let visibility = caller.visibility();
    let found = state
        .gateway
        .queries
        .list_customers(&caller.merchant, &filter, &page, visibility)
        .await?;
    Ok(reply::json(&found))
}

/// A text that is no id names no customer.
pub(crate) fn customer_id(text: &str) -> Result<CustomerId, Problem> {
    text.parse().map_err(|_| Refusal::not_found("customer").into())
}

/// A customer's record, and in it its links.
///
/// Scope: `customers:read`.
#[utoipa::path(
    tag = "customers",
    params(
        ("id" = String, Path, description = "`cus_…`"),
        ForMerchant<ReadCustomers>,
    ),
    responses(
        (status = 200, description = "The record", body = LinkedCustomer),
        (status = 404, description = "`not_found`"),
    ),
)]
#[get("/v1/customers/{id}")]
pub(crate) async fn get_customer(
    caller: ForMerchant<ReadCustomers>,
    id: Path<String>,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let record = state
        .gateway
        .queries
        .get_customer(&caller.merchant, customer_id(&id)?, caller.visibility())
        .await?;
    Ok(reply::json(&record))
}

/// A customer's versions, newest first; refused ones too.
///
/// Scope: `customers:read`.
#[utoipa::path(
    tag = "customers",
    params(
        ("id" = String, Path, description = "`cus_…`"),
        ForMerchant<ReadCustomers>,
        PageQuery,
    ),
    responses(
        (status = 200, description = "A page", body = Page<HistoryEntry>),
        (status = 404, description = "`not_found`"),
    ),
)]
#[get("/v1/customers/{id}/history")]
pub(crate) async fn get_customer_history(
    caller: ForMerchant<ReadCustomers>,
    id: Path<String>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let page = read_page(&request)?;
    let id = customer_id(&id)?;
    let visibility = caller.visibility();
    let found = state
        .gateway
        .queries
        .customer_history(&caller.merchant, id, &page, visibility)
        .await?;
    Ok(reply::json(&found))
}

/// Forgets which record of the vendor a customer is, where that record is gone (`link_stale`).
///
/// Scope: `ops:write`. The next upsert is matched by the vendor's own keys again. Without `customers:read` as well,
/// what says who the customer is stands there as `•••`, a yes or no as null.
#[utoipa::path(
    tag = "operations",
    params(
        ("id" = String, Path, description = "`cus_…`"),
        ("connection" = String, Path, description = "The connection's name"),
        ForMerchant<WriteOperations>,
    ),
    responses(
        (status = 200, description = "The customer with the links that are left", body = LinkedCustomer),
        (status = 404, description = "`not_found`: no such customer or link"),
        (status = 422, description = "`validation_failed`: there is a body"),
        (status = 503, description = "`overloaded`: a delivery is in flight there"),
    ),
)]
#[post("/v1/customers/{id}/links/{connection}/unlink")]
pub(crate) async fn unlink_customer(
    caller: ForMerchant<WriteOperations>,
    path: Path<(String, String)>,
    _: NoBody,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let (id, connection) = path.into_inner();
    let (by, visibility) = (&caller.key.name, caller.visibility());
    let customer = state
        .gateway
        .operations
        .unlink(&caller.merchant, customer_id(&id)?, &connection, by, visibility)
        .await?;
    Ok(reply::json(&customer))
}
